"""Cameras that no routine can see into: drawn lens, sensor and place; they see printed boards.

Each pixel's rays go out through the lens (the Brown model, inverted by OpenCV until it no longer
moves), meet the board's plane, and read the printed sheet there; four rays a pixel. Then come blur,
vignetting, uneven light, noise and the sensor's own curve. Nothing of it knows what a corner is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import CELLS, PATCH, PATCH_SRGB, BoardSpec

FloatArray = NDArray[np.float64]
Floats = NDArray[np.float32]
Image = NDArray[np.uint8]

SAMPLES: Final = 2
"""Rays a pixel along each side."""
STRIDE: Final = 16
"""Of the samples that are looked at to find where a sheet may be."""
CELL_PX: Final = 12
"""Of the sheet's picture at its finest."""
MARGIN_SQUARES: Final = 1.0
"""White around the chessboard, at least as wide as the grey patch."""
TABLE: Final = 90.0
"""Brightness beside the sheet."""


@dataclass(frozen=True)
class Lens:
    """Intrinsics, px, and OpenCV's k1, k2, p1, p2, k3."""

    size: tuple[int, int]
    matrix: FloatArray
    distortion: FloatArray

    def project(self, points: FloatArray) -> FloatArray:
        """Pixels, shape (n, 2), of points in the camera's frame, shape (n, 3)."""
        zero = np.zeros(3)
        pixels, _ = cv2.projectPoints(points, zero, zero, self.matrix, self.distortion)
        return np.asarray(pixels, np.float64).reshape(-1, 2)

    def rays(self, pixels: FloatArray) -> FloatArray:
        """(X/Z, Y/Z) of pixels, shape (n, 2)."""
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-10)
        found = cv2.undistortPoints(
            pixels.reshape(-1, 1, 2), self.matrix, self.distortion, criteria=criteria
        )
        return np.asarray(found, np.float64).reshape(-1, 2)


def drawn_lens(
    rng: np.random.Generator, sizes: tuple[tuple[int, int], ...], fov_deg: tuple[float, float]
) -> Lens:
    """A lens whose vertical field of view, centre and distortion are drawn.

    Barrel distortion as webcams have it: k1 -0.25 to 0.05, and it never folds within the picture.
    """
    width, height = size = sizes[int(rng.integers(len(sizes)))]
    while True:
        focal = height / 2.0 / math.tan(math.radians(rng.uniform(*fov_deg)) / 2.0)
        middle = np.array([width - 1, height - 1]) / 2.0 + 0.02 * height * rng.standard_normal(2)
        matrix = np.array([[focal, 0, middle[0]], [0, focal * rng.uniform(0.98, 1.02), middle[1]]])
        matrix = np.vstack([matrix, [0.0, 0.0, 1.0]])
        k1, k2 = rng.uniform(-0.25, 0.05), rng.uniform(-0.05, 0.10)
        p1, p2 = 0.001 * rng.standard_normal(2)
        lens = Lens(size, matrix, np.array([k1, k2, p1, p2, rng.uniform(-0.02, 0.02)]))
        if _one_to_one(lens):
            return lens


def _one_to_one(lens: Lens) -> bool:
    """Whether the radius in the picture grows with that of the ray, some way beyond the corners."""
    width, height = lens.size
    focal = float(lens.matrix[0, 0])
    radius = np.linspace(0.0, 1.2 * math.hypot(width, height) / 2.0 / focal, 200)
    k1, k2, _, _, k3 = lens.distortion
    seen = radius * (1.0 + k1 * radius**2 + k2 * radius**4 + k3 * radius**6)
    return bool((np.diff(seen) > 0.5 * (radius[1] - radius[0])).all())


@dataclass(frozen=True)
class Look:
    """How the sensor and the light spoil a picture."""

    blur_px: float
    noise: float
    """Standard deviation of 255."""
    vignetting: float
    """Darker at the corners by this share."""
    slope: tuple[float, float]
    """Of the light across the picture, as a share, along x and y."""
    paper: float
    """Brightness of white paper, of 255."""

    @staticmethod
    def drawn(rng: np.random.Generator) -> Look:
        """Of a webcam in a room."""
        return Look(
            rng.uniform(0.4, 1.1),
            rng.uniform(1.0, 4.0),
            rng.uniform(0.05, 0.4),
            (rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2)),
            rng.uniform(170.0, 235.0),
        )


class HiddenCamera:
    """A lens with a sensor behind it.

    Args:
        lens: the lens.
        look: the sensor, and the room's light.
        rng: of the noise.
    """

    def __init__(self, lens: Lens, look: Look, rng: np.random.Generator) -> None:
        self.lens, self.look, self._rng = lens, look, rng
        width, height = lens.size
        self._rays = _all_rays(lens)
        x, y = np.meshgrid(np.linspace(-1.0, 1.0, width), np.linspace(-1.0, 1.0, height))
        light = (1.0 - look.vignetting * (x**2 + y**2) / 2.0) * (
            1.0 + look.slope[0] * x / 2.0 + look.slope[1] * y / 2.0
        )
        self._light = light.astype(np.float32)

    def see(self, sheets: list[tuple[Sheet, FloatArray, FloatArray]]) -> Image:
        """A grey picture of sheets, each with the rotation and place of its frame in the camera's.

        Later ones lie on top; what is behind the camera is not seen.
        """
        fine = np.full(self._rays.shape[:2], TABLE, np.float32)
        for sheet, rotation, place in sheets:
            sheet.paint(fine, self._rays, rotation, place)
        each = [fine[i::SAMPLES, j::SAMPLES] for i in range(SAMPLES) for j in range(SAMPLES)]
        grey = sum(each[1:], each[0].copy()) / np.float32(len(each))
        grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), self.look.blur_px), np.float32)
        grey = grey * self._light * np.float32(self.look.paper / 255.0)
        grey += self.look.noise * self._rng.standard_normal(grey.shape, np.float32)
        return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _all_rays(lens: Lens) -> Floats:
    """(X/Z, Y/Z) of every sample, shape (SAMPLES height, SAMPLES width, 2).

    Inverted at every other pixel and interpolated between: on these lenses that is exact to 0.001
    px.
    """
    width, height = lens.size
    # From two pixels outside to two outside.
    u, v = (np.arange(-2, length + 3, 2, dtype=np.float64) for length in (width, height))
    coarse = lens.rays(np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2))
    coarse = coarse.reshape(len(v), len(u), 2)
    step = (np.arange(SAMPLES) + 0.5) / SAMPLES - 0.5
    at_u, at_v = (
        (((np.arange(length)[:, None] + step).ravel() + 2.0) / 2.0).astype(np.float32)
        for length in (width, height)
    )
    x, y = np.meshgrid(at_u, at_v)
    return _bilinear(coarse, x, y)


def _bilinear(coarse: FloatArray, x: Floats, y: Floats) -> Floats:
    """`coarse` between its points; OpenCV's own rounds places to 1/32."""
    column, row = np.floor(x[0]).astype(int), np.floor(y[:, 0]).astype(int)
    right, lower = (x[0] - column)[None, :, None], (y[:, 0] - row)[:, None, None]
    along = coarse[:, column] * (1.0 - right) + coarse[:, column + 1] * right
    return (along[row] * (1.0 - lower) + along[row + 1] * lower).astype(np.float32)


class Sheet:
    """A printed sheet, in pictures of several finenesses.

    Args:
        picture: grey, its y axis downward.
        left_m, upper_m: where its upper left corner lies in its own frame (x right, y up).
        pixel_m: side of a pixel.
    """

    def __init__(self, picture: Image, left_m: float, upper_m: float, pixel_m: float) -> None:
        self._corner, self._levels = (left_m, upper_m), [(picture.astype(np.float32), pixel_m)]
        while min(picture.shape) % 2 == 0 and picture.shape[0] % 2 == picture.shape[1] % 2 == 0:
            picture = np.asarray(
                cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8
            )
            pixel_m *= 2.0
            self._levels.append((picture.astype(np.float32), pixel_m))
            if len(self._levels) > 5:
                break

    def paint(self, fine: Floats, rays: Floats, rotation: FloatArray, place: FloatArray) -> None:
        """Draw it over `fine` where `rays` meet it."""
        part = self._window(rays, rotation, place)
        if part is None:
            return
        fine, rays = fine[part], rays[part]
        # A ray r meets the plane where R^T (s r - t) has no z.
        towards = rotation.T.astype(np.float32)
        offset = (rotation.T @ place).astype(np.float32)
        flat = [row[0] * rays[..., 0] + row[1] * rays[..., 1] + row[2] for row in towards]
        with np.errstate(divide="ignore"):
            scale = offset[2] / flat[2]
        x, y = scale * flat[0] - offset[0], scale * flat[1] - offset[1]
        pitch = float(np.linalg.norm(place)) * float(rays[0, 1, 0] - rays[0, 0, 0])
        picture, pixel = next(
            (level for level in self._levels if level[1] > 0.7 * pitch), self._levels[-1]
        )
        u = (x - np.float32(self._corner[0])) / np.float32(pixel) - np.float32(0.5)
        v = (np.float32(self._corner[1]) - y) / np.float32(pixel) - np.float32(0.5)
        rows, columns = picture.shape
        on = (scale > 0) & (u > -0.5) & (u < columns - 0.5) & (v > -0.5) & (v < rows - 0.5)
        drawn = cv2.remap(
            picture, np.where(on, u, 0), np.where(on, v, 0), cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        fine[on] = np.asarray(drawn)[on]

    def _window(
        self, rays: Floats, rotation: FloatArray, place: FloatArray
    ) -> tuple[slice, slice] | None:
        """The part of the picture that it may fill; None: none."""
        height, width = self._levels[0][0].shape
        left, upper = self._corner
        pixel = self._levels[0][1]
        x, y = (left, left + width * pixel), (upper, upper - height * pixel)
        corners = np.array([(a, b, 0.0) for a in x for b in y]) @ rotation.T + place
        if not (corners[:, 2] > 0.01).all():
            return slice(None), slice(None)
        seen = corners[:, :2] / corners[:, 2:]
        low, high = seen.min(axis=0), seen.max(axis=0)
        coarse = rays[::STRIDE, ::STRIDE]
        step = np.abs(coarse[1, 1] - coarse[0, 0]) * 2.0
        inside = ((coarse >= low - step) & (coarse <= high + step)).all(axis=2)
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if not len(rows):
            return None
        return _span(rows), _span(columns)


def _span(coarse: NDArray[np.intp]) -> slice:
    """The samples of every `STRIDE`-th one, and those around them."""
    return slice(max(0, (int(coarse[0]) - 1) * STRIDE), (int(coarse[-1]) + 2) * STRIDE)


def printed(spec: BoardSpec) -> Sheet:
    """The board with its grey patch and its margins."""
    square = CELLS * CELL_PX
    margin = round(MARGIN_SQUARES * square)
    board = np.kron(spec.cells(), np.ones((CELL_PX, CELL_PX), np.uint8))
    picture = np.pad(board, margin, constant_values=255)
    lower = margin + board.shape[0]
    left, bottom, right, top = (round(edge * square) for edge in PATCH)
    picture[lower - top : lower - bottom, margin + left : margin + right] = PATCH_SRGB
    edge = MARGIN_SQUARES * spec.square_m
    return Sheet(picture, -edge, spec.size_m[1] + edge, spec.square_m / square)
