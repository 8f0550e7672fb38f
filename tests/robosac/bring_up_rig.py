"""A robot as it comes out of the box: a twin bolted together in its own way, behind serial ports.

The ports are pseudo-terminals, as far as anybody looks at them; bytes and time are the twin's, in
this process, so that a day's plan depends on no scheduler. Whoever is asked on the console is this
twin's person, whose hands read the same lines that anybody reads.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytest
import yaml

from calibration.camera import LensGoal
from drivers.camera.frames import CameraFrame, CameraState, CameraStatus
from drivers.camera.identity import CameraIdentity
from drivers.tracker import PlanarFix
from robosac import (
    armed_bench,
    calibrate_actuators,
    calibrate_camera,
    calibrate_latency,
    calibrate_robot,
    connect,
    connect_claw,
    guiding,
    overhead,
)
from robosac.assembly_minitaur import _set_options
from robosac.check import standing
from robosac.robots.robot_file import load_robot_file
from robosac.robots.wiring import unmeasured
from robosac.twin_person import TwinPerson
from sim import hands
from sim.bolts import Bolts, about, product
from sim.claw import ClawOptions, ClawTwin
from sim.claw_plant import SHAFT_OFFSET_RAD
from sim.minitaur import DRAWN, MinitaurTwin, TwinOptions
from sim.wire import TwinWire
from tests.robosac.camera_rig import SIZE, Studio

FILE: Final = "my_robot.yaml"
SEEN: Final = CameraIdentity(model="HD Webcam", serial="A1")
FPS: Final = 60.0
WORN_RAD: Final = 0.3
"""How far zeros lie from the drawings', either way."""
Twin = MinitaurTwin | ClawTwin


def hidden(robot: str, rng: np.random.Generator) -> Bolts:
    """How a robot is bolted together, told by nobody."""
    if robot == "claw":
        zeros = np.array(SHAFT_OFFSET_RAD) + rng.uniform(-WORN_RAD, WORN_RAD, 10)
        return Bolts((1.0,) * 10, tuple(zeros.tolist()))
    zeros = rng.uniform(-WORN_RAD, WORN_RAD, 8) - 1.8
    askew = product(about((0.0, 0.0, 1.0), np.pi / 2.0), about((0.6, 0.8, 0.0), 0.1))
    bias = tuple((0.01 * rng.standard_normal(3)).tolist())
    return Bolts(DRAWN, tuple(zeros.tolist()), askew, bias)  # pyright: ignore[reportArgumentType]


def hurry(patch: pytest.MonkeyPatch) -> None:
    """Let everybody be quicker than a person is."""
    patch.setattr(calibrate_robot, "SETTLE_S", 0.1)
    patch.setattr(hands, "SETTLE_S", 0.3)
    for name, seconds in (
        ("REST_S", 0.2), ("WAY_S", 1.8), ("PUSH_S", 1.2), ("STILL_S", 0.6), ("TURN_S", 1.3)
    ):  # fmt: skip
        patch.setattr(guiding, name, seconds)
    patch.setattr(calibrate_latency, "SETTLE_S", 0.05)
    patch.setattr(calibrate_latency.step_joint, "__defaults__", (20,))
    quick = calibrate_actuators.Excitation(0.25, 10.0, 500.0, 2.0, 12.0, 0.1, 0.6, 2)
    usual = calibrate_actuators.EXCITATION
    patch.setattr(calibrate_actuators, "EXCITATION", {**usual, "minitaur": quick})


class PortWire:
    """What an opened port is: the twin's wire, as `drivers.wire.SerialWire` is looked at."""

    def __init__(self, path: str, wire: TwinWire, serial: str) -> None:
        self.path, self.usb_serial, self.latency_timer_ms = path, serial, 1
        self._wire = wire
        wire.reopen()
        self.write, self.read, self.drain = wire.write, wire.read, wire.drain
        self.close, self.reopen = wire.close, wire.reopen


class Overhead:
    """The camera above the floor, which sees the twin's marker, and its tracker."""

    def __init__(self, twin: MinitaurTwin, exposures: CameraStatus) -> None:
        self._twin, self._status = twin, exposures
        self._image = np.full((SIZE[1], SIZE[0], 3), 110, np.uint8)

    @property
    def camera(self) -> Eye:
        """Whose pictures are looked at."""
        return Eye(self._status, self._image)

    def newest(self, now: float) -> PlanarFix | None:
        """As `drivers.tracker.Tracker`."""
        return self._twin.tracker.newest(now)

    def close(self) -> None:
        """Nothing is open."""


class Eye:
    """A camera in good order."""

    def __init__(self, status: CameraStatus, image: Any) -> None:
        self._status, self._image = status, image

    def newest(self, now: float) -> CameraFrame:
        """A picture that is 10 ms old."""
        return CameraFrame(now - 0.01, self._image, round(now * FPS))

    def status(self) -> CameraStatus:
        """In good order."""
        return self._status


class Attendant:
    """Whoever sets the robot up between episodes."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin

    def place(self, seed: int, faults: tuple[str, ...]) -> None:
        """On its feet, hands off its joints."""
        self._twin.hands = None
        self._twin.place(seed, faults)

    def released(self) -> bool:
        """At once."""
        return self._twin.released()

    def begin(self, seed: int) -> None:
        """As `robosac.operator.ConsoleAttendant`: nothing."""


class Person(TwinPerson):
    """The person on the console, who also puts the robot on its stand."""

    def __init__(self, twin: Twin, joints: tuple[str, ...]) -> None:
        super().__init__(twin, joints)
        self._robot = twin

    def ask(self, line: str) -> None:
        """Do it."""
        if "step back" in line:
            self._robot.hands = None
            self._robot.hang(0)
            return
        super().ask(line)


class OutOfTheBox:
    """A robot, its ports and its file; patched into whatever opens ports.

    Args:
        robot: minitaur or claw.
        folder: where its file is written.
        patch: undone at the end.
        seed: of how it is bolted together.
    """

    def __init__(self, robot: str, folder: Path, patch: pytest.MonkeyPatch, seed: int) -> None:
        self.robot, self.path = robot, folder / FILE
        self.bolts = hidden(robot, np.random.default_rng(seed))
        self._terminals: list[int] = []
        self.twin: Twin
        if robot == "minitaur":
            self.twin = MinitaurTwin(TwinOptions(bolts=self.bolts))
            file = load_robot_file(None)
            _set_options(self.twin.bank, file, unmeasured(file))
            wires = {"legs": self.twin.legs, "imu": self.twin.imu}
        else:
            self.twin = ClawTwin(ClawOptions(bolts=self.bolts))
            wires = {"servos": self.twin.servos}
        self.ports = {name: self._terminal() for name in wires}
        self._wires = {self.ports[name]: (name, wire) for name, wire in wires.items()}
        self._write_file()
        self._patch(patch)

    def close(self) -> None:
        """Give the pseudo-terminals back."""
        for terminal in self._terminals:
            os.close(terminal)

    def set_camera(self, **values: float) -> None:
        """Write into the robot file what the camera's calibration asks for."""
        document = yaml.safe_load(self.path.read_text())
        document["tracker"].update(values)
        self.path.write_text(yaml.safe_dump(document, sort_keys=False))

    def _terminal(self) -> str:
        master, slave = os.openpty()
        self._terminals += [master, slave]
        return os.ttyname(slave)

    def _write_file(self) -> None:
        drawn = Path(connect.__file__).parent / "robots" / f"{self.robot}.yaml"
        document = yaml.safe_load(drawn.read_text())
        if self.robot == "minitaur":
            document["ports"] = dict(self.ports)
            document["tracker"] = {
                "camera": self.ports["imu"],
                "size": list(SIZE),
                "fps": FPS,
                "exposure_s": 0.004,
                "marker": {"id": 7, "side_m": 0.12, "height_m": 0.25},
                "calibration": {
                    "matrix": [[400.0, 0.0, 240.0], [0.0, 400.0, 180.0], [0.0, 0.0, 1.0]],
                    "distortion": [0.0] * 5,
                    "rotation": [[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]],
                    "position": [0.0, 0.0, 2.5],
                },
            }
        else:
            document["port"]["path"] = self.ports["servos"]
            document["camera"].update(path=self.ports["servos"], size=list(SIZE), exposure_s=0.005)
        self.path.write_text(yaml.safe_dump(document, sort_keys=False))

    def _patch(self, patch: pytest.MonkeyPatch) -> None:
        twin, joints = self.twin, load_joints(self.robot)

        def opened(path: str, baud: int) -> PortWire:
            del baud
            name, wire = self._wires[path]
            return PortWire(path, wire, f"{name.upper()}1")

        for room in (connect, connect_claw):
            patch.setattr(room, "open_port", opened)
            patch.setattr(room, "MonotonicClock", lambda: twin.clock)
            patch.setattr(room, "ConsoleAttendant", lambda *_, **__: Attendant(twin))
        for room in (calibrate_robot, armed_bench):
            patch.setattr(room, "ConsolePerson", lambda *_: Person(twin, joints))
        status = CameraStatus(state=CameraState.LIVE, frames=100, fps=FPS)
        if isinstance(twin, MinitaurTwin):
            above = Overhead(twin, status)
            patch.setattr(connect, "open_tracker", lambda *_: above)
            patch.setattr(overhead, "overhead_of", lambda tracker: tracker and tracker.camera)
        for room in (calibrate_camera, standing):
            patch.setattr(room, "camera_identity", lambda *_: SEEN)
        studio = Studio(4 if self.robot == "minitaur" else 3, floor=self.robot == "minitaur")
        studio.progress = lambda line: None  # pyright: ignore[reportAttributeAccessIssue]
        patch.setattr(calibrate_camera, "GuidedConsole", lambda: studio)
        patch.setattr(
            calibrate_camera,
            "opened_eye",
            lambda section, factory, controls: studio.open_eye(controls),
        )
        # A toy camera, near its floor, need not be known as well as one at 2.5 m.
        patch.setattr(calibrate_camera, "FAR", LensGoal(0.001, 1.0))
        cv2.setNumThreads(1)


def load_joints(robot: str) -> tuple[str, ...]:
    """The names of its joints."""
    from robosac.robots.claw_file import load_claw_file

    file = load_robot_file(None) if robot == "minitaur" else load_claw_file(None)
    return file.joint_names
