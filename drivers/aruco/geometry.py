"""From a square marker's four corners in a calibrated picture to its place on the floor.

The ground frame has z up and its origin on the floor. The camera's axes are OpenCV's: x right, y
down, z forward. The marker's axes are x towards its top edge, y towards its left edge, z out of the
paper, so that a marker fixed with its top edge to the robot's front has the robot's own heading.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.errors import ProtocolError

Floats = NDArray[np.float64]

_DISTORTION_SIZES: Final = (4, 5, 8, 12, 14)
_UNIT_CORNERS: Final = np.array([(1, 1, 0), (1, -1, 0), (-1, -1, 0), (-1, 1, 0)], np.float64) / 2
"""Top left, top right, bottom right, bottom left, as OpenCV's detector orders them."""
_UNDISTORT: Final = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-10)
_STEPS: Final = 20
_DAMPING: Final = 1e-3
_SETTLED: Final = 1e-6
"""The fit ends when a step gains less, in squares of standard deviations. Tilt and height trade
against each other along a flat valley that is not worth walking to its end."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraModel:
    """A calibrated camera and where it stands.

    Raises:
        ValueError: an array of another shape, or what is no camera matrix or rotation.
    """

    matrix: Floats
    """Intrinsics K, shape (3, 3), px."""
    distortion: Floats
    """OpenCV's coefficients (k1, k2, p1, p2, k3, ...), shape (4,), (5,), (8,), (12,) or (14,)."""
    rotation: Floats
    """Columns are the camera's axes in the ground frame, shape (3, 3)."""
    position: Floats
    """The camera's centre in the ground frame, shape (3,), m."""
    size: tuple[int, int]
    """(width, height) of the pictures for which K holds, px."""

    def __post_init__(self) -> None:
        for name in ("matrix", "distortion", "rotation", "position"):
            value = np.array(getattr(self, name), np.float64)
            if not np.isfinite(value).all():
                raise ValueError(f"the camera's {name} must be finite, got {value}")
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        k, r = self.matrix, self.rotation
        if k.shape != (3, 3) or not (k[0, 0] > 0 and k[1, 1] > 0 and k[2].tolist() == [0, 0, 1]):
            raise ValueError(f"the camera matrix must be [[f 0 c] [0 f c] [0 0 1]], got {k}")
        if self.distortion.shape not in [(size,) for size in _DISTORTION_SIZES]:
            raise ValueError(f"there must be {_DISTORTION_SIZES} distortion coefficients")
        turned = r.shape == (3, 3) and np.allclose(r @ r.T, np.eye(3), atol=1e-6)
        if not turned or np.linalg.det(r) < 0 or self.position.shape != (3,):
            raise ValueError(f"rotation must turn, position must have 3 values; got {r}")

    def project(self, points: Floats) -> Floats:
        """Pixels, shape (n, 2), of points of the ground frame, shape (n, 3), m."""
        seen = (points - self.position) @ self.rotation
        pixels, _ = cv2.projectPoints(seen, np.zeros(3), np.zeros(3), self.matrix, self.distortion)
        return np.asarray(pixels, np.float64).reshape(-1, 2)

    def undistort(self, pixels: Floats) -> Floats:
        """Pixels, shape (n, 2), to points (X/Z, Y/Z) of the camera's frame, shape (n, 2)."""
        points = cv2.undistortPoints(
            pixels.reshape(-1, 1, 2), self.matrix, self.distortion, criteria=_UNDISTORT
        )
        return np.asarray(points, np.float64).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class MarkerMount:
    """The marker and how it is fixed to the robot's back, parallel to the base."""

    side_m: float
    """Side of the black square."""
    height_m: float
    """Of the marker's centre above the floor while the robot walks."""
    forward_m: float = 0.0
    """The marker's centre in the base's frame."""
    left_m: float = 0.0
    up_m: float = 0.0
    yaw_rad: float = 0.0
    """From the robot's forward to the marker's top edge, counter-clockwise seen from above."""

    def __post_init__(self) -> None:
        if not (self.side_m > 0 and math.isfinite(self.side_m) and math.isfinite(self.height_m)):
            raise ValueError(f"the marker needs a positive side and a height, got {self}")


@dataclass(frozen=True, slots=True)
class PosePrior:
    """What is known before looking; standard deviations.

    The four corners of a small marker tell its tilt and its distance badly, and a tilt has two
    readings that look alike. A walking robot's back is nearly level and at a known height: told so,
    the fit finds the upright reading, and neither tilt nor bounce shifts the place.
    """

    corner_px: float = 0.3
    height_m: float = 0.02
    tilt_rad: float = 0.12


class MarkerPose(NamedTuple):
    """Where the marker is: its centre (m) and attitude (rad, yaw then pitch then roll)."""

    x: float
    y: float
    z: float
    yaw: float
    pitch: float
    roll: float
    reprojection_px: float
    """Root mean square distance between the corners seen and those of this pose."""


class PlanarPose(NamedTuple):
    """The robot's base seen from above."""

    x: float
    """m"""
    y: float
    """m"""
    yaw: float
    """rad, in [-pi, pi]"""


def pose_from_corners(
    corners: Floats, camera: CameraModel, mount: MarkerMount, prior: PosePrior
) -> MarkerPose:
    """The most probable pose of the marker (maximum a posteriori).

    Args:
        corners: px, shape (4, 2): top left, top right, bottom right, bottom left.
        camera: the calibrated camera.
        mount: the marker's size and height.
        prior: how sure the corners, the height and the level are.

    Raises:
        ProtocolError: not four corners in the picture, or no marker at about that height and level
            can look so.
    """
    outside = max(camera.size)
    if corners.shape != (4, 2) or not (np.abs(corners) < 2 * outside).all():
        raise ProtocolError(f"a marker has four corners in the picture, got {corners.tolist()}")
    seen = camera.undistort(np.asarray(corners, np.float64))
    if not np.isfinite(seen).all():
        raise ProtocolError(f"the lens model has no ray for the corners {corners.tolist()}")
    state = _fit(seen, camera, mount, prior)
    rotation = rotation_of(state[3], state[4], state[5])
    error = camera.project(corners_of(rotation, state[:3], mount.side_m)) - corners
    rms = float(np.sqrt((error**2).sum(axis=1).mean()))
    x, y, z, yaw, pitch, roll = state.tolist()
    return MarkerPose(x, y, z, math.remainder(yaw, math.tau), pitch, roll, rms)


def base_pose(marker: MarkerPose, mount: MarkerMount) -> PlanarPose:
    """The place and heading of the robot's base that carries the marker."""
    rotation = rotation_of(marker.yaw, marker.pitch, marker.roll)
    rotation = rotation @ rotation_of(-mount.yaw_rad, 0.0, 0.0)
    offset = rotation @ np.array([mount.forward_m, mount.left_m, mount.up_m])
    yaw = math.atan2(rotation[1, 0], rotation[0, 0])
    return PlanarPose(marker.x - float(offset[0]), marker.y - float(offset[1]), yaw)


def corners_of(rotation: Floats, centre: Floats, side_m: float) -> Floats:
    """The marker's corners in the ground frame, shape (4, 3), m, in the detector's order."""
    return centre + (_UNIT_CORNERS * side_m) @ rotation.T


def rotation_of(yaw: float, pitch: float, roll: float) -> Floats:
    """Rz(yaw) Ry(pitch) Rx(roll), shape (3, 3)."""
    cy, sy = math.cos(yaw), math.sin(yaw)
    cp, sp = math.cos(pitch), math.sin(pitch)
    cr, sr = math.cos(roll), math.sin(roll)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def _first_guess(seen: Floats, camera: CameraModel, height: float) -> Floats:
    """A level marker where the corners' rays meet the plane at its height."""
    rays = np.column_stack([seen, np.ones(4)]) @ camera.rotation.T
    drop = height - camera.position[2]
    if not (rays[:, 2] * drop > 0.0).all():
        raise ProtocolError(f"the corners' rays do not meet the plane {height} m above the floor")
    hits = camera.position + rays * (drop / rays[:, 2])[:, None]
    top = hits[0] + hits[1] - hits[2] - hits[3]
    x, y, _ = hits.mean(axis=0).tolist()
    return np.array([x, y, height, math.atan2(top[1], top[0]), 0.0, 0.0])


def _fit(seen: Floats, camera: CameraModel, mount: MarkerMount, prior: PosePrior) -> Floats:
    """Levenberg and Marquardt's descent from a level marker: x, y, z, yaw, pitch, roll."""
    expected = _UNIT_CORNERS * mount.side_m
    state = _first_guess(seen, camera, mount.height_m)
    jacobian, residual = _linearise(state, seen, expected, camera, mount.height_m, prior)
    damping = _DAMPING
    for _ in range(_STEPS):
        normal = jacobian.T @ jacobian
        damped = normal + damping * np.diag(np.diag(normal))
        step = np.linalg.solve(damped, -jacobian.T @ residual)
        trial = _linearise(state + step, seen, expected, camera, mount.height_m, prior)
        gain = float(residual @ residual - trial[1] @ trial[1])
        if gain > 0.0:
            state, (jacobian, residual) = state + step, trial
        if abs(gain) < _SETTLED:
            break
        damping = damping / 10 if gain > 0.0 else damping * 10
    return state


def _linearise(
    state: Floats,
    seen: Floats,
    expected: Floats,
    camera: CameraModel,
    height: float,
    prior: PosePrior,
) -> tuple[Floats, Floats]:
    """Jacobian (11, 6) and residual (11,) of eight corner coordinates and three prior beliefs."""
    yaw, pitch = float(state[3]), float(state[4])
    arms = expected @ rotation_of(yaw, pitch, float(state[5])).T
    axes = np.array(
        [
            (0.0, 0.0, 1.0),
            (-math.sin(yaw), math.cos(yaw), 0.0),
            (math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), -math.sin(pitch)),
        ]
    )
    moved = np.empty((4, 6, 3))
    moved[:, :3] = np.eye(3)
    moved[:, 3:] = np.cross(axes[None, :, :], arms[:, None, :])
    moved = moved @ camera.rotation
    points = (state[:3] + arms - camera.position) @ camera.rotation
    if not (points[:, 2] > 0.0).all():
        raise ProtocolError("the fit went behind the camera")
    plane = points[:, :2] / points[:, 2:]
    weight = np.array([camera.matrix[0, 0], camera.matrix[1, 1]]) / prior.corner_px
    slopes = (moved[:, :, :2] - plane[:, None, :] * moved[:, :, 2:]) / points[:, 2, None, None]
    jacobian = np.zeros((11, 6))
    jacobian[:8] = (slopes * weight).transpose(0, 2, 1).reshape(8, 6)
    jacobian[8, 2] = 1.0 / prior.height_m
    jacobian[9, 4] = jacobian[10, 5] = 1.0 / prior.tilt_rad
    residual = np.empty(11)
    residual[:8] = ((plane - seen) * weight).reshape(8)
    residual[8] = (state[2] - height) / prior.height_m
    residual[9:] = state[4:] / prior.tilt_rad
    return jacobian, residual
