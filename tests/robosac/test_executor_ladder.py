"""The executor's stop ladder: what old requests, silent joints and the monitor lead to."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from robosac.errors import NotArmedError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.hal import Drive, Fault
from robosac.reasons import Reason
from robosac.states import SafetyState
from tests.robosac.executor_rig import PERIOD, STILL, Rig, set_attribute
from tests.robosac.fake_robot import JOINTS, FakeRobot, ManualClock, make_limits


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_ladder_of_an_abandoned_request(rig: Rig) -> None:
    rig.armed().executor.request(STILL)
    begin = rig.clock.now()
    entered: dict[SafetyState, float] = {}
    for _ in range(450):
        tick = rig.executor.tick()
        entered.setdefault(tick.safety, tick.time - begin)
    assert entered[SafetyState.HOLD] == pytest.approx(0.105)
    assert entered[SafetyState.DAMPED] == pytest.approx(0.505)
    assert entered[SafetyState.DISARMED] == pytest.approx(2.005)
    assert rig.robot.drive is Drive.STOP
    assert rig.robot.stop_calls == 1
    assert rig.executor.statistics().limited["age"] > 300


def test_fresh_request_ends_a_hold_but_not_a_damped_robot(rig: Rig) -> None:
    rig.armed().run(30, keep_requesting=False)
    assert rig.executor.safety is SafetyState.HOLD
    rig.executor.request(STILL)
    assert rig.executor.tick().safety is SafetyState.ACTIVE
    rig.run(110, keep_requesting=False)
    assert rig.executor.safety is SafetyState.DAMPED
    assert rig.robot.drive is Drive.DAMP
    with pytest.raises(NotArmedError, match="while damped"):
        rig.executor.request(STILL)
    rig.executor.arm()
    assert rig.executor.safety is SafetyState.ACTIVE


def test_hold_stops_within_the_acceleration_bound(rig: Rig) -> None:
    rig.armed().executor.request(np.full(JOINTS, 0.9), ramp=0.4)
    ticks = [rig.executor.tick() for _ in range(60)]
    speeds = np.array([tick.velocity[0] for tick in ticks])
    assert ticks[-1].safety is SafetyState.HOLD
    assert speeds.max() > 1.0
    assert speeds[-1] == 0.0
    assert np.abs(np.diff(speeds)).max() <= 50.0 * PERIOD * (1 + 1e-9)


def test_rejected_requests_hold_then_fault(rig: Rig) -> None:
    rig.armed()
    bad = np.full(JOINTS, np.nan)
    states: list[SafetyState] = []
    for _ in range(10):
        rig.executor.request(bad)
        tick = rig.executor.tick()
        assert tick.reasons & Reason.NON_FINITE
        assert (tick.executed == 0.0).all()
        states.append(tick.safety)
    assert states[:2] == [SafetyState.ACTIVE] * 2
    assert states[2:9] == [SafetyState.HOLD] * 7
    assert states[9] is SafetyState.FAULT
    assert rig.executor.faults[0].fault.name == "request_rejected"
    assert rig.robot.drive is Drive.STOP


def test_good_request_ends_a_row_of_rejected_ones(rig: Rig) -> None:
    rig.armed()
    for _ in range(5):
        rig.executor.request(np.full(JOINTS, np.inf))
        rig.executor.tick()
    assert rig.executor.safety is SafetyState.HOLD
    assert rig.run(1).safety is SafetyState.ACTIVE
    assert rig.executor.statistics().rejected == 5


def test_one_missed_answer_is_tolerated(rig: Rig) -> None:
    rig.armed().robot.silent = {2}
    assert rig.run(2).safety is SafetyState.ACTIVE
    rig.robot.silent = set()
    assert rig.run(20).safety is SafetyState.ACTIVE


def test_joint_that_stays_silent_holds_then_faults(rig: Rig) -> None:
    rig.armed().robot.silent = {2}
    states = [rig.run(1).safety for _ in range(10)]
    assert states.index(SafetyState.HOLD) == 2
    assert states.index(SafetyState.FAULT) == 9
    assert [latched.fault.name for latched in rig.executor.faults] == ["joint_lost"]
    assert rig.executor.faults[0].fault.source == "joint_2"


def test_hold_ends_when_the_joint_answers_again(rig: Rig) -> None:
    rig.armed().robot.silent = {2}
    assert rig.run(4).safety is SafetyState.HOLD
    rig.robot.silent = set()
    assert rig.run(2).safety is SafetyState.ACTIVE


FAULTING: list[tuple[Callable[[FakeRobot], None], str, int]] = [
    (set_attribute("faults", (Fault("motor_fault", "joint_1", "33"),)), "motor_fault", 1),
    (set_attribute("temperature", 80.0), "over_temperature", 1),
    (set_attribute("temperature", math.nan), "over_temperature", 1),
    (set_attribute("spin", 10.1), "overspeed", 2),
    (set_attribute("spin", math.nan), "overspeed", 2),
    (set_attribute("offset", 1.1), "impossible_motion", 1),
    (set_attribute("offset", math.nan), "position_limit", 2),
    (set_attribute("refuses_drive", True), "motor_not_driving", 3),
]


@pytest.mark.parametrize(("break_it", "name", "budget"), FAULTING)
def test_monitor_cuts_torque_within_its_budget(
    rig: Rig, break_it: Callable[[FakeRobot], None], name: str, budget: int
) -> None:
    rig.armed().run(3)
    break_it(rig.robot)
    if budget > 1:
        assert rig.run(budget - 1).safety is not SafetyState.FAULT
    tick = rig.run(1)
    assert tick.safety is SafetyState.FAULT
    assert name in {fault.name for fault in tick.faults}
    assert rig.robot.drive is Drive.STOP
    assert rig.robot.stop_calls == 1
    assert rig.executor.faults[0].time == rig.clock.now()


def test_one_fast_tick_in_three_is_tolerated(rig: Rig) -> None:
    rig.armed()
    for _ in range(5):
        rig.robot.spin = 11.0
        rig.run(1)
        rig.robot.spin = 0.0
        assert rig.run(2).safety is SafetyState.ACTIVE


def test_two_fast_ticks_in_three_are_not(rig: Rig) -> None:
    rig.armed()
    for spin in (11.0, 0.0, 11.0):
        rig.robot.spin = spin
        rig.run(1)
    assert rig.executor.safety is SafetyState.FAULT


@pytest.mark.parametrize(
    "orientation",
    [(math.cos(0.45), 0.0, math.sin(0.45), 0.0), (math.nan,) * 4, (0.0, 0.0, 0.0, 0.0)],
)
def test_fall_damps_without_a_fault(rig: Rig, orientation: tuple[float, ...]) -> None:
    rig.armed()
    set_attribute("orientation", orientation)(rig.robot)
    assert rig.run(1).safety is SafetyState.DAMPED
    tick = rig.run(1)
    assert rig.robot.drive is Drive.DAMP
    assert tick.reasons & Reason.TILT
    assert rig.executor.faults == ()
    rig.robot.orientation = (1.0, 0.0, 0.0, 0.0)
    assert rig.run(3).safety is SafetyState.DAMPED
    rig.executor.arm()
    assert rig.executor.safety is SafetyState.ACTIVE


def test_stale_imu_holds_then_damps(rig: Rig) -> None:
    rig.armed().robot.imu_age = 0.041
    tick = rig.run(2)
    assert tick.safety is SafetyState.HOLD
    assert tick.reasons & Reason.STALE
    rig.robot.imu_age = 0.21
    assert rig.run(1).safety is SafetyState.DAMPED


def test_robot_without_a_body_needs_no_imu() -> None:
    clock = ManualClock()
    robot = FakeRobot(clock, make_limits(tilt=math.inf), imu_age=9.0)
    executor = Executor(robot, clock, EStopGate(), PERIOD)
    executor.arm()
    assert executor.tick().safety is SafetyState.ACTIVE


def test_late_ticks_are_rejected_and_a_row_of_them_holds(rig: Rig) -> None:
    rig.armed()
    rig.run(1)
    states: list[SafetyState] = []
    for _ in range(3):
        rig.clock.late = 0.012
        tick = rig.run(1)
        assert tick.reasons & Reason.PERIOD
        states.append(tick.safety)
    assert states == [SafetyState.ACTIVE, SafetyState.ACTIVE, SafetyState.HOLD]
    assert rig.run(2).safety is SafetyState.ACTIVE
    statistics = rig.executor.statistics()
    assert statistics.skipped >= 3
    assert statistics.lateness_max == pytest.approx(0.012)


def test_long_load_is_derated_before_the_cut_off_and_restored_after_cooling(rig: Rig) -> None:
    rig.armed().robot.torque = -3.0
    powered = [rig.run(1) for _ in range(150)]
    derated = [bool(tick.reasons & Reason.DERATED) for tick in powered]
    assert derated.index(True) == pytest.approx(140, abs=2)
    assert rig.robot.commands[-1].max_torque == pytest.approx(0.95 * 2.45)
    rig.robot.torque = 1.0
    cooling = [bool(rig.run(1).reasons & Reason.DERATED) for _ in range(160)]
    assert cooling.index(False) == pytest.approx(150, abs=2)
    rig.run(40)
    most = [command.max_torque[0] for command in rig.robot.commands[-200:]]
    assert most[-1] == pytest.approx(3.5)
    assert np.diff(most).max() <= 3.5 * 0.005 / 0.5 + 1e-9, "the bound on torque comes back slowly"


def test_short_loads_are_not_derated(rig: Rig) -> None:
    rig.armed()
    for _ in range(6):
        rig.robot.torque = 3.0
        rig.run(60)
        rig.robot.torque = 0.0
        assert not rig.run(60).reasons & Reason.DERATED


def test_warm_motor_is_derated(rig: Rig) -> None:
    rig.armed().robot.temperature = 76.0
    assert rig.run(2).reasons & Reason.DERATED
