"""Whether a calibration was measured on the devices that are there now.

What tells no serial number is known by its model and its id alone, and by the USB serial number of
the port it hangs on. Nominal calibrations were measured on nothing, and fit every robot of their
name.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import msgspec

from calibration import Calibration, JointCalibration
from calibration.record import DeviceTag
from robosac.errors import CalibrationMismatch


def for_a_twin(calibration: Calibration) -> Calibration:
    """The same numbers, keyed to no device: a twin takes a robot's numbers, not its serial numbers.

    Compare the robot file with the calibration before (`robosac.robots.wiring`): signs and stops go
    with the devices.
    """
    joints = {
        name: JointCalibration(
            motor_id=joint.motor_id, offset_correction_rad=joint.offset_correction_rad
        )
        for name, joint in calibration.joints.items()
    }
    return msgspec.structs.replace(calibration, joints=joints, imu=None, ports={})


def check_motors(calibration: Calibration, found: Mapping[str, DeviceTag]) -> None:
    """Refuse motors, by joint, other than those that were measured.

    Raises:
        CalibrationMismatch: one is of another model, or has another serial number.
    """
    for name, device in found.items():
        measured = calibration.joints[name].device
        if measured is not None:
            _compare(f"joint {name}", measured, device)


def check_imu(calibration: Calibration, found: DeviceTag) -> None:
    """Refuse an inertial sensor other than the one that was measured.

    Raises:
        CalibrationMismatch: it is of another model, or has another serial number.
    """
    if calibration.imu is not None:
        _compare("imu", calibration.imu, found)


def check_ports(calibration: Calibration, found: Mapping[str, str | None]) -> None:
    """Refuse ports, by their names in the robot file, with other USB serial numbers than measured.

    Raises:
        CalibrationMismatch: one has another, or has one where none was, or none where one was.
    """
    if not calibration.measured:
        return
    there = {name: serial for name, serial in found.items() if serial is not None}
    for name in sorted(calibration.ports.keys() | there.keys()):
        measured, now = calibration.ports.get(name), there.get(name)
        if measured != now:
            raise CalibrationMismatch(
                f"port {name}: calibrated over the adapter with USB serial {_told(measured)}, found"
                f" {_told(now)}; plug that one in, or calibrate anew"
            )


def check_age(calibration: Calibration, today: datetime.date, valid_days: float) -> None:
    """Refuse a calibration that is stale, or from the future.

    Raises:
        CalibrationMismatch: it is older than `valid_days`, or lies after `today`.
    """
    if not calibration.measured:
        return
    age = calibration.age_days(today)
    # A day of slack: the robot's computer and the one that measured may differ in time zone.
    if not -1 <= age <= valid_days:
        raise CalibrationMismatch(
            f"the calibration is of {calibration.date}, {age} days before {today.isoformat()};"
            f" valid is up to {valid_days:g} days; calibrate anew"
        )


def _compare(where: str, measured: DeviceTag, found: DeviceTag) -> None:
    if measured.model != found.model:
        raise CalibrationMismatch(
            f"{where}: calibrated on model {measured.model!r}, found {found.model!r}; calibrate"
            " anew"
        )
    if measured.serial != found.serial:
        raise CalibrationMismatch(
            f"{where}: calibrated on serial number {_told(measured.serial)}, found"
            f" {_told(found.serial)}; calibrate anew"
        )


def _told(serial: str | None) -> str:
    return "none" if serial is None else repr(serial)
