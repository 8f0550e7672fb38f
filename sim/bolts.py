"""How one robot is bolted together: which way its motors turn, where they sit, how its sensor does.

joint angle = direction * motor angle - zero_rad, as `robosac.robots.wiring` has it; the sensor's
mounting turns its axes into the body's (both FRD), as a calibration tells it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Quaternion = tuple[float, float, float, float]

SQUARE: Final[Quaternion] = (1.0, 0.0, 0.0, 0.0)
"""A sensor whose axes are the body's."""
NO_BIAS: Final = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Bolts:
    """One robot's.

    Raises:
        ValueError: a direction is not +1 or -1, or there are not as many zeros.
    """

    direction: tuple[float, ...]
    """Of each motor, +1 or -1."""
    zero_rad: tuple[float, ...]
    """Each motor's angle, after its direction, at its joint's zero."""
    mounting: Quaternion = SQUARE
    """(w, x, y, z), sensor to body."""
    gyro_bias_rad_s: tuple[float, float, float] = NO_BIAS
    """In the sensor's axes."""

    def __post_init__(self) -> None:
        if not all(abs(sign) == 1.0 for sign in self.direction):
            raise ValueError(f"directions {self.direction}; valid are +1 and -1")
        if len(self.zero_rad) != len(self.direction):
            raise ValueError(
                f"{len(self.zero_rad)} zeros of {len(self.direction)} motors; valid is one each"
            )

    @property
    def shift_rad(self) -> FloatArray:
        """The motors' angles at the joints' zeros, shape (n,)."""
        return np.multiply(self.direction, self.zero_rad)

    @property
    def square(self) -> bool:
        """Whether the sensor tells the body's own motion."""
        return self.mounting == SQUARE and self.gyro_bias_rad_s == NO_BIAS

    def sensed(
        self, quaternion_xyzw: Sequence[float], gyro: Sequence[float], force: Sequence[float]
    ) -> tuple[tuple[float, ...], list[float], list[float]]:
        """What the sensor feels of the body's attitude, rates (rad/s) and force (m/s^2); FRD."""
        x, y, z, w = quaternion_xyzw
        attitude = product((w, x, y, z), self.mounting)
        to_sensor = rotation(self.mounting).T
        rates = to_sensor @ np.asarray(gyro) + self.gyro_bias_rad_s
        return (*attitude[1:], attitude[0]), rates.tolist(), (to_sensor @ force).tolist()


def product(one: Quaternion, other: Quaternion) -> Quaternion:
    """The quaternion (w, x, y, z) of `other`, then `one`."""
    a, b, c, d = one
    e, f, g, h = other
    return (
        a * e - b * f - c * g - d * h,
        a * f + b * e + c * h - d * g,
        a * g - b * h + c * e + d * f,
        a * h + b * g - c * f + d * e,
    )


def rotation(quaternion: Quaternion) -> FloatArray:
    """The matrix of a unit quaternion (w, x, y, z)."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - w * z), 2.0 * (x * z + w * y)],
            [2.0 * (x * y + w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - w * x)],
            [2.0 * (x * z - w * y), 2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y)],
        ]
    )


def about(axis: Sequence[float], angle_rad: float) -> Quaternion:
    """The turn by `angle_rad` about a unit `axis`, (w, x, y, z)."""
    x, y, z = (math.sin(angle_rad / 2.0) * part for part in axis)
    return (math.cos(angle_rad / 2.0), x, y, z)
