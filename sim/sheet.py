"""A printed sheet in the twin's world, read ray by ray: what a calibration board is to a camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]

GAMMA: Final = 2.2
"""Of printed values, as that of a model's colours."""
INK, PAPER = 0.04, 0.9
"""Of the light that black print and white paper throw back (assumed)."""
LEVELS: Final = 6
SLACK: Final = 1e-5
"""Single precision must not lose a ray that grazes the bounding sphere."""


class Seen(NamedTuple):
    """Rays that meet a sheet."""

    rays: NDArray[np.intp]
    """Which."""
    distances: Floats
    """m, along unit rays."""
    albedo: Floats
    """Share of the light that comes back there."""


class Sheet:
    """A printed picture, in several finenesses.

    Its frame: x to the right, y up, z out of the paper.

    Args:
        picture: grey as displayed, 0 to 255, its rows downward; sides that divide by two often have
            more finenesses.
        left_m, upper_m: its upper left corner in its own frame.
        pixel_m: side of one of its pixels.
    """

    def __init__(self, picture: Image, left_m: float, upper_m: float, pixel_m: float) -> None:
        level = np.asarray(INK + (PAPER - INK) * (picture / 255.0) ** GAMMA, np.float32)
        self._corner, self._levels = (left_m, upper_m), [(level, pixel_m)]
        while len(self._levels) < LEVELS and level.shape[0] % 2 == level.shape[1] % 2 == 0:
            rows, columns = level.shape
            level = level.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))
            pixel_m *= 2.0
            self._levels.append((level, pixel_m))
        rows, columns = picture.shape
        width, height = columns * self._levels[0][1], rows * self._levels[0][1]
        self._middle = np.array([left_m + width / 2.0, upper_m - height / 2.0, 0.0])
        self._reach_m = math.hypot(width, height) / 2.0

    def seen(
        self, rays: Floats, origin: FloatArray, held: Held, spread_rad: float
    ) -> tuple[Seen, FloatArray]:
        """What `rays` meet of it, and its normal towards where they come from.

        Args:
            rays: unit directions in the world, shape (n, 3).
            origin: of all of them, m, shape (3,).
            held: where it is.
            spread_rad: between neighbouring rays.
        """
        rotation, place = held.rotation, held.place
        middle = place + rotation @ self._middle - origin
        chosen = self._near(rays, middle)
        flat = rays[chosen] @ rotation.astype(np.float32)
        offset = (rotation.T @ (place - origin)).astype(np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = offset[2] / flat[:, 2]
            x, y = distance * flat[:, 0] - offset[0], distance * flat[:, 1] - offset[1]
        level, pixel_m = self._level(spread_rad * float(np.linalg.norm(middle)))
        u = (x - np.float32(self._corner[0])) / np.float32(pixel_m)
        v = (np.float32(self._corner[1]) - y) / np.float32(pixel_m)
        rows, columns = level.shape
        on = np.flatnonzero((distance > 0) & (u > 0) & (u < columns) & (v > 0) & (v < rows))
        # Seen from behind it is blank.
        front = offset[2] < 0.0
        blank = np.full(len(on), PAPER, np.float32)
        albedo = _bilinear(level, u[on] - 0.5, v[on] - 0.5) if front else blank
        normal = rotation[:, 2] if front else -rotation[:, 2]
        return Seen(chosen[on], distance[on], albedo), normal

    def _near(self, rays: Floats, middle: FloatArray) -> NDArray[np.intp]:
        """Rays that may meet it: those into its bounding sphere."""
        distance = float(np.linalg.norm(middle))
        if distance <= self._reach_m:
            return np.arange(len(rays))
        cosine = math.cos(math.asin(self._reach_m / distance)) - SLACK
        return np.flatnonzero(rays @ (middle / distance).astype(np.float32) >= cosine)

    def _level(self, pitch_m: float) -> tuple[Floats, float]:
        """The fineness for rays that are so far apart on it."""
        fine = (level for level in self._levels if level[1] > 0.7 * pitch_m)
        return next(fine, self._levels[-1])


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A sheet somewhere in the world."""

    sheet: Sheet
    rotation: FloatArray
    """Columns: its axes in the world, shape (3, 3)."""
    place: FloatArray
    """Its frame's origin in the world, m, shape (3,)."""


def _bilinear(level: Floats, u: Floats, v: Floats) -> Floats:
    """Between the middles of pixels; at the edge, the last one."""
    rows, columns = level.shape
    edge = np.float32(1.001)
    u, v = np.clip(u, 0, columns - edge), np.clip(v, 0, rows - edge)
    left, upper = u.astype(np.int32), v.astype(np.int32)
    right, lower = u - left.astype(np.float32), v - upper.astype(np.float32)
    flat, first = level.ravel(), upper * np.int32(columns) + left
    top = flat[first] * (1 - right) + flat[first + 1] * right
    first = first + np.int32(columns)
    bottom = flat[first] * (1 - right) + flat[first + 1] * right
    return (top * (1 - lower) + bottom * lower).astype(np.float32, copy=False)
