"""Pictures of a marked robot from above, drawn without the tracker's own projection."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from drivers.aruco.geometry import CameraModel, MarkerMount
from drivers.aruco.marker import marker_image

Floats = NDArray[np.float64]
SIZE = (640, 480)
FOCAL_PX = 540.0
CENTRE_PX = (322.3, 236.8)
CAMERA_HEIGHT_M = 2.3
CAMERA_TILT_RAD = 0.1
NO_DISTORTION = (0.0, 0.0, 0.0, 0.0, 0.0)
BARREL = (-0.28, 0.09, 0.001, -0.0007, -0.01)
MOUNT = MarkerMount(side_m=0.12, height_m=0.25)
MARKER_ID = 7
FINE = 3
"""Pictures are drawn so many times as large, and averaged."""
LENS_PRECISION_PX = 1e-4


@dataclass(frozen=True)
class Stance:
    """The base: its place on the floor, its tilt, and how far it is above its usual height."""

    x: float
    y: float
    yaw: float
    pitch: float = 0.0
    roll: float = 0.0
    rise: float = 0.0


def camera_model(distortion: tuple[float, ...]) -> CameraModel:
    """Looks down from above the origin, a little tilted; its x axis is the ground's -y axis."""
    fx = [[FOCAL_PX, 0, CENTRE_PX[0]], [0, FOCAL_PX, CENTRE_PX[1]], [0, 0, 1]]
    down = np.array([(0.0, -1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0)])
    c, s = math.cos(CAMERA_TILT_RAD), math.sin(CAMERA_TILT_RAD)
    tilt = np.array([(1, 0, 0), (0, c, -s), (0, s, c)])
    position = np.array([0.2, 0.0, CAMERA_HEIGHT_M])
    return CameraModel(np.array(fx), np.array(distortion), down @ tilt, position, SIZE)


def turn(axis: int, angle: float) -> Floats:
    """A rotation about one axis of three."""
    return np.asarray(cv2.Rodrigues(np.eye(3)[axis] * angle)[0], np.float64)


def marker_points(stance: Stance, mount: MarkerMount, points: Floats) -> Floats:
    """Points of the marker's frame, shape (n, 3), in the ground frame."""
    base = turn(2, stance.yaw) @ turn(1, stance.pitch) @ turn(0, stance.roll)
    offset = np.array([mount.forward_m, mount.left_m, mount.up_m])
    # The base hangs below its marker, which is at the mount's height while the base is level.
    origin = np.array([stance.x, stance.y, mount.height_m - mount.up_m + stance.rise])
    return origin + (offset + points @ turn(2, mount.yaw_rad).T) @ base.T


def pinhole(camera: CameraModel, points: Floats) -> Floats:
    """Points of the ground frame to (X/Z, Y/Z), shape (n, 2)."""
    seen = (points - camera.position) @ camera.rotation
    return seen[:, :2] / seen[:, 2:]


def distort(camera: CameraModel, plane: Floats) -> Floats:
    """(X/Z, Y/Z) to pixels by the polynomial lens model, written out."""
    k1, k2, p1, p2, k3 = camera.distortion.tolist()
    x, y = plane[:, 0], plane[:, 1]
    r2 = x * x + y * y
    radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
    xd = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
    yd = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
    return np.column_stack([xd, yd]) * FOCAL_PX + np.array(CENTRE_PX)


def seen_corners(camera: CameraModel, stance: Stance, mount: MarkerMount = MOUNT) -> Floats:
    """Where the lens puts the marker's corners, px, shape (4, 2)."""
    half = mount.side_m / 2
    square = np.array([(half, half, 0), (half, -half, 0), (-half, -half, 0), (-half, half, 0)])
    return distort(camera, pinhole(camera, marker_points(stance, mount, square)))


class Overhead:
    """Draws what the camera sees."""

    def __init__(self, distortion: tuple[float, ...] = NO_DISTORTION) -> None:
        self.camera = camera_model(distortion)
        self.sheet = marker_image(MARKER_ID, 120)
        self._maps = self._lens() if any(distortion) else None

    def draw(
        self,
        stances: Stance | list[Stance],
        mount: MarkerMount = MOUNT,
        noise: float = 2.0,
        rng: np.random.Generator | None = None,
    ) -> NDArray[np.uint8]:
        """RGB, shape (480, 640, 3); a grey floor, and a sheet with the marker for each stance."""
        picture = np.full((SIZE[1] * FINE, SIZE[0] * FINE), 120, np.uint8)
        for stance in stances if isinstance(stances, list) else [stances]:
            self._paste(picture, stance, mount)
        if self._maps is not None:
            picture = cv2.remap(picture, *self._maps, cv2.INTER_LINEAR, borderValue=120.0)
        small = cv2.resize(picture, SIZE, interpolation=cv2.INTER_AREA).astype(np.float64)
        small += noise * (rng or np.random.default_rng(0)).standard_normal(small.shape)
        return np.repeat(np.clip(small, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)

    def _paste(self, picture: NDArray[np.uint8], stance: Stance, mount: MarkerMount) -> None:
        """The printed sheet through the pinhole; a pixel's centre has whole coordinates."""
        pixels = self.sheet.shape[0]
        reach = mount.side_m / 120 * pixels / 2
        square = np.array([(1, 1, 0), (1, -1, 0), (-1, -1, 0), (-1, 1, 0)]) * reach
        ideal = pinhole(self.camera, marker_points(stance, mount, square))
        place = self._fine(ideal * FOCAL_PX + np.array(CENTRE_PX))
        low, high = -0.5, pixels - 0.5
        source = np.array([(low, low), (high, low), (high, high), (low, high)], np.float32)
        warp = cv2.getPerspectiveTransform(source, place.astype(np.float32))
        size = (picture.shape[1], picture.shape[0])
        drawn = cv2.warpPerspective(self.sheet, warp, size, flags=cv2.INTER_LINEAR)
        inside = cv2.warpPerspective(np.full_like(self.sheet, 255), warp, size)
        picture[inside > 127] = drawn[inside > 127]

    @staticmethod
    def _fine(pixels: Floats) -> Floats:
        return (pixels + 0.5) * FINE - 0.5

    def _lens(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """For every fine pixel of the real picture, where it is in the ideal one.

        Found for every pixel, and one more at each edge. Linear in between, which is wrong by less
        than 0.002 fine pixels.
        """
        columns, rows = np.meshgrid(np.arange(-1, SIZE[0] + 1), np.arange(-1, SIZE[1] + 1))
        real = np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(np.float64)
        plane = (real - np.array(CENTRE_PX)) / FOCAL_PX
        guess, change = plane.copy(), math.inf
        while change > LENS_PRECISION_PX:
            step = distort(self.camera, guess) - real
            change = float(np.abs(step).max())
            guess -= step / FOCAL_PX
        ideal = guess * FOCAL_PX + np.array(CENTRE_PX)
        maps = self._fine(ideal).astype(np.float32).reshape((*rows.shape, 2))
        wide = cv2.resize(maps, None, fx=FINE, fy=FINE, interpolation=cv2.INTER_LINEAR)
        maps = np.asarray(wide[FINE:-FINE, FINE:-FINE], np.float32)
        return np.ascontiguousarray(maps[..., 0]), np.ascontiguousarray(maps[..., 1])
