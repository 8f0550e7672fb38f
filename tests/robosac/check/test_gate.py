"""No robot is armed while a row is red: twins that are not well, behind the gate."""

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.record import Calibration, DeviceTag
from drivers.camera.frames import CameraFault, CameraFrame, CameraState, CameraStatus
from drivers.dynamixel import DynamixelBus
from drivers.moteus import MoteusBus
from drivers.vectornav.port import VectorNavPort
from robosac.check.gate import ArmingCheck, CheckedRobot
from robosac.check.place import Place
from robosac.check.row import Level, Row, judged, reds
from robosac.check.subject import Subject, subject_of
from robosac.config import load_preset
from robosac.errors import ArmingError, ConfigError, RobotError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.executor_settings import claw_settings, minitaur_settings
from robosac.hal import Drive
from robosac.robots.claw import Claw, ClawDevices
from robosac.robots.claw_file import load_claw_file
from robosac.robots.minitaur import Devices, Minitaur
from robosac.robots.robot_file import load_robot_file
from robosac.settings import ClawConfig, MinitaurConfig
from robosac.states import SafetyState
from sim.claw import ClawOptions, ClawTwin
from sim.firmware.moteus.hooks import HookedMoteusBank
from sim.minitaur import MinitaurTwin, TwinOptions
from tests.robosac.check.facts import FakeSystem, facts, measured
from tests.robosac.fake_robot import FakeRobot, ManualClock

NO_PORTS: Mapping[str, str | None] = {}


def row(level: Level) -> Row:
    return judged("disk", level, "0.1 GB free", "at least 0.5 GB", "remove old runs")


@dataclass
class Deaf:
    """A wire over which no servo hears that its watchdog shall run."""

    wire: object
    dropped: int = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.wire, name)

    def write(self, data: bytes) -> None:
        # Instruction WRITE to register 98, with anything but 0.
        if data[7:10] == b"\x03\x62\x00" and data[10]:
            self.dropped += 1
            return
        self.wire.write(data)  # type: ignore[attr-defined]


@dataclass
class Hand:
    """The hand's twin behind the gate, as on real ports."""

    folder: Path
    options: ClawOptions = field(default_factory=ClawOptions)
    measured: Calibration | None = None
    place: Place = Place.SERVED
    camera: object = None
    deaf: bool = False

    def __post_init__(self) -> None:
        self.twin = ClawTwin(self.options)
        file, now = load_claw_file(None), self.twin.clock.now
        wire = Deaf(self.twin.servos) if self.deaf else self.twin.servos
        bus = DynamixelBus(wire, [motor.id for motor in file.motors.values()], now)  # type: ignore[arg-type]
        config = load_preset("claw", [f"run_root={self.folder}"])
        assert isinstance(config, ClawConfig)
        subject = on_ports(subject_of(config), self.place, self.measured)
        found = subject.calibration.found
        assert found is not None
        self.robot = Claw(file, found, ClawDevices(bus, None), now)
        system = FakeSystem(self.folder).system()
        self.check = ArmingCheck(subject, self.robot, NO_PORTS, None, system)
        self.executor = Executor(
            CheckedRobot(self.robot, self.check),
            self.twin.clock,
            EStopGate(),
            config.executor.period_s,
            claw_settings(config, file),
        )

    @property
    def torque(self) -> bool:
        return any(servo.motion.torque for servo in self.twin.line.servos)


def on_ports(subject: Subject, place: Place, found: Calibration | None) -> Subject:
    """As if it were on ports: character devices that nobody holds."""
    known = subject.calibration if found is None else facts(found)
    ports = dict.fromkeys(subject.ports, "/dev/null")
    return replace(subject, place=place, ports=ports, calibration=known)


def keyed(file_model: str) -> Calibration:
    """A measured calibration of the hand's own servos, which tell no serial number."""
    found = measured(datetime.date.today().isoformat(), robot="claw")
    file = load_claw_file(None)
    joints = {
        name: msgspec.structs.replace(
            joint,
            device=DeviceTag(model=file_model),
            file_offset_rad=file.motors[name].offset_rad,
        )
        for name, joint in found.joints.items()
    }
    return msgspec.structs.replace(found, joints=joints, imu=None)


def refusal(act: Callable[[], None]) -> str:
    with pytest.raises(ArmingError) as caught:
        act()
    return str(caught.value)


def test_a_healthy_twin_is_armed_through_the_gate(tmp_path: Path) -> None:
    hand = Hand(tmp_path)
    hand.executor.arm()
    assert hand.executor.safety is SafetyState.ACTIVE
    assert hand.torque
    hand.executor.close()
    assert not hand.torque


@pytest.mark.parametrize("level", list(Level))
def test_red_alone_keeps_torque_off(level: Level) -> None:
    clock = ManualClock()
    robot = FakeRobot(clock)
    executor = Executor(
        CheckedRobot(robot, lambda: (row(Level.GREEN), row(level))), clock, EStopGate()
    )
    if level is not Level.RED:
        executor.arm()
        assert robot.drive is Drive.POSITION
        return
    said = refusal(executor.arm)
    assert "disk: 0.1 GB free; valid is at least 0.5 GB; remove old runs" in said
    assert executor.safety is SafetyState.DISARMED
    assert robot.stop_calls > 0
    assert not [command for command in robot.commands if command.drive is not Drive.STOP]


def test_rows_are_judged_anew_at_every_arming() -> None:
    clock, levels = ManualClock(), [Level.RED, Level.GREEN, Level.RED]
    robot = FakeRobot(clock)
    executor = Executor(CheckedRobot(robot, lambda: (row(levels.pop(0)),)), clock, EStopGate())
    refusal(executor.arm)
    executor.arm()
    executor.disarm()
    refusal(executor.arm)
    assert levels == []


def test_a_check_that_fails_itself_is_no_permission() -> None:
    clock = ManualClock()
    robot = FakeRobot(clock)

    def broken() -> tuple[Row, ...]:
        raise ZeroDivisionError("a mistake in a row")

    executor = Executor(CheckedRobot(robot, broken), clock, EStopGate())
    with pytest.raises(ZeroDivisionError):
        executor.arm()
    assert executor.safety is SafetyState.FAULT
    assert robot.drive is Drive.STOP


@given(st.lists(st.sampled_from(Level), max_size=8))
def test_whatever_the_rows_are_torque_needs_none_of_them_red(levels: list[Level]) -> None:
    clock = ManualClock()
    robot = FakeRobot(clock)
    rows = tuple(row(level) for level in levels)
    executor = Executor(CheckedRobot(robot, lambda: rows), clock, EStopGate())
    if Level.RED in levels:
        refusal(executor.arm)
        assert robot.drive is Drive.STOP
    else:
        executor.arm()
        assert robot.drive is Drive.POSITION


def test_the_gate_passes_everything_else_through() -> None:
    clock = ManualClock()
    robot = FakeRobot(clock)
    guarded = CheckedRobot(robot, tuple)
    assert guarded.limits is robot.limits
    assert guarded.joint_names == robot.joint_names
    assert guarded.stop() is True
    robot.stops = False
    assert guarded.stop() is False
    guarded.close()
    assert robot.closed == 1


def test_a_hot_servo_is_named_and_nothing_moves(tmp_path: Path) -> None:
    hand = Hand(tmp_path)
    hand.twin.faults.heat(12, 90.0)
    said = refusal(hand.executor.arm)
    assert "motor temperatures: up to 90 degrees C (tip_0)" in said
    assert not hand.torque
    hand.twin.faults.heat(12, None)
    hand.executor.arm()
    hand.executor.close()


def test_a_low_supply_is_named(tmp_path: Path) -> None:
    hand = Hand(tmp_path, ClawOptions(supply_v=18.0))
    assert "supply voltage: 18.0 V" in refusal(hand.executor.arm)
    assert not hand.torque


def test_a_servo_that_takes_no_watchdog_is_named(tmp_path: Path) -> None:
    hand = Hand(tmp_path, deaf=True)
    said = refusal(hand.executor.arm)
    assert "watchdog: base_0: servo 10 keeps bus_watchdog at 0, not 4" in said
    assert [found.name for found in reds(hand.check())] == ["watchdog"]
    assert not hand.torque


def test_a_servo_that_does_not_answer_is_refused_before_the_gate(tmp_path: Path) -> None:
    hand = Hand(tmp_path)
    hand.twin.faults.silence(21, True)
    with pytest.raises(RobotError, match="middle_1"):
        hand.executor.arm()
    assert not hand.torque
    assert "motor ids" in {found.name for found in reds(hand.check())}


def test_the_drawings_numbers_arm_no_robot(tmp_path: Path) -> None:
    twin = Hand(tmp_path / "twin", place=Place.SERVED)
    twin.executor.arm()
    twin.executor.close()
    real = Hand(tmp_path / "real", place=Place.REAL)
    said = refusal(real.executor.arm)
    assert "calibration measured: nominal: the drawings' numbers" in said
    assert "robosac calibrate" in said
    assert not real.torque


def test_a_measured_calibration_of_these_servos_arms_a_robot(tmp_path: Path) -> None:
    hand = Hand(tmp_path, measured=keyed("XH430-V210"), place=Place.REAL)
    assert [str(found) for found in reds(hand.check())] == []
    hand.executor.arm()
    assert hand.torque
    hand.executor.close()


def test_a_slow_adapter_on_a_robot_is_refused_and_a_held_port_too(tmp_path: Path) -> None:
    hand = Hand(tmp_path, measured=keyed("XH430-V210"), place=Place.REAL)
    fake = FakeSystem(tmp_path)
    fake.timer("null", 16)
    assert "latency timer servos: 16 ms" in refusal(hand.executor.arm)
    fake.timer("null", 1)
    fake.hold(71, "minicom", Path("/dev/null"))
    assert "held by process 71 (minicom)" in refusal(hand.executor.arm)
    assert not hand.torque


class Blind:
    """A camera that shows nothing."""

    def newest(self, now: float) -> CameraFrame | None:
        del now
        return None

    def status(self) -> CameraStatus:
        return CameraStatus(CameraState.BLIND, CameraFault.BLACK, "cap on")


def test_a_camera_that_shows_nothing_keeps_a_robot_that_needs_it_disarmed(tmp_path: Path) -> None:
    hand = Hand(tmp_path)
    pixels = load_preset("claw-pixels", [f"run_root={tmp_path}"])
    assert isinstance(pixels, ClawConfig)
    subject = on_ports(subject_of(pixels), Place.SERVED, None)
    cameras = dict.fromkeys(subject.cameras, "/dev/null")
    subject = replace(subject, cameras=cameras)
    robot, system = hand.robot, FakeSystem(tmp_path).system()
    robot.configure()
    with pytest.raises(ArmingError, match="no camera was opened"):
        ArmingCheck(subject, robot, NO_PORTS, None, system)()
    found = reds(ArmingCheck(subject, robot, NO_PORTS, Blind(), system)())
    assert [each.name for each in found] == [
        "camera rate",
        "camera age",
        "camera exposure",
        "camera picture",
    ]
    assert "black: cap on" in found[0].found


def test_what_moves_on_a_stand_needs_no_overhead_camera() -> None:
    config = load_preset("minitaur", ["robot.address=serial"])
    assert isinstance(config, MinitaurConfig)
    with pytest.raises(ConfigError, match="no section tracker"):
        subject_of(config)
    subject = subject_of(config, seeing=False)
    assert (subject.place, subject.wish, subject.cameras) == (Place.REAL, None, {})


def quadruped(folder: Path, options: TwinOptions | None = None) -> tuple[MinitaurTwin, Executor]:
    twin = MinitaurTwin(options or TwinOptions(), bank_type=HookedMoteusBank)
    file, now = load_robot_file(None), twin.clock.now
    bus = MoteusBus(twin.legs, [motor.id for motor in file.motors.values()], now)
    config = load_preset("minitaur", [f"run_root={folder}"])
    assert isinstance(config, MinitaurConfig)
    subject = on_ports(subject_of(config), Place.SERVED, None)
    found = subject.calibration.found
    assert found is not None
    devices = Devices(bus, VectorNavPort(twin.imu, now), twin.imu.reopen, twin.tracker)
    robot = Minitaur(file, found, devices, now)
    check = ArmingCheck(subject, robot, NO_PORTS, None, FakeSystem(folder).system())
    executor = Executor(
        CheckedRobot(robot, check),
        twin.clock,
        EStopGate(),
        config.executor.period_s,
        minitaur_settings(config, file),
    )
    return twin, executor


def test_the_quadruped_is_armed_or_refused_by_the_same_gate(tmp_path: Path) -> None:
    twin, executor = quadruped(tmp_path)
    bank = twin.bank
    assert isinstance(bank, HookedMoteusBank)
    bank.heat(3, 85.0)
    assert "motor temperatures: up to 85 degrees C" in refusal(executor.arm)
    assert not bank.driving.any()
    bank.heat(3, None)
    bank.sag(12.0)
    assert "supply voltage: 12.0 V" in refusal(executor.arm)
    bank.sag(None)
    executor.arm()
    assert bank.driving.all()
    executor.close()
    assert not bank.driving.any()


def test_a_controller_without_its_watchdog_is_refused(tmp_path: Path) -> None:
    twin, executor = quadruped(tmp_path)
    config = replace(twin.bank.configuration(4), default_timeout_s=float("nan"))
    twin.bank.configure(4, config)
    twin.bank.store(4)
    with pytest.raises(RobotError, match=r"servo\.default_timeout_s is nan"):
        executor.arm()
    assert not twin.bank.driving.any()
