"""The quadruped's reset in the twin: it gets up from where it fell, and the seed tells all."""

import numpy as np

from robosac.assembly import make_stage
from robosac.config import load_preset
from robosac.reasons import Reason
from robosac.states import SafetyState
from robosac.tasks.ends import EpisodeEnd
from robosac.tasks.walk import MinitaurWalk
from sim.minitaur import MinitaurTwin

QUICK = ("task.reset=self", "task.settle_s=0.1", "task.episode_steps=5", "task.get_up_retries=3")


def made(*overrides: str) -> tuple[MinitaurWalk, MinitaurTwin]:
    env = make_stage(load_preset("minitaur", [*QUICK, *overrides])).env
    assert isinstance(env, MinitaurWalk)
    assert isinstance(env.operator, MinitaurTwin)
    return env, env.operator


def test_it_gets_up_from_its_belly_and_stands_under_its_own_bounds() -> None:
    env, twin = made()
    twin.begin(1, "belly")
    limits = env.executor.limits
    outside = (twin.plant.joint_position < limits.lower) | (
        twin.plant.joint_position > limits.upper
    )
    assert outside.any(), "limp legs do not stay within their limits"
    tick = env.setup.run(env.joints_from_action(np.zeros(8)), 0)
    assert tick.safety is SafetyState.ACTIVE
    assert twin.plant.base_position[2] > 0.15
    assert twin.plant.tilt < 0.3
    assert env.setup.get_ups == 1
    assert env.setup.operator_calls == 0
    assert not tick.reasons & Reason.RECOVERING
    assert env.executor.limits is limits


def test_on_its_back_it_calls_the_operator_who_sets_it_upright() -> None:
    env, twin = made()
    twin.begin(0, "back")
    assert twin.plant.tilt > 2.0
    env.setup.run(env.joints_from_action(np.zeros(8)), 0)
    assert env.setup.operator_calls == 1
    assert twin.plant.tilt < 0.2


def test_an_episode_depends_on_its_seed_alone() -> None:
    first, _ = made("task.get_up_retries=0")
    for seed in (3, 9):
        row, info = first.reset(seed=seed)
        first.step(np.zeros(8, np.float32))
    second, _ = made("task.get_up_retries=0")
    again, told = second.reset(seed=9)
    np.testing.assert_array_equal(row, again)
    assert set(info) == set(told) == {"operator_calls", "get_ups"}
    assert info["operator_calls"] + info["get_ups"] >= 1


def test_a_fall_is_damped_and_the_next_episode_begins_by_itself() -> None:
    env, twin = made("task.get_up_retries=0")
    env.reset(seed=3)
    twin.plant.tip(1.2, 0.0, 0.25)
    ends = [env.step(np.zeros(8, np.float32))[4]["end"]]
    while ends[-1] is None:
        ends.append(env.step(np.zeros(8, np.float32))[4]["end"])
    assert ends[-1] is EpisodeEnd.TERMINATED
    assert env.executor.safety is SafetyState.DISARMED
    assert not twin.bank.driving.any()


def test_who_sets_it_up_is_the_operator_unless_asked() -> None:
    env = make_stage(load_preset("minitaur")).env
    assert isinstance(env, MinitaurWalk)
    assert not env.setup.alone
