"""What an overhead camera sees: a grey floor, the robot's legs, and the marker on its back.

Through any lens from any place. The marker lies level at a fixed height, and hides what is below
it; the rest of the body is left out. The marker is what `drivers.aruco` finds the robot by, so that
nothing here projects as that driver does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.camera_capture import Image, RenderedCamera
from sim.delays import Delays
from sim.lens import Lens, PlacedLens
from sim.tracker import Planar

Floats = NDArray[np.floating]
FloatArray = NDArray[np.float64]
FLOOR_GREY: Final = 120
LEG_GREY: Final = 40
"""Dark, as carbon and anodised aluminium are (assumed)."""
NOISE: Final = 2.0
"""Standard deviation of the sensor's noise, of 255."""
NOISE_PICTURES: Final = 16
SAMPLES: Final = 2
"""Of the marker along each side of a pixel, averaged."""
SHEET_SIDE_PX: Final = 120
"""Of the marker's black square; its sheet has margins around it."""
BESIDE: Final = 0.5
"""Of the picture's sides: what lies farther out of it is not projected, for a lens's distortion is
known within the picture alone."""
ROTATION: Final = ((0.0, -1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
"""Columns: the camera's x, y and z axes on the floor; its upper edge looks to the front."""


def straight_down(size: tuple[int, int], focal_px: float, height_m: float) -> PlacedLens:
    """A lens without distortion above the start line; a pixel's centre has whole coordinates."""
    u, v = ((length - 1) / 2.0 for length in size)
    right, down, forward = zip(*ROTATION, strict=True)
    lens = Lens(size, (focal_px, focal_px), (u, v))
    return PlacedLens(lens, (right, down, forward), (0.0, 0.0, height_m))


AS_DRAWN: Final = straight_down((320, 240), 200.0, 2.5)


@dataclass(frozen=True, slots=True)
class OverheadView:
    """Camera and marker; lengths in m."""

    placed: PlacedLens = AS_DRAWN
    fps: float = 25.0
    latency_s: float = 0.02
    """From exposure to arrival."""
    jitter_s: float = 0.0
    """At most so much is added to each picture's latency."""
    delays: Delays | None = None
    """As measured on one camera against the readings of its robot's joints, in place of both."""
    marker_id: int = 7
    marker_side_m: float = 0.24
    marker_height_m: float = 0.25

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.placed.lens.size

    @property
    def matrix(self) -> list[list[float]]:
        """The intrinsics, px."""
        (fx, fy), (u, v) = self.placed.lens.focal_px, self.placed.lens.centre_px
        return [[fx, 0.0, u], [0.0, fy, v], [0.0, 0.0, 1.0]]

    def sheet(self) -> dict[str, object]:
        """What the robot file says of such a camera and its marker, beside the camera's path."""
        axes = zip(*self.placed.axes, strict=True)
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
                "distortion": list(self.placed.lens.distortion),
                "rotation": [list(row) for row in axes],
                "position": list(self.placed.position_m),
            },
        }


class Legs(Protocol):
    """Legs as capsules; `sim.leg_capsules.LegCapsules` is such."""

    radius_m: FloatArray
    """Shape (legs, n)."""

    def ends(self) -> FloatArray:
        """Both ends of each axis now, in the world, m, shape (legs, n, 2, 3)."""
        ...


class OverheadScene:
    """Draws the robot's marker where `pose` says that the robot is, and its legs.

    Args:
        pose: the robot's place on the floor.
        view: camera and marker.
        rng: of the sensor's noise.
        legs: the robot's; None: only its marker is seen.
    """

    def __init__(
        self,
        pose: Callable[[], Planar],
        view: OverheadView,
        rng: np.random.Generator,
        legs: Legs | None = None,
    ) -> None:
        # Only here, for it brings OpenCV along.
        from drivers.aruco.marker import marker_image

        self._pose, self._view, self._rng, self._legs = pose, view, rng, legs
        self._sheet = marker_image(view.marker_id, SHEET_SIDE_PX).astype(np.float32)
        self._offset = ((np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5).astype(np.float32)
        self._axes = np.array(view.placed.axes)
        width, height = view.size
        noise = NOISE * rng.standard_normal((NOISE_PICTURES, height, width))
        self._floor = np.clip(FLOOR_GREY + noise, 0, 255).astype(np.uint8)

    def picture(self, time: float) -> Image:
        """RGB, shape (height, width, 3), of the present moment."""
        del time
        floor = self._floor[int(self._rng.integers(NOISE_PICTURES))]
        grey = floor.copy()
        if self._legs is not None:
            self._draw_legs(grey, self._legs)
        self._paste_marker(grey, floor)
        return np.repeat(grey[:, :, None], 3, axis=2)

    def _project(self, points: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Pixels, shape (n, 2), and how far ahead points (m, shape (n, 3)) of the world are, m.

        None: one of them is behind the camera, or far out of its picture.
        """
        placed = self._view.placed
        lens, ahead = placed.lens, (points - placed.position_m) @ self._axes.T
        if not (ahead[:, 2] > 0.0).all():
            return None
        straight = ahead[:, :2] / ahead[:, 2:] * lens.focal_px + lens.centre_px
        sides = np.array(lens.size, np.float64)
        if not ((straight > -BESIDE * sides) & (straight < (1.0 + BESIDE) * sides)).all():
            return None
        return lens.project(ahead), ahead[:, 2]

    def _draw_legs(self, grey: NDArray[np.uint8], legs: Legs) -> None:
        """Darken what they cover."""
        ends = legs.ends()
        found = self._project(ends.reshape(-1, 3))
        if found is None:
            return
        depth = found[1].reshape(ends.shape[:3]).mean(axis=2)
        radius = legs.radius_m * self._view.placed.lens.focal_px[0] / depth
        for pixels, radius_px in zip(found[0].reshape(*ends.shape[:3], 2), radius, strict=True):
            self._draw_leg(grey, pixels, radius_px[:, None, None])

    def _draw_leg(self, grey: NDArray[np.uint8], pixels: FloatArray, radius: FloatArray) -> None:
        """One leg's capsules: ends, px, shape (n, 2, 2), and radii, px, shape (n, 1, 1)."""
        low, high = pixels.min(axis=(0, 1)), pixels.max(axis=(0, 1))
        reach = float(radius.max()) + 1.0
        columns = _between(low[0] - reach, high[0] + reach, self._view.size[0])
        rows = _between(low[1] - reach, high[1] + reach, self._view.size[1])
        if not columns.size or not rows.size:
            return
        away = _distance(pixels, columns, rows)
        # A pixel's share that is covered; of what is thinner than a pixel, never all.
        share = np.clip(radius + 0.5 - away, 0.0, np.minimum(1.0, 2.0 * radius)).max(axis=0)
        part = _part(rows, columns)
        grey[part] = np.clip(grey[part] + share * (LEG_GREY - FLOOR_GREY), 0, 255)

    def _paste_marker(self, grey: NDArray[np.uint8], floor: NDArray[np.uint8]) -> None:
        """Lay the sheet over `grey`; the sensor's noise is that of `floor`."""
        view, pose = self._view, self._pose()
        half_m = view.marker_side_m / 2.0
        forward = half_m * np.array([1.0, 1.0, -1.0, -1.0])
        left = half_m * np.array([1.0, -1.0, -1.0, 1.0])
        c, s = math.cos(pose.yaw), math.sin(pose.yaw)
        corners = np.column_stack(
            [
                pose.x + c * forward - s * left,
                pose.y + s * forward + c * left,
                np.full(4, view.marker_height_m),
            ]
        )
        found = self._project(corners)
        if found is None:
            return
        low, high = found[0].min(axis=0), found[0].max(axis=0)
        margin = (self._sheet.shape[0] / SHEET_SIDE_PX - 1.0) * float((high - low).max()) + 1.0
        columns = _between(low[0] - margin, high[0] + margin, view.size[0])
        rows = _between(low[1] - margin, high[1] + margin, view.size[1])
        if not columns.size or not rows.size:
            return
        light, share = self._look_up(_homography(found[0], SHEET_SIDE_PX), columns, rows)
        part = _part(rows, columns)
        noise = floor[part].astype(np.float32) - FLOOR_GREY
        grey[part] = np.clip(light + share * noise + (1.0 - share) * grey[part], 0, 255)

    def _look_up(
        self, to_sheet: FloatArray, columns: NDArray[np.intp], rows: NDArray[np.intp]
    ) -> tuple[Floats, Floats]:
        """The sheet's light in those pixels, and its share of each; (rows, columns) both."""
        u = (columns[:, None] + self._offset).ravel()
        v = (rows[:, None] + self._offset).ravel()
        a, b, c = (
            (row[0] * u[None, :] + row[1] * v[:, None] + row[2]).astype(np.float32)
            for row in to_sheet
        )
        side = self._sheet.shape[0]
        margin = (side - SHEET_SIDE_PX) // 2
        column = np.floor(a / c).astype(np.intp) + margin
        row = np.floor(b / c).astype(np.intp) + margin
        on = (row >= 0) & (row < side) & (column >= 0) & (column < side)
        found = self._sheet[np.clip(row, 0, side - 1), np.clip(column, 0, side - 1)] * on
        shape = (rows.size, SAMPLES, columns.size, SAMPLES)
        share = on.reshape(shape).mean(axis=(1, 3), dtype=np.float32)
        return found.reshape(shape).mean(axis=(1, 3)), share


def _homography(corners: FloatArray, side: float) -> FloatArray:
    """From pixels to a square of `side` (x right, y down, 0 to `side`), up to scale, shape (3, 3).

    Args:
        corners: where its corners are seen, px, shape (4, 2): upper left, upper right, lower right,
            lower left.
        side: in any unit.
    """
    square = side * np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(square.tolist(), corners.tolist(), strict=True):
        rows.append([x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y])
        rows.append([0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y])
    found = np.linalg.solve(np.array(rows), corners.ravel())
    return np.linalg.inv(np.append(found, 1.0).reshape(3, 3))


def _distance(
    pixels: FloatArray, columns: NDArray[np.intp], rows: NDArray[np.intp]
) -> NDArray[np.float32]:
    """From pixels to segments with the ends `pixels` (n, 2, 2); shape (n, rows, columns), px."""
    begin, along = pixels[:, 0], pixels[:, 1] - pixels[:, 0]
    square = np.maximum((along**2).sum(axis=1), 1e-12)
    u = (columns[None, :] - begin[:, :1]).astype(np.float32)[:, None, :]
    v = (rows[None, :] - begin[:, 1:]).astype(np.float32)[:, :, None]
    x, y = (along.astype(np.float32).T)[:, :, None, None]
    part = np.clip((u * x + v * y) / square.astype(np.float32)[:, None, None], 0.0, 1.0)
    return np.hypot(u - part * x, v - part * y)


def _part(rows: NDArray[np.intp], columns: NDArray[np.intp]) -> tuple[slice, slice]:
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _between(low: float, high: float, length: int) -> NDArray[np.intp]:
    """Whole pixels from `low` to `high` that are in the picture."""
    return np.arange(max(0, math.ceil(low)), min(length, math.floor(high) + 1), dtype=np.intp)


def overhead_camera(
    pose: Callable[[], Planar],
    legs: Legs,
    view: OverheadView,
    now: Callable[[], float],
    wait_until: Callable[[float], None],
    rng: np.random.Generator,
) -> RenderedCamera:
    """The camera as a driver finds it; `now` and `wait_until` are the twin's clock."""
    scene = OverheadScene(pose, view, rng, legs)
    return RenderedCamera(
        scene.picture,
        view.size,
        view.fps,
        now,
        wait_until,
        rng=rng,
        latency_s=view.latency_s,
        jitter_s=view.jitter_s,
        delays=view.delays,
    )
