"""The hand through the twin's bytes: the contract, and what can go wrong on its bus."""

import math
from collections.abc import Callable
from dataclasses import replace

import msgspec
import numpy as np
import pytest

import calibration
from calibration import JointCalibration
from drivers.dynamixel import DynamixelBus, HardwareError
from drivers.errors import DriverError
from robosac.errors import CalibrationMismatch, RobotError
from robosac.hal import Drive, JointCommand, RobotState
from robosac.robots.claw import Claw, ClawDevices
from robosac.robots.claw_file import FINGER_JOINTS, JOINTS, VALVE, load_claw_file
from sim.claw import ClawTwin
from tests.robosac.robot_contract import Rig, RobotContract

VALVE_AT = JOINTS.index(VALVE)
FREE_VALVE = np.arange(len(JOINTS)) == VALVE_AT


def build(twin: ClawTwin, measured: calibration.Calibration | None = None) -> Rig:
    file = load_claw_file(None)
    now = twin.clock.now
    bus = DynamixelBus(twin.servos, [motor.id for motor in file.motors.values()], now)
    measured = measured or calibration.nominal("claw")
    return Rig(Claw(file, measured, ClawDevices(bus, None), now), twin.clock, period=0.01)


def holding(rig: Rig, ticks: int = 40) -> JointCommand:
    """Hold everything where it is; the command that does."""
    state = rig.hold(ticks)
    assert state.joints.driving.all()
    return JointCommand.to(state.joints.position, rig.robot.limits.torque)


def repeat(rig: Rig, command: JointCommand, ticks: int) -> RobotState:
    """The same command for so many ticks; the last state."""
    for _ in range(ticks - 1):
        rig.tick(command)
    return rig.tick(command)


def pushing(twin: ClawTwin, joint: int, torque_nm: float) -> Callable[[float], None]:
    """Something outside that turns a joint, for `ClawTwin.on_step`."""

    def push(now: float) -> None:
        del now
        twin.plant.data.qfrc_applied[joint] = torque_nm

    return push


class TestClaw(RobotContract):
    @pytest.fixture
    def rig(self) -> Rig:
        return build(ClawTwin())


def test_joint_angles_are_those_of_the_plant() -> None:
    twin = ClawTwin()
    rig = build(twin)
    rig.robot.configure()
    state = rig.hold(40)
    found = state.joints.position - twin.plant.joint_position
    found[VALVE_AT] = math.remainder(found[VALVE_AT], math.tau)
    np.testing.assert_allclose(found, 0.0, atol=0.005)


def test_offsets_and_their_correction_cancel() -> None:
    measured = calibration.nominal("claw")
    joints = {
        **measured.joints,
        "tip_1": JointCalibration(motor_id=22, offset_correction_rad=0.2),
    }
    rig = build(ClawTwin(), msgspec.structs.replace(measured, joints=joints))
    plain = build(ClawTwin())
    for each in (rig, plain):
        each.robot.configure()
    moved = rig.hold(2).joints.position - plain.hold(2).joints.position
    expected = np.where(np.array(JOINTS) == "tip_1", 0.2, 0.0)
    np.testing.assert_allclose(moved, expected, atol=1e-9)


def test_another_hands_calibration_is_refused() -> None:
    with pytest.raises(CalibrationMismatch):
        build(ClawTwin(), calibration.nominal("minitaur"))


def test_the_valve_is_told_within_half_a_turn_of_its_zero_however_often_it_has_turned() -> None:
    twin = ClawTwin()
    twin.plant.reset(twin.plant.joint_position[:9].copy(), 5 * math.tau + 0.4)
    twin.clock.wait_until(twin.clock.now() + 0.01)
    rig = build(twin)
    rig.robot.configure()
    angle = rig.tick(JointCommand.stop(len(JOINTS))).joints.position[VALVE_AT]
    assert angle == pytest.approx(0.4, abs=0.01)


def test_a_valve_that_is_let_go_turns_freely_and_is_still_measured() -> None:
    twin = ClawTwin()
    rig = build(twin)
    rig.robot.configure()
    command = holding(rig)
    free = replace(command, free=FREE_VALVE)
    state = rig.tick(free)
    twin.on_step.append(pushing(twin, VALVE_AT, 0.15))
    state = repeat(rig, free, 40)
    twin.on_step.clear()
    twin.plant.data.qfrc_applied[VALVE_AT] = 0.0
    assert not state.joints.driving[VALVE_AT]
    assert state.joints.driving[:VALVE_AT].all()
    assert abs(state.joints.position[VALVE_AT] - command.position[VALVE_AT]) > 0.1
    assert state.joints.valid.all()


def test_a_valve_that_is_taken_hold_of_again_stays_where_it_is() -> None:
    twin = ClawTwin()
    rig = build(twin)
    rig.robot.configure()
    command = holding(rig)
    free = replace(command, free=FREE_VALVE)
    twin.on_step.append(pushing(twin, VALVE_AT, 0.15))
    state = repeat(rig, free, 40)
    twin.on_step.clear()
    twin.plant.data.qfrc_applied[VALVE_AT] = 0.0
    state = repeat(rig, free, 100)
    here = JointCommand.to(state.joints.position, rig.robot.limits.torque)
    state = repeat(rig, here, 60)
    assert state.joints.driving.all()
    assert state.joints.position[VALVE_AT] == pytest.approx(here.position[VALVE_AT], abs=0.01)


def test_damping_gives_way_slowly() -> None:
    """Pushed as hard, a damped finger moves less far than one that is off."""

    def pushed(damped: bool) -> float:
        twin = ClawTwin()
        rig = build(twin)
        rig.robot.configure()
        start = holding(rig).position[0]
        joints = len(JOINTS)
        command = JointCommand.damp(joints, rig.robot.limits.torque)
        if not damped:
            command = JointCommand.stop(joints)
        twin.on_step.append(pushing(twin, 0, 0.3))
        repeat(rig, command, 15)
        twin.on_step.clear()
        twin.plant.data.qfrc_applied[0] = 0.0
        state = repeat(rig, command, 20)
        return float(state.joints.position[0] - start)

    assert 0.01 < pushed(damped=True) < 0.8 * pushed(damped=False)


def test_torque_is_limited_by_current() -> None:
    twin = ClawTwin()
    rig = build(twin)
    rig.robot.configure()
    command = holding(rig)
    weak = JointCommand.to(command.position, np.full(len(JOINTS), 0.25))
    twin.on_step.append(pushing(twin, 0, 1.0))
    state = repeat(rig, weak, 30)
    twin.on_step.clear()
    assert abs(state.joints.torque[0]) < 0.3
    assert abs(state.joints.position[0] - command.position[0]) > 0.1


@pytest.mark.parametrize("joint", ["base_0", "tip_2", VALVE])
def test_a_silent_servo_is_told_and_its_neighbours_are_not_disturbed(joint: str) -> None:
    twin = ClawTwin()
    rig = build(twin)
    rig.robot.configure()
    command = holding(rig)
    index = JOINTS.index(joint)
    twin.faults.silence(twin.ids[index], True)
    state = repeat(rig, command, 3)
    assert not state.joints.valid[index]
    assert np.delete(state.joints.valid, index).all()
    assert state.joints.time[index] < state.time - 0.015


def test_a_frozen_valve_does_not_pass_for_fresh() -> None:
    twin = ClawTwin()
    rig = build(twin)
    rig.robot.configure()
    command = holding(rig)
    twin.faults.freeze(twin.ids[VALVE_AT], True)
    ages: list[float] = []
    for _ in range(30):
        state = rig.tick(command)
        ages.append(float(state.time - state.joints.time[VALVE_AT]))
    assert ages[-1] > 0.05, ages


def test_an_overloaded_servo_is_named_and_comes_back_after_a_restart() -> None:
    twin = ClawTwin()
    rig = build(twin)
    rig.robot.configure()
    command = holding(rig)
    twin.line.servo(twin.ids[2]).health.inject(HardwareError.OVERLOAD)
    state = repeat(rig, command, 30)
    assert [(f.name, f.source) for f in state.faults] == [("servo_overload", FINGER_JOINTS[2])]
    assert not state.joints.driving[2]
    rig.robot.configure()
    state = rig.hold(40)
    assert not state.faults
    assert state.joints.driving.all()


def test_a_cable_that_is_pulled_is_a_fault_and_not_an_error() -> None:
    twin = ClawTwin()
    rig = build(twin)
    rig.robot.configure()
    command = holding(rig)
    twin.servos.unplug()
    state = rig.tick(command)
    assert [fault.name for fault in state.faults] == ["bus_dead"]
    assert not state.joints.valid.any()
    assert not rig.robot.stop()
    twin.servos.plug_in()
    rig.robot.configure()
    assert rig.hold(40).joints.driving.all()


def test_before_anybody_looked_for_the_servos_nothing_is_known_of_them() -> None:
    rig = build(ClawTwin())
    state = rig.tick(JointCommand.stop(len(JOINTS)))
    assert not state.joints.valid.any()
    assert not state.joints.driving.any()
    assert np.isneginf(state.joints.time).all()
    assert not state.faults
    with pytest.raises(DriverError, match="probe first"):
        rig.tick(JointCommand.damp(len(JOINTS), rig.robot.limits.torque))


def test_missing_servos_are_named() -> None:
    twin = ClawTwin()
    twin.faults.silence(31, True)
    with pytest.raises(RobotError, match="middle_2"):
        build(twin).robot.configure()


def test_supply_and_temperature_are_known_at_once() -> None:
    rig = build(ClawTwin())
    rig.robot.configure()
    state = rig.tick(JointCommand.stop(len(JOINTS)))
    np.testing.assert_allclose(state.joints.voltage, 24.0, atol=0.2)
    assert (state.joints.temperature > 15).all()


def test_the_watchdog_stops_servos_whose_host_is_gone() -> None:
    twin = ClawTwin()
    rig = build(twin)
    rig.robot.configure()
    command = holding(rig)
    twin.clock.wait_until(twin.clock.now() + 0.3)
    away = JointCommand.to(command.position + 0.2 * (~FREE_VALVE), command.max_torque)
    state = repeat(rig, away, 60)
    assert {fault.name for fault in state.faults} == {"motor_watchdog"}
    np.testing.assert_allclose(state.joints.position, command.position, atol=0.03)
    assert command.drive is Drive.POSITION
