"""A camera's lens as it was measured: focal lengths, middle and Brown's distortion.

The model of Brown (1971) as OpenCV writes it: k1, k2, p1, p2, k3. Pixels are OpenCV's: (0, 0) is
the middle of the upper left one. Nothing here is shared with `drivers` or `calibration`, so that
what they find in the twin's pictures is not their own projection seen again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

ROUNDS: Final = 30
CLOSE: Final = 1e-11
"""Of X/Z and Y/Z: less than 1e-7 px on any lens here."""


@dataclass(frozen=True, slots=True)
class Lens:
    """Intrinsics for pictures of one size."""

    size: tuple[int, int]
    """(width, height), px."""
    focal_px: tuple[float, float]
    """Along columns and rows."""
    centre_px: tuple[float, float]
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    """k1, k2, p1, p2, k3."""

    def project(self, points: FloatArray) -> FloatArray:
        """Pixels, shape (n, 2), of points ahead in the camera's frame (x right, y down, z forward).

        Args:
            points: m, shape (n, 3), z above 0.
        """
        bent, _ = self._bend(points[:, :2] / points[:, 2:])
        return bent * self.focal_px + self.centre_px

    def rays(self, pixels: FloatArray) -> FloatArray:
        """(X/Z, Y/Z), shape (n, 2), of what is seen at `pixels`, shape (n, 2).

        Raises:
            ValueError: no ray goes there: the distortion folds the picture over.
        """
        wanted = (pixels - self.centre_px) / self.focal_px
        if not any(self.distortion):
            return wanted
        found = wanted.copy()
        for _ in range(ROUNDS):
            bent, (xx, xy, yx, yy) = self._bend(found)
            off = bent - wanted
            if float(np.abs(off).max(initial=0.0)) < CLOSE:
                return found
            # Newton's step, with the two by two matrix inverted by hand.
            determinant = xx * yy - xy * yx
            if not (determinant > 0.0).all():
                break
            found[:, 0] -= (yy * off[:, 0] - xy * off[:, 1]) / determinant
            found[:, 1] -= (xx * off[:, 1] - yx * off[:, 0]) / determinant
        raise ValueError(
            f"a lens with the distortion {list(self.distortion)} folds its picture of"
            f" {self.size[0]} by {self.size[1]} px over"
        )

    def _bend(self, rays: FloatArray) -> tuple[FloatArray, tuple[FloatArray, ...]]:
        """Where rays go, and how that moves with x and y: dx/dx, dx/dy, dy/dx, dy/dy."""
        k1, k2, p1, p2, k3 = self.distortion
        x, y = rays[:, 0], rays[:, 1]
        square = x * x + y * y
        scale = 1.0 + square * (k1 + square * (k2 + square * k3))
        slope = k1 + square * (2.0 * k2 + 3.0 * square * k3)
        bent = np.stack(
            [
                x * scale + 2.0 * p1 * x * y + p2 * (square + 2.0 * x * x),
                y * scale + p1 * (square + 2.0 * y * y) + 2.0 * p2 * x * y,
            ],
            axis=1,
        )
        across = 2.0 * (x * y * slope + p1 * x + p2 * y)
        along_x = scale + 2.0 * x * x * slope + 2.0 * p1 * y + 6.0 * p2 * x
        along_y = scale + 2.0 * y * y * slope + 6.0 * p1 * y + 2.0 * p2 * x
        return bent, (along_x, across, across, along_y)


@dataclass(frozen=True, slots=True)
class PlacedLens:
    """A lens where it was found to be."""

    lens: Lens
    axes: tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
    """The camera's x (right), y (down) and z (forward) in the world, orthonormal."""
    position_m: tuple[float, float, float]
    """Of its centre in the world."""

    def pixel_of(self, point_m: tuple[float, float, float]) -> tuple[float, float]:
        """Column and row at which a point of the world ahead of the camera is seen, px."""
        ahead = np.array(self.axes) @ np.subtract(point_m, self.position_m)
        u, v = self.lens.project(ahead[None, :])[0].tolist()
        return u, v

    def directions(self, size: tuple[int, int]) -> FloatArray:
        """Unit rays in the world through a picture of `size`, scaled from the lens's own by area.

        Args:
            size: (width, height), px.

        Returns:
            Shape (height * width, 3), row by row from the top, contiguous.

        Raises:
            ValueError: as `Lens.rays`.
        """
        # A pixel of the scaled picture covers as many of the lens's own as it is larger.
        u, v = (
            (np.arange(length) + 0.5) * whole / length - 0.5
            for length, whole in zip(size, self.lens.size, strict=True)
        )
        pixels = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
        ahead = np.column_stack([self.lens.rays(pixels), np.ones(len(pixels))])
        rays = ahead @ np.array(self.axes)
        rays /= np.linalg.norm(rays, axis=1)[:, None]
        return np.ascontiguousarray(rays)
