"""`robosac check`: everything that must hold, looked at once; torque is never switched on.

The robot is owned while it is looked at, so that nobody is disturbed who drives it. Latched faults
and hardware errors stay, so that they are seen.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from robosac.check import keys
from robosac.check.calibrated import Devices, devices_row
from robosac.check.cameras import ROWS as CAMERA_ROWS
from robosac.check.cameras import camera_rows, camera_unknown, watch
from robosac.check.inertial import InertialFacts, inertial_rows, inertial_unknown, listen
from robosac.check.motors import motor_rows, not_looked_at
from robosac.check.picture import keep
from robosac.check.place import Place
from robosac.check.reach import Opened, opened
from robosac.check.report import Report, report_of
from robosac.check.row import Level, Row, judged, on_a_twin
from robosac.check.standing import calibration_rows, computer_rows, port_rows, timer_rows
from robosac.check.subject import Subject, subject_of
from robosac.check.system import System
from robosac.custody import Custody
from robosac.custody_wiring import custody_of
from robosac.errors import ConfigError, OwnershipError, RobotError
from robosac.estop import EStopGate
from robosac.robots.condition import MotorCondition, tags
from robosac.settings import RobotConfig

OWNER, LATCHED = "owner", "latched faults"
_FREE, _NONE = "nobody else, and everybody at hand who may stop it", "none"


def examine(
    config: RobotConfig, key_folder: Path | None = None, system: System | None = None
) -> Report:
    """Look at everything.

    Args:
        config: the settings.
        key_folder: the keys of the link to a learner; None: none are looked at.
        system: this computer.

    Raises:
        ConfigError: it is no robot, or its file or address is wrong; in one line.
    """
    system = system or System()
    subject = subject_of(config)
    folder = Path(config.run_root)
    # Before we hold the ports ourselves.
    ports = port_rows(subject, system)
    with ExitStack() as stack:
        owned, why = _own(subject, stack)
        reached, problem = (None, why) if why else _open(subject, stack)
        # Opening sets the timers, where that is allowed.
        timers = timer_rows(subject, system)
        devices = _device_rows(subject, reached, problem)
    certificates = keys.probe_certificates(key_folder, system.wall())
    rows = (
        *owned,
        *ports,
        *timers,
        *calibration_rows(subject, system),
        *devices,
        *computer_rows(subject, folder, system),
        keys.certificates_row(certificates),
    )
    place = subject.place.value
    return report_of(config.preset, subject.file.name, config.robot.address, place, rows)


def owner_row(place: Place, problem: str) -> Row:
    """Whether the robot could be owned; `problem`: why not."""
    if place is Place.IN_PROCESS:
        return on_a_twin(OWNER, "in this process", _FREE)
    if problem:
        remedy = "end that, or correct the section stop of the settings"
        return judged(OWNER, Level.RED, problem, _FREE, remedy)
    return judged(OWNER, Level.GREEN, "nobody else", _FREE, "")


def latched_row(place: Place, names: tuple[str, ...] | None) -> Row:
    """Faults that outlived their process; None: not known."""
    if place is Place.IN_PROCESS:
        return on_a_twin(LATCHED, "none are kept", _NONE)
    if names is None:
        return judged(LATCHED, Level.RED, "not known: it has an owner", _NONE, "robosac faults")
    if names:
        remedy = "mend the cause, then robosac faults --clear NAME"
        return judged(LATCHED, Level.RED, ", ".join(names), _NONE, remedy)
    return judged(LATCHED, Level.GREEN, "none", _NONE, "")


def _own(subject: Subject, stack: ExitStack) -> tuple[tuple[Row, Row], str]:
    """Own the robot until `stack` ends; its rows, and why it is not ours."""
    place = subject.place
    try:
        custody = custody_of(subject.config, subject.file, EStopGate(), console=False)
        stack.enter_context(custody)
    except (OwnershipError, ConfigError, RobotError) as error:
        return (owner_row(place, str(error)), latched_row(place, None)), str(error)
    return (owner_row(place, ""), latched_row(place, _latched(custody))), ""


def _latched(custody: Custody) -> tuple[str, ...]:
    journal = custody.journal
    return () if journal is None else tuple(str(entry.fault.name) for entry in journal.latched)


def _open(subject: Subject, stack: ExitStack) -> tuple[Opened | None, str]:
    try:
        return opened(subject, stack), ""
    except ConfigError as error:
        return None, str(error)


def _device_rows(subject: Subject, reached: Opened | None, why: str) -> tuple[Row, ...]:
    """Every row about devices, asked now."""
    found: tuple[MotorCondition, ...] | None = None
    if reached is not None:
        try:
            found = reached.motors()
        except RobotError as error:
            why = str(error)
    motors = not_looked_at(why) if found is None else motor_rows(found, subject.bounds)
    imu = _listen(subject, reached)
    asked = Devices(
        motors=None if found is None else tags(found),
        imu=None if imu is None else imu.device,
        ports={} if reached is None else reached.ports,
    )
    inertial: tuple[Row, ...] = ()
    if subject.has_imu:
        inertial = inertial_unknown(why) if imu is None else inertial_rows(imu)
    fit = _fit(subject, asked)
    return (*motors, fit, *inertial, *_cameras(subject, reached, why))


def _fit(subject: Subject, asked: Devices) -> Row:
    if subject.place is Place.IN_PROCESS:
        return on_a_twin("calibrated devices", "a twin's", "those that it was measured on")
    return devices_row(subject.calibration, asked)


def _listen(subject: Subject, reached: Opened | None) -> InertialFacts | None:
    if reached is None or reached.imu is None:
        return None
    found = subject.calibration.found
    bias = (0.0, 0.0, 0.0) if found is None else found.gyro_bias_rad_s
    return listen(reached.imu, reached.clock, bias)


def _cameras(subject: Subject, reached: Opened | None, why: str) -> tuple[Row, ...]:
    if subject.wish is None:
        if subject.place is Place.IN_PROCESS and subject.has_imu:
            return tuple(on_a_twin(n, "its tracker is no camera", "a camera") for n in CAMERA_ROWS)
        return ()
    if reached is None or reached.camera is None:
        problem = why if reached is None else reached.no_camera
        return camera_unknown(problem, subject.wish.learned)
    return camera_rows(watch(reached.camera, reached.clock), subject.wish)


def keep_picture(config: RobotConfig, path: Path) -> None:
    """Let the pictures of now be what later ones are compared with; the file is written anew.

    Raises:
        ConfigError: no policy sees a camera there, there is no picture, or no file can be written.
    """
    subject = subject_of(config)
    if subject.wish is None or not subject.wish.learned:
        raise ConfigError(f"{config.preset} learns from no picture; valid is claw-pixels")
    with ExitStack() as stack:
        _, why = _own(subject, stack)
        reached, problem = (None, why) if why else _open(subject, stack)
        camera = None if reached is None else reached.camera
        if reached is None or camera is None:
            raise ConfigError(f"no picture: {problem or (reached and reached.no_camera)}")
        seen = watch(camera, reached.clock).histogram
    if seen is None:
        raise ConfigError("the camera shows no picture; robosac check tells why")
    keep(path, subject.file.name, seen)
