"""A robot on serial ports under a drawn camera: opened whole or not, reopened once unplugged."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import calibration
from drivers.camera.frames import Image
from drivers.camera.settings import CaptureFactory
from robosac.cli import app
from robosac.connect import connect, latency_warnings
from robosac.errors import ConfigError, RobotError
from robosac.hal import JointCommand, RobotState
from robosac.robots.minitaur import Minitaur
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.robots.sections import TrackerSection
from sim.camera_capture import RenderedCamera
from sim.pty_port import PtyPort
from sim.served import served
from tests.drivers.overhead import MARKER_ID, MOUNT, NO_DISTORTION, SIZE, Overhead, Stance
from tests.robosac.test_robot_file import NOMINAL

FPS = 30.0
STOP = JointCommand.stop(8)
WAIT_S = 30.0


@pytest.fixture(autouse=True)
def threads_of_opencv() -> Iterator[None]:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def tracker_section(overhead: Overhead) -> dict[str, object]:
    camera = overhead.camera
    return {
        "camera": "/dev/v4l/by-id/drawn-video-index0",
        "size": list(SIZE),
        "fps": FPS,
        "exposure_s": 0.004,
        "gain": 20.0,
        "marker": {"id": MARKER_ID, "side_m": MOUNT.side_m, "height_m": MOUNT.height_m},
        "calibration": {
            name: getattr(camera, name).tolist()
            for name in ("matrix", "distortion", "rotation", "position")
        },
    }


class Scene:
    """A robot file for two ports, and the camera above them."""

    def __init__(self, folder: Path, legs: str, imu: str) -> None:
        self.overhead = Overhead(NO_DISTORTION)
        self.document = yaml.safe_load(NOMINAL.read_text())
        self.document["ports"] = {"legs": legs, "imu": imu}
        self.document["tracker"] = tracker_section(self.overhead)
        self.path = folder / "robot.yaml"
        rng = np.random.default_rng(2)
        stance = Stance(0.3, 0.1, 0.2)
        self.pictures = [self.overhead.draw(stance, rng=rng) for _ in range(8)]
        self.camera = RenderedCamera(self._draw, SIZE, FPS, time.monotonic, self._wait_until)

    def file(self) -> RobotFile:
        self.path.write_text(yaml.safe_dump(self.document, sort_keys=False))
        return load_robot_file(self.path, "minitaur")

    def open_camera(self, section: TrackerSection) -> CaptureFactory:
        assert section.camera == "/dev/v4l/by-id/drawn-video-index0"
        return self.camera.open

    def _draw(self, now: float) -> Image:
        return self.pictures[round(now * FPS) % len(self.pictures)]

    def _wait_until(self, deadline: float) -> None:
        time.sleep(max(0.0, deadline - time.monotonic()))


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Scene]:
    """Two ports that nobody serves."""
    ports = [PtyPort(tmp_path / name) for name in ("legs", "imu")]
    yield Scene(tmp_path, *(port.path for port in ports))
    for port in ports:
        port.close()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def until(robot: Minitaur, good: Callable[[RobotState], bool]) -> RobotState:
    """Exchange with torque off until a state is good."""
    end = time.monotonic() + WAIT_S
    while not good(state := robot.exchange(STOP, time.monotonic() + 0.05)):
        assert time.monotonic() < end, f"still not so after {WAIT_S} s: {state}"
    return state


@pytest.mark.realtime
def test_the_served_robot_is_reached_lost_and_reached_again(tmp_path: Path) -> None:
    folder = tmp_path / "ports"
    folder.mkdir()
    before = open_files()
    with served("minitaur", link=folder) as twin:
        scene = Scene(tmp_path, twin.path("legs"), twin.path("imu"))
        file, measured = scene.file(), calibration.nominal("minitaur")
        reached = connect(file, scene.open_camera)
        robot = Minitaur(file, measured, reached.devices, reached.clock.now)
        robot.configure()
        state = until(
            robot,
            lambda state: (
                bool(state.joints.valid.all())
                and state.imu is not None
                and state.tracker is not None
                and state.time - state.tracker.time < 0.2
            ),
        )
        assert not state.faults
        assert state.tracker is not None
        assert (state.tracker.x, state.tracker.y) == (
            pytest.approx(0.3, abs=0.02),
            pytest.approx(0.1, abs=0.02),
        )
        for port in ("legs", "imu"):
            twin.ask(f"unplug {port}")
        state = until(robot, lambda state: len(state.faults) == 2)
        assert [fault.name for fault in state.faults] == ["bus_dead", "imu_dead"]
        assert not robot.stop()
        with pytest.raises(RobotError, match="arm again"):
            robot.configure()
        for port in ("legs", "imu"):
            twin.ask(f"plug {port}")
        assert robot.stop()
        robot.configure()
        until(robot, lambda state: not state.faults and bool(state.joints.valid.all()))
        robot.close()
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"camera", "tracker"}
    assert open_files() == before


def test_a_robot_without_a_tracker_is_refused_before_it_moves(bare: Scene) -> None:
    del bare.document["tracker"]
    bare.file()
    before = open_files()
    line = f"train minitaur --robot.address serial --robot.file {bare.path}"
    result = CliRunner().invoke(app, [*line.split(), "--run", str(bare.path.parent / "run")])
    assert result.exit_code == 2
    assert "no section tracker" in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (bare.path.parent / "run").exists()
    assert open_files() == before


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("calibration", "matrix"), [[-1, 0, 0], [0, 1, 0], [0, 0, 1]], "camera matrix must be"),
        (("calibration", "rotation"), [[1, 0, 0], [0, 1, 0], [0, 1, 1]], "rotation must turn"),
        (("calibration", "distortion"), [0, 0, 0, 0, 0, 0], "distortion coefficients"),
        (("calibration", "position"), [0, 0, float("nan")], "must be finite"),
        (("size",), [320, 240], "frame width"),
    ],
)
def test_a_camera_that_cannot_be_closes_the_ports(
    bare: Scene, place: tuple[str, ...], value: object, says: str
) -> None:
    part = bare.document["tracker"]
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    before = open_files()
    with pytest.raises(ConfigError, match=says) as caught:
        connect(bare.file(), bare.open_camera)
    assert "\n" not in str(caught.value)
    assert "drawn-video-index0" in str(caught.value)
    assert open_files() == before


def test_a_camera_that_is_not_there_closes_the_ports(bare: Scene) -> None:
    before = open_files()
    with pytest.raises(ConfigError, match="cannot open /dev/v4l/by-id/drawn-video-index0"):
        connect(bare.file())
    assert open_files() == before


def test_a_camera_that_keeps_no_setting_closes_the_ports(bare: Scene) -> None:
    bare.camera.faults.forgets_controls = True
    before = open_files()
    with pytest.raises(ConfigError, match="does not keep its settings"):
        connect(bare.file(), bare.open_camera)
    assert open_files() == before
    assert "camera" not in {thread.name for thread in threading.enumerate()}


def test_a_second_port_that_is_missing_closes_the_first(bare: Scene) -> None:
    bare.document["ports"]["imu"] = "/dev/serial/by-id/none"
    before = open_files()
    with pytest.raises(ConfigError, match=r"by-id/none.*named in the robot file"):
        connect(bare.file(), bare.open_camera)
    assert open_files() == before


@dataclass
class Adapter:
    """A port behind a USB serial adapter."""

    latency_timer_ms: int | None
    path: str = "/dev/ttyUSB0"


def test_only_a_slow_adapter_is_worth_a_warning() -> None:
    assert latency_warnings([Adapter(None), Adapter(1), Adapter(4)]) == ()
    (line,) = latency_warnings([Adapter(1), Adapter(16)])
    assert "/dev/ttyUSB0 holds bytes back for 16 ms; valid is up to 4 ms" in line
    assert "\n" not in line
