"""Opens what is checked, real or twin: its motors to be looked at, its sensors to be watched."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import msgspec

from calibration import Calibration
from drivers.imu import Imu
from robosac.check.cameras import Watched
from robosac.check.place import Place
from robosac.check.subject import Subject
from robosac.clock import Clock
from robosac.connection import ClawConnection, Connection
from robosac.errors import CalibrationMismatch, ConfigError
from robosac.flight.wiring import untapped
from robosac.robots.claw import Claw
from robosac.robots.claw_file import ClawFile
from robosac.robots.condition import MotorCondition
from robosac.robots.measured_camera import with_measured_tracker
from robosac.robots.minitaur import Minitaur
from robosac.robots.robot_file import RobotFile
from robosac.robots.wiring import unmeasured
from robosac.settings import ClawConfig, MinitaurConfig


@dataclass(frozen=True)
class Opened:
    """Devices that can be looked at; closed by whoever opened them."""

    clock: Clock
    motors: Callable[[], tuple[MotorCondition, ...]]
    """Raises RobotError: they cannot be looked at."""
    ports: Mapping[str, str | None] = field(default_factory=dict[str, str | None])
    """USB serial numbers."""
    imu: Imu | None = None
    camera: Watched | None = None
    no_camera: str = ""
    """Why the camera that is needed is not open; empty: it is, or none is needed."""


def opened(subject: Subject, stack: ExitStack) -> Opened:
    """Open the devices; `stack` closes them. A camera that fails leaves the rest to be looked at.

    Raises:
        ConfigError: a port cannot be opened; in one line.
    """
    # A robot must be looked at also where its calibration cannot be used.
    measured = subject.calibration.found or unmeasured(subject.file)
    config, file = subject.config, subject.file
    if isinstance(config, MinitaurConfig) and isinstance(file, RobotFile):
        return _minitaur(subject, config, file, measured, stack)
    if isinstance(config, ClawConfig) and isinstance(file, ClawFile):
        return _claw(subject, config, file, measured, stack)
    raise ConfigError(f"{config.preset} is not of the kind of the robot file {file.name}")


def _minitaur(
    subject: Subject,
    config: MinitaurConfig,
    file: RobotFile,
    measured: Calibration,
    stack: ExitStack,
) -> Opened:
    camera: Watched | None = None
    why = ""
    if subject.place is Place.IN_PROCESS:
        from robosac.assembly_minitaur import reach

        reached = reach(config, file, measured, sys.stdin, untapped)
    else:
        from robosac.overhead import overhead_of

        reached, why = _quadruped(_as_measured(file, measured))
        camera = overhead_of(reached.devices.tracker)
    stack.callback(reached.devices.close)
    robot = Minitaur(file, measured, reached.devices, reached.clock.now)
    imu = reached.devices.imu
    return Opened(reached.clock, robot.condition, reached.ports, imu, camera, why)


def _as_measured(file: RobotFile, measured: Calibration) -> RobotFile:
    """`file` with the tracker as measured, if that fits; a row of its own tells if not."""
    try:
        return with_measured_tracker(file, measured)
    except CalibrationMismatch:
        return file


def _quadruped(file: RobotFile) -> tuple[Connection, str]:
    """The robot on its ports, and why without its camera."""
    from robosac.connect import connect

    try:
        return connect(file), ""
    except ConfigError as error:
        return connect(file, camera=False), str(error)


def _claw(
    subject: Subject, config: ClawConfig, file: ClawFile, measured: Calibration, stack: ExitStack
) -> Opened:
    why = ""
    if subject.place is Place.IN_PROCESS:
        from robosac.assembly_claw import file_of, reach

        file = file_of(config)
        reached = reach(config, file, measured, sys.stdin, untapped)
    else:
        reached, why = _hand(file if config.task.pixels else _blind(file))
    stack.callback(reached.devices.close)
    robot = Claw(file, measured, reached.devices, reached.clock.now)
    camera = reached.devices.camera
    return Opened(reached.clock, robot.condition, reached.ports, None, camera, why)


def _hand(file: ClawFile) -> tuple[ClawConnection, str]:
    """The hand on its port, and why without its camera."""
    from robosac.connect_claw import connect

    try:
        return connect(file), ""
    except ConfigError as error:
        if file.camera is None:
            raise
        return connect(_blind(file)), str(error)


def _blind(file: ClawFile) -> ClawFile:
    return msgspec.structs.replace(file, camera=None)
