"""What is checked: a configuration, its robot file, its calibration, and where the robot is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from calibration import Calibration
from robosac.check.calibrated import CalibrationFacts
from robosac.check.cameras import CameraWish
from robosac.check.motors import MotorBounds
from robosac.check.picture import load
from robosac.check.place import Place, place_of
from robosac.errors import CalibrationMismatch, ConfigError
from robosac.robots.claw_file import ClawFile, load_claw_file
from robosac.robots.measured import CAMERA, COMMAND_TO_MOTION
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.robots.wiring import check_calibration
from robosac.settings import ClawConfig, MinitaurConfig, RobotConfig
from robosac.stage import load_calibration


@dataclass(frozen=True)
class Subject:
    """A robot, as far as files tell of it."""

    config: RobotConfig
    robot: str
    """minitaur or claw."""
    file: RobotFile | ClawFile
    place: Place
    ports: Mapping[str, str]
    """Paths by their names in the robot file."""
    cameras: Mapping[str, str]
    """Paths of those that the task needs."""
    calibration: CalibrationFacts
    bounds: MotorBounds
    has_imu: bool
    wish: CameraWish | None
    """None: the task needs no camera, or the twin's is none."""


def subject_of(config: RobotConfig, seeing: bool = True) -> Subject:
    """Read the files that `config` names; a calibration that cannot be used becomes a fact.

    Args:
        config: the settings.
        seeing: whether the quadruped's overhead camera is needed; what moves on a stand is not
            followed by it. The hand's is, if `config` says that it learns from pixels.

    Raises:
        ConfigError: no robot, or its file or address is wrong; in one line.
    """
    if isinstance(config, MinitaurConfig):
        return _minitaur(config, seeing)
    if isinstance(config, ClawConfig):
        return _claw(config)
    raise ConfigError(f"{config.preset} is no robot; valid are minitaur, claw, claw-pixels")


def files_of(subject: Subject) -> tuple[Path, ...]:
    """Files of ours that cannot be younger than now."""
    section = subject.config.robot
    named = (section.file, section.calibration, section.picture)
    return (Path(__file__), *(Path(path) for path in named if path is not None))


def _minitaur(config: MinitaurConfig, seeing: bool) -> Subject:
    file = load_robot_file(config.robot.file)
    ports = {"legs": file.ports.legs, "imu": file.ports.imu}
    place = place_of(config.robot.address, "minitaur", ports.values())
    tracker = file.tracker if seeing else None
    wish, calibration = None, _calibration(config, file, "minitaur")
    if seeing and place is not Place.IN_PROCESS:
        if tracker is None:
            raise ConfigError(
                f"the robot file of {file.name} has no section tracker;"
                " robosac/robots/minitaur.yaml shows how one is described"
            )
        wish = CameraWish(
            tracker.fps,
            config.task.tracker_age_s,
            tracker.exposure_s,
            measured_s=_longest(calibration.found, late=True),
        )
    return Subject(
        config=config,
        robot="minitaur",
        file=file,
        place=place,
        ports=ports,
        cameras={} if tracker is None else {"tracker": tracker.camera},
        calibration=calibration,
        bounds=_bounds(file, None),
        has_imu=True,
        wish=wish,
    )


def _claw(config: ClawConfig) -> Subject:
    file = load_claw_file(config.robot.file)
    place = place_of(config.robot.address, "claw", (file.port.path,))
    seen = file.camera if config.task.pixels else None
    if config.task.pixels and seen is None:
        raise ConfigError(
            f"the robot file of {file.name} has no section camera, and pixels need one"
        )
    wish, calibration = None, _calibration(config, file, "claw")
    if seen is not None:
        fps = config.twin.camera.fps if place is Place.IN_PROCESS else seen.fps
        kept = config.robot.picture
        reference = None if kept is None else load(Path(kept), file.name)
        wish = CameraWish(
            fps,
            config.task.frame_age_s,
            seen.exposure_s,
            measured_s=_longest(calibration.found, late=False),
            learned=True,
            reference=reference,
            twin=place is Place.IN_PROCESS,
        )
    return Subject(
        config=config,
        robot="claw",
        file=file,
        place=place,
        ports={"servos": file.port.path},
        cameras={} if seen is None else {"hand": seen.path},
        calibration=calibration,
        bounds=_bounds(file, file.model),
        has_imu=False,
        wish=wish,
    )


def _calibration(config: RobotConfig, file: RobotFile | ClawFile, robot: str) -> CalibrationFacts:
    path = config.robot.calibration
    where = path or "nominal"
    try:
        found = load_calibration(path, robot)
        check_calibration(file, found)
    except (ConfigError, CalibrationMismatch) as error:
        return CalibrationFacts(where, None, str(error))
    return CalibrationFacts(where, found)


def _longest(found: Calibration | None, late: bool) -> float | None:
    """From a picture's exposure to its use at most, s; None: it was not measured.

    Args:
        found: the calibration.
        late: the joints' readings, against which it was measured, may themselves be late: by the
            whole way from command to motion.
    """
    if found is None or CAMERA not in found.latency:
        return None
    motion = found.latency.get(COMMAND_TO_MOTION)
    lag_s = motion.max_s if late and motion is not None else 0.0
    return found.latency[CAMERA].max_s + lag_s


def _bounds(file: RobotFile | ClawFile, model: str | None) -> MotorBounds:
    supply = file.supply_v
    limit = file.joint_limits().temperature
    return MotorBounds((supply.lower, supply.upper), limit, file.watchdog_s, model)
