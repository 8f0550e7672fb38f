"""`robosac calibrate`: readings with torque off, through the executor; the file and its undo."""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from calibration.file import load
from calibration.record import DeviceTag
from robosac import calibrate_robot, calibrate_target, guiding
from robosac.calibrate_robot import ConsolePerson, DisarmedBench, Opened
from robosac.calibrate_target import Target
from robosac.calibration_file import save
from robosac.cli import app
from robosac.errors import CalibrationMismatch, ConfigError, RobotError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.hal import Drive, JointCommand, RobotState
from robosac.robots.minitaur import Minitaur
from robosac.robots.robot_file import load_robot_file
from robosac.robots.wiring import directions, unmeasured
from tests.calibration.specimens import MEASURED
from tests.robosac.executor_rig import Rig
from tests.robosac.test_minitaur import build
from tests.sweeps.bolted_twin import Hidden, product
from tests.sweeps.hidden_robot import ATTITUDES, AXES, HiddenRobot

run = CliRunner().invoke


def test_readings_come_from_ticks_with_torque_off() -> None:
    rig = Rig()
    rig.robot.position = np.arange(8.0)
    bench = DisarmedBench(rig.executor, lambda joints: -joints)
    np.testing.assert_array_equal(bench.motors(0.1), np.tile(-np.arange(8.0), (20, 1)))
    time, gyro, force = bench.inertial(0.1)
    assert len(time) == 20
    np.testing.assert_array_equal(gyro, 0.0)
    # At rest and level: up is -z in the sensor's axes.
    np.testing.assert_allclose(force, np.tile([0.0, 0.0, -9.81], (20, 1)))
    assert {command.drive for command in rig.robot.commands} == {Drive.STOP}


def test_a_motor_that_is_silent_is_told() -> None:
    rig = Rig()
    rig.robot.silent = {3}
    with pytest.raises(RobotError, match="0 motors' readings of 20"):
        DisarmedBench(rig.executor, np.negative).motors(0.1)


def test_samples_that_stand_still_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    exchange = rig.robot.exchange

    def stuck(command: JointCommand, deadline: float) -> RobotState:
        state = exchange(command, deadline)
        assert state.imu is not None
        return dataclasses.replace(state, imu=dataclasses.replace(state.imu, time=1.0))

    monkeypatch.setattr(rig.robot, "exchange", stuck)
    with pytest.raises(RobotError, match="1 inertial samples of 20"):
        DisarmedBench(rig.executor, np.negative).inertial(0.1)


def test_a_tripped_gate_ends_it_and_stays_latched() -> None:
    rig = Rig()
    rig.gate.trip("button")
    with pytest.raises(RobotError, match=r"stopped while calibrating: fault: .*button"):
        DisarmedBench(rig.executor, np.negative).motors(0.1)


def test_a_person_is_asked_on_the_console() -> None:
    sink = io.StringIO()
    person = ConsolePerson(io.StringIO("\n"), sink)
    person.ask("Rest it")
    person.tell("good")
    assert sink.getvalue() == "Rest it: good\n"
    with pytest.raises(RobotError, match="nobody answered"):
        person.ask("Once more")


def test_only_serial_ports_can_be_calibrated(tmp_path: Path) -> None:
    out, fixture = str(tmp_path / "out.yaml"), str(tmp_path / "stops.yaml")
    told = run(app, ["calibrate", "joints", "minitaur", "--out", out, "--fixture", fixture])
    assert told.exit_code == 2
    assert "nobody can guide a twin's joints" in told.output
    told = run(app, ["calibrate", "imu", "gym:Pendulum-v1", "--out", out])
    assert told.exit_code == 2
    assert "no robot" in told.output
    assert not list(tmp_path.iterdir())


def test_undo_on_the_command_line(tmp_path: Path) -> None:
    out = tmp_path / "out.yaml"
    save(out, MEASURED)
    told = run(app, ["calibrate", "undo", str(out)])
    assert told.exit_code == 2
    assert "cannot be taken back" in told.output
    save(out, msgspec.structs.replace(MEASURED, date="2026-02-02"))
    told = run(app, ["calibrate", "undo", str(out)])
    assert told.exit_code == 0
    assert "is again that of 2026-01-01" in told.output
    assert load(out) == MEASURED


@pytest.mark.parametrize("command", ["joints", "imu", "undo"])
def test_help_has_an_example(command: str) -> None:
    told = run(app, ["calibrate", command, "--help"])
    assert told.exit_code == 0
    assert "Example" in told.output


class Hands:
    """A person whose hands hold and turn a hidden quadruped in its twin."""

    def __init__(self, robot: HiddenRobot) -> None:
        self._robot = robot
        self._attitudes = iter(ATTITUDES.values())
        self._axes = iter(AXES.items())
        self.told: list[str] = []

    def ask(self, line: str) -> None:
        if line.startswith("Hold the body level. Press Enter"):
            self._robot.begin_turn(next(self._axes)[1], lead_s=calibrate_robot.SETTLE_S)
            return
        self._robot.twin.hands = None
        self._robot.lift(*next(self._attitudes))

    def tell(self, line: str) -> None:
        self.told.append(line)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrate_robot, "SETTLE_S", 0.1)
    for name, seconds in (("STILL_S", 0.6), ("TURN_S", 1.0)):
        monkeypatch.setattr(guiding, name, seconds)
    # The order in which the sweep's hands hold it.
    up = {"level": "level, on its feet"}
    ordered = {up.get(n, n): guiding.ATTITUDES[up.get(n, n)] for n in ATTITUDES}
    monkeypatch.setattr(guiding, "ATTITUDES", ordered)


@pytest.mark.usefixtures("quick")
def test_a_hidden_sensor_is_measured_through_the_executor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = Hidden.drawn(np.random.default_rng([3000, 1]))
    robot = HiddenRobot(hidden, np.random.default_rng([3000, 2]))
    file = load_robot_file(None)
    quadruped = build(robot.twin, file, unmeasured(file)).robot
    assert isinstance(quadruped, Minitaur)
    executor = Executor(quadruped, robot.twin.clock, EStopGate())
    quadruped.configure()
    assert list(quadruped.motor_devices) == list(file.joint_names)
    assert all(device.serial for device in quadruped.motor_devices.values())
    assert quadruped.imu_device is not None
    bench = DisarmedBench(executor, lambda joints: joints * directions(file))
    tag, hands = DeviceTag(model="VN-100", serial="100"), Hands(robot)

    @contextmanager
    def opened(
        preset: str, overrides: list[str], target: Target, take_over: bool
    ) -> Iterator[Opened]:
        assert (preset, overrides, target, take_over) == ("minitaur", ["a=b"], Target(out), False)
        yield Opened("minitaur", file, bench, hands, {}, tag, {"imu": "A1", "legs": None})

    monkeypatch.setattr(calibrate_robot, "opened", opened)
    out = tmp_path / "calibration.yaml"
    calibrate_robot.imu("minitaur", ["a=b"], Target(out), take_over=False)
    found = load(out)
    between = product(np.array(found.imu_mounting), hidden.mounting * (1.0, -1.0, -1.0, -1.0))
    assert 2.0 * math.asin(float(np.linalg.norm(between[1:]))) < math.radians(0.5)
    np.testing.assert_allclose(found.gyro_bias_rad_s, hidden.gyro_bias, atol=0.002)
    assert found.imu == tag
    assert found.ports == {"imu": "A1"}
    assert "written: " in hands.told[-1]
    assert not robot.twin.bank.driving.any()


def test_what_was_measured_before_is_kept_and_another_robots_refused(tmp_path: Path) -> None:
    file, out = load_robot_file(None), tmp_path / "out.yaml"
    assert calibrate_target.load_base(out, file) == unmeasured(file)
    save(out, MEASURED)
    assert calibrate_target.load_base(out, file) == MEASURED
    save(out, msgspec.structs.replace(MEASURED, robot="other"))
    with pytest.raises(CalibrationMismatch, match="'other'"):
        calibrate_target.load_base(out, file)
    out.write_bytes(b"broken")
    with pytest.raises(ConfigError, match="is not a calibration"):
        calibrate_target.load_base(out, file)
