"""The executor: arming, requests, the stop ladder, faults, and that torque never stays on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.errors import ArmingError, NotArmedError, RobotError
from robosac.estop import EStopGate
from robosac.executor import Executor, ExecutorSettings
from robosac.hal import Drive, Fault
from robosac.reasons import Reason
from robosac.states import TRANSITIONS, SafetyState, allowed
from robosac.ticks import Tick
from tests.robosac.fake_robot import JOINTS, FakeRobot, ManualClock, make_limits

PERIOD = 0.005
STILL = np.zeros(JOINTS)


class Rig:
    """A robot, its clock, gate and executor."""

    def __init__(self, executor_settings: ExecutorSettings | None = None) -> None:
        self.clock = ManualClock()
        self.robot = FakeRobot(self.clock)
        self.gate = EStopGate()
        self.executor = Executor(self.robot, self.clock, self.gate, PERIOD, executor_settings)

    def armed(self) -> Rig:
        self.executor.arm()
        return self

    def run(self, ticks: int, keep_requesting: bool = True) -> Tick:
        tick = None
        for _ in range(ticks):
            if keep_requesting and self.executor.safety in (SafetyState.ACTIVE, SafetyState.HOLD):
                self.executor.request(STILL)
            tick = self.executor.tick()
        assert tick is not None
        return tick


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


def set_attribute(name: str, value: object) -> Callable[[FakeRobot], None]:
    def change(robot: FakeRobot) -> None:
        setattr(robot, name, value)

    return change


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
    rig.robot.position[2] = 1.05
    rig.armed()
    for _ in range(20):
        rig.executor.request(np.full(JOINTS, 1.2))
        assert rig.executor.tick().executed[2] <= 1.05
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
    (set_attribute("offset", 1.1), "position_limit", 2),
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
    assert rig.robot.commands[-1].max_torque == pytest.approx(3.5)


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


def trip_and_tick(rig: Rig) -> None:
    rig.gate.trip("button")
    rig.executor.tick()


@pytest.mark.parametrize("state", ["disarmed", "active", "hold", "damped"])
def test_estop_cuts_torque_from_every_state(rig: Rig, state: str) -> None:
    if state != "disarmed":
        rig.armed().run({"active": 1, "hold": 30, "damped": 110}[state], keep_requesting=False)
    assert rig.executor.safety.value == state
    trip_and_tick(rig)
    assert rig.executor.safety is SafetyState.FAULT
    assert rig.robot.drive is Drive.STOP
    assert rig.robot.stop_calls == 1
    assert rig.executor.faults[0].fault == Fault("estop", "gate", "button")


def test_estop_while_arming_leaves_torque_off(rig: Rig) -> None:
    original = rig.robot.exchange

    def trip(command: object, deadline: float) -> object:
        if len(rig.robot.commands) == 10:
            rig.gate.trip("button")
        return original(command, deadline)  # pyright: ignore[reportArgumentType]

    rig.robot.exchange = trip  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ArmingError, match="e-stop tripped while arming"):
        rig.executor.arm()
    assert rig.executor.safety is SafetyState.FAULT
    assert rig.robot.drive is Drive.STOP


def test_leaving_an_estop_takes_reset_clear_and_arm(rig: Rig) -> None:
    trip_and_tick(rig.armed())
    with pytest.raises(ArmingError, match="estop"):
        rig.executor.arm()
    with pytest.raises(NotArmedError, match="reset the gate"):
        rig.executor.clear("estop")
    rig.gate.reset()
    assert rig.run(3).safety is SafetyState.FAULT
    with pytest.raises(NotArmedError, match="latched are: estop"):
        rig.executor.clear("overspeed")
    rig.executor.clear("estop")
    assert rig.run(3).safety is SafetyState.DISARMED
    assert rig.robot.drive is Drive.STOP
    rig.executor.arm()
    assert rig.run(1).safety is SafetyState.ACTIVE


def test_arming_with_a_tripped_gate_touches_nothing(rig: Rig) -> None:
    rig.gate.trip("button")
    with pytest.raises(ArmingError, match="button"):
        rig.executor.arm()
    assert rig.robot.configured == 0


@pytest.mark.parametrize("error", [OSError("bus"), ZeroDivisionError("bug"), KeyboardInterrupt()])
def test_any_error_in_a_tick_cuts_torque_and_is_raised(rig: Rig, error: BaseException) -> None:
    rig.armed().robot.raises = error
    with pytest.raises(type(error)):
        rig.executor.tick()
    assert rig.executor.safety is SafetyState.FAULT
    assert rig.robot.stop_calls == 1
    assert rig.executor.faults[0].fault.source == type(error).__name__


def test_error_of_the_stop_itself_is_raised_with_its_cause(rig: Rig) -> None:
    rig.armed().robot.raises = OSError("bus")

    def broken() -> bool:
        raise ConnectionError("port gone")

    rig.robot.stop = broken
    with pytest.raises(ConnectionError, match="port gone") as caught:
        rig.executor.tick()
    assert isinstance(caught.value.__context__, OSError)
    assert rig.executor.safety is SafetyState.FAULT


def test_disarm_damps_then_stops(rig: Rig) -> None:
    rig.armed().run(5)
    before = len(rig.robot.commands)
    rig.executor.disarm()
    kinds = {command.drive for command in rig.robot.commands[before:]}
    assert kinds == {Drive.DAMP}
    assert len(rig.robot.commands) - before == pytest.approx(40, abs=1)
    assert rig.executor.safety is SafetyState.DISARMED
    assert rig.robot.stop_calls == 1


def test_unconfirmed_stop_is_a_latched_fault(rig: Rig) -> None:
    rig.armed().robot.stops = False
    with pytest.raises(RobotError, match="read back"):
        rig.executor.disarm()
    assert rig.executor.safety is SafetyState.FAULT
    with pytest.raises(NotArmedError, match="still not read back"):
        rig.executor.clear("stop_unconfirmed")
    rig.robot.stops = True
    rig.executor.clear("stop_unconfirmed")
    assert rig.executor.safety is SafetyState.DISARMED


def test_leaving_the_block_always_ends_with_torque_off(rig: Rig) -> None:
    with rig.executor:
        rig.armed().run(3)
    assert rig.robot.drive is Drive.STOP


def test_an_error_in_the_block_stops_at_once(rig: Rig) -> None:
    rig.armed().run(3)
    before = len(rig.robot.commands)
    with pytest.raises(LookupError), rig.executor:
        raise LookupError("elsewhere")
    assert len(rig.robot.commands) == before
    assert rig.robot.drive is Drive.STOP
    assert rig.executor.safety is SafetyState.DISARMED


def test_close_disarms_and_releases_once(rig: Rig) -> None:
    rig.armed().executor.close()
    rig.executor.close()
    assert rig.robot.drive is Drive.STOP
    assert rig.robot.closed == 1


def test_close_releases_even_when_the_stop_is_not_confirmed(rig: Rig) -> None:
    rig.armed().robot.stops = False
    with pytest.raises(RobotError):
        rig.executor.close()
    assert rig.robot.closed == 1


def test_executed_command_cannot_be_changed_by_its_reader(rig: Rig) -> None:
    tick = rig.armed().run(1)
    with pytest.raises(ValueError, match="read-only"):
        tick.executed[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        rig.executor.commanded_position[0] = 1.0


def test_disarmed_ticks_only_listen(rig: Rig) -> None:
    tick = rig.run(3)
    assert {command.drive for command in rig.robot.commands} == {Drive.STOP}
    assert tick.safety is SafetyState.DISARMED
    assert (tick.executed == tick.state.joints.position).all()
    assert rig.executor.state is tick.state


def test_transition_table_is_closed_and_has_no_way_back_by_itself() -> None:
    assert set(TRANSITIONS) == set(SafetyState)
    assert not allowed(SafetyState.DAMPED, SafetyState.ACTIVE)
    assert not allowed(SafetyState.FAULT, SafetyState.ARMING)
    assert set(TRANSITIONS[SafetyState.FAULT]) == {SafetyState.DISARMED}
    assert all(SafetyState.FAULT in TRANSITIONS[s] for s in SafetyState if s.value != "fault")
    assert {s for s in SafetyState if SafetyState.ACTIVE in TRANSITIONS[s]} == {
        SafetyState.ARMING,
        SafetyState.HOLD,
    }


@pytest.mark.parametrize(
    "broken",
    [
        {"hold_after": 0.6},
        {"damp_after": 3.0},
        {"hold_after": math.nan},
        {"deadline_share": 0.0},
        {"deadline_share": 1.1},
    ],
)
def test_settings_refuse_nonsense(broken: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="executor"):
        ExecutorSettings(**broken)  # pyright: ignore[reportArgumentType]


def test_tick_is_cheap(rig: Rig) -> None:
    """Loose on purpose (a shared machine): the twin needs well under a millisecond."""
    rig.armed()
    rig.robot.commands = []
    times: list[float] = []
    for _ in range(400):
        rig.executor.request(STILL)
        begin = time.perf_counter()
        rig.executor.tick()
        times.append(time.perf_counter() - begin)
    assert float(np.median(times)) < 2e-3
