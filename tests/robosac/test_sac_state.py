"""The learner's state: the same to the bit, refused if another's, resumed as if never killed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from robosac.replay import Replay
from robosac.sac import FastVectors, PaperVectors, Sac, SacSettings
from tests.robosac.sac_rig import ACTION, OBSERVATION, SMALL, same, trained
from tests.robosac.threads import one_thread

__all__ = ["one_thread"]


@pytest.mark.parametrize("recipe", ["paper", "fast"])
def test_same_seed_same_bits_other_seed_other_bits(recipe: str) -> None:
    first, second, other = trained(recipe, 7), trained(recipe, 7), trained(recipe, 8)
    assert same(first, second)
    assert first["policy.parameters"].tobytes() != other["policy.parameters"].tobytes()


def test_loading_another_learners_state_is_refused_and_changes_nothing() -> None:
    agent = Sac(SMALL, OBSERVATION, ACTION, seed=0)
    before = agent.state()
    with pytest.raises(ValueError, match="this learner has"):
        agent.load(Sac(SMALL, OBSERVATION + 1, ACTION, seed=1).state())
    with pytest.raises(ValueError, match="expected"):
        agent.load(trained("fast", 0))
    with pytest.raises(ValueError, match="expected"):
        agent.load({name: value for name, value in before.items() if name != "noise"})
    after = agent.state()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


class Point:
    """A point on a line, pushed about; resets when it leaves [-1, 1] or after 20 steps."""

    def __init__(self) -> None:
        self.position, self.steps = 0.0, 0

    def step(self, push: float) -> tuple[float, bool]:
        self.position += 0.2 * push
        self.steps += 1
        return -abs(self.position), abs(self.position) > 1

    def observation(self) -> NDArray[np.float32]:
        return np.array([self.position, self.steps / 20], np.float32)


def run_loop(
    agent: Sac, replay: Replay, rng: np.random.Generator, point: Point, steps: int
) -> None:
    for _ in range(steps):
        observation = point.observation()
        action = agent.act(observation, deterministic=False)
        reward, terminated = point.step(float(action[0]))
        replay.add(observation, action, reward, point.observation(), terminated)
        if terminated or point.steps == 20:
            point.position, point.steps = 0.0, 0
        agent.update(replay.sample(rng, 16))


@pytest.mark.parametrize("recipe", [PaperVectors(), FastVectors()])
def test_a_killed_and_resumed_loop_equals_one_never_killed(
    recipe: PaperVectors | FastVectors,
) -> None:
    settings = SacSettings(hidden_units=(8,), batch_size=16, replay_capacity=40)

    def parts(seed: int) -> tuple[Sac, Replay, np.random.Generator, Point]:
        agent = Sac(settings, 2, 1, seed, vectors=recipe)
        return agent, Replay(40, (2,), 1), np.random.default_rng(seed), Point()

    agent, replay, rng, point = whole = parts(0)
    run_loop(*whole, steps=60)
    saved = {**agent.state()}, {k: v.copy() for k, v in replay.state().items()}
    saved_rng, saved_point = rng.bit_generator.state, (point.position, point.steps)
    run_loop(*whole, steps=30)

    agent2, replay2, rng2, point2 = resumed = parts(99)
    agent2.load(saved[0])
    replay2.load(saved[1])
    rng2.bit_generator.state = saved_rng
    point2.position, point2.steps = saved_point
    run_loop(*resumed, steps=30)

    for one, two in ((agent, agent2), (replay, replay2)):
        first, second = one.state(), two.state()
        assert first.keys() == second.keys()
        assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert agent2.updates == 90
