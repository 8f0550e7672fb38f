"""An executor with a flight recorder on it, and sessions drawn at random."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import numpy as np

from robosac.errors import ArmingError, FlightFileError, NotArmedError
from robosac.flight.file import save
from robosac.flight.log import FlightLog, Header
from robosac.flight.recorder import FlightRecorder, RecorderSettings, Save
from robosac.flight.ring import BusRing
from robosac.hal import CameraView, Fault, Frame, RobotState
from robosac.requests import ExecutorSettings
from robosac.states import SafetyState
from tests.robosac.executor_rig import PERIOD, Rig
from tests.robosac.fake_robot import JOINTS, FakeRobot

CALM = RecorderSettings(seconds=1.0, tail_s=0.0)
EPOCH_NS = 1_790_000_000 * 10**9


class SeeingRobot(FakeRobot):
    """A robot with a camera."""

    pictures = 0
    frame: Frame | None = None

    def _state(self) -> RobotState:
        state = super()._state()
        view = None if self.frame is None else CameraView(self.frame)
        return RobotState(state.time, state.joints, state.imu, None, state.faults, view)

    def look(self) -> None:
        """Another picture."""
        self.pictures += 1
        image = np.full((4, 5, 3), self.pictures % 256, dtype=np.uint8)
        image[0, 0] = (255, 0, 7)
        image.setflags(write=False)
        self.frame = Frame(self.clock.now(), image, self.pictures)


class FlightRig(Rig):
    """A rig whose executor is recorded."""

    def __init__(
        self,
        folder: Path,
        settings: RecorderSettings = CALM,
        executor_settings: ExecutorSettings | None = None,
        save: Save = save,
    ) -> None:
        super().__init__(executor_settings)
        self.robot = self.eye = SeeingRobot(self.clock)
        self.executor = type(self.executor)(
            self.robot, self.clock, self.gate, PERIOD, executor_settings
        )
        self.told: list[str] = []
        self.bus = BusRing(10_000, 1_000)
        header = Header.describing(
            self.executor.envelope,
            self.executor.settings,
            robosac="0.1.0",
            robot="fake",
            calibration="0" * 64,
            reason="",
            created="",
            epoch_ns=EPOCH_NS,
        )
        self.recorder = FlightRecorder(
            header, PERIOD, folder, settings, self.bus, self.told.append, save
        )
        self.executor.observer = self.recorder


class Waiting:
    """Passes logs on to `save` once it may: a writer that takes its time."""

    def __init__(self, save: Save) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._save = save

    def __call__(self, log: FlightLog, path: Path) -> None:
        self.begun.set()
        assert self.go_on.wait(30.0)
        self._save(log, path)


class Keeping:
    """Keeps logs in memory instead of on a disk."""

    def __init__(self) -> None:
        self.logs: list[FlightLog] = []

    def __call__(self, log: FlightLog, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.logs.append(log)


def full_disk(log: FlightLog, path: Path) -> None:
    raise FlightFileError(f"{path} cannot be written: No space left on device")


def wander(rig: FlightRig, seed: int, steps: int) -> None:
    """A session in which everything goes wrong that a robot can do to an executor."""
    rng = np.random.default_rng(seed)
    executor = rig.executor
    for _ in range(steps):
        if executor.safety is SafetyState.FAULT:
            _heal(rig)
            rig.gate.reset()
            for name in {entry.fault.name for entry in executor.faults}:
                executor.clear(name)
        if executor.safety in (SafetyState.DISARMED, SafetyState.DAMPED) and rng.random() < 0.7:
            lying = executor.settings.recovery is not None and bool(rng.random() < 0.3)
            try:
                executor.arm(recovering=lying)
            except ArmingError:
                _heal(rig)
        if executor.safety in (SafetyState.ACTIVE, SafetyState.HOLD):
            _ask(rig, rng)
            if executor.settings.recovery is not None and rng.random() < 0.05:
                with contextlib.suppress(ArmingError, NotArmedError):
                    executor.recovered()
        _trouble(rig, rng)
        for _ in range(int(rng.integers(1, 6))):
            with contextlib.suppress(RuntimeError):
                executor.tick()
            rig.clock.late = float(rng.choice([0.0, 0.0, 0.0, 0.002, 0.009, 0.03]))


def _heal(rig: FlightRig) -> None:
    """All is well again, where the joints are."""
    robot = rig.robot
    robot.faults, robot.silent, robot.spin, robot.temperature = (), set(), 0.0, 30.0
    robot.offset, robot.refuses_drive, robot.raises, robot.torque = 0.0, False, None, 0.0
    robot.orientation, robot.imu_age = (1.0, 0.0, 0.0, 0.0), 0.0
    robot.position = np.clip(np.nan_to_num(robot.position), -1.0, 1.0)


def _ask(rig: FlightRig, rng: np.random.Generator) -> None:
    """One request of any kind."""
    goal: object = rng.uniform(-1.5, 1.5, JOINTS)
    match int(rng.integers(0, 12)):
        case 0:
            goal = np.where(rng.random(JOINTS) < 0.3, rng.choice([np.nan, np.inf, -np.inf]), goal)
        case 1:
            goal = rng.choice([-1e308, 1e308, 5e-324, -0.0], JOINTS)
        case 2:
            goal = [np.zeros(JOINTS - 1), "up", None, np.zeros(JOINTS, dtype=np.int64)][
                int(rng.integers(4))
            ]
        case 3:
            goal = rng.uniform(-1.0, 1.0, JOINTS).astype(np.float32)
        case 4:
            rig.executor.free(rng.random(JOINTS) < 0.4)
            return
        case 5:
            return
        case _:
            pass
    rig.executor.request(goal, float(rng.choice([0.0, 0.01, 0.02])))  # type: ignore[arg-type]


def _trouble(rig: FlightRig, rng: np.random.Generator) -> None:
    """Sometimes something breaks, or heals."""
    robot = rig.robot
    match int(rng.integers(0, 80)):
        case 0:
            robot.faults = (Fault("motor_fault", "joint_1", "code 33"),)
        case 1:
            robot.silent = {int(rng.integers(JOINTS))}
        case 2:
            robot.spin = float(rng.choice([12.0, np.nan]))
        case 3:
            robot.temperature = float(rng.choice([77.0, 77.0, 77.0, 90.0, np.nan]))
        case 4:
            robot.torque = 3.0
        case 5:
            robot.orientation = (0.6, 0.8, 0.0, 0.0)
        case 6:
            robot.imu_age = float(rng.choice([0.05, 0.3, np.inf]))
        case 7:
            robot.raises = RuntimeError("the bus is on fire")
        case 8:
            rig.gate.trip("test")
        case 9:
            robot.offset = float(rng.choice([0.3, np.nan, np.inf]))
        case 10:
            robot.refuses_drive = True
        case 11:
            rig.executor.disarm() if robot.raises is None else None
        case 12 | 13 | 14:
            _heal(rig)
        case 15 | 16:
            rig.eye.look()
        case _:
            pass
