"""Where a camera stands: its rotation and place in the frame of points that it sees.

The points' frame is the robot's base or the floor. From four points of one plane or more; planar
ones have two readings (Collins and Bartoli 2014), of which the one that fits is taken if it is
clearly the better. How well the pose is known follows from the residuals and from how well the lens
is known.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import BoardSpec, View
from calibration.camera import INTRINSICS, Lens
from calibration.errors import Undetermined
from calibration.rotations import rms

FloatArray = NDArray[np.float64]

LEAST_PICTURES: Final = 3
LEAST_BOARD_SHARE: Final = 0.6
"""Of the board's corners."""
MOST_MOVED_PX: Final = 0.5
"""Median of the corners, between pictures of what stands still."""
MOST_BOARD_PX: Final = 0.3
"""Root mean square error of a board at rest."""
LEAST_NOISE_PX: Final = 0.05
"""No corner is believed to be known better than this."""
MOST_UNCERTAIN_M: Final = 0.001
MOST_UNCERTAIN_RAD: Final = math.radians(0.17)
"""Standard errors: a third of what a pose may be wrong by, 3 mm and 0.5 degrees."""
CLEARLY: Final = 2.0
"""The other reading of a plane must fit worse by this factor."""
SAME: Final = 0.05
"""Norm of the difference of two rotation matrices that count as one."""


@dataclass(frozen=True, slots=True)
class BoardPlace:
    """Where the board lies in the robot's base frame: Rz(yaw) Ry(pitch) Rx(roll), then moved."""

    origin_m: tuple[float, float, float]
    """The chessboard's lower left corner."""
    yaw_rad: float = 0.0
    pitch_rad: float = 0.0
    roll_rad: float = 0.0
    """All zero: it lies face up, its long side along the base's x axis."""

    def of(self, points: FloatArray) -> FloatArray:
        """Points of the board's frame in the base's, shape (n, 3), m."""
        rotation = np.eye(3)
        angles = (self.yaw_rad, self.pitch_rad, self.roll_rad)
        for axis, angle in zip(np.eye(3)[::-1], angles, strict=True):
            turned, _ = cv2.Rodrigues(axis * angle)
            rotation = rotation @ np.asarray(turned, np.float64)
        return points @ rotation.T + np.array(self.origin_m)


@dataclass(frozen=True, slots=True, eq=False)
class CameraPose:
    """Where a camera stands, and how well that is known."""

    rotation: FloatArray
    """Columns are the camera's axes (x right, y down, z forward) in the points' frame."""
    position_m: FloatArray
    """The camera's centre in the points' frame, shape (3,)."""
    rms_px: float
    worst_px: float
    noise: FloatArray
    """Covariance, shape (6, 6), of rotation vector and translation from the points' frame to the
    camera's, from the points alone."""
    by_lens: FloatArray
    """How they move with an error of the lens's `INTRINSICS`, shape (6, 9)."""
    uncertain_m: float
    """Standard error of the position in its worst direction."""
    uncertain_rad: float
    """Standard error of the rotation about its worst axis."""
    points: int

    def in_camera(self, points: FloatArray) -> FloatArray:
        """Points of the frame in the camera's own, shape (n, 3)."""
        return (points - self.position_m) @ self.rotation


def board_pose(views: Sequence[View], spec: BoardSpec, place: BoardPlace, lens: Lens) -> CameraPose:
    """The camera's pose from several pictures of a board at rest in a known place.

    Raises:
        Undetermined: too few pictures or corners, something moved, an error above its bound, or a
            pose that they leave open.
    """
    ids, pixels = resting(views, round(LEAST_BOARD_SHARE * spec.corners))
    found = pose_from_points(place.of(spec.points(ids)), pixels, lens)
    if not found.rms_px <= MOST_BOARD_PX:
        raise Undetermined(
            f"the board at rest is {found.rms_px:.2f} px off the lens as calibrated; valid is up to"
            f" {MOST_BOARD_PX}: is it flat, and the focus still the same?"
        )
    check_known(found)
    return found


def resting(views: Sequence[View], least: int) -> tuple[NDArray[np.int64], FloatArray]:
    """The corners that at least `LEAST_PICTURES` pictures show, and their median places, px.

    Raises:
        Undetermined: too few pictures, fewer than `least` such corners, or they moved.
    """
    if len(views) < LEAST_PICTURES:
        raise Undetermined(f"{len(views)} pictures; valid are at least {LEAST_PICTURES}")
    ids, count = np.unique(np.concatenate([view.ids for view in views]), return_counts=True)
    ids = ids[count >= LEAST_PICTURES]
    if len(ids) < max(4, least):
        raise Undetermined(
            f"{len(ids)} corners were seen in {LEAST_PICTURES} pictures or more; valid are at least"
            f" {max(4, least)}: show all of the board, in a good light"
        )
    each = np.full((len(views), len(ids), 2), np.nan)
    for row, view in zip(each, views, strict=True):
        shown = np.isin(view.ids, ids)
        row[np.searchsorted(ids, view.ids[shown])] = view.pixels[shown]
    # Medians: now and then a picture puts a corner elsewhere; whatever moves moves all of them.
    middle = np.nanmedian(each, axis=0)
    moved = max(float(np.nanmedian(np.linalg.norm(row - middle, axis=1))) for row in each)
    if not moved <= MOST_MOVED_PX:
        raise Undetermined(
            f"the corners moved by {moved:.2f} px between pictures; valid is up to {MOST_MOVED_PX}:"
            " nothing may move"
        )
    return ids, middle


def pose_from_points(points: FloatArray, pixels: FloatArray, lens: Lens) -> CameraPose:
    """The pose that sees `points` (n, 3), m, at `pixels` (n, 2).

    Raises:
        Undetermined: fewer than four, no pose sees them so, or two do.
    """
    (error, vector, place), *other = readings(points, pixels, lens)
    for worse, r, _ in other:
        apart = float(np.linalg.norm(_rotation(r) - _rotation(vector)))
        if apart > SAME and worse < CLEARLY * max(error, LEAST_NOISE_PX):
            raise Undetermined(
                f"two poses explain the points, to {error:.2f} and {worse:.2f} px; spread them"
                " wider, or come nearer"
            )
    expected, slopes = cv2.projectPoints(points, vector, place, lens.matrix, lens.distortion)
    residuals = pixels - np.asarray(expected, np.float64).reshape(-1, 2)
    distances = np.linalg.norm(residuals, axis=1)
    freedom = max(1, residuals.size - 6)
    variance = max(float(np.sum(residuals**2)) / freedom, LEAST_NOISE_PX**2)
    noise, by_lens = _spread(np.asarray(slopes, np.float64), variance)
    uncertain_m, uncertain_rad = uncertain(vector, place, noise, by_lens, lens)
    to_camera = _rotation(vector)
    return CameraPose(
        to_camera.T,
        -to_camera.T @ place,
        rms(distances),
        float(distances.max()),
        noise,
        by_lens,
        uncertain_m,
        uncertain_rad,
        len(points),
    )


def _spread(slopes: FloatArray, variance: float) -> tuple[FloatArray, FloatArray]:
    """`CameraPose.noise` and `by_lens`, of OpenCV's Jacobian and a coordinate's variance, px^2."""
    pose, own = slopes[:, :6], slopes[:, 6 : 6 + INTRINSICS]
    inverse = np.asarray(np.linalg.inv(pose.T @ pose), np.float64)
    return variance * inverse, -inverse @ pose.T @ own


def uncertain(
    vector: FloatArray, place: FloatArray, noise: FloatArray, by_lens: FloatArray, lens: Lens
) -> tuple[float, float]:
    """Standard errors of a camera's position (m) and rotation (rad), the worst direction of each.

    Args:
        vector, place: rotation vector and translation from the points' frame to the camera's.
        noise, by_lens: as in `CameraPose`.
        lens: with its covariance.
    """
    covariance = noise + by_lens @ lens.covariance @ by_lens.T
    about, to_camera = _left_jacobian(vector), _rotation(vector)
    # A small turn w after R moves the centre -R^T t by -R^T (t x w).
    centre = -to_camera.T @ np.hstack([_cross(place) @ about, np.eye(3)])
    spread = float(np.linalg.eigvalsh(centre @ covariance @ centre.T)[-1])
    turn = float(np.linalg.eigvalsh(about @ covariance[:3, :3] @ about.T)[-1])
    return math.sqrt(spread), math.sqrt(turn)


def check_known(pose: CameraPose) -> None:
    """Refuse a pose that is not known well enough. Raises Undetermined."""
    if not (pose.uncertain_m <= MOST_UNCERTAIN_M and pose.uncertain_rad <= MOST_UNCERTAIN_RAD):
        raise Undetermined(
            f"the camera's place is known to {1e3 * pose.uncertain_m:.1f} mm and"
            f" {math.degrees(pose.uncertain_rad):.2f} degrees; valid is up to"
            f" {1e3 * MOST_UNCERTAIN_M:.1f} mm and {math.degrees(MOST_UNCERTAIN_RAD):.2f}; show"
            " more points, farther apart, or more and nearer views of the board for the lens"
        )


def readings(
    points: FloatArray, pixels: FloatArray, lens: Lens
) -> list[tuple[float, FloatArray, FloatArray]]:
    """Every pose that may explain the points, the best first.

    Not by OpenCV 5.0's IPPE: it puts some boards that are turned about one axis alone elsewhere.

    Returns:
        Root mean square error, px, rotation vector and translation to the camera's frame.

    Raises:
        Undetermined: fewer than four points, points along a line, or no pose sees them so.
    """
    if len(points) < 4 or len(points) != len(pixels):
        raise Undetermined(f"{len(points)} points; valid are at least 4")
    spread = np.linalg.svd(points - points.mean(axis=0))
    if spread.S[1] <= 1e-3 * spread.S[0]:
        raise Undetermined("the points lie along one line, so that the pose about it stays open")
    good, vector, place = cv2.solvePnP(
        points, pixels, lens.matrix, lens.distortion, flags=cv2.SOLVEPNP_SQPNP
    )
    if not good:
        raise Undetermined("no pose sees the points as the picture shows them")
    start = np.asarray(vector, np.float64).reshape(3), np.asarray(place, np.float64).reshape(3)
    return sorted(
        (_refined(points, pixels, lens, *one) for one in _leanings(points, spread, *start)),
        key=lambda one: one[0],
    )


def _leanings(
    points: FloatArray, spread: Any, vector: FloatArray, place: FloatArray
) -> list[tuple[FloatArray, FloatArray]]:
    """A pose, and for points of one plane the one with the plane leaning the other way."""
    found = [(vector, place)]
    if spread.S[2] <= 1e-6 * spread.S[0]:
        rotation, middle = _rotation(vector), points.mean(axis=0)
        at = rotation @ middle + place
        sight, normal = at / np.linalg.norm(at), rotation @ spread.Vh[2]
        # Half a turn about the line of sight takes the normal to its mirror image there.
        between = 2.0 * np.outer(sight, sight) - np.eye(3)
        mirrored = between @ normal
        turned = _turning(normal, mirrored) @ rotation
        other, _ = cv2.Rodrigues(turned)
        found.append((np.asarray(other, np.float64).reshape(3), at - turned @ middle))
    return found


def _turning(start: FloatArray, end: FloatArray) -> FloatArray:
    """The shortest rotation from one unit vector to another, neither opposite."""
    if start @ end < 0.0:
        end = -end
    axis = np.cross(start, end)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-9:
        return np.eye(3)
    return _rotation(axis / sine * math.atan2(sine, float(start @ end)))


def _refined(
    points: FloatArray, pixels: FloatArray, lens: Lens, vector: FloatArray, place: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """Root mean square error, px, and the pose at the nearest minimum."""
    r, t = (
        np.asarray(part, np.float64).reshape(3)
        for part in cv2.solvePnPRefineLM(
            points, pixels, lens.matrix, lens.distortion, vector.copy(), place.copy()
        )
    )
    expected, _ = cv2.projectPoints(points, r, t, lens.matrix, lens.distortion)
    off = np.asarray(expected, np.float64).reshape(-1, 2) - pixels
    return rms(np.linalg.norm(off, axis=1)), r, t


def _rotation(vector: FloatArray) -> FloatArray:
    turned, _ = cv2.Rodrigues(vector)
    return np.asarray(turned, np.float64)


def _left_jacobian(vector: FloatArray) -> FloatArray:
    """How a change of a rotation vector turns the rotated frame, shape (3, 3)."""
    angle = float(np.linalg.norm(vector))
    cross = _cross(vector)
    if angle < 1e-6:
        return np.eye(3) + cross / 2.0
    return (
        np.eye(3)
        + (1.0 - math.cos(angle)) / angle**2 * cross
        + (angle - math.sin(angle)) / angle**3 * cross @ cross
    )


def _cross(vector: FloatArray) -> FloatArray:
    """The matrix that takes a vector's cross product with another."""
    x, y, z = vector.tolist()
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
