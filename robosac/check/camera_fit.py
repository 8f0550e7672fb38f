"""The camera's calibration: of this device, at this size, with these controls, and not too old."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Final

from calibration.camera_record import MeasuredCamera
from calibration.record import DeviceTag
from robosac.check.calibrated import OLD_SHARE
from robosac.check.place import Place
from robosac.check.row import Level, Row, judged, on_a_twin
from robosac.robots.measured_camera import TRACKER

VALID: Final = "this camera, at the robot file's size and controls"
TOLERANCE: Final = 1e-9
"""Of a control, as a share: as robot file and calibration write it."""


@dataclass(frozen=True, slots=True)
class CameraAsFiled:
    """What the robot file says of a camera, and who is there."""

    name: str
    """hand or tracker."""
    size: tuple[int, int]
    exposure_s: float
    gain: float | None
    white_balance_k: float | None
    focus: float | None
    device: DeviceTag | None
    """None: the system knows no such camera."""


def camera_fit_row(
    filed: CameraAsFiled,
    measured: MeasuredCamera | None,
    place: Place,
    today: datetime.date,
    valid_days: float,
) -> Row:
    """Whether a camera is the one that was measured, and set as it was then.

    Not measured at all: red for a real tracker, whose numbers are the reward; amber for the hand's
    camera, of which a policy learns what it shows.
    """
    row = f"camera calibration {filed.name}"
    remedy = _command(filed.name)
    if measured is None:
        if place is not Place.REAL:
            return on_a_twin(row, "not measured", VALID)
        level = Level.RED if filed.name == TRACKER else Level.AMBER
        return judged(row, level, "not measured", VALID, remedy)
    differing = _difference(filed, measured)
    if differing:
        remedy = f"put that back, or {remedy}"
        return judged(row, Level.RED, differing, VALID, remedy)
    age = (today - datetime.date.fromisoformat(measured.date)).days
    level = Level.AMBER if age > OLD_SHARE * valid_days else Level.GREEN
    # A day of slack, as for the rest of the calibration.
    if not -1 <= age <= valid_days:
        level = Level.RED
    valid = f"{VALID}, up to {valid_days:g} days old"
    return judged(row, level, f"{age} days old, of {measured.date}", valid, remedy)


def _difference(filed: CameraAsFiled, measured: MeasuredCamera) -> str:
    """The first number that disagrees, in words; empty: none does."""
    if measured.size != filed.size:
        return f"size is {_by(filed.size)}, calibrated at {_by(measured.size)}"
    if filed.device is None:
        return "the camera is not there, or tells nothing of itself"
    for what in ("model", "serial"):
        then, now = getattr(measured.device, what), getattr(filed.device, what)
        if then != now:
            return f"its {what} is {now!r}, calibrated on {then!r}"
    for what in ("focus", "exposure_s", "gain", "white_balance_k"):
        then, now = getattr(measured, what), getattr(filed, what)
        if then is None or now is None:
            same = then is now
        else:
            same = abs(then - now) <= TOLERANCE * max(1.0, abs(then))
        if not same:
            return f"{what} is {_told(now)}, calibrated at {_told(then)}"
    return ""


def _command(name: str) -> str:
    what = "tracker minitaur" if name == TRACKER else "camera claw"
    return f"robosac calibrate {what} (docs/calibration.md)"


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} by {size[1]} px"


def _told(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"
