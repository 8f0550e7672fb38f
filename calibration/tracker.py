"""Where an overhead camera hangs above the floor, from markers that lie there at known points.

A marker's middle is what is measured on the floor with a tape, and what is seen of it are its four
corners: the middle is where their diagonals cross. What the result is worth is told in mm on the
floor: of each marker, by all others, and over the field by the covariance.

Floor frame: x and y as the marks' list says, z up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

import cv2
import cv2.aruco
import numpy as np
from numpy.typing import NDArray

from calibration.board import Image, View
from calibration.camera import INTRINSICS, Lens
from calibration.camera_pose import CameraPose, check_known, pose_from_points, resting
from calibration.errors import Undetermined
from calibration.rotations import rms

FloatArray = NDArray[np.float64]

LEAST_MARKS: Final = 8
LEAST_QUARTERS: Final = 4
"""Quarters of the picture that must hold a mark."""
MOST_MARK_M: Final = 0.010
"""A mark this far from where all others put it is at another place than the list says."""
MOST_FIELD_M: Final = 0.002
"""Standard error of a floor point, anywhere in the field."""
FIELD_POINTS: Final = 9
"""Of the map, along each side of the field."""
REFINE_CELLS: Final = 0.7
"""Half the window of the corners' refinement, in the marker's cells."""
_DICTIONARY: Final = cv2.aruco.DICT_4X4_50


@dataclass(frozen=True, slots=True, eq=False)
class TrackerResult:
    """What was found."""

    pose: CameraPose
    """In the floor's frame."""
    marks: tuple[int, ...]
    """Their ids, in the order of the next three."""
    pixels: FloatArray
    """Where their middles are seen, shape (n, 2), px."""
    errors_m: FloatArray
    """From where each was said to lie to where it is seen, on the floor, shape (n, 2)."""
    left_out_m: FloatArray
    """The same distances, each by a pose of all others, shape (n,)."""
    field_m: FloatArray
    """Standard error of floor points over the marks' field, shape (9, 9)."""
    field_corners_m: tuple[float, float, float, float]
    """The field's least x and y, and greatest x and y."""


def calibrate_tracker(
    views: Sequence[View], marks: Mapping[int, tuple[float, float]], lens: Lens
) -> TrackerResult:
    """The camera's pose above the floor.

    Args:
        views: several pictures' marks (see `MarkFinder`), of a floor on which nothing moves.
        marks: by id, where each middle lies on the floor, m.
        lens: as calibrated, of these pictures' size.

    Raises:
        Undetermined: too few marks or on one side only, something moved, a mark that is not where
            the list says, or a pose that they leave open.
    """
    known = [_only(view, marks) for view in views]
    ids, pixels = resting(known, LEAST_MARKS)
    points = np.array([(*marks[int(number)], 0.0) for number in ids])
    _check_spread(pixels, lens.size)
    pose = pose_from_points(points, pixels, lens)
    left_out = _left_out(ids, points, pixels, lens)
    check_known(pose)
    field, corners = _field(points, pose, lens)
    if not float(field.max()) <= MOST_FIELD_M:
        raise Undetermined(
            f"a floor point is known to {1e3 * float(field.max()):.1f} mm; valid is up to"
            f" {1e3 * MOST_FIELD_M:.1f} mm anywhere among the marks; measure them better, or add some"
        )
    errors = on_floor(pixels, pose, lens)[:, :2] - points[:, :2]
    return TrackerResult(
        pose, tuple(ids.tolist()), pixels, errors, left_out, field, corners
    )


def on_floor(pixels: FloatArray, pose: CameraPose, lens: Lens, height_m: float = 0.0) -> FloatArray:
    """Where pixels (n, 2) see the plane at `height_m` above the floor, shape (n, 3), m."""
    rays = lens.rays(pixels)
    towards = np.column_stack([rays, np.ones(len(rays))]) @ pose.rotation.T
    scale = (height_m - pose.position_m[2]) / towards[:, 2]
    return pose.position_m + towards * scale[:, None]


class MarkFinder:
    """Finds the middles of floor markers (DICT_4X4_50) in pictures.

    Args:
        lens: by which the diagonals are straight.
    """

    def __init__(self, lens: Lens) -> None:
        self._lens = lens
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        parameters.relativeCornerRefinmentWinSize = REFINE_CELLS
        dictionary = cv2.aruco.getPredefinedDictionary(_DICTIONARY)
        self._detector = cv2.aruco.ArucoDetector(dictionary, parameters)

    def find(self, image: Image) -> View:
        """Every marker's middle in a picture, RGB or grey; one that is seen twice is left out."""
        grey = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        squares, numbers, _ = self._detector.detectMarkers(np.ascontiguousarray(grey))
        found = cast("NDArray[np.int32] | None", numbers)
        if found is None:
            return View(np.empty(0, np.int64), np.empty((0, 2)))
        ids, count = np.unique(found.reshape(-1), return_counts=True)
        once = ids[count == 1].astype(np.int64)
        by_id = {
            int(number): np.asarray(square, np.float64).reshape(4, 2)
            for number, square in zip(found.reshape(-1), squares, strict=True)
        }
        middles = [self._middle(by_id[int(number)]) for number in once]
        return View(once, np.array(middles).reshape(-1, 2))

    def _middle(self, corners: FloatArray) -> FloatArray:
        """Where the diagonals cross, px."""
        straight = np.column_stack([self._lens.rays(corners), np.ones(4)])
        crossing = np.cross(
            np.cross(straight[0], straight[2]), np.cross(straight[1], straight[3])
        )
        return self._lens.project((crossing / crossing[2])[None, :])[0]


def _only(view: View, marks: Mapping[int, tuple[float, float]]) -> View:
    """The marks of the list; the robot's own marker is none."""
    chosen = np.isin(view.ids, list(marks))
    return View(view.ids[chosen], view.pixels[chosen])


def _check_spread(pixels: FloatArray, size: tuple[int, int]) -> None:
    quarters = {(bool(u > size[0] / 2.0), bool(v > size[1] / 2.0)) for u, v in pixels}
    if len(quarters) < LEAST_QUARTERS:
        raise Undetermined(
            f"the marks lie in {len(quarters)} quarters of the picture; valid is all"
            f" {LEAST_QUARTERS}: put some where none are"
        )


def _left_out(
    ids: NDArray[np.int64], points: FloatArray, pixels: FloatArray, lens: Lens
) -> FloatArray:
    """How far each mark is from where a pose of all others sees it, m; raises Undetermined."""
    distances = np.empty(len(ids))
    rest_rms = np.empty(len(ids))
    for index in range(len(ids)):
        others = np.arange(len(ids)) != index
        pose = pose_from_points(points[others], pixels[others], lens)
        seen = on_floor(pixels[index : index + 1], pose, lens)[0]
        distances[index] = float(np.linalg.norm((seen - points[index])[:2]))
        rest = on_floor(pixels[others], pose, lens) - points[others]
        rest_rms[index] = rms(np.linalg.norm(rest[:, :2], axis=1))
    # A mark that is wrong spoils all poses but the one without it.
    worst = int(np.argmin(rest_rms)) if distances.max() > MOST_MARK_M else int(distances.argmax())
    if not distances.max() <= MOST_MARK_M:
        raise Undetermined(
            f"mark {ids[worst]} is {1e3 * distances[worst]:.0f} mm from where all others see it;"
            f" valid is up to {1e3 * MOST_MARK_M:.0f} mm: measure it again, or correct the list"
        )
    return distances


def _field(
    points: FloatArray, pose: CameraPose, lens: Lens
) -> tuple[FloatArray, tuple[float, float, float, float]]:
    """Standard error of floor points among the marks, m, and the field's corners, m."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    x, y = (np.linspace(a, b, FIELD_POINTS) for a, b in zip(low, high, strict=True))
    grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    field = np.column_stack([grid, np.zeros(len(grid))])
    vector, _ = cv2.Rodrigues(pose.rotation.T)
    place = -pose.rotation.T @ pose.position_m
    _, slopes = cv2.projectPoints(field, vector, place, lens.matrix, lens.distortion)
    # How a floor point's picture moves with the point, from its own neighbours.
    step = 1e-4
    errors = np.empty(len(field))
    for index, point in enumerate(field):
        moved = point + step * np.array([(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0)])
        seen = lens.project(pose.in_camera(moved))
        per_m = np.column_stack([seen[0] - seen[2], seen[1] - seen[3]]) / (2.0 * step)
        own = np.linalg.solve(per_m, np.asarray(slopes, np.float64)[2 * index : 2 * index + 2])
        # An error of the lens is partly taken up by the pose that was found with it.
        lenses = own[:, 6 : 6 + INTRINSICS] + own[:, :6] @ pose.by_lens
        spread = own[:, :6] @ pose.noise @ own[:, :6].T + lenses @ lens.covariance @ lenses.T
        errors[index] = float(np.sqrt(np.linalg.eigvalsh(spread)[-1]))
    corners = (*low.tolist(), *high.tolist())
    return errors.reshape(FIELD_POINTS, FIELD_POINTS), (corners[0], corners[1], corners[2], corners[3])
