"""Joints that are let go: their command follows them, and holding again begins where they are."""

from dataclasses import replace

import numpy as np
import pytest

from robosac.course import Course
from robosac.hal import JointState
from robosac.reasons import Reason
from robosac.safety import Envelope, LimiterSettings
from robosac.thermal import ThermalSettings
from tests.robosac.fake_robot import make_limits

PERIOD = 0.01
JOINTS = 3


@pytest.fixture
def course() -> Course:
    limits = make_limits(JOINTS, position=10.0, velocity=2.0, acceleration=50.0)
    course = Course(Envelope(limits, LimiterSettings(PERIOD)), ThermalSettings())
    course.begin(np.zeros(JOINTS))
    return course


def only(joint: int) -> np.ndarray:
    return np.arange(JOINTS) == joint


def test_a_free_joint_is_commanded_where_it_is(course: Course) -> None:
    course.let_go(only(1))
    measured = np.array([0.0, 4.0, 0.0])
    limited = course.follow(np.array([0.004, -9.0, 0.0]), measured, PERIOD)
    np.testing.assert_array_equal(limited.position, [0.004, 4.0, 0.0])
    assert limited.velocity[1] == 0.0
    assert limited.reasons is Reason.NONE


def test_taking_hold_again_does_not_jump(course: Course) -> None:
    course.let_go(only(1))
    measured = np.array([0.0, 4.0, 0.0])
    course.follow(np.zeros(JOINTS), measured, PERIOD)
    course.let_go(np.zeros(JOINTS, dtype=np.bool_))
    limited = course.follow(np.zeros(JOINTS), measured, PERIOD)
    assert abs(limited.position[1] - 4.0) <= 2.0 * PERIOD
    assert limited.reasons


def test_a_free_joint_that_does_not_tell_stays(course: Course) -> None:
    course.let_go(only(1))
    measured = np.array([0.0, 4.0, 0.0])
    course.follow(np.zeros(JOINTS), measured, PERIOD)
    held = course.hold(np.array([0.0, np.nan, 0.0]), PERIOD)
    np.testing.assert_array_equal(held.position, measured)


def test_holding_keeps_free_joints_free(course: Course) -> None:
    course.let_go(only(2))
    held = course.hold(np.array([0.0, 0.0, -3.0]), PERIOD)
    np.testing.assert_array_equal(held.position, [0.0, 0.0, -3.0])


def test_beginning_anew_holds_everything(course: Course) -> None:
    course.let_go(only(0))
    course.begin(np.ones(JOINTS))
    assert course.free is None
    np.testing.assert_array_equal(course.position, np.ones(JOINTS))


@pytest.mark.parametrize("wrong", [np.zeros(2, dtype=np.bool_), np.zeros(JOINTS)])
def test_what_is_no_set_of_joints_is_refused(course: Course, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="valid is bool"):
        course.let_go(wrong)


def test_a_wild_request_for_a_free_joint_still_condemns_the_vector(course: Course) -> None:
    """Not-a-number stands for a policy gone wrong, wherever it stands."""
    course.let_go(only(1))
    limited = course.follow(np.array([0.0, 0.0, np.nan]), np.zeros(JOINTS), PERIOD)
    assert Reason.NON_FINITE in limited.reasons


def state_of(torque: float, temperature: float = 30.0) -> JointState:
    state = JointState.unheard(JOINTS)
    return replace(state, torque=np.full(JOINTS, torque), temperature=np.full(JOINTS, temperature))


def test_torque_begins_where_arming_left_it_and_rises_at_its_rate(course: Course) -> None:
    peak, first = 3.5, 2.45
    bounds = [course.torque(state_of(0.0), PERIOD)[0][0] for _ in range(60)]
    rise = peak * PERIOD / course.thermal.rise_s
    assert bounds[0] == pytest.approx(first + rise)
    assert np.diff([first, *bounds]).max() <= rise * (1 + 1e-9)
    assert bounds[-1] == peak


def test_torque_falls_at_once_and_comes_back_slowly(course: Course) -> None:
    for _ in range(60):
        course.torque(state_of(0.0), PERIOD)
    low, reason = course.torque(state_of(0.0, temperature=79.0), PERIOD)
    assert low == pytest.approx(0.95 * 2.45)
    assert reason is Reason.DERATED
    back, reason = course.torque(state_of(0.0), PERIOD)
    assert reason is Reason.NONE
    assert back == pytest.approx(0.95 * 2.45 + 3.5 * PERIOD / course.thermal.rise_s)


def test_a_period_out_of_range_does_not_let_torque_leap(course: Course) -> None:
    bound, _ = course.torque(state_of(0.0), 10.0)
    assert bound == pytest.approx(2.45 + 3.5 * PERIOD / course.thermal.rise_s)
