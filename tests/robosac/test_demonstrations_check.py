"""Each way in which a set of demonstrations goes wrong is named, with its place."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robosac.demonstrations import DemonstrationSet, Interface, end_code
from robosac.demonstrations_check import validate
from robosac.tasks.ends import EpisodeEnd
from tests.robosac.demonstration_rig import PICTURES, VECTORS, shown

TRUNCATED, TERMINATED = (end_code(end) for end in (EpisodeEnd.TRUNCATED, EpisodeEnd.TERMINATED))
SECOND = slice(5, 11)
"""The steps of episode 1; its frames are 6 to 12."""


def changed(name: str, rows: Any, value: Any) -> DemonstrationSet:
    """The good set with some rows of an array set to a value."""
    found = shown()
    array = getattr(found, name).copy()
    array[rows] = value
    return replace(found, **{name: array})


def problems(found: DemonstrationSet, expected: Interface = PICTURES) -> list[str]:
    return [str(problem) for problem in validate(found, expected).problems]


@pytest.mark.parametrize("interface", [PICTURES, VECTORS])
def test_a_good_set_has_no_problem(interface: Interface) -> None:
    report = validate(shown(interface), interface)
    assert report.ok
    assert report.lines(5) == []


@pytest.mark.parametrize(
    ("name", "rows", "value", "message"),
    [
        ("terminated", 10, True, "episode 1, step 5: terminated is set where the task did not end"),
        ("terminated", 7, True, "episode 1, step 2: terminated is set where the task did not end"),
        ("terminated", 17, False, "episode 2, step 6: the task ended the episode but terminated"),
        ("ends", 10, 0, "episode 1, step 5: the last step has no end"),
        ("ends", 6, TRUNCATED, "episode 1, step 1: an end before the episode's last step"),
        ("ends", 6, 99, "episode 1, step 1: unknown end"),
        ("executed_actions", (8, 1), -1.5, "episode 1, step 3: the executed action reaches 1.5"),
        ("requested_actions", (8, 1), 3.0, "episode 1, step 3: the requested action reaches 3"),
        ("requested_actions", (8, 1), np.nan, "episode 1, step 3: the requested action is not fin"),
        ("executed_actions", SECOND, 0.0, "episode 1: all 6 executed actions are zero"),
        ("requested_actions", SECOND, 0.0, "episode 1: all 6 requested actions are zero"),
        ("executed_actions", SECOND, 0.5, "episode 1: all 6 executed actions are the same"),
        ("rewards", 7, np.inf, "episode 1, step 2: the reward is not finite"),
        ("states", (9, 0), np.nan, "episode 1, step 3: the state holds a value that is not finite"),
        ("images", 8, 0, "episode 1, step 2: the picture is black"),
        ("images", 8, 77, "episode 1, step 2: the picture is of one flat colour"),
        ("rewarded", slice(None), False, "no step has a measured reward"),
        ("successes", slice(None), False, "the set claims 2 successes and shows 0"),
    ],
)
def test_one_fault_is_one_problem_with_its_place(
    name: str, rows: Any, value: Any, message: str
) -> None:
    found = problems(changed(name, rows, value))
    assert len(found) == 1
    assert found[0].startswith(message)


def test_a_reward_that_was_not_measured_need_not_be_finite() -> None:
    assert not problems(changed("rewards", 1, np.nan))


def test_the_black_picture_of_a_lost_camera_may_end_an_episode() -> None:
    found = changed("images", 12, 0)
    assert problems(found) == ["episode 1, step 6: the picture is black"]
    rewarded = found.rewarded.copy()
    rewarded[10] = False
    assert not problems(replace(found, rewarded=rewarded))


def test_a_time_limit_recorded_as_an_end_of_the_task_is_found() -> None:
    found = shown()
    ends = np.zeros(18, np.uint8)
    ends[5::6] = TERMINATED
    trap = replace(
        found, ends=ends, terminated=ends != 0, episode_steps=np.array([6, 6, 6], np.int64)
    )
    assert problems(trap) == [
        "all 3 episodes terminate after exactly 6 steps: a time limit is a truncation, recorded as "
        "terminated it teaches that nothing comes after"
    ]
    ends = np.where(ends != 0, TRUNCATED, 0).astype(np.uint8)
    assert not problems(replace(trap, ends=ends, terminated=ends < 0))


def test_frozen_and_wrongly_scaled_pictures_are_found() -> None:
    images = shown().images
    assert images is not None
    frozen = changed("images", slice(6, 13), images[6])
    assert problems(frozen) == ["episode 1: all 7 pictures are the same: the camera was frozen"]
    scaled = changed("images", slice(6, 13), images[6:13] // 128)
    assert len(problems(scaled)) == 1
    assert "scaled to 0..1 before they became bytes" in problems(scaled)[0]
    black = problems(changed("images", slice(6, 13), 0))
    assert black == ["episode 1, step 0: the picture is black (and 6 more of its steps)"]


def test_another_task_robot_shape_or_period_is_named() -> None:
    other = Interface("robosac/Other-v0", "hand", (8, 8, 3), 4, 3, 0.02)
    found = problems(shown(), other)
    assert len(found) == 6
    assert found[0] == (
        "the set's task is robosac/ClawTurnPixels-v0; this run needs robosac/Other-v0"
    )
    assert "the set's image shape is (4, 4, 3); this run needs (8, 8, 3)" in found
    assert "the set's control period s is 0.1; this run needs 0.02" in found


def test_all_problems_are_returned_and_the_first_are_told() -> None:
    found = shown()
    bad = replace(
        found,
        rewards=np.full(18, np.nan, np.float32),
        ends=np.zeros(18, np.uint8),
        terminated=np.zeros(18, np.bool_),
    )
    report = validate(bad, PICTURES)
    assert not report.ok
    assert len(report.problems) == 6
    assert {problem.episode for problem in report.problems} == {0, 1, 2}
    assert report.lines(2) == [
        "episode 0, step 4: the last step has no end",
        "episode 0, step 0: the reward is not finite (and 3 more of its steps)",
        "and 4 more",
    ]


def test_sets_and_episodes_without_a_step_are_named() -> None:
    found = shown()
    none = replace(found, episode_steps=np.zeros(0, np.int64))
    assert problems(none) == ["the set has no episode"]
    gap = replace(
        found,
        episode_steps=np.array([5, 0, 6, 7], np.int64),
        successes=np.array([False, False, True, True]),
        images=np.insert(found.images, 6, 1, axis=0),  # pyright: ignore[reportArgumentType, reportCallIssue]
        states=np.insert(found.states, 6, 1, axis=0),
    )
    assert problems(gap) == ["episode 1: it has no step"]
