"""Joints that are let go: their command follows them, and holding again begins where they are."""

from dataclasses import replace

import numpy as np
import pytest

from robosac.course import Course, Past
from robosac.hal import JointState
from robosac.keepout import FrontLegsForward, KeepOut, brake_together
from robosac.reasons import Reason
from robosac.safety import Envelope, LimiterSettings, Memory, brake
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


@pytest.mark.parametrize("cutoff", [0.0, -1.0, 25.0, float("nan")])
def test_a_cutoff_that_the_longest_period_cannot_tell_is_refused(cutoff: float) -> None:
    with pytest.raises(ValueError, match=r"must lie in \(0, 25\) Hz"):
        make_course(low_pass=cutoff)
    assert [make_course(low_pass=hertz).low_pass for hertz in (0.5, 24.9)] == [0.5, 24.9]


def make_course(low_pass: float | None = None, keep_out: KeepOut | None = None) -> Course:
    limits = make_limits(JOINTS, position=1.0, velocity=2.0, acceleration=50.0)
    envelope = Envelope(limits, LimiterSettings(PERIOD))
    return Course(envelope, ThermalSettings(), keep_out, low_pass)


def test_a_fresh_past_is_rest_at_zero_with_cold_motors() -> None:
    past = Past.fresh(JOINTS)
    zeros = [0.0] * JOINTS
    for array in (past.memory.position, past.memory.velocity, past.torque):
        assert array.tolist() == zeros
    tracking = np.asarray(past.memory.tracking)
    assert (tracking.tolist(), tracking.dtype) == ([True] * JOINTS, np.bool_)
    assert (past.filter.slope.tolist(), past.filter.level.tolist()) == (zeros, zeros)
    assert past.free is None
    course = make_course()
    course.resume(past)
    assert course.position.tolist() == zeros


def test_a_new_course_stands_at_zero() -> None:
    assert make_course().position.tolist() == [0.0] * JOINTS


def test_a_resumed_course_goes_on_as_the_one_it_was_taken_from() -> None:
    one, other = make_course(low_pass=5.0), make_course(low_pass=5.0)
    one.begin(np.full(JOINTS, 0.1))
    one.let_go(only(2))
    hot = state_of(3.0)
    for tick in range(60):
        one.follow(np.array([0.9, -0.5, 0.0]), np.array([0.1, 0.1, 0.01 * tick]), PERIOD)
        one.torque(hot, PERIOD)
    other.resume(one.past)
    for _ in range(5):
        ways = [c.follow(np.ones(JOINTS), np.zeros(JOINTS), PERIOD) for c in (one, other)]
        np.testing.assert_array_equal(ways[0].position, ways[1].position)
        bounds = [c.torque(hot, PERIOD) for c in (one, other)]
        np.testing.assert_array_equal(bounds[0][0], bounds[1][0])
    assert other.free is not None
    np.testing.assert_array_equal(other.free, only(2))
    np.testing.assert_array_equal(other.past.filter.level, one.past.filter.level)


def test_beginning_anew_forgets_heat_filter_and_torque() -> None:
    course = make_course(low_pass=5.0)
    for _ in range(60):
        course.follow(np.ones(JOINTS), np.zeros(JOINTS), PERIOD)
        course.torque(state_of(3.0), PERIOD)
    start = np.full(JOINTS, 0.25)
    course.begin(start)
    fresh = make_course(low_pass=5.0)
    fresh.begin(start)
    for _ in range(3):
        ways = [c.follow(np.ones(JOINTS), start, PERIOD) for c in (course, fresh)]
        np.testing.assert_array_equal(ways[0].position, ways[1].position)
        bounds = [c.torque(state_of(3.0), PERIOD) for c in (course, fresh)]
        np.testing.assert_array_equal(bounds[0][0], bounds[1][0])


def test_who_is_let_go_is_kept_as_it_was_told(course: Course) -> None:
    told = only(1)
    course.let_go(told)
    told[:] = True
    assert course.free is not None
    assert course.free.tolist() == [False, True, False]
    with pytest.raises(ValueError, match="read-only"):
        course.free[0] = True
    course.let_go(np.zeros(JOINTS, dtype=np.bool_))
    assert course.free is None


def test_commands_cannot_be_changed_by_their_reader(course: Course) -> None:
    follow = course.follow(np.zeros(JOINTS), np.zeros(JOINTS), PERIOD)
    for limited in (follow, course.hold(np.zeros(JOINTS), PERIOD)):
        with pytest.raises(ValueError, match="read-only"):
            limited.position[0] = 1.0


def test_a_filtered_request_is_slower_and_arrives() -> None:
    plain, slow = make_course(), make_course(low_pass=2.0)
    target, rest = np.full(JOINTS, 0.01), np.zeros(JOINTS)
    first = [c.follow(target, rest, PERIOD).position[0] for c in (plain, slow)]
    assert first[1] < 0.1 * first[0]
    for _ in range(200):
        slow.follow(target, rest, PERIOD)
    np.testing.assert_allclose(slow.position, target, atol=1e-6)


def test_what_lies_beyond_a_limit_is_cut_off_before_the_filter() -> None:
    one, other = make_course(low_pass=2.0), make_course(low_pass=2.0)
    wild, most = np.array([9.0, -9.0, 0.0]), np.array([1.0, -1.0, 0.0])
    for _ in range(5):
        ways = [c.follow(t, c.position, PERIOD) for c, t in ((one, wild), (other, most))]
        np.testing.assert_array_equal(ways[0].position, ways[1].position)


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (np.array([np.nan, 0.0, 0.0]), Reason.NON_FINITE),
        (np.array([0.0, np.inf, 0.0]), Reason.NON_FINITE),
        (np.zeros(JOINTS + 1), Reason.SHAPE),
        ("walk", Reason.SHAPE),
    ],
)
def test_a_request_that_makes_no_sense_is_left_to_the_limiter(
    request_: object, reason: Reason
) -> None:
    course = make_course(low_pass=2.0)
    before = course.past.filter
    limited = course.follow(request_, np.zeros(JOINTS), PERIOD)
    assert reason in limited.reasons
    assert course.past.filter is before


def test_letting_one_go_changes_nothing_for_the_others() -> None:
    generator = np.random.default_rng(1)
    one, other = make_course(), make_course()
    one.let_go(only(1))
    held = [0, 2]
    for tick in range(600):
        target = generator.uniform(-1.0, 1.0, JOINTS) * (0.05 if tick % 50 < 40 else 1.0)
        measured = generator.uniform(-0.2, 0.2, JOINTS)
        dt = generator.uniform(0.005, 0.02)
        if tick % 11 == 10:
            ways = [course.hold(measured, dt) for course in (one, other)]
        else:
            ways = [course.follow(target, measured, dt) for course in (one, other)]
        np.testing.assert_array_equal(ways[0].position[held], ways[1].position[held])


@pytest.mark.parametrize("together", [False, True])
def test_only_a_keep_out_makes_joints_brake_together(together: bool) -> None:
    envelope = Envelope(make_limits(8, velocity=2.0), LimiterSettings(PERIOD))
    region = FrontLegsForward(fold=0.5) if together else None
    course = Course(envelope, ThermalSettings(), region)
    moving = Memory(np.zeros(8), np.linspace(-2.0, 2.0, 8))
    course.resume(replace(course.past, memory=moving))
    alone = brake(moving, envelope, PERIOD).position
    joined = brake_together(moving, envelope, PERIOD, Reason.NONE).position
    assert not (alone == joined).all()
    held = course.hold(np.zeros(8), PERIOD).position
    np.testing.assert_array_equal(held, joined if together else alone)


def test_after_a_hold_the_filter_begins_where_the_robot_stands() -> None:
    course = make_course(low_pass=2.0)
    for _ in range(30):
        course.follow(np.ones(JOINTS), course.position, PERIOD)
    for _ in range(29):
        course.hold(course.position, PERIOD)
    held = course.hold(course.position, PERIOD)
    assert course.past.filter.level.tolist() == held.position.tolist()
    assert course.past.filter.slope.tolist() == [0.0] * JOINTS
    np.testing.assert_allclose(
        course.follow(held.position, held.position, PERIOD).position, held.position
    )


def test_the_filter_follows_joints_that_are_let_go_and_only_those() -> None:
    course = make_course(low_pass=2.0)
    for _ in range(10):
        course.follow(np.full(JOINTS, 0.5), course.position, PERIOD)
    before = course.past.filter
    course.let_go(only(1))
    course.hold(np.array([0.0, 0.3, 0.0]), PERIOD)
    course.follow(np.zeros(JOINTS), np.array([0.0, 0.4, 0.0]), PERIOD)
    assert course.past.filter.level[1] == pytest.approx(0.4)
    assert course.past.filter.slope[1] == pytest.approx(0.0)
    assert before.slope[0] > 0.0


@pytest.mark.parametrize(
    ("dt", "counts"), [(0.005, 0.005), (0.02, 0.02), (0.0049, 0.01), (0.0201, 0.01)]
)
def test_a_period_out_of_range_counts_as_the_usual_one(dt: float, counts: float) -> None:
    course = make_course()
    bound, _ = course.torque(state_of(0.0), dt)
    assert bound[0] == pytest.approx(2.45 + 3.5 * counts / course.thermal.rise_s)


def test_a_keep_out_bounds_requests_and_holds() -> None:
    region = FrontLegsForward(fold=0.5)
    envelope = Envelope(make_limits(8, velocity=2.0), LimiterSettings(PERIOD))
    kept = Course(envelope, ThermalSettings(), region)
    wild = Course(envelope, ThermalSettings())
    backward = np.array([1.0, -1.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0])
    reasons = Reason.NONE
    for _ in range(200):
        wild.follow(backward, wild.position, PERIOD)
        before = kept.past.memory
        limited = kept.follow(backward, kept.position, PERIOD)
        reasons |= limited.reasons
        assert (region.clearance(limited.position) >= 0.0).all()
        if np.abs(before.velocity).max() > 1.0:
            again = Course(envelope, ThermalSettings(), region)
            again.resume(replace(kept.past, memory=before))
            held = again.hold(before.position, PERIOD)
            expected = brake_together(before, envelope, PERIOD, Reason.NONE)
            np.testing.assert_array_equal(held.position, expected.position)
    assert Reason.KEEP_OUT in reasons
    assert region.clearance(kept.position).max() < 0.01
    assert region.clearance(wild.position).min() < -0.4
