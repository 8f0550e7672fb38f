"""What counts as a fault told, reacted to and recovered from; nothing runs here."""

from dataclasses import replace
from signal import SIGKILL

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.reasons import Reason
from robosac.rehearsal.cases import (
    BadGoal,
    Budget,
    Case,
    Kill,
    Level,
    Party,
    Phase,
    Push,
    Spoil,
    TwinFault,
)
from robosac.rehearsal.verdict import Event, Observed, Outcome, Seen, judge
from robosac.states import SafetyState

T = 0.005
BEGAN = 100.0
LOST = Case(
    "motor-off",
    15,
    "motor silent",
    TwinFault("servo:3=off"),
    Level.CUT,
    Budget(ticks=10),
    ("joint_lost",),
    stop_s=0.15,
)


def tick(
    number: int,
    safety: SafetyState = SafetyState.ACTIVE,
    told: str = "",
    reasons: Reason = Reason.NONE,
    late: float = 0.0,
) -> Seen:
    """Tick `number` after the fault, which fell half a tick before the first."""
    time = BEGAN + (number - 0.5) * T
    return Seen(number, time, safety, frozenset(told.split()), reasons, late)


def observed(*ticks: Seen, **more: object) -> Observed:
    """Motors that were driven until the last tick, unless said otherwise."""
    last = ticks[-1].time - BEGAN if ticks else None
    return replace(Observed(BEGAN, ticks, driven_s=last, recovered=True), **more)  # type: ignore[arg-type]


def verdict(case: Case, seen: Observed) -> Outcome:
    return judge(case, seen, T, tilt_limit=0.9)


def cut_at(number: int, told: str = "joint_lost", late: float = 0.0) -> list[Seen]:
    """Active, then held, then cut."""
    ticks = [tick(n) for n in range(1, number - 1)]
    held = tick(number - 1, SafetyState.HOLD, told)
    return [*ticks, held, tick(number, SafetyState.FAULT, told, late=late)]


def test_a_fault_that_is_told_and_cut_in_time_is_held() -> None:
    outcome = verdict(LOST, observed(*cut_at(10)))
    assert outcome.held, outcome.why
    assert outcome.detection_s == pytest.approx(8.5 * T)
    assert outcome.reaction_s == pytest.approx(9.5 * T)
    assert (outcome.required, outcome.reached) == ("L4", "L4")
    assert outcome.budget_s == pytest.approx(11 * T)
    assert outcome.told == ("joint_lost",)


def test_motors_that_rest_have_reacted_before_the_record_says_so() -> None:
    """Reading torque back takes its time, and the record comes after it."""
    outcome = verdict(LOST, observed(*cut_at(30), driven_s=0.05))
    assert outcome.held, outcome.why
    assert outcome.reaction_s == pytest.approx(0.05)
    assert not verdict(LOST, observed(*cut_at(30), driven_s=0.05, driving=True)).held
    assert not verdict(LOST, observed(tick(30, SafetyState.FAULT), driven_s=0.05)).held


def test_a_tick_too_late_is_too_late() -> None:
    assert verdict(LOST, observed(*cut_at(11))).held
    outcome = verdict(LOST, observed(*cut_at(12)))
    assert not outcome.held
    assert "57.5 ms; valid is up to 55.0 ms" in outcome.why


def test_only_what_failed_for_lateness_alone_is_not_conclusive() -> None:
    late = observed(*cut_at(14, late=0.02))
    assert not verdict(LOST, late).conclusive
    assert verdict(LOST, observed(*cut_at(14, late=0.01))).conclusive
    assert verdict(LOST, replace(late, recovered=False)).conclusive
    assert verdict(LOST, observed(*cut_at(10, late=0.02))).conclusive


def test_lateness_of_the_computer_is_told_and_excuses_nothing() -> None:
    outcome = verdict(LOST, observed(*cut_at(14, late=0.02)))
    assert not outcome.held
    assert outcome.machine_s == 0.02
    assert "a tick was 20.0 ms late: this computer is too busy to judge" in outcome.why
    assert "too busy" not in verdict(LOST, observed(*cut_at(14, late=0.01))).why


def test_a_motor_that_hears_nothing_is_not_waited_for() -> None:
    """Its own watchdog stops it; the others must have been told in time."""
    case = replace(LOST, deaf=True)
    seen = observed(*cut_at(16), driven_s=0.095)
    assert verdict(case, replace(seen, hearing_s=0.02)).reaction_s == pytest.approx(0.02)
    assert not verdict(case, replace(seen, hearing_s=0.06)).held
    assert not verdict(case, replace(seen, hearing_s=0.02, driven_s=0.2)).held
    assert not verdict(LOST, replace(seen, hearing_s=0.02)).held


def test_a_robot_that_something_else_stopped_before_proves_nothing() -> None:
    pushed = replace(LOST, told=("tilt",), from_tilt=True)
    outcome = verdict(pushed, observed(tick(1, SafetyState.FAULT, "joint_lost")))
    assert not outcome.held
    assert not outcome.conclusive
    assert verdict(pushed, observed(tick(1, SafetyState.HOLD, "joint_lost"))).conclusive


def test_a_fall_before_the_fault_is_told_proves_nothing() -> None:
    fallen = [tick(n, SafetyState.FAULT, "tilt") for n in range(2, 9)]
    assert not verdict(LOST, observed(*fallen)).conclusive
    assert verdict(LOST, observed(tick(1, told="joint_lost"), *fallen)).conclusive
    assert verdict(replace(LOST, from_tilt=True, told=("tilt",)), observed(*fallen)).conclusive
    assert verdict(replace(LOST, told=()), observed(*fallen)).conclusive


def test_lateness_after_the_reaction_excuses_nothing() -> None:
    after = tick(20, SafetyState.FAULT, "joint_lost", late=1.0)
    assert not verdict(LOST, observed(*cut_at(14), after)).held


def test_a_weaker_reaction_does_not_do() -> None:
    ticks = [tick(n, SafetyState.HOLD, "joint_lost") for n in range(3, 40)]
    outcome = verdict(LOST, observed(*ticks, driving=True))
    assert not outcome.held
    assert outcome.reached == "L2"
    assert outcome.reaction_s is None


def test_a_stop_that_names_something_else_is_no_reaction() -> None:
    """An episode may end by itself at the very moment of a fault."""
    ticks = [tick(n, SafetyState.DISARMED) for n in range(1, 40)]
    assert "no reaction of L4 that names the fault" in verdict(LOST, observed(*ticks)).why
    late = [*ticks, tick(40, SafetyState.FAULT, "joint_lost")]
    assert not verdict(LOST, observed(*late)).held


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"driving": True}, "still driven when the observation ended"),
        ({"driven_s": 0.2}, "driven for 200 ms; valid is up to 150 ms"),
        ({"recovered": False}, "could not be armed again"),
        ({"problem": "it never began"}, "it never began"),
    ],
)
def test_what_else_must_hold(more: dict[str, object], why: str) -> None:
    outcome = verdict(LOST, observed(*cut_at(9), **more))
    assert not outcome.held
    assert why in outcome.why


def test_nothing_seen_is_not_held() -> None:
    assert not verdict(LOST, observed()).held


def test_an_action_is_told_by_its_reason() -> None:
    case = Case("nan", 1, "NaN", BadGoal(Spoil.NAN), Level.HOLD, Budget(0.1), (), Reason.NON_FINITE)
    ticks = [
        tick(1, reasons=Reason.NON_FINITE),
        tick(13, SafetyState.HOLD, reasons=Reason.NON_FINITE),
    ]
    outcome = verdict(case, observed(*ticks))
    assert outcome.held, outcome.why
    assert outcome.detection_s == pytest.approx(0.5 * T)
    assert not verdict(case, observed(tick(1, SafetyState.HOLD))).held


def test_a_jump_is_limited() -> None:
    case = Case(
        "jump", 3, "jump", BadGoal(Spoil.JUMP), Level.LIMIT, Budget(ticks=1), (), Reason.DISTANCE
    )
    assert verdict(case, observed(tick(1, reasons=Reason.DISTANCE))).held
    assert not verdict(case, observed(tick(1, reasons=Reason.AGE))).held


def test_a_fall_counts_from_when_the_body_is_tilted_too_far() -> None:
    case = Case(
        "tip",
        18,
        "push",
        Push((0, 90, 0), 0.2),
        Level.DAMP,
        Budget(0.05),
        ("tilt",),
        from_tilt=True,
    )
    falling = [
        replace(tick(n), tilt=0.004 * n, imu_time=tick(n).time - 0.002) for n in range(1, 230)
    ]
    fallen = replace(tick(230, SafetyState.DAMPED, "tilt"), tilt=0.92, imu_time=tick(230).time)
    outcome = verdict(case, observed(*falling, fallen))
    assert outcome.held, outcome.why
    # From the first sample beyond the limit, the 226th, to the reaction.
    assert outcome.reaction_s == pytest.approx(4 * T + 0.002)
    unseen = replace(tick(230, SafetyState.DAMPED, "tilt"), tilt=0.5, imu_time=1.0)
    assert not verdict(case, observed(unseen)).held


KILLED = Case(
    "executor-killed",
    29,
    "SIGKILL",
    Kill(Party.EXECUTOR, SIGKILL),
    Level.CUT,
    Budget(0.1),
    stop_s=0.1,
)


def test_the_motors_stop_by_themselves() -> None:
    outcome = verdict(KILLED, observed(driven_s=0.099))
    assert outcome.held, outcome.why
    assert outcome.reaction_s == pytest.approx(0.099)
    assert verdict(KILLED, observed(driven_s=None)).held
    assert not verdict(KILLED, observed(driven_s=0.12)).held
    assert not verdict(KILLED, observed(driven_s=0.05, driving=True)).held


IDLE = replace(LOST, phase=Phase.IDLE, told=(), budget=Budget(), stop_s=None)


def test_an_idle_robot_must_refuse() -> None:
    assert verdict(IDLE, observed(refusals=("no answer",))).held
    latched = observed(tick(3, SafetyState.FAULT, "bus_dead"), driven_s=None)
    assert verdict(IDLE, latched).held
    assert "arming was not refused" in verdict(IDLE, observed(tick(3))).why
    driven = verdict(IDLE, observed(refusals=("motion",), driven_s=0.02))
    assert "a motor was driven" in driven.why


LEARNER = Case(
    "learner-killed",
    24,
    "SIGKILL",
    Kill(Party.LEARNER, SIGKILL),
    Level.NOTE,
    Budget(2.0),
    ("learner_lost",),
)


def test_without_a_learner_the_robot_goes_on() -> None:
    lost = Event(BEGAN + 0.4, "learner_lost")
    outcome = verdict(LEARNER, observed(tick(1), tick(90), events=(lost,)))
    assert outcome.held, outcome.why
    assert outcome.reached == "L0"
    stopped = observed(tick(90, SafetyState.FAULT), events=(lost,))
    found = verdict(LEARNER, stopped)
    assert "should have gone on" in found.why
    assert not found.held
    assert not found.conclusive, "whether the learner did it, another time shows"
    late = observed(tick(1), events=(Event(BEGAN + 2.5, "learner_lost"),))
    assert not verdict(LEARNER, late).held


def test_an_episodes_end_is_how_a_task_holds() -> None:
    case = Case(
        "camera-black", 21, "black", TwinFault("camera=wrong"), Level.HOLD, Budget(1.0),
        ("camera_black",),
    )  # fmt: skip
    end = Event(BEGAN + 0.3, "camera_black", Level.HOLD)
    assert verdict(case, observed(tick(5, told="camera_black"), events=(end,))).held
    other = Event(BEGAN + 0.3, "truncated", Level.HOLD)
    assert not verdict(case, observed(events=(other,))).held


@given(
    safety=st.sampled_from(list(SafetyState)),
    reasons=st.integers(0, 2**14 - 1).map(Reason),
)
def test_every_tick_has_a_level(safety: SafetyState, reasons: Reason) -> None:
    level = tick(1, safety, reasons=reasons).level
    if safety in (SafetyState.FAULT, SafetyState.DISARMED):
        assert level is Level.CUT
    elif safety is SafetyState.ACTIVE:
        assert level in (Level.NOTE, Level.LIMIT)


@given(
    reacts=st.integers(2, 200),
    late=st.floats(0.0, 0.5),
    driven=st.floats(0.0, 1.0),
)
def test_held_means_within_every_budget(reacts: int, late: float, driven: float) -> None:
    outcome = verdict(LOST, observed(*cut_at(reacts, late=late), driven_s=driven))
    assert outcome.reaction_s == pytest.approx(min((reacts - 0.5) * T, driven))
    assert outcome.reaction_s is not None
    in_time = outcome.reaction_s <= outcome.budget_s
    assert outcome.held == (in_time and driven <= 0.155)
