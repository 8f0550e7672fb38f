"""What stands between a scene and a webcam's sensor: its blur, and the room by its controls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.camera import properties as cp

RED_TO_BLUE: Final = 0.004
"""Logarithm of red over blue, in light, by 1e6 / K; about a black body's (assumed)."""

Floats = NDArray[np.float32]


def softened(radiance: Floats) -> Floats:
    """Blurred as a webcam's lens does in focus, by a standard deviation of 0.7 px.

    Args:
        radiance: shape (height, width, ...).
    """
    for axis in (0, 1):
        middle = np.moveaxis(radiance, axis, 0)
        soft = middle * np.float32(0.5)
        soft[1:] += middle[:-1] * np.float32(0.25)
        soft[:-1] += middle[1:] * np.float32(0.25)
        soft[[0, -1]] += middle[[0, -1]] * np.float32(0.25)
        radiance = np.moveaxis(soft, 0, axis)
    return radiance


@dataclass(frozen=True, slots=True)
class RoomLight:
    """A room, by the settings at which a camera shows it as it is."""

    exposure_s: float
    """At which the sensor's own exposure holds."""
    white_balance_k: float | None = None
    """At which grey is grey; None: at any."""

    def shares(self, controls: Mapping[int, float]) -> NDArray[np.float32]:
        """Of red, green and blue light that count at a camera's `controls`, shape (3,)."""
        exposed = controls[cp.EXPOSURE] * cp.EXPOSURE_UNIT_S / self.exposure_s
        if self.white_balance_k is None:
            return np.full(3, exposed, np.float32)
        # A camera that is told of a warmer light, of fewer kelvin, holds its red back.
        off = 1e6 / self.white_balance_k - 1e6 / controls[cp.WB_TEMPERATURE]
        tint = math.exp(RED_TO_BLUE * off / 2.0)
        return np.array([exposed * tint, exposed, exposed / tint], np.float32)
