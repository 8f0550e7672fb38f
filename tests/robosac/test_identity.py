"""A robot is not configured with a calibration that was measured on other devices."""

import datetime

import msgspec
import pytest

import calibration
from calibration.record import Calibration, DeviceTag
from drivers.dynamixel import DynamixelBus
from drivers.moteus import MoteusBus
from drivers.vectornav.port import VectorNavPort
from robosac.config import load_preset
from robosac.errors import CalibrationMismatch
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.robots.claw import Claw, ClawDevices
from robosac.robots.claw_file import load_claw_file
from robosac.robots.identity import check_age, check_ports
from robosac.robots.robot_file import load_robot_file
from robosac.robots.wiring import check_calibration
from robosac.settings import MinitaurConfig
from robosac.stage import read_calibration
from robosac.states import SafetyState
from sim.claw import ClawTwin
from sim.minitaur import MinitaurTwin
from tests.calibration.specimens import MEASURED
from tests.robosac.test_minitaur import QUIET, build


def told() -> Calibration:
    """A calibration of the twin's own devices."""
    twin = MinitaurTwin(QUIET)
    now = twin.clock.now
    motors = MoteusBus(twin.legs, tuple(range(1, 9)), now).probe()
    sensor = VectorNavPort(twin.imu, now).configure(4)
    joints = {
        name: msgspec.structs.replace(
            joint, device=DeviceTag(model=str(motors[joint.motor_id].model), serial=serial)
        )
        for name, joint in MEASURED.joints.items()
        if joint.device is not None
        for serial in [joint.device.serial]
    }
    return msgspec.structs.replace(
        MEASURED, joints=joints, imu=DeviceTag(model=sensor.model, serial=sensor.serial)
    )


OWN = told()


def another(joint: str, tag: DeviceTag) -> Calibration:
    joints = {**OWN.joints, joint: msgspec.structs.replace(OWN.joints[joint], device=tag)}
    return msgspec.structs.replace(OWN, joints=joints)


def test_its_own_calibration_arms_the_twin() -> None:
    rig = build(MinitaurTwin(QUIET), measured=OWN)
    rig.robot.configure()


SENSOR = OWN.imu.model if OWN.imu else ""
MODEL = OWN.joints["back_left_rear"].device.model if OWN.joints["back_left_rear"].device else ""


@pytest.mark.parametrize(
    ("measured", "says"),
    [
        (
            another("back_left_rear", DeviceTag(model=MODEL, serial="a-b-c")),
            "joint back_left_rear: calibrated on serial number 'a-b-c', found '01200004",
        ),
        (
            another("back_left_rear", DeviceTag(model=MODEL)),
            "joint back_left_rear: calibrated on serial number none, found '01200004",
        ),
        (
            another("front_left_rear", DeviceTag(model="77", serial="x")),
            f"joint front_left_rear: calibrated on model '77', found '{MODEL}'",
        ),
        (
            msgspec.structs.replace(OWN, imu=DeviceTag(model="HI14", serial="1")),
            "imu: calibrated on model 'HI14', found 'VN-100",
        ),
        (
            msgspec.structs.replace(OWN, imu=DeviceTag(model=SENSOR, serial="1")),
            "imu: calibrated on serial number '1', found",
        ),
    ],
)
def test_other_devices_refuse_to_arm_and_say_which_number(measured: Calibration, says: str) -> None:
    twin = MinitaurTwin(QUIET)
    executor = Executor(build(twin, measured=measured).robot, twin.clock, EStopGate())
    with pytest.raises(CalibrationMismatch) as caught:
        executor.arm()
    assert says in str(caught.value)
    assert executor.safety is SafetyState.FAULT
    assert not twin.bank.driving.any()


def test_another_model_of_servo_refuses() -> None:
    twin, file, drawn = ClawTwin(), load_claw_file(None), calibration.nominal("claw")
    joints = {
        name: msgspec.structs.replace(
            joint,
            sign=1,
            file_offset_rad=file.motors[name].offset_rad,
            device=DeviceTag(model="XM430-W350" if name == "tip_1" else "XH430-V210"),
        )
        for name, joint in drawn.joints.items()
    }
    measured = msgspec.structs.replace(drawn, date="2026-01-01", joints=joints)
    bus = DynamixelBus(twin.servos, twin.ids, twin.clock.now)
    hand = Claw(file, measured, ClawDevices(bus, None), twin.clock.now)
    with pytest.raises(
        CalibrationMismatch, match="joint tip_1: calibrated on model 'XM430-W350', found 'XH430-V2"
    ):
        hand.configure()


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"legs": "LEGS0001", "imu": "IMU00002"}, "port imu: .* 'IMU00001', found 'IMU00002'"),
        ({"legs": "LEGS0001", "imu": None}, "port imu: .* 'IMU00001', found none"),
        ({"legs": "LEGS0001"}, "port imu"),
        ({**MEASURED.ports, "arm": "A"}, "port arm: .* serial none, found 'A'"),
    ],
)
def test_other_adapters_are_refused(found: dict[str, str | None], says: str) -> None:
    with pytest.raises(CalibrationMismatch, match=says):
        check_ports(MEASURED, found)


def test_its_own_adapters_pass_and_nominal_fits_all() -> None:
    check_ports(MEASURED, {**MEASURED.ports, "camera": None})
    check_ports(calibration.nominal("minitaur"), {"legs": "ANY"})


@pytest.mark.parametrize(("days", "good"), [(0, True), (180, True), (181, False), (-2, False)])
def test_a_stale_calibration_and_one_of_the_future_are_refused(days: int, good: bool) -> None:
    today = datetime.date(2026, 1, 1) + datetime.timedelta(days)
    if good:
        check_age(MEASURED, today, 180.0)
        return
    with pytest.raises(CalibrationMismatch, match=f"of 2026-01-01, {days} days before"):
        check_age(MEASURED, today, 180.0)


def test_age_is_checked_where_the_file_is_read(tmp_path) -> None:
    from robosac.calibration_file import save

    file = tmp_path / "calibration.yaml"
    save(file, msgspec.structs.replace(MEASURED, date="2020-01-01"))
    config = load_preset("minitaur", [f"robot.calibration={file}"])
    assert isinstance(config, MinitaurConfig)
    with pytest.raises(CalibrationMismatch, match="of 2020-01-01"):
        read_calibration(config.robot, "minitaur")
    lasting = load_preset(
        "minitaur", [f"robot.calibration={file}", "robot.calibration_days=100000"]
    )
    assert isinstance(lasting, MinitaurConfig)
    assert read_calibration(lasting.robot, "minitaur").date == "2020-01-01"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sign": 1}, "measured to turn with sign 1, but the robot file says direction -1"),
        (
            {"file_offset_rad": 0.1},
            "its correction is to offset_rad 0.1, but the robot file says 0",
        ),
        (
            {"range_rad": (0.6, 3.25)},
            "limits 0.500 to 3.100 rad reach beyond its measured stops 0.6",
        ),
        (
            {"range_rad": (0.35, 3.0)},
            "limits 0.500 to 3.100 rad reach beyond its measured stops 0.3",
        ),
    ],
)
def test_a_robot_file_that_contradicts_what_was_measured_is_refused(
    change: dict[str, object], says: str
) -> None:
    name = "front_left_front"
    joints = {**MEASURED.joints, name: msgspec.structs.replace(MEASURED.joints[name], **change)}
    measured = msgspec.structs.replace(MEASURED, joints=joints)
    file = load_robot_file(None)
    check_calibration(file, MEASURED)
    with pytest.raises(CalibrationMismatch) as caught:
        check_calibration(file, measured)
    assert f"joint {name}: " in str(caught.value)
    assert says in str(caught.value)
