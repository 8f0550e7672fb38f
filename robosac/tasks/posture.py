"""How a legged robot lies: which of its sides is down, as its inertial sensor tells. Pure."""

from __future__ import annotations

import enum
import math
from typing import Final

from robosac.hal import ImuSample
from robosac.watch import body_tilt

UPRIGHT_RAD: Final = math.radians(45.0)
"""Tilt up to which feet are the lowest part of the robot once its legs are under it."""


class Posture(enum.StrEnum):
    """What is down."""

    UPRIGHT = "upright"
    """Feet or belly."""
    LEFT = "left"
    """The left side."""
    RIGHT = "right"
    """The right side."""
    BACK = "back"
    PITCHED = "pitched"
    """The nose, or the tail."""
    UNKNOWN = "unknown"
    """No attitude to go by: counts as fallen, and nothing may be tried."""


def posture_of(imu: ImuSample | None) -> Posture:
    """The posture that `imu` tells."""
    if imu is None:
        return Posture.UNKNOWN
    tilt = body_tilt(imu)
    if math.isinf(tilt):
        return Posture.UNKNOWN
    if tilt <= UPRIGHT_RAD:
        return Posture.UPRIGHT
    if tilt >= math.pi - UPRIGHT_RAD:
        return Posture.BACK
    w, x, y, z = imu.orientation.tolist()
    # The world's up in the body's axes: x forward, y left.
    forward, left = 2.0 * (x * z - w * y), 2.0 * (y * z + w * x)
    if abs(forward) > abs(left):
        return Posture.PITCHED
    return Posture.RIGHT if left > 0.0 else Posture.LEFT
