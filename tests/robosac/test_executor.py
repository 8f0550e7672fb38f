"""The executor: arming, and what becomes of a request on its way to the motors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.errors import ArmingError, NotArmedError, RobotError
from robosac.hal import Drive, Fault
from robosac.reasons import Reason
from robosac.states import SafetyState
from tests.robosac.executor_rig import PERIOD, STILL, Rig, set_attribute
from tests.robosac.fake_robot import JOINTS, FakeRobot


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_arming_ramps_stiffness_at_the_present_position(rig: Rig) -> None:
    rig.robot.position = np.linspace(-0.9, 0.9, JOINTS)
    start = rig.robot.position.copy()
    rig.executor.arm()
    assert rig.executor.safety is SafetyState.ACTIVE
    assert rig.robot.configured == 1
    kinds = [command.drive for command in rig.robot.commands]
    first = kinds.index(Drive.POSITION)
    assert first >= 2
    assert set(kinds[:first]) == {Drive.STOP}
    ramp = rig.robot.commands[first:]
    assert [command.stiffness[0] for command in ramp] == pytest.approx(np.arange(1, 21) / 20)
    assert all((command.position == start).all() for command in ramp)
    assert (rig.executor.commanded_position == start).all()


def test_first_commands_after_arming_do_not_jump(rig: Rig) -> None:
    rig.robot.position = np.full(JOINTS, 0.4)
    rig.armed().executor.request(np.full(JOINTS, -0.4))
    tick = rig.executor.tick()
    assert np.abs(tick.executed - 0.4).max() <= 50.0 * PERIOD**2 * (1 + 1e-9)


REFUSALS: list[tuple[Callable[[FakeRobot], None], str]] = [
    (set_attribute("silent", {3}), "answers: none from joint_3"),
    (set_attribute("spin", 0.6), "rest: joint_0 0.600 rad/s"),
    (set_attribute("spin", math.nan), "rest"),
    (set_attribute("temperature", 80.0), "temperature: joint_0 80.000"),
    (set_attribute("temperature", math.nan), "temperature"),
    (set_attribute("voltage", 7.9), "voltage: joint_0 sees 7.9 V"),
    (set_attribute("voltage", math.nan), "voltage"),
    (set_attribute("faults", (Fault("motor_fault", "joint_1", "38"),)), "faults: motor_fault"),
    (set_attribute("imu_age", 0.05), "imu: newest sample"),
    (set_attribute("orientation", (math.cos(0.5), math.sin(0.5), 0.0, 0.0)), "tilt: 1.00 rad"),
    (set_attribute("orientation", (math.nan, 0.0, 0.0, 0.0)), "tilt: inf rad"),
    (set_attribute("offset", 0.04), "motion: joint_0 0.040 rad"),
    (set_attribute("refuses_drive", True), "motor_not_driving"),
]


@pytest.mark.parametrize(("break_it", "message"), REFUSALS)
def test_arming_names_the_check_and_leaves_torque_off(
    rig: Rig, break_it: Callable[[FakeRobot], None], message: str
) -> None:
    break_it(rig.robot)
    with pytest.raises(ArmingError, match=message):
        rig.executor.arm()
    assert rig.executor.safety is SafetyState.DISARMED
    assert rig.robot.drive is Drive.STOP
    assert rig.robot.stop_calls == 1


def test_arming_refuses_a_position_far_outside_the_limits(rig: Rig) -> None:
    rig.robot.position[2] = 1.1
    with pytest.raises(ArmingError, match=r"position: joint_2 at 1\.100 rad"):
        rig.executor.arm()


def test_arming_just_outside_the_limits_allows_only_inward_motion(rig: Rig) -> None:
    rig.robot.position[2] = 1.02
    rig.armed()
    for _ in range(20):
        rig.executor.request(np.full(JOINTS, 1.2))
        assert rig.executor.tick().executed[2] <= 1.02
    for _ in range(200):
        rig.executor.request(np.full(JOINTS, 0.5))
        rig.executor.tick()
    assert rig.robot.position[2] == pytest.approx(0.5)


def test_device_error_while_configuring_is_raised_and_latched(rig: Rig) -> None:
    rig.robot.configure_raises = RobotError("joint_4 is not there")
    with pytest.raises(RobotError, match="joint_4"):
        rig.executor.arm()
    assert rig.executor.safety is SafetyState.FAULT
    assert rig.executor.faults[0].fault.source == "RobotError"
    assert rig.robot.stop_calls == 1


def test_arming_twice_is_refused(rig: Rig) -> None:
    with pytest.raises(NotArmedError, match="arm\\(\\) while active"):
        rig.armed().executor.arm()
    assert rig.executor.safety is SafetyState.ACTIVE


def test_request_needs_arming(rig: Rig) -> None:
    with pytest.raises(NotArmedError, match="while disarmed"):
        rig.executor.request(STILL)


@pytest.mark.parametrize("ramp", [-0.1, math.nan, math.inf])
def test_request_refuses_a_senseless_ramp(rig: Rig, ramp: float) -> None:
    with pytest.raises(ValueError, match="ramp"):
        rig.armed().executor.request(STILL, ramp)


def test_goal_is_interpolated_over_the_ramp_and_met_exactly(rig: Rig) -> None:
    rig.armed()
    goal = np.full(JOINTS, 0.001)
    rig.executor.request(goal, ramp=0.02)
    goal[:] = 9.0
    path = [rig.executor.tick() for _ in range(5)]
    expected = [0.00025, 0.0005, 0.00075, 0.001, 0.001]
    assert [tick.executed[0] for tick in path] == pytest.approx(expected)
    assert (path[3].executed == 0.001).all()
    assert all(tick.reasons is Reason.NONE for tick in path)
    assert isinstance(path[0].requested, np.ndarray)
    assert (path[0].requested == 0.001).all()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.floats(-2e-4, 2e-4), min_size=8, max_size=8), max_size=20))
def test_legal_requests_reach_the_motors_bit_for_bit(changes: list[list[float]]) -> None:
    rig = Rig().armed()
    goal = np.zeros(JOINTS)
    for change in changes:
        goal = goal + np.array(change)
        rig.executor.request(goal)
        tick = rig.executor.tick()
        assert rig.robot.commands[-1].position.tobytes() == goal.tobytes()
        assert tick.executed.tobytes() == goal.tobytes()
        assert tick.reasons is Reason.NONE


GARBAGE = st.one_of(
    st.lists(st.floats(), min_size=JOINTS, max_size=JOINTS).map(np.array),
    st.lists(st.floats(), max_size=12).map(np.array),
    st.sampled_from([None, "home", 3, [0.0] * JOINTS, np.zeros(JOINTS, dtype=np.int64)]),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(GARBAGE, st.integers(1, 6), st.floats(0.0, 0.03)), max_size=25))
def test_no_request_breaks_a_bound_at_the_motors(steps: list[tuple[object, int, float]]) -> None:
    rig = Rig().armed()
    limits, start = rig.robot.limits, len(rig.robot.commands)
    for goal, ticks, ramp in steps:
        if rig.executor.safety in (SafetyState.ACTIVE, SafetyState.HOLD):
            rig.executor.request(goal, ramp)  # pyright: ignore[reportArgumentType]
        for _ in range(ticks):
            rig.executor.tick()
    driven = [c.position for c in rig.robot.commands[start:] if c.drive is Drive.POSITION]
    path = np.array([np.zeros(JOINTS), np.zeros(JOINTS), *driven])
    speed = np.diff(path, axis=0) / PERIOD
    assert (np.abs(path) <= limits.upper).all()
    assert (np.abs(speed) <= limits.velocity * (1 + 1e-9)).all()
    assert (np.abs(np.diff(speed, axis=0)) <= limits.acceleration * PERIOD * (1 + 1e-6)).all()
