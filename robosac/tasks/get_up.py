"""Key frames that bring a fallen quadruped back under its own legs, by posture.

Found by experiment in the twin; tests/sweeps/get_up_sweep.py measures how often they work.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from robosac.tasks.legs import FloatArray, joints_from_legs
from robosac.tasks.posture import Posture


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the legs go next; order: front left, back left, front right, back right."""

    extension: tuple[float, float, float, float]
    """rad"""
    seconds: float
    """Time of the way there, s."""
    swing: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """rad, forward is positive."""

    @property
    def joints(self) -> FloatArray:
        """Goal of the eight joints, rad."""
        return joints_from_legs(np.array(self.swing), np.array(self.extension))


Script = tuple[Frame, ...]


def level(extension: float, seconds: float) -> Frame:
    """All four legs straight down, `extension` (rad) long, in `seconds`."""
    return Frame((extension, extension, extension, extension), seconds)


TUCK: Final[Script] = (level(0.6, 1.2), level(2.0, 1.0))
"""Legs as short as they go, which turns them under the belly, then up."""
HEAVE: Final[Script] = (level(2.4, 1.0), level(0.6, 0.8), level(2.0, 1.0))
"""Whatever legs can push lift the body first, so that one that lies caught below it comes free."""


def swung(extension: float, swing: float, seconds: float) -> Frame:
    """All four legs alike, `extension` (rad) long and forward by `swing` (rad)."""
    return Frame(
        (extension, extension, extension, extension), seconds, (swing, swing, swing, swing)
    )


SHAKE: Final[Script] = (
    level(2.2, 1.0),
    swung(1.4, 0.8, 0.5),
    swung(1.4, -0.8, 0.6),
    swung(1.4, 0.8, 0.6),
    level(1.2, 0.5),
    level(2.0, 0.8),
)
"""Both upper links of a leg that lie on each other lock it, for its two motors pull against each
other. Swinging them together, off the floor, brings the lower links in line, and it opens."""

GET_UPS: Final[Mapping[Posture, tuple[Script, ...]]] = MappingProxyType(
    {Posture.UPRIGHT: (TUCK, SHAKE, HEAVE), Posture.PITCHED: (TUCK, SHAKE, HEAVE)}
)
"""What is tried, in this order and round again; a posture without any needs a person."""
