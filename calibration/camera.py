"""A camera's intrinsics and distortion from views of a printed board.

Zhang's method (2000) with the lens of Brown (1971): OpenCV's k1, k2, p1, p2, k3. How well they are
known follows from the residuals: the covariance of the least squares, with the boards' own poses
taken out. At the camera's full resolution: a picture of 32 by 32 px shows no corner to a tenth of
a pixel, and what is learned from is scaled from the whole picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import BoardSpec, View
from calibration.coverage import (
    CELL_VIEWS,
    TILT_VIEWS,
    TILTS,
    Coverage,
    coverage_of,
    place_name,
    tilt_of,
)
from calibration.errors import Undetermined
from calibration.rotations import rms

FloatArray = NDArray[np.float64]

LEAST_VIEWS: Final = 16
LEAST_SIDE_PX: Final = 240
"""Of the smaller side of a picture; smaller ones show corners too badly."""
MOST_RMS_PX: Final = 0.3
"""Of all corners together."""
MOST_VIEW_PX: Final = 0.6
"""Root mean square of any one view."""
INTRINSICS: Final = 9
"""fx, fy, cx, cy, k1, k2, p1, p2, k3: the order of every covariance."""
_CRITERIA: Final = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 100, 1e-9)
_UNDISTORT: Final = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-10)


@dataclass(frozen=True, slots=True)
class LensGoal:
    """How well a lens must be known: greatest standard errors."""

    focal_share: float
    """Of the focal lengths."""
    centre_px: float
    """Of the principal point, each way."""


NEAR: Final = LensGoal(0.002, 1.5)
"""For what is 0.3 m away: 0.6 mm along the line of sight, and 0.8 mm across at 570 px."""
FAR: Final = LensGoal(0.00025, 0.2)
"""For what is 2.5 m away: 0.6 mm, and 0.7 mm across at 700 px."""


class BadView(Undetermined):
    """One view does not fit.

    Attributes:
        index: which; without it the others may well do.
    """

    def __init__(self, index: int, why: str) -> None:
        self.index = index
        super().__init__(why)


@dataclass(frozen=True, slots=True, eq=False)
class Lens:
    """Intrinsics at one resolution, and how well they are known."""

    size: tuple[int, int]
    """(width, height) of the pictures, px."""
    matrix: FloatArray
    """[[fx 0 cx] [0 fy cy] [0 0 1]], px."""
    distortion: FloatArray
    """k1, k2, p1, p2, k3."""
    covariance: FloatArray
    """Of `INTRINSICS`, shape (9, 9)."""

    def project(self, points: FloatArray) -> FloatArray:
        """Pixels, shape (n, 2), of points of the camera's frame, shape (n, 3)."""
        zero = np.zeros(3)
        pixels, _ = cv2.projectPoints(points, zero, zero, self.matrix, self.distortion)
        return np.asarray(pixels, np.float64).reshape(-1, 2)

    def rays(self, pixels: FloatArray) -> FloatArray:
        """(X/Z, Y/Z), shape (n, 2), that are seen at `pixels`, shape (n, 2)."""
        found = cv2.undistortPoints(
            pixels.reshape(-1, 1, 2), self.matrix, self.distortion, criteria=_UNDISTORT
        )
        return np.asarray(found, np.float64).reshape(-1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class CameraResult:
    """What was found."""

    lens: Lens
    coverage: Coverage
    rms_px: float
    """Of all corners' distances to where the model sees them."""
    view_rms_px: tuple[float, ...]
    pixels: FloatArray
    """All corners, shape (n, 2), view after view."""
    residuals_px: FloatArray
    """Seen less expected, shape (n, 2)."""
    uncertain_focal: float
    """Standard error of the worse focal length, as a share."""
    uncertain_centre_px: float
    """Standard error of the principal point, the worse of both ways."""


def calibrate_camera(
    views: Sequence[View],
    spec: BoardSpec,
    size: tuple[int, int],
    goal: LensGoal = NEAR,
) -> CameraResult:
    """Intrinsics and distortion.

    Args:
        views: of the board, in different places and tilted different ways.
        spec: the board as it was printed.
        size: (width, height) of the pictures, px.
        goal: how well the lens must be known.

    Raises:
        BadView: one view does not fit.
        Undetermined: too few views, parts of the picture or tilts that were not shown, an error
            above its bound, or a lens that they leave open; the message names which.
    """
    if min(size) < LEAST_SIDE_PX:
        raise Undetermined(
            f"pictures of {size[0]} by {size[1]} px; valid are at least {LEAST_SIDE_PX} px:"
            " calibrate at the camera's own resolution, not at that of the policy's pictures"
        )
    if len(views) < LEAST_VIEWS:
        raise Undetermined(f"{len(views)} views; valid are at least {LEAST_VIEWS}")
    points = [spec.points(view.ids).astype(np.float32) for view in views]
    pixels = [view.pixels.astype(np.float32) for view in views]
    try:
        _, matrix, distortion, vectors, places = cv2.calibrateCamera(
            points, pixels, size, cast(FloatArray, None), cast(FloatArray, None), criteria=_CRITERIA
        )
    except cv2.error as error:
        raise Undetermined(f"no lens explains the views: {error.err}") from error
    k, d = np.asarray(matrix, np.float64), np.asarray(distortion, np.float64).reshape(-1)
    poses = [
        (np.asarray(vector, np.float64).reshape(3), np.asarray(place, np.float64).reshape(3))
        for vector, place in zip(vectors, places, strict=True)
    ]
    if not (np.isfinite(k).all() and np.isfinite(d).all()):
        raise Undetermined("no lens explains the views: they are too much alike")
    coverage = coverage_of(views, [_tilt(vector) for vector, _ in poses], size)
    _check_coverage(coverage)
    residuals, normal = _linearised(views, spec, poses, k, d)
    lens = Lens(size, k, d, np.zeros((INTRINSICS, INTRINSICS)))
    return _judged(views, coverage, residuals, normal, lens, goal)


def _judged(
    views: Sequence[View],
    coverage: Coverage,
    residuals: list[FloatArray],
    normal: FloatArray,
    lens: Lens,
    goal: LensGoal,
) -> CameraResult:
    """The result, once nothing speaks against it."""
    each = tuple(rms(np.linalg.norm(part, axis=1)) for part in residuals)
    every = np.concatenate(residuals)
    whole, worst = rms(np.linalg.norm(every, axis=1)), int(np.argmax(each))
    if not each[worst] <= MOST_VIEW_PX:
        raise BadView(
            worst,
            f"view {worst + 1} is {each[worst]:.2f} px off what all views say; valid is up to"
            f" {MOST_VIEW_PX}: it moved or was blurred, or the board is bent or not the one told",
        )
    if not whole <= MOST_RMS_PX:
        raise Undetermined(
            f"reprojection error {whole:.3f} px; valid is up to {MOST_RMS_PX}: is the board flat,"
            " the focus locked, and everything at rest?"
        )
    freedom = max(1, every.size - INTRINSICS - 6 * len(views))
    covariance = np.linalg.pinv(normal) * float(np.sum(every**2)) / freedom
    errors = np.sqrt(np.diag(covariance))
    focal = float(max(errors[0] / lens.matrix[0, 0], errors[1] / lens.matrix[1, 1]))
    centre = float(errors[2:4].max())
    if not (focal <= goal.focal_share and centre <= goal.centre_px):
        raise Undetermined(
            f"the focal length is known to {focal:.3%}, the middle to {centre:.2f} px; valid are up"
            f" to {goal.focal_share:.3%} and {goal.centre_px} px; show it nearer, and more tilted"
        )
    known = Lens(lens.size, lens.matrix, lens.distortion, covariance)
    seen = np.concatenate([view.pixels for view in views])
    return CameraResult(known, coverage, whole, each, seen, every, focal, centre)


def _linearised(
    views: Sequence[View],
    spec: BoardSpec,
    poses: Sequence[tuple[FloatArray, FloatArray]],
    matrix: FloatArray,
    distortion: FloatArray,
) -> tuple[list[FloatArray], FloatArray]:
    """Each view's residuals, px, and what the views tell of the intrinsics, shape (9, 9)."""
    residuals: list[FloatArray] = []
    normal = np.zeros((INTRINSICS, INTRINSICS))
    for view, (vector, place) in zip(views, poses, strict=True):
        points = spec.points(view.ids)
        expected, slopes = cv2.projectPoints(points, vector, place, matrix, distortion)
        residuals.append(view.pixels - np.asarray(expected, np.float64).reshape(-1, 2))
        jacobian = np.asarray(slopes, np.float64)
        pose, own = jacobian[:, :6], jacobian[:, 6 : 6 + INTRINSICS]
        # What the board's own pose could explain tells nothing of the lens.
        taken = pose.T @ own
        normal += own.T @ own - taken.T @ np.linalg.solve(pose.T @ pose, taken)
    return residuals, normal


def _check_coverage(coverage: Coverage) -> None:
    cells, tilts = coverage.missing_cells, coverage.missing_tilts
    if cells:
        raise Undetermined(
            f"{len(cells)} of {coverage.cells.size} parts of the picture were seen in fewer than"
            f" {CELL_VIEWS} views, such as its {place_name(*cells[0])}; show the board there"
        )
    if tilts:
        names = ", ".join(TILTS[tilt] for tilt in tilts)
        raise Undetermined(
            f"the views are too flat: fewer than {TILT_VIEWS} of them are tilted with the {names};"
            " tilt the board by some 30 degrees"
        )


def _tilt(vector: FloatArray) -> int | None:
    rotation, _ = cv2.Rodrigues(vector)
    return tilt_of(np.asarray(rotation, np.float64))
