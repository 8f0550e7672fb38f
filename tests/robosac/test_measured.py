"""From a routine's result to a calibration by which the robot knows where its joints are."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest

import calibration
from calibration.file import dump, load, parse
from calibration.imu import calibrate_imu
from calibration.joints import JointResult, calibrate_joint
from calibration.latency import StepResponse, round_trips
from calibration.record import DeviceTag, missing_evidence
from robosac.calibration_file import save
from robosac.errors import CalibrationMismatch
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.robots.claw_file import load_claw_file
from robosac.robots.measured import with_imu, with_joints, with_latency, with_ports
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.states import SafetyState
from tests.robosac.test_minitaur import build
from tests.sweeps.bolted_twin import LOWER_RAD, UPPER_RAD, Hidden
from tests.sweeps.hidden_robot import HiddenRobot

DATE = "2026-05-05"
FILE = load_robot_file(None)
DEVICES = {name: DeviceTag(model="5", serial=name) for name in FILE.joint_names}


def results(zero: float = 0.1) -> dict[str, JointResult]:
    return {
        name: JointResult(name, motor.direction, zero, LOWER_RAD, UPPER_RAD, 0.001, 0.0005, 0, 100)
        for name, motor in FILE.motors.items()
    }


def test_a_measured_zero_becomes_a_correction() -> None:
    found = with_joints(calibration.nominal("minitaur"), FILE, results(), DEVICES, DATE)
    joint = found.joints["back_left_rear"]
    assert (joint.motor_id, joint.sign) == (4, -1)
    assert joint.offset_correction_rad == pytest.approx(-0.1)
    assert joint.range_rad == (LOWER_RAD, UPPER_RAD)
    assert found.evidence["joints"].samples == 800
    assert found.evidence["joints"].residuals["worst_misfit_rad"] == 0.001
    assert not missing_evidence(found)


def test_each_routine_keeps_what_the_others_measured() -> None:
    joints = with_joints(calibration.nominal("minitaur"), FILE, results(), DEVICES, DATE)
    delay = round_trips(np.full(100, 0.001))
    timed = with_latency(joints, delay, StepResponse(delay, np.zeros(1), 0.01), "2026-06-06")
    both = with_ports(timed, {"legs": "A1", "imu": None})
    assert both.joints == joints.joints
    assert both.date == "2026-06-06"
    assert both.ports == {"legs": "A1"}
    assert set(both.evidence) == {"joints", "latency"}
    assert not missing_evidence(both)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sign": 1}, "joint back_left_rear: it was measured to turn with sign 1"),
        ({"upper_rad": 3.0}, "joint back_left_rear: the robot file's limits"),
    ],
)
def test_what_contradicts_the_robot_file_is_refused(change: dict[str, float], says: str) -> None:
    wrong = results()
    old = wrong["back_left_rear"]
    parts = {name: getattr(old, name) for name in JointResult.__dataclass_fields__}
    wrong["back_left_rear"] = JointResult(**{**parts, **change})
    with pytest.raises(CalibrationMismatch, match=says):
        with_joints(calibration.nominal("minitaur"), FILE, wrong, DEVICES, DATE)


def test_a_joint_that_was_left_out_is_named() -> None:
    some = results()
    del some["front_right_rear"]
    with pytest.raises(CalibrationMismatch, match="joints front_right_rear were not measured"):
        with_joints(calibration.nominal("minitaur"), FILE, some, DEVICES, DATE)


def bolted_file(found: dict[str, JointResult]) -> RobotFile:
    """The robot file as a person corrects it after the signs were measured."""
    motors = {
        name: msgspec.structs.replace(motor, direction=found[name].sign)
        for name, motor in FILE.motors.items()
    }
    return msgspec.structs.replace(FILE, motors=motors)


def test_a_hidden_robot_arms_with_what_was_measured_and_knows_its_joints(tmp_path: Path) -> None:
    hidden = Hidden.drawn(np.random.default_rng([2000, 1]))
    robot = HiddenRobot(hidden, np.random.default_rng([2000, 2]))
    drawn = robot.drawn_joints(jig=True)
    found = {joint.name: calibrate_joint(joint, drawn[joint.name]) for joint in robot.guided()}
    file, twin = bolted_file(found), robot.twin
    devices = dict(zip(file.joint_names, robot.motor_tags(), strict=True))
    base = calibration.nominal("minitaur")
    imu = calibrate_imu(*robot.inertial())
    joints = with_joints(base, file, found, devices, DATE)
    measured = with_imu(joints, imu, robot.sensor_tag(), DATE)
    path = tmp_path / "calibration.yaml"
    save(path, measured)
    # Power comes on anew, so that no turn is counted.
    bank = twin.bank
    bank.shift_rev = bank.shift_rev - hidden.turns  # pyright: ignore[reportAttributeAccessIssue]
    twin.place(7)
    rig = build(twin, file, load(path))
    executor = Executor(rig.robot, twin.clock, EStopGate())
    executor.arm()
    assert executor.safety is SafetyState.ACTIVE
    state = executor.tick().state
    wrong = np.abs(state.joints.position - twin.plant.joint_position)
    assert float(wrong.max()) < math.radians(0.5)
    assert state.imu is not None
    assert state.imu.tilt < 0.15
    executor.close()


def test_without_calibration_the_same_robot_does_not_arm() -> None:
    hidden = Hidden.drawn(np.random.default_rng([2000, 1]))
    robot = HiddenRobot(hidden, np.random.default_rng([2000, 2]))
    robot.twin.place(7)
    rig = build(robot.twin)
    executor = Executor(rig.robot, robot.twin.clock, EStopGate())
    with pytest.raises(RuntimeError, match=r"position|tilt|imu"):
        executor.arm()
    assert executor.safety is SafetyState.DISARMED


def test_a_hand_is_measured_with_its_valve_that_has_no_stops() -> None:
    file = load_claw_file(None)
    found = {
        name: JointResult(name, 1, motor.offset_rad, -2.0, 2.0, 0.0, 0.0, 0, 50)
        for name, motor in file.motors.items()
    }
    found["valve"] = JointResult("valve", 1, 3.0, -math.inf, math.inf, 0.0, 0.0, 0, 50)
    devices = {name: DeviceTag(model=file.model) for name in file.joint_names}
    measured = with_joints(calibration.nominal("claw"), file, found, devices, DATE)
    assert measured.joints["valve"].range_rad is None
    assert measured.joints["valve"].offset_correction_rad == pytest.approx(math.pi - 3.0)
    assert parse(dump(measured), "claw.yaml") == measured
