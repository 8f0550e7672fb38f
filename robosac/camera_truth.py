"""What a dry run found of the twin's camera, beside what that camera truly is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from calibration.camera import Lens
from robosac.camera_report import CameraFindings
from robosac.hal import FloatArray

GRID: Final = 25
"""Points across and down, over the whole picture, at which cameras are compared."""


@dataclass(frozen=True, eq=False)
class CameraTruth:
    """A twin's camera; no routine sees it."""

    lens: Lens
    rotation: FloatArray
    """As `calibration.camera_pose.CameraPose`, as well as the next."""
    position_m: FloatArray


@dataclass(frozen=True)
class Compared:
    """How far what was found is from the truth."""

    focal_px: tuple[float, float]
    centre_px: tuple[float, float]
    """Both of the twin."""
    distortion: tuple[float, ...]
    position_m: tuple[float, ...]
    focal_off_share: float
    """The worse of the two."""
    seen_off_px: float
    """Root mean square over the whole picture, of where each, in its own place, sees the same
    points; they are as far away as the origin is."""
    seen_worst_px: float
    place_off_mm: float
    turn_off_deg: float

    @property
    def lines(self) -> tuple[str, ...]:
        """For a person."""
        return (
            f"the twin's own lens: focal length {_row(self.focal_px, 2)} px, middle"
            f" {_row(self.centre_px, 2)} px, distortion {_row(self.distortion, 4)};"
            f" found within {self.focal_off_share:.3%} of its focal length",
            f"the twin's own place: {_row(self.position_m, 4)} m; found within"
            f" {self.place_off_mm:.2f} mm and {self.turn_off_deg:.3f} degrees",
            f"points are seen within {self.seen_off_px:.3f} px of where the twin sees them (root"
            f" mean square; worst {self.seen_worst_px:.3f})",
        )

    @property
    def rows(self) -> tuple[tuple[str, object], ...]:
        """For the page."""
        return (
            ("the twin's own focal length, px", _row(self.focal_px, 2)),
            ("the twin's own middle, px", _row(self.centre_px, 2)),
            ("the twin's own distortion", _row(self.distortion, 4)),
            ("the twin's own position, m", _row(self.position_m, 4)),
            (
                "points off the twin's, px rms; worst",
                _row((self.seen_off_px, self.seen_worst_px), 3),
            ),
            ("place off the twin's, mm", f"{self.place_off_mm:.2f}"),
            ("attitude off the twin's, degrees", f"{self.turn_off_deg:.3f}"),
        )


def compare(found: CameraFindings, truth: CameraTruth) -> Compared:
    """What was found beside what is."""
    own, lens = truth.lens, found.lens.lens
    width, height = own.size
    u, v = np.meshgrid(np.linspace(0, width - 1, GRID), np.linspace(0, height - 1, GRID))
    pixels = np.column_stack([u.ravel(), v.ravel()])
    ahead = np.column_stack([own.rays(pixels), np.ones(len(pixels))])
    away = float(np.linalg.norm(truth.position_m))
    ahead *= away / np.linalg.norm(ahead, axis=1)[:, None]
    points = ahead @ truth.rotation.T + truth.position_m
    off = np.linalg.norm(lens.project(found.pose.in_camera(points)) - pixels, axis=1)
    focal, middle = own.matrix[[0, 1], [0, 1]], own.matrix[:2, 2]
    ratio = lens.matrix[[0, 1], [0, 1]] / focal
    between = found.pose.rotation.T @ truth.rotation
    cosine = (float(np.trace(between)) - 1.0) / 2.0
    return Compared(
        focal_px=_two(focal),
        centre_px=_two(middle),
        distortion=tuple(own.distortion.tolist()),
        position_m=tuple(truth.position_m.tolist()),
        focal_off_share=float(np.abs(ratio - 1.0).max()),
        seen_off_px=float(np.sqrt(np.mean(off**2))),
        seen_worst_px=float(off.max()),
        place_off_mm=1e3 * float(np.linalg.norm(found.pose.position_m - truth.position_m)),
        turn_off_deg=math.degrees(math.acos(min(1.0, max(-1.0, cosine)))),
    )


def _two(array: FloatArray) -> tuple[float, float]:
    first, second = array.tolist()
    return first, second


def _row(numbers: tuple[float, ...], places: int) -> str:
    return ", ".join(f"{number:.{places}f}" for number in numbers)
