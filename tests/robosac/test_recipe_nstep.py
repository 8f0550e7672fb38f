"""Returns of several steps: a hand-made example, a telling step by step, resets, checkpoints."""

from __future__ import annotations

import numpy as np
import pytest

from robosac.actor import Actor
from robosac.assembly import make_gym
from tests.sweeps.recipe_nstep import NStepReplay


def tell(replay: NStepReplay, steps: list[tuple[float, str]]) -> None:
    """Add steps (reward, end): "" goes on, "t" terminated, "x" truncated, "-" is left out.

    States are numbered; a reset is to one that looks like the last, yet is another array.
    """
    state = np.zeros(1, np.float32)
    for count, (reward, end) in enumerate(steps, start=1):
        after = np.full(1, count, np.float32)
        if end != "-":
            replay.add(state, np.array([reward / 1000], np.float32), reward, after, end == "t")
        state = after.copy() if end in ("t", "x") else after


def targets(replay: NStepReplay, discount: float) -> dict[float, tuple[float, float, float]]:
    """By a row's first reward: return, where it bootstraps, and the weight of that value."""
    batch = replay.sample(np.random.default_rng(0), 2000)
    firsts = np.rint(batch.action[:, 0] * 1000)
    weights = discount * (1 - batch.terminated)
    rows = zip(firsts, batch.reward, batch.next_observation[:, 0], weights, strict=True)
    found: dict[float, tuple[float, float, float]] = {}
    for first, *rest in rows:
        row = tuple(round(float(x), 5) for x in rest)
        assert found.setdefault(float(first), row) == row  # type: ignore[arg-type]
    return found


def test_returns_of_three_steps_stop_where_an_episode_does() -> None:
    replay = NStepReplay(100, (1,), 1, returned=3, discount=0.5)
    tell(
        replay,
        [(1, ""), (2, ""), (4, ""), (8, "x"), (16, ""), (32, "t"), (64, ""), (0, "-"), (128, ""),
         (256, "")],
    )  # fmt: skip
    assert targets(replay, 0.5) == {
        1: (3.0, 3.0, 0.125),
        2: (6.0, 4.0, 0.125),
        4: (8.0, 4.0, 0.25),
        8: (8.0, 4.0, 0.5),
        16: (32.0, 6.0, 0.0),
        32: (32.0, 6.0, 0.0),
        64: (64.0, 7.0, 0.5),
        128: (256.0, 10.0, 0.25),
        256: (256.0, 10.0, 0.5),
    }


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("returned", [1, 3, 5])
def test_returns_equal_those_told_step_by_step(returned: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, capacity, discount = 60, 25, 0.9
    ends = rng.choice(["", "t", "x", "-"], count, p=[0.7, 0.1, 0.1, 0.1])
    steps = [(float(index + 1), str(end)) for index, end in enumerate(ends)]
    replay = NStepReplay(capacity, (1,), 1, returned, discount)
    tell(replay, steps)
    kept = [index for index, (_, end) in enumerate(steps) if end != "-"][-capacity:]
    expected: dict[float, tuple[float, float, float]] = {}
    for first in kept:
        last, total, weight = first, steps[first][0], discount
        while last - first < returned - 1 and steps[last][1] == "" and last + 1 in kept:
            last += 1
            total, weight = total + weight * steps[last][0], weight * discount
        weight *= steps[last][1] != "t"
        expected[steps[first][0]] = (total, last + 1.0, weight)
    found = targets(replay, discount)
    assert found.keys() == expected.keys()
    for first, row in expected.items():
        np.testing.assert_allclose(found[first], row, rtol=1e-5, atol=1e-5)


def test_returns_survive_a_checkpoint() -> None:
    one, other = (NStepReplay(10, (1,), 1, 3, 0.5) for _ in range(2))
    tell(one, [(1, ""), (2, ""), (4, "x"), (8, "")])
    other.load({name: x.copy() for name, x in one.state().items()})
    assert targets(one, 0.5) == targets(other, 0.5)
    tell(other, [(16, "")])
    assert targets(other, 0.5)[8] == targets(one, 0.5)[8], "a resumed run begins with a reset"


def test_an_actor_hands_on_the_very_array_that_a_step_ended_with() -> None:
    actor = Actor(make_gym("Pendulum-v1"), "test")
    actor.begin(0, 0)
    replay = NStepReplay(10, (3,), 1, 3, 0.5)
    rewards: list[float] = []
    for _ in range(4):
        step = actor.step(np.zeros(1, np.float32), 0)
        rewards.append(step.reward)
        replay.add(
            *(np.asarray(step.observation), step.executed_action, step.reward),
            *(np.asarray(step.next_observation), step.terminated),
        )
    batch = replay.sample(np.random.default_rng(0), 200)
    whole = rewards[0] + rewards[1] / 2 + rewards[2] / 4
    assert np.isclose(batch.reward, whole, rtol=1e-5).any()
