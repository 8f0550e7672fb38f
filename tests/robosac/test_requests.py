"""Requests: what is kept of those that were rejected, and commands kept far from their targets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robosac.reasons import Reason
from robosac.requests import TOLD_CHARACTERS, Astray, ExecutorSettings, Inbox, Request
from robosac.watch import Reaction

STEP = 0.005
SETTINGS = ExecutorSettings()


def note(astray: Astray, distance: float, seconds: float, now: float = 0.0) -> float:
    """Every tick for so long; the time of the last."""
    for _ in range(round(seconds / STEP)):
        now += STEP
        astray.note(np.array([0.0, distance]), np.zeros(2), now)
    return now


def test_a_second_far_off_is_too_long() -> None:
    astray = Astray(SETTINGS)
    now = note(astray, 0.9, 0.5)
    assert not astray.too_long(now)
    now = note(astray, 0.9, 0.5, now)
    assert astray.too_long(now)
    assert not astray.too_long(now + 1.0), "a hold must end by itself"


@pytest.mark.parametrize("distance", [0.0, 0.65, 0.8])
def test_what_random_exploration_does_is_not(distance: float) -> None:
    astray = Astray(SETTINGS)
    assert not astray.too_long(note(astray, distance, 20.0))


def test_a_distance_that_is_not_a_number_is_far() -> None:
    astray = Astray(SETTINGS)
    assert astray.too_long(note(astray, math.nan, 1.0))


def test_it_can_be_switched_off() -> None:
    astray = Astray(ExecutorSettings(astray_rad=math.inf))
    assert not astray.too_long(note(astray, 1e6, 5.0))


def test_an_inbox_demands_a_hold_and_says_why() -> None:
    inbox = Inbox(SETTINGS, 0.0)
    now = 0.0
    for _ in range(200):
        now += STEP
        inbox.put(Request(np.zeros(2), np.zeros(2), now, 0.0))
        inbox.judge(Reason.DISTANCE)
        inbox.note_astray(np.array([2.0, 0.0]), np.zeros(2), now)
    assert inbox.demand(now) is Reaction.HOLD
    assert inbox.why(now) & Reason.DISTANCE
    inbox.empty(now)
    assert inbox.demand(now) is Reaction.NONE


@pytest.mark.parametrize(
    ("goal", "says"),
    [
        (np.array([0.5, math.nan]), "float64(2,) [0.5 nan]"),
        (np.zeros(1000), "float64(1000,)"),
        ("walk", "str 'walk'"),
        (None, "NoneType None"),
    ],
)
def test_the_offending_request_is_kept_in_the_fault(goal: object, says: str) -> None:
    inbox = Inbox(SETTINGS, 0.0)
    for _ in range(10):
        inbox.put(Request(goal, np.zeros(2), 0.1, 0.0))
        inbox.judge(Reason.NON_FINITE)
    assert inbox.demand(0.1) is Reaction.FAULT
    detail = inbox.fault().detail
    assert says in detail
    assert "\n" not in detail
    assert len(detail) < TOLD_CHARACTERS + 150


@pytest.mark.parametrize(
    "bad", [{"astray_rad": 0.0}, {"astray_share": 1.1}, {"astray_window_s": 0}]
)
def test_settings_that_cannot_be_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="astray"):
        ExecutorSettings(**bad)  # type: ignore[arg-type]
