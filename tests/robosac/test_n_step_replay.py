"""Returns of several steps: a hand-made example, a telling step by step, resets, checkpoints."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict

from robosac.actor import Actor
from robosac.assembly import make_gym
from robosac.config import load_preset
from robosac.errors import ConfigError
from robosac.experience import make_replay
from robosac.n_step_replay import WAITING, NStepReplay
from robosac.replay import Replay
from robosac.told_spaces import ToldSpaces

RESET = 1000.0
"""Added to the numbers of states of the episodes after."""


def tell(replay: NStepReplay, steps: list[tuple[float, str]], begin: float = 0.0) -> None:
    """Add steps (reward, end): "" goes on, "t" terminated, "x" truncated, "-" is left out.

    States are numbered from `begin` on, with a jump at each reset.
    """
    number = begin
    for reward, end in steps:
        before, number = np.full(1, number, np.float32), number + 1
        after = np.full(1, number, np.float32)
        if end != "-":
            replay.add(before, np.array([reward / 1000], np.float32), reward, after, end == "t")
        if end in ("t", "x"):
            number += RESET


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
    replay = NStepReplay(100, (1,), 1, steps=3, discount=0.5)
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
        16: (32.0, 1006.0, 0.0),
        32: (32.0, 1006.0, 0.0),
        64: (64.0, 2007.0, 0.5),
        128: (256.0, 2010.0, 0.25),
        256: (256.0, 2010.0, 0.5),
    }


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_returns_equal_those_told_step_by_step(steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    count, capacity, discount = 60, 25, 0.9
    ends = rng.choice(["", "t", "x", "-"], count, p=[0.7, 0.1, 0.1, 0.1])
    told = [(float(index + 1), str(end)) for index, end in enumerate(ends)]
    replay = NStepReplay(capacity, (1,), 1, steps, discount)
    tell(replay, told)
    kept = [index for index, (_, end) in enumerate(told) if end != "-"][-capacity:]
    expected: dict[float, tuple[float, float, float]] = {}
    for first in kept:
        last, total, weight = first, told[first][0], discount
        while last - first < steps - 1 and told[last][1] == "" and last + 1 in kept:
            last += 1
            total, weight = total + weight * told[last][0], weight * discount
        weight *= told[last][1] != "t"
        resets = sum(end in ("t", "x") for _, end in told[:last])
        expected[told[first][0]] = (total, last + 1.0 + RESET * resets, weight)
    found = targets(replay, discount)
    assert found.keys() == expected.keys()
    for first, row in expected.items():
        np.testing.assert_allclose(found[first], row, rtol=1e-5, atol=1e-5)


def test_robots_may_come_in_between() -> None:
    alone, mixed = (NStepReplay(100, (1,), 1, 3, 0.5) for _ in range(2))
    robots = {0.0: [1, 2, 4, 8], 50.0: [16, 32, 64, 128], 90.0: [256, 512, 1024, 2048]}
    for begin, rewards in robots.items():
        tell(alone, [(reward, "") for reward in rewards], begin)
    for step in range(4):
        for begin, rewards in robots.items():
            tell(mixed, [(rewards[step], "")], begin + step)
    assert targets(mixed, 0.5) == targets(alone, 0.5)
    assert targets(mixed, 0.5)[256] == (256 + 256 + 256, 93.0, 0.125)


def test_few_are_waited_for_and_none_that_was_written_over() -> None:
    replay = NStepReplay(3 * WAITING, (1,), 1, 2, 0.5)
    tell(replay, [(1, "")], begin=-10.0)
    tell(replay, [(100.0 + index, "x") for index in range(WAITING)])
    tell(replay, [(4, "")], begin=-9.0)
    assert targets(replay, 0.5)[1] == (1.0, -9.0, 0.5), "it came too late"
    small = NStepReplay(2, (1,), 1, 2, 0.5)
    tell(small, [(1, "")], begin=-10.0)
    tell(small, [(2, "x"), (4, "x")])
    tell(small, [(8, "")], begin=-9.0)
    assert targets(small, 0.5).keys() == {4, 8}
    assert targets(small, 0.5)[4] == (4.0, 1002.0, 0.5), "what was there before is forgotten"


def test_one_step_is_the_plain_replay() -> None:
    one, plain = NStepReplay(40, (1,), 1, 1, 0.9), Replay(40, (1,), 1)
    for replay in (one, plain):
        for index in range(60):
            seen = np.full(1, index, np.float32)
            replay.add(seen, np.zeros(1, np.float32), float(index), seen + 1, index % 7 == 0)
    drawn = [replay.sample(np.random.default_rng(3), 50) for replay in (one, plain)]
    for name in ("observation", "action", "reward", "next_observation", "terminated"):
        first, second = (getattr(batch, name) for batch in drawn)
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("count", [4, 15])
def test_returns_survive_a_checkpoint(count: int) -> None:
    """Also of a ring that has come round."""
    one, other = (NStepReplay(10, (1,), 1, 3, 0.5) for _ in range(2))
    ends = ["", "", "x", "", "t"] * 3
    tell(one, [(float(2**index), ends[index]) for index in range(count)])
    other.load({name: x.copy() for name, x in one.state().items()})
    assert targets(one, 0.5) == targets(other, 0.5)
    assert one.state().keys() == Replay(10, (1,), 1).state().keys(), "what follows is found again"
    tell(one, [(0.25, "")], begin=7.0)
    tell(other, [(0.25, "")], begin=7.0)
    assert targets(one, 0.5) == targets(other, 0.5)


def test_a_resumed_run_begins_with_a_reset() -> None:
    one, other = (NStepReplay(10, (1,), 1, 3, 0.5) for _ in range(2))
    tell(one, [(1, "")])
    other.load(one.state())
    for replay in (one, other):
        tell(replay, [(2, "")], begin=1.0)
    assert targets(one, 0.5)[1] == (2.0, 2.0, 0.25)
    assert targets(other, 0.5)[1] == (1.0, 1.0, 0.5)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more steps, got 0"):
        NStepReplay(10, (1,), 1, 0, 0.5)
    replay = NStepReplay(10, (1,), 1, 3, 0.5)
    with pytest.raises(ValueError, match="empty replay buffer"):
        replay.sample(np.random.default_rng(0), 3)
    tell(replay, [(1, "")])
    with pytest.raises(ValueError, match="on the host alone"):
        replay.gather(np.random.default_rng(0), 3, lambda _, rows: rows)


def test_an_actor_hands_on_what_a_step_ended_with() -> None:
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


def test_it_is_for_vectors_on_the_host() -> None:
    chosen, actions = "sac.return_steps=3", Box(-1.0, 1.0, (2,))
    vectors = ToldSpaces(Box(-np.inf, np.inf, (4,)), actions)
    made = make_replay(load_preset("minitaur", [chosen]), vectors)
    assert isinstance(made, NStepReplay)
    assert (made.steps, made.discount) == (3, 0.99)
    assert type(make_replay(load_preset("minitaur", []), vectors)) is Replay
    for preset, *more in (
        ("claw-pixels",),
        ("minitaur", "learner_device=cuda", "learner_replay=device"),
    ):
        with pytest.raises(ConfigError, match="valid here is 1"):
            load_preset(preset, [chosen, *more])
    seen = Dict({"image": Box(0, 255, (8, 8, 3), np.uint8), "state": Box(-1.0, 1.0, (4,))})
    with pytest.raises(ConfigError, match="valid for pictures is 1"):
        make_replay(load_preset("minitaur", [chosen]), ToldSpaces(seen, actions))
