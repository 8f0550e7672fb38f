"""Requests: what is kept of those that were rejected, and commands kept far from their targets."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robosac.arming import ArmingSettings
from robosac.errors import SlowLimiterError
from robosac.reasons import Reason
from robosac.requests import (
    TOLD_CHARACTERS,
    Astray,
    ExecutorSettings,
    Inbox,
    Request,
    interval,
)
from robosac.thermal import ThermalSettings
from robosac.watch import Reaction, WatchSettings

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


@pytest.mark.parametrize(
    "bad",
    [
        {"hold_after": 0.0},
        {"hold_after": 0.5},
        {"damp_after": 2.0},
        {"deadline_share": 0.0},
        {"deadline_share": 1.01},
        {"astray_share": 0.0},
        {"astray_rad": math.nan},
        {"astray_window_s": math.nan},
        {"silence": 0.0},
        {"silence": math.nan},
    ],
)
def test_settings_out_of_order_or_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="executor"):
        ExecutorSettings(**bad)  # type: ignore[arg-type]


def test_shares_may_be_whole() -> None:
    settings = ExecutorSettings(deadline_share=1.0, astray_share=1.0)
    assert (settings.deadline_share, settings.astray_share) == (1.0, 1.0)


def test_the_ages_and_budgets_are_those_of_the_safety_document() -> None:
    assert ExecutorSettings() == ExecutorSettings(
        hold_after=0.1,
        damp_after=0.5,
        stop_after=2.0,
        silence=0.08,
        deadline_share=0.8,
        settle_s=0.2,
        rejected_hold=3,
        rejected_fault=10,
        late_hold=3,
        max_distance=1.0,
        limiter_s=0.05,
        astray_rad=0.8,
        astray_share=0.5,
        astray_window_s=1.0,
        arming=ArmingSettings(),
        watch=WatchSettings(),
        thermal=ThermalSettings(),
        soft_zone=0.0,
        keep_out=None,
        low_pass=None,
        recovery=None,
    )


def test_what_a_slow_limiter_decided_is_refused() -> None:
    SETTINGS.refuse_slow(0.0)
    SETTINGS.refuse_slow(0.05)
    with pytest.raises(SlowLimiterError, match=r"took 0\.051 s; valid is up to 0\.05 s"):
        SETTINGS.refuse_slow(0.051)
    with pytest.raises(SlowLimiterError, match="took nan s"):
        SETTINGS.refuse_slow(math.nan)


def test_times_are_told_apart_by_a_nanosecond_and_no_finer() -> None:
    assert interval(0.0, 1.23456789012) == 1.23456789
    assert interval(1e6 + 0.1, 1e6 + 0.2) == 0.1


def request(time: float, goal: object = None) -> Request:
    return Request(np.zeros(2) if goal is None else goal, np.zeros(2), time, 0.0)


def rejected(inbox: Inbox, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        inbox.put(request(now))
        inbox.judge(Reason.NON_FINITE)


def test_an_inbox_begins_empty_and_with_nothing_wrong() -> None:
    inbox = Inbox(SETTINGS, 7.0)
    assert inbox.newest is None
    assert (inbox.age(7.05), inbox.why(7.05)) == (0.05, Reason.NONE)
    inbox.judge(Reason.NON_FINITE)
    assert inbox.why(7.05) is Reason.NONE, "there was nothing to judge"
    rejected(inbox, 2, 7.05)
    assert inbox.demand(7.05) is Reaction.NONE
    rejected(inbox, 1, 7.05)
    assert inbox.demand(7.05) is Reaction.HOLD


def test_emptied_it_is_as_at_the_beginning() -> None:
    inbox = Inbox(SETTINGS, 0.0)
    rejected(inbox, 9)
    inbox.empty(3.0)
    assert inbox.newest is None
    assert (inbox.age(3.05), inbox.why(3.05)) == (0.05, Reason.NONE)
    rejected(inbox, 2, 3.05)
    assert inbox.demand(3.05) is Reaction.NONE


@pytest.mark.parametrize(
    ("age", "reaction"),
    [
        (0.1, Reaction.NONE),
        (0.101, Reaction.HOLD),
        (0.5, Reaction.HOLD),
        (0.501, Reaction.DAMP),
        (2.0, Reaction.DAMP),
        (2.001, Reaction.STOP),
    ],
)
def test_the_older_the_newest_request_the_stronger_the_reaction(
    age: float, reaction: Reaction
) -> None:
    inbox = Inbox(SETTINGS, 0.0)
    inbox.put(request(1.0))
    inbox.judge(Reason.NONE)
    assert inbox.demand(1.0 + age) is reaction
    assert inbox.why(1.0 + age) is (Reason.AGE if age > 0.1 else Reason.NONE)


def test_a_row_of_rejected_requests_holds_then_cuts() -> None:
    inbox = Inbox(SETTINGS, 0.0)
    rejected(inbox, 2)
    assert inbox.demand(0.0) is Reaction.NONE
    rejected(inbox, 1)
    assert inbox.demand(0.0) is Reaction.HOLD
    inbox.put(request(0.0))
    assert inbox.demand(0.0) is Reaction.NONE, "a newer one gets its chance"
    inbox.judge(Reason.SHAPE)
    rejected(inbox, 5)
    assert inbox.demand(0.0) is Reaction.HOLD
    rejected(inbox, 1)
    assert inbox.demand(0.0) is Reaction.FAULT
    fault = inbox.fault()
    assert (fault.name, fault.source) == ("request_rejected", "request")
    assert fault.detail.startswith("10 requests in a row ")


def test_one_that_passes_ends_the_row() -> None:
    inbox = Inbox(SETTINGS, 0.0)
    rejected(inbox, 9)
    inbox.put(request(0.0))
    inbox.judge(Reason.VELOCITY)
    assert inbox.why(0.0) is Reason.NONE, "limited is not rejected"
    rejected(inbox, 2)
    assert inbox.demand(0.0) is Reaction.NONE


def test_a_request_is_judged_once() -> None:
    inbox = Inbox(SETTINGS, 0.0)
    inbox.put(request(0.0))
    for _ in range(20):
        inbox.judge(Reason.SHAPE)
    assert inbox.demand(0.0) is Reaction.NONE
    assert inbox.why(0.0) is Reason.SHAPE
    inbox.judge(Reason.NONE)
    assert inbox.why(0.0) is Reason.SHAPE


def test_age_counts_from_the_newest_that_was_not_rejected() -> None:
    inbox, newest = Inbox(SETTINGS, 0.0), request(1.0)
    inbox.put(newest)
    assert inbox.newest is newest
    assert inbox.age(1.25) == 0.25
    inbox.judge(Reason.NONE)
    inbox.put(request(2.0))
    assert inbox.age(2.25) == 0.25, "nobody has rejected it yet"
    assert inbox.why(2.05) is Reason.NONE
    inbox.judge(Reason.SHAPE)
    assert inbox.age(2.25) == 1.25
    assert inbox.why(2.25) == Reason.SHAPE | Reason.AGE
    inbox.put(request(2.5))
    assert inbox.why(2.5) is Reason.NONE, "what was wrong with the one before says nothing of it"


def test_every_reason_is_told_beside_the_others() -> None:
    inbox = Inbox(SETTINGS, 0.0)
    now = 0.0
    for _ in range(200):
        now += STEP
        inbox.note_astray(np.array([2.0, 0.0]), np.zeros(2), now)
    rejected(inbox, 1, now)
    assert inbox.why(now) == Reason.NON_FINITE | Reason.DISTANCE | Reason.AGE


def test_what_is_told_of_a_request_is_cut_off() -> None:
    inbox = Inbox(SETTINGS, 0.0)
    inbox.put(request(0.0, "walk" * 1000))
    inbox.judge(Reason.SHAPE)
    assert len(inbox.fault().detail.partition("newest of them: ")[2]) == 300
    for count, dots in ((16, False), (17, True)):
        inbox.put(request(0.0, np.arange(count) / 2.0))
        inbox.judge(Reason.SHAPE)
        assert ("..." in inbox.fault().detail) is dots


@pytest.mark.parametrize(("share", "too_long"), [(0.1, False), (0.095, True)])
def test_a_gap_counts_as_a_tenth_of_the_window_at_most(share: float, too_long: bool) -> None:
    astray = Astray(ExecutorSettings(astray_share=share))
    for now in (0.0, 5.0):
        astray.note(np.full(2, 2.0), np.zeros(2), now)
    assert astray.too_long(5.0) is too_long


def test_it_is_over_at_half_of_what_began_it() -> None:
    half = 0.1 * math.exp(-1.0)
    astray = Astray(ExecutorSettings(astray_share=2.0 * half))
    for now in (0.0, 5.0):
        astray.note(np.full(2, 2.0), np.zeros(2), now)
    assert astray.too_long(5.999)
    assert not astray.too_long(6.0)


@pytest.mark.parametrize("window", [0.5, 1.0, 4.0])
def test_the_window_stretches_everything(window: float) -> None:
    astray = Astray(ExecutorSettings(astray_window_s=window))
    now = note(astray, 0.9, 0.6 * window)
    assert not astray.too_long(now)
    now = note(astray, 0.9, 0.15 * window, now)
    assert astray.too_long(now)
    now = note(astray, 0.0, 0.6 * window, now)
    assert astray.too_long(now)
    assert not astray.too_long(note(astray, 0.0, 0.3 * window, now))


def test_what_is_left_of_a_microsecond_is_nothing() -> None:
    astray = Astray(ExecutorSettings(astray_share=0.05, astray_window_s=math.nextafter(1e-5, 0.0)))
    for now in (0.0, 1.0):
        astray.note(np.full(2, 2.0), np.zeros(2), now)
    assert not astray.too_long(1.0)


def test_distance_is_between_target_and_command() -> None:
    astray = Astray(SETTINGS)
    for tick in range(400):
        astray.note(np.full(2, 0.9), np.full(2, 0.9), tick * STEP)
    assert not astray.too_long(2.0)
    astray.note("nowhere", np.zeros(2), 2.0)
    assert astray.too_long(2.0) is False


def test_a_target_on_the_way_to_the_goal() -> None:
    way = Request(np.array([1.0, 0.0]), np.array([0.0, 2.0]), 10.0, 4.0)
    assert way.target(9.0) is way.start
    assert way.target(10.0) is way.start
    assert np.asarray(way.target(11.0)).tolist() == [0.25, 1.5]
    assert way.target(14.0) is way.goal
    assert Request("walk", np.zeros(2), 10.0, 4.0).target(11.0) == "walk"
