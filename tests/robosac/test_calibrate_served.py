"""`robosac calibrate` against served twins: real bytes, real time, and the documented commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from calibration.file import load
from robosac import armed_bench, calibrate_latency
from robosac.cli import app
from robosac.twin_server import TWIN_PRIORITY
from sim.served import ServedTwin, served

pytestmark = pytest.mark.realtime

ATTEMPTS = 5
"""A busy computer is now and then too late for its motors, which ends a calibration."""
TOO_LATE = ("stopped while calibrating", "the limiter made")
"""What it says then: the motors heard nothing for too long, or the gate let nothing through."""
FILE = "my_robot.yaml"
Wire = Callable[[dict, ServedTwin], None]


def wire_legs(document: dict, twin: ServedTwin) -> None:
    document["ports"] = {"legs": twin.path("legs"), "imu": twin.path("imu")}


def wire_hand(document: dict, twin: ServedTwin) -> None:
    document["port"]["path"] = twin.path("servos")


class Present:
    """Somebody who has put the robot on its stand already."""

    def __init__(self, *_: object) -> None:
        """Like `robosac.calibrate_robot.ConsolePerson`, but for no console."""

    def ask(self, line: str) -> None:
        assert "press Enter" in line

    def tell(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")


def calibrated(robot: str, wire: Wire, command: str) -> tuple[int, str]:
    """Serve the twin and type the command; its exit code, and what it told."""
    with served(robot, hung=True, priority=TWIN_PRIORITY) as twin:
        drawn = resources.files("robosac.robots") / f"{robot}.yaml"
        document = yaml.safe_load(drawn.read_text())
        wire(document, twin)
        Path(FILE).write_text(yaml.safe_dump(document, sort_keys=False))
        done = CliRunner().invoke(app, command.split())
        assert not twin.ask("state")["driven"], "torque is off"
    return done.exit_code, done.output


@pytest.mark.parametrize(
    ("robot", "wire", "latest_s"), [("minitaur", wire_legs, 0.025), ("claw", wire_hand, 0.012)]
)
def test_latency_is_measured_on_the_ports_of_a_served_twin(
    robot: str,
    wire: Wire,
    latest_s: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(armed_bench, "ConsolePerson", Present)
    monkeypatch.setattr(calibrate_latency, "SETTLE_S", 0.05)
    monkeypatch.setattr(calibrate_latency.step_joint, "__defaults__", (20,))
    command = (
        f"calibrate latency {robot} --robot.address serial --robot.file {FILE}"
        f" --executor.period-s 0.01 --out found.yaml"
    )
    policy, code, told = os.sched_getscheduler(0), -1, ""
    for attempt in range(ATTEMPTS):
        # Each has a twin and a fault journal of its own.
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / f"state-{attempt}"))
        code, told = calibrated(robot, wire, command)
        if code == 0:
            break
        assert any(sign in told for sign in TOO_LATE), told
    assert code == 0, told
    found = load("found.yaml").latency
    assert 0.0 < found["command_to_motion"].mean_s < latest_s
    assert 0.0 < found["bus"].p50_s < 0.01
    told = CliRunner().invoke(app, ["faults", robot]).output
    assert "latched" in told or "no fault journal" in told
    assert "motor_watchdog" not in told, "nobody lets it starve while numbers are reckoned"
    assert os.sched_getscheduler(0) == policy, "nobody keeps the priority that it was lent"
