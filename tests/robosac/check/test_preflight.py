"""What is looked at before anything moves, and the robot file of a served twin."""

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from robosac.check import host as module
from robosac.check.row import Level, worst
from robosac.check.standing import preflight
from robosac.config import load_preset
from robosac.errors import ConfigError
from robosac.rehearsal.files import CALIBRATION_FILE, ROBOT_FILE, robot_of, write_robot
from robosac.robots.claw_file import load_claw_file
from robosac.robots.robot_file import load_robot_file
from robosac.settings import RobotConfig
from sim.overhead_camera import OverheadView
from sim.pty_port import PtyPort

SHEET = {"size": [32, 32], "picture": [32, 32], "fps": 30.0, "exposure_s": 0.01}


class Place:
    """A folder with ports, and the robot file that names them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: PtyPort(folder / name) for name in ("legs", "imu", "servos")}
        self._camera = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._camera.bind(str(folder / "camera"))

    def served(self, robot: str) -> dict[str, dict[str, Any]]:
        camera = f"unix:{self.folder / 'camera'}"
        if robot == "minitaur":
            ports = {name: {"path": self.ports[name].path} for name in ("legs", "imu")}
            return ports | {"overhead": {"path": camera, "sheet": OverheadView().sheet()}}
        servos = {"path": self.ports["servos"].path, "baud": 1_000_000}
        return {"servos": servos, "hand": {"path": camera, "sheet": SHEET}}

    def config(self, preset: str) -> RobotConfig:
        robot = robot_of(preset)
        file, measured = write_robot(self.folder, robot, self.served(robot))
        settings = [
            "robot.address=serial",
            f"robot.file={file}",
            f"robot.calibration={measured}",
        ]
        config = load_preset(preset, settings)
        assert isinstance(config, RobotConfig)
        return config

    def close(self) -> None:
        for port in self.ports.values():
            port.close()
        self._camera.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.close()


@pytest.mark.parametrize("preset", ["minitaur", "claw", "claw-pixels"])
def test_everything_is_looked_at(place: Place, preset: str) -> None:
    checks = preflight(place.config(preset), place.folder)
    looked = [row.name for row in checks]
    assert {"calibration", "disk", "clock", "keepalive key"} <= set(looked)
    kinds = [name.rpartition(" ")[0] for name in looked]
    assert kinds.count("camera device") == (preset != "claw")
    assert kinds.count("port") == kinds.count("latency timer") == (2 if preset == "minitaur" else 1)
    assert worst(checks) in (Level.GREEN, Level.AMBER)


def test_the_files_are_read_as_any_robots(place: Place) -> None:
    place.config("minitaur")
    file = load_robot_file(place.folder / ROBOT_FILE)
    assert file.ports.legs == place.ports["legs"].path
    assert file.tracker is not None
    assert file.tracker.camera.startswith("unix:")
    place.config("claw-pixels")
    hand = load_claw_file(place.folder / ROBOT_FILE)
    assert hand.port.path == place.ports["servos"].path
    assert hand.camera is not None
    assert hand.camera.picture == (32, 32)


def test_a_hand_that_only_feels_has_no_camera(place: Place) -> None:
    ports = place.served("claw")
    del ports["hand"]
    file, _ = write_robot(place.folder, "claw", ports)
    assert load_claw_file(file).camera is None


@pytest.mark.parametrize(
    ("gone", "says"), [("legs", "legs is not there"), ("camera", "camera is not there")]
)
def test_what_is_not_there_is_named(place: Place, gone: str, says: str) -> None:
    config = place.config("minitaur")
    os.unlink(place.folder / gone)
    with pytest.raises(ConfigError, match=says):
        preflight(config, place.folder)


@pytest.mark.parametrize(("port", "says"), [("legs", "no serial device"), ("camera", "no socket")])
def test_what_is_something_else_is_refused(place: Place, port: str, says: str) -> None:
    config = place.config("minitaur")
    os.unlink(place.folder / port)
    (place.folder / port).write_text("")
    with pytest.raises(ConfigError, match=says):
        preflight(config, place.folder)


def test_another_robots_calibration_is_refused(place: Place) -> None:
    config = place.config("claw")
    path = place.folder / CALIBRATION_FILE
    document = yaml.safe_load(path.read_text())
    document["robot"] = "other"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    with pytest.raises(ConfigError, match="calibration: the calibration is of 'other'"):
        preflight(config, place.folder)


def test_a_full_disk_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    config = place.config("claw")
    usage = shutil.disk_usage(place.folder)._replace(free=module.FREE_RED_BYTES - 1)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(ConfigError, match=r"disk: 0\.5 GB free in .*; valid is at least 0\.5 GB"):
        preflight(config, place.folder)
