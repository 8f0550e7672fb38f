"""The walking environment, through every byte of the twin."""

from collections.abc import Callable

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from robosac.assembly import Stage
from robosac.executor import Executor
from robosac.reasons import Reason
from robosac.states import SafetyState
from robosac.tasks.ends import EpisodeEnd
from robosac.tasks.walk import MinitaurWalk
from sim.minitaur import MinitaurTwin

Make = Callable[..., Stage]


def parts(stage: Stage) -> tuple[MinitaurWalk, Executor]:
    """The environment and its executor, with their types."""
    assert isinstance(stage.env, MinitaurWalk)
    assert isinstance(stage.executor, Executor)
    return stage.env, stage.executor


def rollout(env: MinitaurWalk, seed: int, steps: int = 25) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        observation, reward, *_ = env.step(rng.uniform(-0.3, 0.3, 8).astype(np.float32))
        rows.append(np.append(observation[:-1], np.float32(reward)))
    return np.array(rows)


def test_it_passes_the_checker_of_gymnasium() -> None:
    env = gymnasium.make(
        "robosac.tasks:robosac/MinitaurWalk-v0", **{"task.episode_steps": 10, "task.settle_s": 0.05}
    )
    check_env(env.unwrapped, skip_render_check=True)
    env.close()


def test_the_observation_is_twelve_numbers_six_times_and_five_actions(make_twin: Make) -> None:
    env = make_twin().env
    observation, _ = env.reset(seed=3)
    assert observation.shape == (12 * 6 + 8 * 5,) == (112,)
    assert observation.dtype == np.float32
    action = np.full(8, 0.1, np.float32)
    following, *_, info = env.step(action)
    np.testing.assert_array_equal(following[: 12 * 5], observation[12 : 12 * 6])
    np.testing.assert_array_equal(following[-8:], info["executed_action"])


def test_the_same_seed_gives_the_same_run_to_the_bit(make_twin: Make) -> None:
    first, second, other = (rollout(parts(make_twin())[0], seed).tobytes() for seed in (7, 7, 8))
    assert first == second != other


def test_an_episode_does_not_depend_on_the_one_before(make_twin: Make) -> None:
    env, _ = parts(make_twin())
    rollout(env, 1)
    assert rollout(env, 7).tobytes() == rollout(parts(make_twin())[0], 7).tobytes()


def test_rewards_are_the_sum_of_their_named_terms(make_twin: Make) -> None:
    env = make_twin().env
    env.reset(seed=0)
    _, reward, _, _, info = env.step(np.full(8, 0.2, np.float32))
    assert set(info["terms"]) == {"forward_velocity", "acceleration", "pitch", "folded_front_legs"}
    assert reward == pytest.approx(sum(info["terms"].values()))


def test_time_runs_out_without_cutting_the_bootstrap(make_twin: Make) -> None:
    env = make_twin("task.episode_steps=3").env
    env.reset(seed=0)
    ends = [env.step(np.zeros(8, np.float32))[2:] for _ in range(3)]
    assert [(terminated, truncated) for terminated, truncated, _ in ends] == [
        (False, False),
        (False, False),
        (False, True),
    ]
    assert ends[-1][2]["end"] is EpisodeEnd.TRUNCATED
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(np.zeros(8, np.float32))


def test_a_fall_terminates(make_twin: Make) -> None:
    env = make_twin("task.fall_angle_rad=0.02").env
    env.reset(seed=0)
    action = np.array([0, 0, 0, 0, 1, 1, -1, -1], np.float32)
    terminated, end = False, None
    while end is None:
        _, _, terminated, _, info = env.step(action)
        end = info["end"]
    assert end is EpisodeEnd.TERMINATED
    assert terminated


def test_an_action_that_is_not_a_number_never_reaches_a_motor(make_twin: Make) -> None:
    env, executor = parts(make_twin())
    env.reset(seed=0)
    before = executor.commanded_position
    *_, info = env.step(np.full(8, np.nan, np.float32))
    assert Reason.NON_FINITE in info["reasons"]
    assert np.isfinite(info["executed_action"]).all()
    np.testing.assert_allclose(executor.commanded_position, before, atol=1e-9)


def test_a_safety_stop_ends_the_episode_and_the_operator_clears_it(make_twin: Make) -> None:
    stage = make_twin()
    env, executor = parts(stage)
    env.reset(seed=0)
    stage.gate.trip("test")
    _, _, terminated, truncated, info = env.step(np.zeros(8, np.float32))
    assert (terminated, truncated) == (False, True)
    assert info["end"] is EpisodeEnd.SAFETY_STOP
    assert executor.safety is SafetyState.FAULT
    stage.gate.reset()
    env.reset(seed=1)
    assert executor.safety is SafetyState.ACTIVE


def test_what_was_executed_is_what_is_reported(make_twin: Make) -> None:
    env, _ = parts(make_twin())
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    limited = 0
    for _ in range(20):
        action = rng.uniform(-1, 1, 8).astype(np.float32)
        *_, info = env.step(action)
        joints = env.joints_from_action(info["executed_action"].astype(float))
        np.testing.assert_allclose(joints, env.ticks[-1].executed, atol=1e-5)
        limited += bool(np.abs(info["executed_action"] - action).max() > 1e-3)
    assert limited, "uniform random actions must run into the limits"


def test_training_goes_on_once_the_operator_has_plugged_the_bus_in_again(
    make_twin: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, executor = parts(make_twin())
    env.reset(seed=0)
    twin = env.operator
    assert isinstance(twin, MinitaurTwin)
    place, told = twin.place, []

    def mend(seed: int, faults: tuple[str, ...]) -> None:
        told.append(faults)
        twin.legs.plug_in()
        place(seed, faults)

    monkeypatch.setattr(twin, "place", mend)
    twin.legs.unplug()
    *_, info = env.step(np.zeros(8, np.float32))
    assert info["end"] is EpisodeEnd.SAFETY_STOP
    assert executor.safety is SafetyState.FAULT
    env.reset(seed=1)
    assert told == [("bus_dead", "stop_unconfirmed")]
    *_, info = env.step(np.zeros(8, np.float32))
    assert info["end"] is None
    assert executor.safety is SafetyState.ACTIVE
