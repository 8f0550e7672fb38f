"""What was measured on one camera, as it stands in a robot's calibration."""

from __future__ import annotations

import datetime
import math
from typing import Annotated, Final

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from calibration.rotations import matrix_of
from calibration.section import DeviceTag, Section

NORM_TOLERANCE: Final = 1e-3
CAMERAS: Final = ("hand", "tracker")
Pixels = Annotated[int, Meta(ge=1, le=16384)]
Positive = Annotated[float, Meta(gt=0.0)]


class MeasuredCamera(Section, frozen=True):
    """Lens and place of one camera, and the controls they were measured with."""

    date: str
    """ISO date of the measurement."""
    device: DeviceTag
    size: tuple[Pixels, Pixels]
    """Width and height of the pictures for which the lens holds, px."""
    focal_px: tuple[Positive, Positive]
    """fx, fy."""
    centre_px: tuple[float, float]
    """cx, cy; (0, 0) is the middle of the upper left pixel."""
    distortion: tuple[float, float, float, float, float]
    """OpenCV's k1, k2, p1, p2, k3."""
    attitude: tuple[float, float, float, float]
    """Unit quaternion (w, x, y, z) that turns the camera's axes (x right, y down, z forward) into
    those of the base (hand) or the floor (tracker)."""
    position_m: tuple[float, float, float]
    """The camera's centre in that frame."""
    exposure_s: Positive
    """As measured with, as well as the next three; None: it has no such control."""
    gain: float | None = None
    white_balance_k: Positive | None = None
    focus: float | None = None
    """A lens holds for one focus."""

    def __post_init__(self) -> None:
        numbers = (*self.centre_px, *self.distortion, *self.position_m)
        if not all(map(math.isfinite, (*numbers, *self.focal_px, self.exposure_s))):
            raise ValueError("every number of a camera must be finite")
        norm = math.sqrt(sum(part * part for part in self.attitude))
        if not abs(norm - 1.0) < NORM_TOLERANCE:
            raise ValueError(f"attitude has norm {norm:.4f}; a rotation is a unit quaternion")
        for length, middle in zip(self.size, self.centre_px, strict=True):
            if not 0.0 < middle < length:
                raise ValueError(f"centre_px {list(self.centre_px)} is outside the picture")
        try:
            datetime.date.fromisoformat(self.date)
        except ValueError as error:
            raise ValueError(f"date {self.date!r} is none; valid is such as 2026-01-31") from error

    @property
    def matrix(self) -> NDArray[np.float64]:
        """[[fx 0 cx] [0 fy cy] [0 0 1]], px."""
        (fx, fy), (cx, cy) = self.focal_px, self.centre_px
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Columns are the camera's axes in the base's or the floor's frame, shape (3, 3)."""
        return matrix_of(np.array(self.attitude) / np.linalg.norm(self.attitude))
