"""What is looked at before a robot moves at all; arming looks at the robot itself."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

from robosac.clock import MonotonicClock
from robosac.errors import ConfigError
from robosac.robots.claw_file import load_claw_file
from robosac.robots.robot_file import load_robot_file
from robosac.robots.wiring import check_calibration
from robosac.settings import ClawConfig, MinitaurConfig, RobotConfig
from robosac.stage import read_calibration

FREE_BYTES = 500_000_000
"""Room for a rehearsal or a short run."""
UNIX = "unix:"
Check = tuple[str, str]
"""What was looked at, and what was found."""


def preflight(config: RobotConfig, folder: Path) -> tuple[Check, ...]:
    """Look at files, ports, cameras, the disk under `folder` and the clock.

    Raises:
        ConfigError: something is not as it must be; in one line.
        CalibrationMismatch: the calibration is another robot's.
    """
    robot = "minitaur" if isinstance(config, MinitaurConfig) else "claw"
    ports, cameras, checks = _files(config, robot)
    checks += [("port", f"{port}: {_device(port)}") for port in ports]
    checks += [("camera", f"{camera}: {_device(camera)}") for camera in cameras]
    checks.append(("disk", _disk(folder)))
    checks.append(("clock", _clock()))
    return tuple(checks)


def _files(config: RobotConfig, robot: str) -> tuple[list[str], list[str], list[Check]]:
    """Ports and cameras of the robot file, and what was found of the files themselves."""
    measured = read_calibration(config.robot, robot)
    if isinstance(config, MinitaurConfig):
        file = load_robot_file(config.robot.file)
        check_calibration(file, measured)
        ports = [file.ports.legs, file.ports.imu]
        cameras = [] if file.tracker is None else [file.tracker.camera]
    elif isinstance(config, ClawConfig):
        file = load_claw_file(config.robot.file)
        check_calibration(file, measured)
        ports = [file.port.path]
        cameras = [file.camera.path] if file.camera is not None and config.task.pixels else []
    else:
        raise ConfigError(f"{config.preset} is no robot")
    checks = [
        ("robot file", f"{file.name}, {len(file.motors)} motors"),
        ("calibration", f"of {measured.robot}, {len(measured.joints)} joints"),
    ]
    return ports, cameras, checks


def _device(name: str) -> str:
    """What kind of thing a port or camera is. Raises ConfigError: it is not there, or another."""
    path = Path(name.removeprefix(UNIX))
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"{name} is not there: {error.strerror}") from error
    if name.startswith(UNIX):
        if not stat.S_ISSOCK(mode):
            raise ConfigError(f"{name} is no socket of a camera")
        return "socket"
    if not stat.S_ISCHR(mode):
        raise ConfigError(f"{name} is no device; valid is a name under /dev/serial/by-id")
    return "device"


def _disk(folder: Path) -> str:
    """Free room. Raises ConfigError: too little."""
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        raise ConfigError(
            f"{folder} has {free / 1e6:.0f} MB free; valid is at least {FREE_BYTES / 1e6:.0f} MB"
        )
    return f"{free / 1e9:.1f} GB free"


def _clock() -> str:
    """That time goes on while somebody waits. Raises ConfigError: it does not."""
    clock = MonotonicClock()
    before = clock.now()
    clock.wait_until(before + 0.001)
    passed = clock.now() - before
    if not passed >= 0.001:
        raise ConfigError(f"the clock went on by {passed} s in 0.001 s")
    return "monotonic"
