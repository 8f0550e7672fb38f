"""Every row that needs no device to be asked: files, ports, disk, clocks, rights, keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from calibration.record import DeviceTag
from drivers.camera.identity import camera_identity
from drivers.usb_serial import latency_timer_ms
from robosac.check import calibrated, host, keys, rights
from robosac.check.camera_fit import CameraAsFiled, camera_fit_row
from robosac.check.latency_timer import latency_timer_row
from robosac.check.place import Place
from robosac.check.ports import camera_device_row, port_row, probe_port
from robosac.check.row import Level, Row, judged, on_a_twin, reds
from robosac.check.subject import Subject, files_of, subject_of
from robosac.check.system import System
from robosac.errors import ConfigError
from robosac.robots.measured_camera import HAND, TRACKER
from robosac.robots.robot_file import RobotFile
from robosac.settings import RobotConfig

USB_SERIAL: Final = "bus/usb-serial/devices"
"""Under the root of sysfs."""


def standing_rows(subject: Subject, folder: Path, system: System) -> tuple[Row, ...]:
    """Every row but those about devices, in the order of the table.

    Args:
        subject: what is checked.
        folder: where runs go.
        system: this computer.
    """
    return (
        *port_rows(subject, system),
        *timer_rows(subject, system),
        *calibration_rows(subject, system),
        *computer_rows(subject, folder, system),
    )


def preflight(config: RobotConfig, folder: Path) -> tuple[Row, ...]:
    """Look at what can be looked at before anybody opens a port.

    Args:
        config: the settings.
        folder: where the run goes.

    Raises:
        ConfigError: a row is red, or a file is wrong; in one line.
    """
    rows = standing_rows(subject_of(config), folder, System())
    for row in reds(rows):
        raise ConfigError(f"preflight: {row}")
    return rows


def port_rows(subject: Subject, system: System) -> tuple[Row, ...]:
    """A row for each port, and for each camera's device."""
    if subject.place is Place.IN_PROCESS:
        named = (*(f"port {p}" for p in subject.ports), *_camera_names(subject))
        return tuple(on_a_twin(name, "in this process", "a device") for name in named)
    ports, cameras = subject.ports.items(), subject.cameras.items()
    found = [port_row(name, probe_port(path, system.proc, system.pid)) for name, path in ports]
    found += [
        camera_device_row(name, probe_port(path, system.proc, system.pid)) for name, path in cameras
    ]
    return tuple(found)


def timer_rows(subject: Subject, system: System) -> tuple[Row, ...]:
    """The latency timer of each port's adapter, as it is now."""
    folder = system.sysfs / USB_SERIAL
    return tuple(
        latency_timer_row(name, subject.place, latency_timer_ms(path, folder))
        for name, path in subject.ports.items()
    )


def calibration_rows(subject: Subject, system: System) -> tuple[Row, ...]:
    """The calibration's file, whether it was measured, and when."""
    facts, place = subject.calibration, subject.place
    days = subject.config.robot.calibration_days
    return (
        calibrated.file_row(facts),
        calibrated.measured_row(facts, place, subject.has_imu),
        calibrated.age_row(facts, place, system.today(), days),
        *camera_fit_rows(subject, system),
    )


def camera_fit_rows(subject: Subject, system: System) -> tuple[Row, ...]:
    """The calibration of the camera that the task needs; none where it needs none."""
    file = subject.file
    section = file.tracker if isinstance(file, RobotFile) else file.camera
    name = TRACKER if isinstance(file, RobotFile) else HAND
    if subject.wish is None or section is None:
        return ()
    found = subject.calibration.found
    device = camera_identity(subject.cameras[name], system.sysfs)
    filed = CameraAsFiled(
        name=name,
        size=section.size,
        exposure_s=section.exposure_s,
        gain=section.gain,
        white_balance_k=section.white_balance_k,
        focus=section.focus,
        device=None if device is None else DeviceTag(model=device.model, serial=device.serial),
    )
    measured = None if found is None else found.cameras.get(name)
    days = subject.config.robot.calibration_days
    return (camera_fit_row(filed, measured, subject.place, system.today(), days),)


def computer_rows(subject: Subject, folder: Path, system: System) -> tuple[Row, ...]:
    """Disk, clock, governor, rights, and the key that the settings name."""
    config, place = subject.config, subject.place
    return (
        _tried("disk", lambda: host.disk_row(str(folder), host.free_bytes(folder))),
        _tried("clock", lambda: host.clock_row(host.probe_clock(system, files_of(subject)))),
        host.governor_row(place, _governors(system)),
        *_rights(place, config.executor.realtime_priority, system),
        keys.keepalive_row(keys.probe_keepalive(_keepalive(config))),
    )


def _camera_names(subject: Subject) -> tuple[str, ...]:
    return () if subject.wish is None else tuple(f"camera device {c}" for c in subject.cameras)


def _keepalive(config: RobotConfig) -> str | None:
    section = config.stop.keepalive
    return section.key if section.endpoints else None


def _governors(system: System) -> tuple[str, ...]:
    try:
        return host.probe_governors(system.sysfs)
    except OSError:
        # What cannot be read is unknown, which the row tells.
        return ()


def _rights(place: Place, wanted: int, system: System) -> tuple[Row, ...]:
    try:
        return rights.rights_rows(place, wanted, rights.probe_rights(system.proc))
    except (OSError, ValueError, LookupError) as error:
        found, valid = f"unknown: {error}", "as /proc/self/limits tells"
        names = (rights.PRIORITY, rights.MEMORY)
        return tuple(judged(n, Level.AMBER, found, valid, "another system") for n in names)


def _tried(name: str, look: Callable[[], Row]) -> Row:
    """What `look` finds; what cannot be looked at is red."""
    try:
        return look()
    except OSError as error:
        return judged(name, Level.RED, f"unknown: {error}", "that it can be looked at", "mend that")
