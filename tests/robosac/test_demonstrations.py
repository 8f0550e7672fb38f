"""Collecting demonstrations, and pouring them into a buffer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from robosac.demonstrations import (
    ENDS,
    TERMINATED,
    DemonstrationWriter,
    Interface,
    Source,
    end_code,
    fill,
)
from robosac.frame_replay import FrameReplay
from robosac.replay import Replay
from robosac.tasks.ends import EpisodeEnd
from tests.robosac.demonstration_rig import PICTURES, SHAPE, VECTORS, episode, shown


def test_a_set_holds_each_episode_with_one_frame_more_than_steps() -> None:
    found = shown()
    assert (found.episodes, found.steps, len(found.states)) == (3, 18, 21)
    assert found.images is not None
    assert found.images.shape == (21, *SHAPE)
    assert found.episode_steps.tolist() == [5, 6, 7]
    assert list(found.spans()) == [
        (slice(0, 5), slice(0, 6)),
        (slice(5, 11), slice(6, 13)),
        (slice(11, 18), slice(13, 21)),
    ]
    assert found.successes.tolist() == [False, True, True]
    assert found.claimed_successes == 2
    for number, (steps, frames) in enumerate(found.spans()):
        given = episode(number, 5 + number, PICTURES)
        for i, transition in enumerate(given):
            step = steps.start + i
            for frame, seen in (
                (frames.start + i, transition.observation),
                (frames.start + i + 1, transition.next_observation),
            ):
                np.testing.assert_equal(found.observation(frame), seen)
            np.testing.assert_array_equal(
                found.requested_actions[step], transition.requested_action
            )
            np.testing.assert_array_equal(found.executed_actions[step], transition.executed_action)
            assert found.rewards[step] == transition.reward
            assert found.reasons[step] == transition.reasons
            assert found.rewarded[step] == transition.rewarded
    lasts = found.ends[np.cumsum(found.episode_steps) - 1]
    assert [ENDS[code - 1] for code in lasts] == ["truncated", "truncated", "terminated"]
    assert np.flatnonzero(found.terminated).tolist() == [17]
    assert np.count_nonzero(found.ends) == 3


@pytest.mark.parametrize("interface", [PICTURES, VECTORS])
def test_filling_gives_the_rewarded_steps_with_the_executed_actions(interface: Interface) -> None:
    found = shown(interface)
    replay = Replay(50, (3,), 2) if interface.image_shape is None else FrameReplay(50, SHAPE, 3, 2)
    assert fill(replay, found) == len(replay) == 18 - 3
    batch = replay.sample(np.random.default_rng(0), 300)
    assert set(batch.reward.tolist()) == set(found.rewards[found.rewarded].tolist())
    for i in range(300):
        number, step = divmod(int(batch.reward[i]), 100)
        transition = episode(number, 5 + number, interface)[step]
        np.testing.assert_array_equal(batch.action[i], transition.executed_action)
        assert batch.terminated[i] == (number == 2 and step == 6)
        for part, seen in (
            (batch.observation, transition.observation),
            (batch.next_observation, transition.next_observation),
        ):
            one = {k: v[i] for k, v in part.items()} if isinstance(part, dict) else part[i]
            np.testing.assert_equal(one, seen)


def test_an_episode_that_has_not_ended_does_not_count() -> None:
    writer = DemonstrationWriter(VECTORS, Source.RECORDED)
    for transition in episode(0, 5, VECTORS)[:4]:
        writer.add(transition, success=True)
    assert writer.episodes == 0
    with pytest.raises(ValueError, match="no episode has ended"):
        writer.collected()
    writer.discard()
    for transition in episode(1, 5, VECTORS):
        writer.add(transition, success=False)
    found = writer.collected()
    assert (found.episodes, found.steps, found.claimed_successes) == (1, 5, 0)
    assert found.images is None


def test_a_step_that_is_missing_is_refused() -> None:
    writer = DemonstrationWriter(PICTURES, Source.RECORDED)
    steps = episode(0, 5, PICTURES)
    writer.add(steps[0], success=False)
    with pytest.raises(ValueError, match="step 2 of episode 0 does not continue step 0"):
        writer.add(steps[2], success=False)
    with pytest.raises(ValueError, match="does not continue"):
        writer.add(replace(steps[0], step=1), success=False)


def test_later_changes_of_the_given_pictures_change_nothing() -> None:
    writer = DemonstrationWriter(PICTURES, Source.RECORDED)
    steps = episode(0, 1, PICTURES)
    writer.add(steps[0], success=False)
    steps[0].next_observation["image"][:] = 0  # pyright: ignore[reportArgumentType, reportCallIssue]
    images = writer.collected().images
    assert images is not None
    assert images[1].any()


def test_other_shapes_than_the_interface_says_are_refused() -> None:
    for interface, given in ((PICTURES, VECTORS), (VECTORS, PICTURES)):
        with pytest.raises(ValueError, match="picture and state have shapes"):
            DemonstrationWriter(interface, Source.GAIT).add(episode(0, 2, given)[0], success=False)
    floats = episode(0, 1, PICTURES)[0]
    seen = {"image": np.zeros(SHAPE, np.float32), "state": np.zeros(3, np.float32)}
    with pytest.raises(ValueError, match="picture is float32; expected uint8"):
        DemonstrationWriter(PICTURES, Source.GAIT).add(
            replace(floats, observation=seen),  # pyright: ignore[reportArgumentType]
            success=False,
        )


def test_codes_of_ends_are_told_apart_from_no_end() -> None:
    codes = [end_code(end) for end in EpisodeEnd]
    assert codes == list(range(1, len(EpisodeEnd) + 1))
    assert end_code(None) == 0
    assert end_code(EpisodeEnd.TERMINATED) == TERMINATED
