"""Which bounds are in force: a recovery's from where it is asked for to where torque ends."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from robosac.arming import ArmingSettings
from robosac.bounds import Bounds
from robosac.course import Course
from robosac.errors import ArmingError, NotArmedError
from robosac.hal import JointState, RobotState
from robosac.reasons import Reason
from robosac.recovery import ANY_TILT, Recovery, RecoverySettings
from robosac.safety import Envelope, LimiterSettings
from robosac.states import SafetyState
from robosac.thermal import ThermalSettings
from robosac.watch import Reaction
from tests.robosac.fake_robot import make_limits

JOINTS = 2
PLAIN = make_limits(JOINTS)
# Another bound for every joint and side, so that none can stand in for its neighbour.
LIMITS = replace(PLAIN, lower=np.array([-1.0, -2.0]), upper=np.array([0.5, 1.5]))
OWN = Envelope(LIMITS, LimiterSettings(0.02, 0.7))
SETTINGS = RecoverySettings(torque_share=0.5, speed_share=0.25, beyond=0.75, most_s=3.0)
HERE = np.array([0.0, 2.0])


def bounds(settings: RecoverySettings | None = SETTINGS) -> tuple[Bounds, Course]:
    course = Course(OWN, ThermalSettings())
    return Bounds(course, settings), course


def state(temperature: float = 30.0) -> RobotState:
    """At rest in the middle, without a body."""
    zero, yes = np.zeros(JOINTS), np.ones(JOINTS, dtype=np.bool_)
    joints = JointState(
        *(zero, yes, zero, zero, zero, np.full(JOINTS, temperature), np.full(JOINTS, 16.0)),
        *(zero, yes),
    )
    return RobotState(0.0, joints, None, None, ())


def is_own(kept: Bounds, course: Course) -> bool:
    own = kept.limits is LIMITS and course.envelope is OWN and kept.recovery is None
    assert own == (kept.reason is Reason.NONE)
    return own and kept.demand(1e9) is Reaction.NONE


def test_to_begin_with_the_robots_own_are_in_force() -> None:
    kept, course = bounds()
    assert is_own(kept, course)
    assert kept.approach(recovering=False) is LIMITS
    kept.begin(HERE, 100.0)
    assert is_own(kept, course)
    assert kept.recovery is None


def test_a_recovery_is_asked_for_and_lasts_so_long_and_no_longer() -> None:
    kept, course = bounds()
    approached = kept.approach(recovering=True)
    assert kept.limits is approached
    assert kept.recovery is not None
    assert kept.recovery.watched is approached
    assert kept.reason is Reason.RECOVERING
    assert course.envelope is OWN, "nothing is commanded yet"
    assert kept.demand(1e9) is Reaction.NONE, "its time begins when it is armed"
    kept.begin(HERE, 100.0)
    assert course.envelope is kept.recovery.commanded
    assert course.envelope.limits.upper.tolist() == [0.5, 2.0], "from where it was found"
    assert kept.demand(100.0) is Reaction.NONE
    assert kept.demand(102.5) is Reaction.NONE
    assert kept.demand(103.0) is Reaction.NONE
    assert kept.demand(103.001) is Reaction.DAMP


def test_a_robot_without_a_recovery_is_never_armed_as_one_that_fell() -> None:
    kept, course = bounds(None)
    with pytest.raises(ArmingError, match="not to get up by itself"):
        kept.approach(recovering=True)
    assert is_own(kept, course)
    assert kept.approach(recovering=False) is LIMITS
    kept.begin(HERE, 100.0)
    assert is_own(kept, course)


def recovering() -> tuple[Bounds, Course]:
    kept, course = bounds()
    kept.approach(recovering=True)
    kept.begin(HERE, 100.0)
    return kept, course


def test_arming_anew_ends_it() -> None:
    kept, course = recovering()
    assert kept.approach(recovering=False) is LIMITS
    assert is_own(kept, course)
    kept, course = recovering()
    kept.approach(recovering=True)
    assert course.envelope is OWN


@pytest.mark.parametrize("safety", SafetyState)
def test_it_ends_where_torque_does(safety: SafetyState) -> None:
    kept, course = recovering()
    kept.entered(safety)
    assert is_own(kept, course) == (safety in (SafetyState.DISARMED, SafetyState.FAULT))


@pytest.mark.parametrize("safety", SafetyState)
def test_only_an_active_robot_leaves_it(safety: SafetyState) -> None:
    kept, course = recovering()
    if safety is SafetyState.ACTIVE:
        kept.leave(safety, state(), ArmingSettings())
        assert is_own(kept, course)
        return
    with pytest.raises(NotArmedError, match=rf"recovered\(\) while {safety.value}"):
        kept.leave(safety, state(), ArmingSettings())
    assert not is_own(kept, course)


def test_nobody_leaves_it_before_the_first_tick_or_with_what_forbids_arming() -> None:
    kept, course = recovering()
    with pytest.raises(NotArmedError, match="recovered"):
        kept.leave(SafetyState.ACTIVE, None, ArmingSettings())
    with pytest.raises(ArmingError, match="temperature"):
        kept.leave(SafetyState.ACTIVE, state(90.0), ArmingSettings())
    assert not is_own(kept, course)
    assert kept.demand(103.001) is Reaction.DAMP


def test_the_bounds_of_a_recovery_in_numbers() -> None:
    made = Recovery.approaching(OWN, SETTINGS)
    for limits in (made.commanded.limits, made.watched):
        assert limits.velocity.tolist() == [1.25, 1.25]
        assert limits.torque.tolist() == [1.75, 1.75]
        assert limits.tilt == ANY_TILT == math.pi
        assert limits.acceleration.tolist() == [50.0, 50.0]
        assert limits.continuous_torque.tolist() == [2.45, 2.45]
        assert limits.temperature == LIMITS.temperature
    assert made.commanded.settings is OWN.settings
    assert made.commanded.limits.lower.tolist() == [-1.0, -2.0]
    assert made.commanded.limits.upper.tolist() == [0.5, 1.5]
    assert made.watched.lower.tolist() == [-1.75, -2.75]
    assert made.watched.upper.tolist() == [1.25, 2.25]


def test_bounds_that_were_recorded_are_made_again() -> None:
    sides = [np.array(pair) for pair in ([-3.0, -4.0], [3.0, 4.0], [-5.0, -6.0], [5.0, 6.0])]
    lower, upper, watched_lower, watched_upper = sides
    made = Recovery.of(
        OWN,
        lower=lower,
        upper=upper,
        watched_lower=watched_lower,
        watched_upper=watched_upper,
        velocity=np.array([7.0, 8.0]),
        torque=np.array([1.0, 2.0]),
        tilt=0.5,
    )
    assert made.commanded.limits.lower.tolist() == [-3.0, -4.0]
    assert made.commanded.limits.upper.tolist() == [3.0, 4.0]
    assert made.watched.lower.tolist() == [-5.0, -6.0]
    assert made.watched.upper.tolist() == [5.0, 6.0]
    for limits in (made.commanded.limits, made.watched):
        assert limits.velocity.tolist() == [7.0, 8.0]
        assert limits.torque.tolist() == [1.0, 2.0]
        assert limits.tilt == 0.5


@pytest.mark.parametrize(
    ("position", "lower", "upper"),
    [
        ([0.0, 0.0], [-1.0, -2.0], [0.5, 1.5]),
        ([0.75, 0.0], [-1.0, -2.0], [0.75, 1.5]),
        ([-1.5, 2.0], [-1.5, -2.0], [0.5, 2.0]),
    ],
)
def test_a_joint_may_be_commanded_from_where_it_was_found(
    position: list[float], lower: list[float], upper: list[float]
) -> None:
    approaching = Recovery.approaching(OWN, SETTINGS)
    found = approaching.found(np.array(position))
    assert found.commanded.limits.lower.tolist() == lower
    assert found.commanded.limits.upper.tolist() == upper
    assert found.commanded.settings is OWN.settings
    assert found.commanded.limits.torque.tolist() == [1.75, 1.75]
    assert found.watched is approaching.watched


def test_the_settings_of_the_document_and_what_is_none() -> None:
    assert RecoverySettings() == RecoverySettings(0.57, 0.5, math.pi, 20.0)
    assert RecoverySettings(torque_share=1.0, speed_share=1.0).speed_share == 1.0
    for key in ("torque_share", "speed_share"):
        for wrong in (0.0, -0.1, 1.01, math.nan):
            with pytest.raises(ValueError, match=f"recovery.{key} must lie in"):
                RecoverySettings(**{key: wrong})
    for key in ("beyond", "most_s"):
        for wrong in (0.0, -0.1, math.inf, math.nan):
            with pytest.raises(ValueError, match=f"recovery.{key} must be positive"):
                RecoverySettings(**{key: wrong})
        assert getattr(RecoverySettings(**{key: 0.5}), key) == 0.5
