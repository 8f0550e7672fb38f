"""The calibration: whole, of this robot and its devices, measured, and not too old."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from calibration import Calibration
from calibration.record import DeviceTag
from robosac.check.place import Place
from robosac.check.row import Level, Row, judged, on_a_twin
from robosac.errors import CalibrationMismatch
from robosac.robots.identity import check_age, check_imu, check_motors, check_ports

OLD_SHARE: Final = 0.5
"""Of the days for which a calibration is valid: older than that is told."""
MEASURE: Final = "robosac calibrate joints and imu (docs/calibration.md), then robot.calibration"
FILE_VALID: Final = "a whole file of this robot, its sha256 right"


@dataclass(frozen=True, slots=True)
class CalibrationFacts:
    """What became of the calibration file."""

    where: str
    """Its path, or nominal."""
    found: Calibration | None
    """None: it cannot be used."""
    problem: str = ""
    """Why not."""


@dataclass(frozen=True, slots=True)
class Devices:
    """Who was found on the ports; a part that is None was not looked at."""

    motors: Mapping[str, DeviceTag] | None = None
    """By joint."""
    imu: DeviceTag | None = None
    ports: Mapping[str, str | None] | None = None
    """USB serial numbers."""


def file_row(facts: CalibrationFacts) -> Row:
    """Whether the file is whole, and of this robot."""
    if facts.found is None:
        return judged("calibration", Level.RED, facts.problem, FILE_VALID, MEASURE)
    count = len(facts.found.joints)
    found = f"{facts.where}, of {facts.found.robot}, {count} joints"
    return judged("calibration", Level.GREEN, found, FILE_VALID, "")


def measured_row(facts: CalibrationFacts, place: Place, has_imu: bool) -> Row:
    """Whether every number was measured; the drawings' are for twins.

    Args:
        facts: of the file.
        place: where the robot is.
        has_imu: whether it has an inertial sensor, whose mounting must be measured too.
    """
    name, valid = "calibration measured", "every joint, and the inertial sensor where there is one"
    if facts.found is None:
        return judged(name, Level.RED, "there is no calibration", valid, MEASURE)
    missing = _unmeasured(facts.found, has_imu)
    if not missing:
        return judged(name, Level.GREEN, f"measured {facts.found.date}", valid, "")
    kind = "partly measured" if facts.found.measured else "nominal: the drawings' numbers"
    found = f"{kind}; not measured: {missing}"
    if place is not Place.REAL:
        return on_a_twin(name, found, valid)
    return judged(name, Level.RED, found, valid, MEASURE)


def age_row(facts: CalibrationFacts, place: Place, today: datetime.date, valid_days: float) -> Row:
    """How long ago it was measured."""
    name, valid = "calibration age", f"up to {valid_days:g} days"
    remedy = "calibrate anew, or set the clock"
    if facts.found is None:
        return judged(name, Level.RED, "there is no calibration", valid, MEASURE)
    if not facts.found.measured:
        found = "none: nothing was measured"
        if place is not Place.REAL:
            return on_a_twin(name, found, valid)
        return judged(name, Level.RED, found, valid, MEASURE)
    age = facts.found.age_days(today)
    level = Level.AMBER if age > OLD_SHARE * valid_days else Level.GREEN
    try:
        check_age(facts.found, today, valid_days)
    except CalibrationMismatch:
        level = Level.RED
    return judged(name, level, f"{age} days, of {facts.found.date}", valid, remedy)


def devices_row(facts: CalibrationFacts, devices: Devices) -> Row:
    """Whether it was measured on the devices that are there now."""
    name, valid = "calibrated devices", "those that it was measured on"
    remedy = "plug those in, or calibrate anew"
    if facts.found is None:
        return judged(name, Level.RED, "there is no calibration", valid, MEASURE)
    if devices.motors is None or set(devices.motors) != set(facts.found.joints):
        return judged(name, Level.RED, "not every motor was found", valid, remedy)
    try:
        check_motors(facts.found, devices.motors)
        if devices.imu is not None:
            check_imu(facts.found, devices.imu)
        elif facts.found.imu is not None:
            raise CalibrationMismatch("the inertial sensor it was measured on was not found")
        check_ports(facts.found, devices.ports or {})
    except CalibrationMismatch as error:
        return judged(name, Level.RED, str(error), valid, remedy)
    known = sum(joint.device is not None for joint in facts.found.joints.values())
    found = f"{known} of {len(facts.found.joints)} motors are keyed to it, and all fit"
    return judged(name, Level.GREEN, found, valid, "")


def _unmeasured(found: Calibration, has_imu: bool) -> str:
    """What was not measured, in words; empty: nothing."""
    joints = [name for name, joint in found.joints.items() if joint.sign is None]
    parts = ["every joint" if len(joints) == len(found.joints) else ", ".join(joints)]
    if has_imu and found.imu is None:
        parts.append("the inertial sensor")
    return " and ".join(part for part in parts if part)
