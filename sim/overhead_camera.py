"""What an overhead camera sees: a grey floor, and the marker on the robot's back.

An ideal pinhole that looks straight down; the marker lies level at a fixed height. Its picture is
what `drivers.aruco` finds the robot by, so nothing here projects as that driver does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.camera_capture import Image, RenderedCamera
from sim.tracker import Planar

Floats = NDArray[np.floating]
FLOOR_GREY: Final = 120
NOISE: Final = 2.0
"""Standard deviation of the sensor's noise, of 255."""
NOISE_PICTURES: Final = 16
SAMPLES: Final = 2
"""Rays along each side of a pixel, averaged."""
SHEET_SIDE_PX: Final = 120


@dataclass(frozen=True, slots=True)
class OverheadView:
    """Camera and marker; lengths in m."""

    size: tuple[int, int] = (320, 240)
    """Width and height, px."""
    focal_px: float = 200.0
    height_m: float = 2.5
    fps: float = 25.0
    latency_s: float = 0.02
    marker_id: int = 7
    marker_side_m: float = 0.24
    marker_height_m: float = 0.25

    @property
    def matrix(self) -> list[list[float]]:
        """The intrinsics, px; a pixel's centre has whole coordinates."""
        u, v = ((length - 1) / 2.0 for length in self.size)
        return [[self.focal_px, 0.0, u], [0.0, self.focal_px, v], [0.0, 0.0, 1.0]]

    def sheet(self) -> dict[str, object]:
        """What the robot file says of such a camera and its marker, beside the camera's path."""
        return {
            "size": list(self.size),
            "fps": self.fps,
            "exposure_s": 0.004,
            "marker": {
                "id": self.marker_id,
                "side_m": self.marker_side_m,
                "height_m": self.marker_height_m,
            },
            "calibration": {
                "matrix": self.matrix,
                "distortion": [0.0, 0.0, 0.0, 0.0],
                "rotation": ROTATION,
                "position": [0.0, 0.0, self.height_m],
            },
        }


ROTATION: Final = [[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]
"""Columns: the camera's x, y and z axes on the floor; its upper edge looks to the front."""


class OverheadScene:
    """Draws the robot's marker where `pose` says that the robot is.

    Args:
        pose: the robot's place on the floor.
        view: camera and marker.
        rng: of the sensor's noise.
    """

    def __init__(
        self, pose: Callable[[], Planar], view: OverheadView, rng: np.random.Generator
    ) -> None:
        # Only here, for it brings OpenCV along.
        from drivers.aruco.marker import marker_image

        self._pose, self._view, self._rng = pose, view, rng
        self._sheet = marker_image(view.marker_id, SHEET_SIDE_PX).astype(np.float32)
        width, height = view.size
        noise = NOISE * rng.standard_normal((NOISE_PICTURES, height, width))
        self._floor = np.clip(FLOOR_GREY + noise, 0, 255).astype(np.uint8)
        self._offset = ((np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5).astype(np.float32)

    def picture(self, time: float) -> Image:
        """RGB, shape (height, width, 3), of the present moment."""
        del time
        grey = self._floor[int(self._rng.integers(NOISE_PICTURES))].copy()
        self._paste(grey)
        return np.repeat(grey[:, :, None], 3, axis=2)

    def _paste(self, grey: NDArray[np.uint8]) -> None:
        view, pose = self._view, self._pose()
        metre_px = view.focal_px / (view.height_m - view.marker_height_m)
        # The sheet's own half side, margins included; its picture may be turned.
        half_m = view.marker_side_m * self._sheet.shape[0] / SHEET_SIDE_PX / 2.0
        reach = half_m * math.sqrt(2.0) * metre_px + 1.0
        u0, v0 = ((length - 1) / 2.0 for length in view.size)
        u, v = u0 - pose.y * metre_px, v0 - pose.x * metre_px
        columns = _span(u, reach, view.size[0])
        rows = _span(v, reach, view.size[1])
        if not columns.size or not rows.size:
            return
        # From the robot, in m; written so that only small numbers are in single precision.
        across = ((u - columns)[:, None].astype(np.float32) - self._offset).ravel() / metre_px
        along = ((v - rows)[:, None].astype(np.float32) - self._offset).ravel() / metre_px
        c, s = math.cos(pose.yaw), math.sin(pose.yaw)
        forward = c * along[:, None] + s * across[None, :]
        left = c * across[None, :] - s * along[:, None]
        drawn = self._look_up(forward, left, half_m)
        fine = drawn.reshape(rows.size, SAMPLES, columns.size, SAMPLES).mean(axis=(1, 3))
        part = np.ix_(rows, columns)
        floor = grey[part]
        seen = fine + (floor.astype(np.float32) - FLOOR_GREY)
        grey[part] = np.clip(seen, 0, 255).astype(np.uint8)

    def _look_up(self, forward: Floats, left: Floats, half_m: float) -> Floats:
        """The sheet's brightness there; the floor's beside it. Its upper edge is to the front."""
        side = self._sheet.shape[0]
        row = np.floor((half_m - forward) / (2.0 * half_m) * side).astype(np.intp)
        column = np.floor((half_m - left) / (2.0 * half_m) * side).astype(np.intp)
        on = (row >= 0) & (row < side) & (column >= 0) & (column < side)
        found = self._sheet[np.clip(row, 0, side - 1), np.clip(column, 0, side - 1)]
        return np.where(on, found, np.float32(FLOOR_GREY))


def overhead_camera(
    pose: Callable[[], Planar],
    view: OverheadView,
    now: Callable[[], float],
    wait_until: Callable[[float], None],
    rng: np.random.Generator,
) -> RenderedCamera:
    """The camera as a driver finds it; `now` and `wait_until` are the twin's clock."""
    scene = OverheadScene(pose, view, rng)
    return RenderedCamera(
        scene.picture, view.size, view.fps, now, wait_until, rng=rng, latency_s=view.latency_s
    )


def _span(middle: float, reach: float, length: int) -> NDArray[np.intp]:
    """Whole pixels within `reach` of `middle` that are in the picture."""
    low, high = math.ceil(middle - reach), math.floor(middle + reach)
    return np.arange(max(0, low), min(length, high + 1), dtype=np.intp)
