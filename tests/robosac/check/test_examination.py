"""`robosac check` as a whole: on twins in this process and on a served one, well and not."""

import json
import math
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import calibration
from drivers.dynamixel import DynamixelBus
from drivers.moteus import MoteusBus
from robosac.check import reach
from robosac.check.examination import examine, latched_row, owner_row
from robosac.check.place import Place
from robosac.check.reach import Opened
from robosac.check.row import Level
from robosac.check.subject import Subject
from robosac.cli import app
from robosac.clock import MonotonicClock
from robosac.config import dump, load_preset
from robosac.errors import ArmingError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.rehearsal.files import write_robot
from robosac.robot_builder import build_robot
from robosac.robots.claw import Claw, ClawDevices
from robosac.robots.claw_file import load_claw_file
from robosac.robots.condition import MotorCondition, look_at_controllers
from robosac.settings import RobotConfig
from sim.claw import ClawTwin
from sim.firmware.moteus.hooks import HookedMoteusBank
from sim.minitaur import MinitaurTwin, TwinOptions
from sim.served import ServedTwin, served
from tests.robosac.check.facts import by_name

COMMON = {
    *("owner", "latched faults", "calibration", "calibration measured", "calibration age"),
    *("motor ids", "motor models", "motor firmware", "motor settings", "torque"),
    *("supply voltage", "motor temperatures", "hardware errors", "watchdog"),
    *("calibrated devices", "disk", "clock", "processor governor", "real-time priority"),
    *("locked memory", "keepalive key", "certificates"),
}
CAMERA = {"camera rate", "camera age", "camera exposure"}
INERTIAL = {"inertial sensor", "inertial still"}
ROWS = {
    "minitaur": COMMON
    | CAMERA
    | INERTIAL
    | {"port legs", "port imu", "latency timer legs", "latency timer imu"},
    "claw": COMMON | {"port servos", "latency timer servos"},
    "claw-pixels": COMMON
    | CAMERA
    | {
        "camera picture",
        "port servos",
        "latency timer servos",
        "camera device hand",
        "camera calibration hand",
    },
}


def config(preset: str, *settings: str) -> RobotConfig:
    found = load_preset(preset, list(settings))
    assert isinstance(found, RobotConfig)
    return found


def checked(*arguments: str) -> tuple[int, dict[str, Any]]:
    done = CliRunner().invoke(app, ["check", *arguments, "--json"])
    return done.exit_code, json.loads(done.stdout)


@pytest.mark.parametrize("preset", ROWS)
def test_a_twin_in_this_process_is_well_and_every_row_stands(preset: str, tmp_path: Path) -> None:
    code, told = checked(preset, "--run-root", str(tmp_path))
    assert code == 0
    assert {row["name"] for row in told["rows"]} == ROWS[preset]
    assert {row["level"] for row in told["rows"]} <= {"green", "twin"}
    assert (told["format"], told["place"], told["verdict"]) == (1, "twin", "green")
    keys = {"name", "level", "found", "valid", "remedy"}
    assert all(set(row) == keys for row in told["rows"])


def test_a_supply_that_is_too_low_is_red_and_the_exit_code_says_so(tmp_path: Path) -> None:
    code, told = checked("claw", "--run-root", str(tmp_path), "--twin.supply-voltage-v", "15")
    assert (code, told["verdict"]) == (1, "red")
    red = [row for row in told["rows"] if row["level"] == "red"]
    assert [row["name"] for row in red] == ["supply voltage"]
    assert "15.0 V" in red[0]["found"]
    assert red[0]["remedy"]


def test_the_table_is_for_people(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check", "claw", "--run-root", str(tmp_path)])
    assert done.exit_code == 0
    assert "motor temperatures" in done.stdout
    assert "nothing refuses arming" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [("gym:Pendulum-v1",), ("claw", "--robot.address", "tcp://x"), ("nobody",), ("claw", "x")],
)
def test_what_is_no_robot_is_a_matter_of_use(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, ["check", *arguments])
    assert done.exit_code == 2
    assert len(done.stderr.strip().splitlines()) == 1


def test_keys_are_looked_at_where_they_are_named(tmp_path: Path) -> None:
    root = ("--run-root", str(tmp_path))
    code, told = checked("claw", "--keys", str(tmp_path / "none"), *root)
    assert code == 1
    red = [row["name"] for row in told["rows"] if row["level"] == "red"]
    assert red == ["certificates"]


def test_ports_that_are_not_there_are_told_and_the_rest_is_unknown(tmp_path: Path) -> None:
    settings = ("robot.address=serial", f"stop.state_folder={tmp_path}", f"run_root={tmp_path}")
    report = examine(config("claw", *settings))
    rows = by_name(report.rows)
    assert (report.place, report.verdict) == ("robot", Level.RED)
    assert set(rows) == ROWS["claw"]
    assert "is not there" in rows["port servos"].found
    assert rows["motor ids"].level is Level.RED
    assert "cannot open" in rows["motor ids"].found
    assert rows["calibration measured"].level is Level.RED
    assert rows["owner"].level is Level.GREEN


def test_owners_and_latched_faults() -> None:
    assert owner_row(Place.REAL, "owned by process 7").level is Level.RED
    assert owner_row(Place.REAL, "").level is Level.GREEN
    assert owner_row(Place.IN_PROCESS, "").level is Level.TWIN
    assert latched_row(Place.REAL, ("estop",)).level is Level.RED
    assert latched_row(Place.REAL, None).level is Level.RED
    assert latched_row(Place.REAL, ()).level is Level.GREEN
    assert latched_row(Place.IN_PROCESS, ()).level is Level.TWIN


def hand_of(twin: ClawTwin, ids: list[int] | None = None) -> Claw:
    file = load_claw_file(None)
    ids = ids or [motor.id for motor in file.motors.values()]
    now = twin.clock.now
    devices = ClawDevices(DynamixelBus(twin.servos, ids, now), None)
    return Claw(file, calibration.nominal("claw"), devices, now)


def test_looking_at_servos_leaves_torque_and_watchdog_as_they_were() -> None:
    twin = ClawTwin()
    before = [bytes(servo.memory.data) for servo in twin.line.servos]
    found = hand_of(twin).condition()
    assert all(motor.watchdog_s == pytest.approx(0.08) for motor in found)
    assert [motor.torque_on for motor in found] == [False] * len(found)
    assert not any(servo.motion.torque for servo in twin.line.servos)
    registers = twin.line.servos[0].memory
    after = [bytes(servo.memory.data) for servo in twin.line.servos]
    assert [a[:120] for a in after] == [b[:120] for b in before]
    assert registers["bus_watchdog"] == 0


def test_a_servo_that_drives_is_told_and_not_touched() -> None:
    twin = ClawTwin()
    servo = twin.line.servos[3]
    robot = hand_of(twin)
    robot.condition()
    servo.memory["torque_enable"] = 1
    servo.memory["bus_watchdog"] = 100
    motor = robot.condition()[3]
    assert motor.torque_on
    assert math.isnan(motor.watchdog_s)
    assert servo.memory["bus_watchdog"] == 100


def test_hardware_errors_and_wrong_ids_are_seen_before_arming_clears_them() -> None:
    twin = ClawTwin()
    twin.line.servos[2].memory["hardware_error_status"] = 0x24
    found = hand_of(twin).condition()
    assert found[2].error == "hardware error OVERHEATING, OVERLOAD (0x24)"
    ids = [10, 11, 13, 20, 21, 22, 30, 31, 32, 50]
    other = hand_of(ClawTwin(), ids).condition()
    assert [motor.id for motor in other if motor.model is None] == [13]


def test_old_firmware_has_no_watchdog() -> None:
    twin = ClawTwin()
    twin.line.servos[0].memory["firmware_version"] = 37
    motor = hand_of(twin).condition()[0]
    assert "38 brought the watchdog" in motor.outdated
    assert math.isnan(motor.watchdog_s)


def controllers(twin: MinitaurTwin) -> tuple[MotorCondition, ...]:
    ids = range(1, 9)
    bus = MoteusBus(twin.legs, ids, twin.clock.now)
    names = [f"joint_{id}" for id in ids]
    wanted = {name: {"servo.default_timeout_s": 0.08} for name in names}
    return look_at_controllers(bus, names, wanted)


def test_controllers_tell_their_faults_and_stay_in_them() -> None:
    twin = MinitaurTwin(TwinOptions(), bank_type=HookedMoteusBank)
    twin.bank.trip(2, 38)
    twin.bank.configure(5, replace(twin.bank.configuration(5), default_timeout_s=math.nan))
    controllers(twin)
    for found in (controllers(twin), controllers(twin)):
        assert found[2].error.startswith("controller fault 38")
        assert [motor.torque_on for motor in found] == [False] * 8
        assert math.isnan(found[5].watchdog_s)
        assert found[5].settings == ("servo.default_timeout_s is nan, wanted 0.08",)
        assert found[0].serial is not None


def test_a_controller_that_is_silent_leaves_the_others_known() -> None:
    twin = MinitaurTwin(TwinOptions(), bank_type=HookedMoteusBank)
    assert isinstance(twin.bank, HookedMoteusBank)
    twin.bank.silence(7, True)
    found = controllers(twin)
    assert [motor.model is None for motor in found] == [False] * 6 + [True, False]


def test_a_robot_whose_devices_cannot_be_opened_is_closed_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    closed: list[bool] = []

    def fails(subject: Subject, stack: ExitStack) -> Opened:
        stack.callback(lambda: closed.append(True))
        return reach.opened(subject, stack)

    monkeypatch.setattr("robosac.check.examination.opened", fails)
    examine(config("claw", f"run_root={tmp_path}"))
    assert closed == [True]


def settings_of(twin: ServedTwin, folder: Path, robot: str) -> list[str]:
    file, measured = write_robot(folder, robot, twin.ports)
    return [
        "robot.address=serial",
        f"robot.file={file}",
        f"robot.calibration={measured}",
        f"stop.state_folder={folder / 'state'}",
        f"run_root={folder}",
    ]


@pytest.mark.realtime
def test_a_served_twin_is_looked_at_over_its_ports_and_its_gate_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    with served("claw", link=folder) as twin:
        settings = settings_of(twin, tmp_path, "claw")
        found = by_name(examine(config("claw", *settings)).rows)
        assert {row.level for row in found.values()} & {Level.RED} == set()
        assert found["latency timer servos"].level is Level.TWIN
        assert found["calibration measured"].level is Level.TWIN
        twin.ask("faults servo:12=hot:90")
        hot = by_name(examine(config("claw", *settings)).rows)
        assert hot["motor temperatures"].level is Level.RED
        built = build_robot(dump(config("claw", *settings)), EStopGate(), False)
        assert built.custody is not None
        clock, journal = MonotonicClock(), built.custody.journal
        executor = Executor(built.robot, clock, EStopGate(), built.period, built.settings, journal)
        built.custody.attach(executor)
        busy = by_name(examine(config("claw", *settings)).rows)
        assert busy["owner"].level is Level.RED
        assert busy["motor ids"].level is Level.RED
        with pytest.raises(ArmingError, match="motor temperatures: up to 90 degrees C"):
            executor.arm()
        assert not twin.ask("state")["driven"]
        twin.ask("faults ")
        executor.arm()
        assert twin.ask("state")["driven"]
        executor.close()
        assert not twin.ask("state")["driven"]
