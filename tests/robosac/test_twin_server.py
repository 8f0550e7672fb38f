"""`robosac twin` from the outside: the paths on one line, an orderly end, and what it shows."""

import io
import json
import signal
import subprocess
import sys
import time
from importlib import resources
from pathlib import Path

import pytest
import yaml
from rich.console import Console
from typer.testing import CliRunner

from drivers.moteus import MoteusBus
from drivers.wire import SerialWire
from robosac.cli import app
from robosac.twin_server import advice, port_table, status_text

STATUS = {
    "time_s": 12.3,
    "real_time_factor": 0.998,
    "requests_per_s": 199.6,
    "skipped_s": 0.0,
    "active_faults": [],
}


@pytest.mark.realtime
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(tmp_path: Path, number: signal.Signals) -> None:
    folder = tmp_path / "ports"
    process = subprocess.Popen(
        [
            Path(sys.executable).with_name("robosac"),
            *f"twin minitaur --json --link {folder}".split(),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    document = json.loads(process.stdout.readline())
    assert document["ports"]["legs"]["path"] == str(folder / "legs")
    bus = MoteusBus(SerialWire(str(folder / "legs"), 921600), range(1, 9), time.monotonic)
    assert set(bus.probe()) == set(range(1, 9))
    bus.close()
    process.send_signal(number)
    assert process.wait(20) == 0
    process.stdout.close()
    assert not list(folder.iterdir())


def test_the_table_names_every_port() -> None:
    ports = {
        "servos": {"path": "/dev/pts/7", "what": "Dynamixel line", "baud": 1_000_000},
        "imu": {"path": "/dev/pts/8", "what": "VN-100", "baud": None},
    }
    console = Console(width=100, file=io.StringIO())
    with console.capture() as capture:
        console.print(port_table("claw", ports))
    text = capture.get()
    for word in ("servos", "/dev/pts/7", "1000000", "any", "VN-100"):
        assert word in text


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "12 s, 1.00 of real time, 200 requests/s; Ctrl-C ends it"),
        ({"skipped_s": 0.5}, "0.50 s skipped: this computer is too slow"),
        ({"active_faults": ["servo=off", "imu=stuck"]}, "failing: servo=off, imu=stuck;"),
    ],
)
def test_the_status_line(changes: dict[str, object], says: str) -> None:
    assert says in status_text(STATUS | changes)


def test_a_robot_is_not_on_the_floor_and_hung_up() -> None:
    done = CliRunner().invoke(app, ["twin", "minitaur", "--floor", "--hung"])
    assert done.exit_code == 2
    assert "exclude one another" in done.output


def test_the_advice_is_what_a_robot_file_needs() -> None:
    sheet = {"size": [320, 240], "marker": {"id": 7}}
    ports = {
        "legs": {"path": "/dev/pts/7"},
        "imu": {"path": "/dev/pts/8"},
        "overhead": {"path": "unix:/tmp/eye", "sheet": sheet},
    }
    text = advice(ports).partition("\n")[2].rpartition("\n")[0]
    assert yaml.safe_load(text) == {
        "ports": {"legs": "/dev/pts/7", "imu": "/dev/pts/8"},
        "tracker": {"camera": "unix:/tmp/eye", **sheet},
    }
    hand = {"servos": {"path": "/dev/pts/9", "baud": 1_000_000}}
    assert "port: {path: /dev/pts/9, baud: 1000000}" in advice(hand)


def test_a_calibration_is_for_cameras_and_must_tell_of_one(tmp_path: Path) -> None:
    nominal = resources.files("calibration") / "nominal" / "minitaur.yaml"
    named = ["twin", "minitaur", "--calibration", str(nominal)]
    done = CliRunner().invoke(app, named)
    assert done.exit_code == 2
    assert "none is served without --cameras" in done.output
    done = CliRunner().invoke(app, [*named, "--cameras", str(tmp_path)])
    assert done.exit_code == 2
    assert "tells nothing of the camera of a minitaur" in done.output
