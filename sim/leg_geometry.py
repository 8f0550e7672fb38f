"""Closed form of the Minitaur's five-bar leg.

Each leg hangs two equal chains (upper link l1, lower link l2) from one hip axis and joins them at
the ankle. Motor angles are 0 with the upper link straight up and grow as it turns outward: the
front link toward +x, the rear link toward -x; pi/2 is horizontal. The rear lower link runs on past
the ankle and ends in the toe. Positions are (x forward, z up) from the hip, m.

Formulas follow from the triangle hip, knee, ankle; they agree with pybullet's
`minitaur_raibert_controller.py`, whose link lengths these are. There, in the robot's own leg space,
swing has the opposite sign (positive moves the foot backward).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

UPPER_LINK_M: Final = 0.112
"""Hip to knee (l1)."""
LOWER_LINK_M: Final = 0.200
"""Knee to ankle (l2), both chains."""
TOE_LINK_M: Final = 0.2315
"""Knee to toe along the long lower link (l3)."""

LEG_NAMES: Final = ("front_left", "back_left", "front_right", "back_right")
MOTOR_NAMES: Final = tuple(f"{leg}_{link}" for leg in LEG_NAMES for link in ("front", "rear"))
"""Order of every array over motors: by leg, the motor of the front link before that of the rear."""


def motor_angles(extension: ArrayLike, swing: ArrayLike) -> FloatArray:
    """Return the eight motor angles, rad.

    Args:
        extension: mean of a leg's two motor angles, rad; scalar or shape (4,). More is longer.
        swing: turn of the leg about the hip, rad; scalar or shape (4,). Positive: foot forward.
    """
    angles = np.empty(8)
    angles[0::2] = np.subtract(extension, swing)
    angles[1::2] = np.add(extension, swing)
    return angles


def leg_pose(motors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return extension and swing (rad, shape (4,) each) of the motor angles (rad, shape (8,))."""
    front, rear = motors[0::2], motors[1::2]
    return (front + rear) / 2, (rear - front) / 2


def knee_angles(motors: FloatArray) -> FloatArray:
    """Return the knee angles (rad, shape (8,)) that close the loops at `motors` (rad, shape (8,)).

    0 folds the lower link back along the upper one.

    Raises:
        ValueError: an angle is not finite.
    """
    extension, _ = leg_pose(motors)
    return np.repeat(_lower_link_angle(extension) - extension, 2)


def ankle_length(extension: ArrayLike) -> FloatArray:
    """Return the distance from hip to ankle (m) at `extension` (rad)."""
    inner = _lower_link_angle(extension)
    return LOWER_LINK_M * np.cos(inner) - UPPER_LINK_M * np.cos(extension)


def foot_position(extension: ArrayLike, swing: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the toe's (x, z) from the hip, m, at `extension` and `swing` (rad)."""
    inner = _lower_link_angle(extension)
    extension, swing = np.asarray(extension, float), np.asarray(swing, float)
    x = TOE_LINK_M * np.sin(inner + swing) - UPPER_LINK_M * np.sin(extension + swing)
    z = UPPER_LINK_M * np.cos(extension + swing) - TOE_LINK_M * np.cos(inner + swing)
    return x, z


def _lower_link_angle(extension: ArrayLike) -> FloatArray:
    """Angle between a lower link and the leg's axis, rad, from the sine rule at the knee.

    Raises:
        ValueError: `extension` is not finite (any finite one closes, as l1 < l2).
    """
    angle = np.asarray(extension, dtype=np.float64)
    if not np.isfinite(angle).all():
        raise ValueError(f"leg extension must be finite, got {extension} rad")
    return np.arcsin(UPPER_LINK_M * np.sin(angle) / LOWER_LINK_M)
