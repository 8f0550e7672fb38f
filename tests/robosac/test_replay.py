"""The replay buffer, with data that says where it came from."""

from __future__ import annotations

import numpy as np
import pytest

from robosac.replay import Replay


def fill(replay: Replay, first: int, last: int) -> None:
    """Transition i is (10 i, action i / 1000, reward i, 10 i + 1); every third one terminates."""
    for i in range(first, last):
        state = np.full(2, 10 * i, np.float32)
        replay.add(state, np.full(1, i / 1000, np.float32), float(i), state + 1, i % 3 == 0)


def test_sampled_rows_belong_together() -> None:
    replay = Replay(50, (2,), 1)
    fill(replay, 0, 30)
    batch = replay.sample(np.random.default_rng(0), 500)
    i = batch.reward
    np.testing.assert_array_equal(batch.observation, np.stack([10 * i, 10 * i], axis=1))
    np.testing.assert_array_equal(batch.next_observation, batch.observation + 1)
    np.testing.assert_allclose(batch.action[:, 0], i / 1000, rtol=1e-6)
    np.testing.assert_array_equal(batch.terminated, (i % 3 == 0).astype(np.float32))


def test_every_stored_transition_is_drawn_and_nothing_else() -> None:
    replay = Replay(50, (2,), 1)
    fill(replay, 0, 7)
    drawn = replay.sample(np.random.default_rng(0), 7000).reward
    values, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_array_equal(values, np.arange(7))
    assert counts.min() > 850
    assert counts.max() < 1150


def test_a_full_ring_forgets_the_oldest_first() -> None:
    replay = Replay(10, (2,), 1)
    fill(replay, 0, 13)
    assert (len(replay), replay.added) == (10, 13)
    drawn = set(replay.sample(np.random.default_rng(0), 1000).reward.tolist())
    assert drawn == {float(i) for i in range(3, 13)}


def test_sampling_depends_on_the_given_generator_alone() -> None:
    replay = Replay(50, (2,), 1)
    fill(replay, 0, 50)
    first, second, other = (
        replay.sample(np.random.default_rng(seed), 32).reward for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_a_batch_is_free_to_change() -> None:
    replay = Replay(5, (2,), 1)
    fill(replay, 1, 6)
    replay.sample(np.random.default_rng(0), 20).observation[:] = -1
    assert replay.sample(np.random.default_rng(0), 20).observation.min() >= 10


@pytest.mark.parametrize("added", [0, 4, 10, 13])
def test_a_loaded_buffer_goes_on_like_the_saved_one(added: int) -> None:
    replay, other = Replay(10, (2,), 1), Replay(10, (2,), 1)
    fill(replay, 0, added)
    fill(other, 100, 107)
    other.load({name: value.copy() for name, value in replay.state().items()})
    for buffer in (replay, other):
        fill(buffer, added, added + 5)
    one, two = (buffer.sample(np.random.default_rng(3), 200) for buffer in (replay, other))
    np.testing.assert_array_equal(one.observation, two.observation)
    np.testing.assert_array_equal(one.terminated, two.terminated)
    assert other.added == added + 5


def test_the_saved_state_is_the_filled_part_only() -> None:
    replay = Replay(1_000_000, (112,), 8)
    fill_row = np.zeros(112, np.float32)
    replay.add(fill_row, np.zeros(8, np.float32), 0.0, fill_row, False)
    assert replay.transition_bytes == (2 * 112 + 8 + 2) * 4
    assert replay.memory_bytes == replay.transition_bytes
    assert sum(value.nbytes for value in replay.state().values()) == replay.transition_bytes + 8


def test_pictures_keep_their_type() -> None:
    replay = Replay(4, (8, 8, 3), 2, np.uint8)
    picture = np.full((8, 8, 3), 200, np.uint8)
    replay.add(picture, np.zeros(2, np.float32), 0.0, picture, False)
    batch = replay.sample(np.random.default_rng(0), 3)
    assert batch.observation.dtype == np.uint8
    assert batch.observation.shape == (3, 8, 8, 3)
    assert (batch.observation == 200).all()


NAN = float("nan")


@pytest.mark.parametrize(
    ("observation", "action", "reward", "following", "message"),
    [
        ([0, 0, 0], [0], 0.0, [0, 0], r"observation has shape \(3,\); expected \(2,\)"),
        ([0, 0], [0, 0], 0.0, [0, 0], r"action has shape \(2,\); expected \(1,\)"),
        ([0, 0], [0], 0.0, [0], r"next_observation has shape \(1,\)"),
        ([0, NAN], [0], 0.0, [0, 0], "observation holds a value that is not finite"),
        ([0, 0], [NAN], 0.0, [0, 0], "action holds a value that is not finite"),
        ([0, 0], [0], NAN, [0, 0], "reward holds a value that is not finite"),
        ([0, 0], [0], 0.0, [0, np.inf], "next_observation holds a value that is not finite"),
    ],
)
def test_what_would_poison_the_critics_is_refused(
    observation: list[float],
    action: list[float],
    reward: float,
    following: list[float],
    message: str,
) -> None:
    replay = Replay(5, (2,), 1)
    with pytest.raises(ValueError, match=message):
        replay.add(np.array(observation), np.array(action), reward, np.array(following), False)
    assert len(replay) == 0


def test_an_empty_buffer_cannot_be_sampled_and_a_capacity_is_positive() -> None:
    with pytest.raises(ValueError, match="empty"):
        Replay(5, (2,), 1).sample(np.random.default_rng(0), 1)
    with pytest.raises(ValueError, match="capacity must be 1 or more"):
        Replay(0, (2,), 1)


def test_the_state_of_another_shape_is_refused_and_changes_nothing() -> None:
    replay = Replay(10, (2,), 1)
    fill(replay, 0, 4)
    for other in (Replay(10, (3,), 1), Replay(10, (2,), 1, np.float64)):
        row = np.zeros(other.state()["observation"].shape[1], np.float32)
        other.add(row, np.zeros(1), 0.0, row, False)
        with pytest.raises(ValueError, match="replay state observation is"):
            replay.load(other.state())
    larger = Replay(20, (2,), 1)
    fill(larger, 0, 15)
    with pytest.raises(ValueError, match="room for 10"):
        replay.load(larger.state())
    with pytest.raises(ValueError, match="expected"):
        replay.load({})
    assert len(replay) == 4
