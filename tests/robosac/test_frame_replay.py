"""The buffer for pictures, held against one that stores both pictures of every transition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.frame_replay import FrameReplay

SHAPE = (4, 4, 3)
ACTION = np.zeros(2, np.float32)
Frame = dict[str, np.ndarray]


def frame(number: int) -> Frame:
    """A picture and a state that tell their number."""
    image = np.full(SHAPE, number % 251, np.uint8)
    image[0, 0] = number // 251
    return {"image": image, "state": np.array([number, -number, 0.5], np.float32)}


def numbers(observation: Frame) -> np.ndarray:
    """The frame numbers of a batch; picture and state must agree on them."""
    from_image = (
        observation["image"][:, 0, 0, 0].astype(int) * 251 + observation["image"][:, 3, 3, 1]
    )
    np.testing.assert_array_equal(observation["state"][:, 0], from_image)
    return from_image


def make(capacity: int = 50) -> FrameReplay:
    return FrameReplay(capacity, SHAPE, 3, 2)


def add(replay: FrameReplay, first: int, second: int, reward: float = 0.0) -> None:
    replay.add(frame(first), ACTION, reward, frame(second), second % 3 == 0)


def content(replay: FrameReplay) -> set[tuple[int, int, float]]:
    """Every transition that can be drawn."""
    batch = replay.sample(np.random.default_rng(0), 60 * len(replay))
    before, after = numbers(batch.observation), numbers(batch.next_observation)
    np.testing.assert_array_equal(batch.terminated, after % 3 == 0)
    return set(zip(before.tolist(), after.tolist(), batch.reward.tolist(), strict=True))


# Steps of an episode, each either learned from or skipped (not rewarded).
episodes = st.lists(st.lists(st.booleans(), min_size=1, max_size=12), min_size=1, max_size=12)


@settings(max_examples=100, deadline=None)
@given(capacity=st.integers(1, 25), steps=episodes, few=st.booleans())
def test_what_is_drawn_is_what_two_pictures_a_transition_would_give(
    capacity: int, steps: list[list[bool]], few: bool
) -> None:
    replay, number = make(capacity), 0
    naive: list[tuple[int, int, float]] = []
    for episode in steps:
        for learned in episode:
            # With few numbers, pictures of different episodes come to equal each other.
            first, second = (n % 5 if few else n for n in (number, number + 1))
            if learned:
                reward = float(len(naive))
                add(replay, first, second, reward)
                naive.append((first, second, reward))
                assert content(replay) == set(naive[-len(replay) :])
                assert 1 <= len(replay) <= min(capacity, replay.added)
            number += 1
        number += 1
    assert replay.added == len(naive)


@settings(max_examples=60, deadline=None)
@given(capacity=st.integers(1, 25), steps=episodes, more=st.integers(0, 30))
def test_a_loaded_buffer_goes_on_like_the_saved_one(
    capacity: int, steps: list[list[bool]], more: int
) -> None:
    saved, loaded = make(capacity), make(capacity)
    number = 0
    for episode in steps:
        for learned in episode:
            if learned:
                add(saved, number, number + 1, number)
            number += 1
        number += 1
    add(loaded, 7, 9)
    loaded.load({name: value.copy() for name, value in saved.state().items()})
    for replay in (saved, loaded):
        for i in range(number, number + more):
            add(replay, i, i + 1)
    np.testing.assert_equal(saved.state(), loaded.state())
    if len(saved):
        one, two = (replay.sample(np.random.default_rng(5), 40) for replay in (saved, loaded))
        for name in ("image", "state"):
            np.testing.assert_array_equal(one.observation[name], two.observation[name])
            np.testing.assert_array_equal(one.next_observation[name], two.next_observation[name])
        np.testing.assert_array_equal(one.reward, two.reward)


def test_each_frame_of_an_episode_is_stored_once() -> None:
    replay = make(1000)
    for episode in range(3):
        for step in range(40):
            add(replay, 100 * episode + step, 100 * episode + step + 1)
    assert replay.state()["image"].shape == (3 * 41, *SHAPE)
    assert int(replay.state()["frames"]) == 3 * 41


def test_a_step_left_out_glues_nothing_together() -> None:
    replay = make()
    add(replay, 0, 1)
    add(replay, 2, 3)
    assert content(replay) == {(0, 1, 0.0), (2, 3, 0.0)}


def test_a_picture_written_into_the_same_array_is_a_new_one() -> None:
    replay = make()
    shared = frame(1)
    replay.add(frame(0), ACTION, 0.0, shared, False)
    shared["image"][:] = frame(6)["image"]
    shared["state"][:] = frame(6)["state"]
    replay.add(shared, ACTION, 1.0, frame(7), False)
    batch = replay.sample(np.random.default_rng(0), 50)
    assert set(numbers(batch.next_observation)) == {1, 7}
    assert set(numbers(batch.observation)) == {0, 6}


@pytest.mark.parametrize("part", ["image", "state"])
def test_a_frame_that_differs_in_one_value_is_another(part: str) -> None:
    replay = make()
    add(replay, 0, 1)
    other = frame(1)
    other[part].flat[-1] += 1
    replay.add(other, ACTION, 0.0, frame(2), False)
    assert int(replay.state()["frames"]) == 4


def test_episodes_of_twenty_steps_keep_a_full_buffer_and_short_ones_forget_early() -> None:
    long, short = make(200), make(200)
    for i in range(60):
        for step in range(20):
            add(long, 21 * i + step, 21 * i + step + 1)
    for i in range(600):
        add(short, 2 * i, 2 * i + 1)
    assert len(long) == 200
    assert len(short) == 106
    assert content(short) == {(2 * i, 2 * i + 1, 0.0) for i in range(494, 600)}


def test_an_interrupt_in_the_middle_of_an_add_leaves_whole_transitions_only() -> None:
    class Interrupting(dict[str, Any]):
        """The columns of a buffer; the pictures' is gone once Ctrl-C was pressed."""

        pressed_after = 10**9

        def items(self) -> Any:
            for pair in super().items():
                self.pressed_after -= 1
                if self.pressed_after < 0:
                    raise KeyboardInterrupt
                yield pair

    for pressed_after in range(9):
        replay = make(20)
        for i in range(45):
            add(replay, 3 * i, 3 * i + 1, i)
        before = content(replay)
        replay._frames = columns = Interrupting(replay._frames)
        columns.pressed_after = pressed_after
        with pytest.raises(KeyboardInterrupt):
            add(replay, 300, 301)
        columns.pressed_after = 10**9
        left = content(replay)
        assert left <= before
        assert len(before) - 2 <= len(left) == len(replay)
        add(replay, 500, 501)
        assert (500, 501, 0.0) in content(replay)


@pytest.mark.parametrize(("side", "most_bytes"), [(32, 400e6), (84, 2.3e9)])
def test_a_hundred_thousand_transitions_fit_the_memory_they_may_take(
    side: int, most_bytes: float
) -> None:
    """Nine joints' positions, velocities and last action beside the picture."""
    replay = FrameReplay(100_000, (side, side, 3), 31, 9)
    assert replay.transition_bytes * replay.capacity <= most_bytes
    pictures = 105_002 * (side * side * 3 + 31 * 4)
    rows = 100_000 * (8 + 9 * 4 + 4 + 4)
    assert 0 <= replay.transition_bytes * replay.capacity - pictures - rows < 100_000
    assert replay.memory_bytes == 0
    picture = {"image": np.ones((side, side, 3), np.uint8), "state": np.zeros(31, np.float32)}
    replay.add(picture, np.zeros(9, np.float32), 0.0, picture, False)
    assert replay.memory_bytes == 2 * (side * side * 3 + 31 * 4) + 8 + 9 * 4 + 4 + 4


def test_a_batch_is_free_to_change_and_depends_on_the_generator_alone() -> None:
    replay = make()
    for i in range(20):
        add(replay, i, i + 1, i)
    one, two, other = (replay.sample(np.random.default_rng(seed), 32) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.observation["image"], two.observation["image"])
    assert (one.reward != other.reward).any()
    assert one.observation["image"].dtype == np.uint8
    one.observation["image"][:] = 255
    np.testing.assert_array_equal(
        replay.sample(np.random.default_rng(1), 32).observation["image"], two.observation["image"]
    )


def test_what_would_poison_the_critics_or_turn_pictures_black_is_refused() -> None:
    replay = make()
    good, floats = frame(1), frame(1)
    floats["image"] = floats["image"] / np.float32(255)
    wrong = (
        (
            {**good, "image": good["image"][:2]},
            r"image has shape \(2, 4, 3\); expected \(4, 4, 3\)",
        ),
        ({**good, "state": good["state"] * np.nan}, "state holds a value that is not finite"),
        (floats, "image is float32; expected uint8"),
        ({"image": good["image"]}, "holds"),
    )
    for observation, message in wrong:
        with pytest.raises(ValueError, match=message):
            replay.add(observation, ACTION, 0.0, good, False)
        with pytest.raises(ValueError, match=message):
            replay.add(good, ACTION, 0.0, observation, False)
    with pytest.raises(ValueError, match="reward holds"):
        replay.add(good, ACTION, float("inf"), good, False)
    with pytest.raises(ValueError, match="action has shape"):
        replay.add(good, np.zeros(3, np.float32), 0.0, good, False)
    assert (len(replay), replay.memory_bytes) == (0, 0)
    with pytest.raises(ValueError, match="empty"):
        replay.sample(np.random.default_rng(0), 1)
    with pytest.raises(ValueError, match="capacity must be 1 or more"):
        make(0)


def test_a_state_that_does_not_fit_is_refused_and_changes_nothing() -> None:
    replay = make(10)
    add(replay, 0, 1)
    saved = {name: value.copy() for name, value in replay.state().items()}
    for changed, message in (
        ({"first_frame": np.array([1])}, "points to a frame that is not there"),
        ({"first_frame": np.array([-1])}, "points to a frame that is not there"),
        ({"oldest": np.array(2)}, "cannot be"),
        ({"frames": np.array(3)}, "replay state image is"),
        ({"image": saved["image"].astype(np.float32)}, "replay state image is float32"),
        ({"more": np.zeros(1)}, "expected"),
    ):
        with pytest.raises(ValueError, match=message):
            replay.load(saved | changed)
    larger = make(30)
    for i in range(15):
        add(larger, i, i + 1)
    with pytest.raises(ValueError, match="room for"):
        replay.load(larger.state())
    assert content(replay) == {(0, 1, 0.0)}


def test_a_batch_that_is_kept_is_never_drawn_over() -> None:
    buffer = make()
    for step in range(50):
        add(buffer, step, step + 1)
    rng = np.random.default_rng(0)
    kept = [buffer.sample(rng, 8) for _ in range(6)]
    copies = [batch.observation["image"].copy() for batch in kept]
    for _ in range(20):
        batch = buffer.sample(rng, 8)
        batch.observation["image"][:] = 255
        batch.next_observation["image"][:] = 255
    for batch, copy in zip(kept, copies, strict=True):
        np.testing.assert_array_equal(batch.observation["image"], copy)
