"""What a fixed camera sees of a twin, ray by ray: no OpenGL, and the same picture everywhere.

Whatever is fixed to the world is traced once. A frame then costs the rays that may meet something
that moves, and those are the ones inside the moving geoms' bounding spheres.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.camera_sensor import Image, Sensor, SensorSettings
from sim.engine import Data, Model, mujoco
from sim.lens import Lens, PlacedLens
from sim.rays import Vectors, cast, pinhole, room_for
from sim.sheet import Held

Floats = NDArray[np.float32]
Vector = tuple[float, float, float]
Colour = tuple[float, float, float]
"""Red, green and blue as displayed, 0 to 1."""

_GAMMA: Final = 2.2
"""Of the colours in a model."""
_COSINE_SLACK: Final = 1e-5
"""Single precision must not lose a ray that grazes a bounding sphere."""


@dataclass(frozen=True, slots=True)
class Lamp:
    """Light from far away."""

    towards: Vector
    """From the scene to the lamp, in the world; any length but zero."""
    strength: float
    """Radiance of a white surface that faces it."""


@dataclass(frozen=True, slots=True)
class CameraLook:
    """Everything a picture depends on, but for where things are."""

    ambient: float = 0.25
    """Radiance of a white surface that no lamp reaches."""
    lamps: tuple[Lamp, ...] = (
        Lamp((0.35, -0.45, 1.0), 0.55),
        Lamp((0.6, 0.6, 0.5), 0.20),
        Lamp((-0.6, 0.3, 0.3), 0.10),
    )
    colours: Mapping[str, Colour] = field(default_factory=dict)
    """Of geoms by name; the others have their model's."""
    background: Colour = (0.75, 0.78, 0.80)
    """Where there is nothing."""
    tile_m: float = 0.05
    """Edge of the floor's squares."""
    tile_shade: float = 1.0
    """Brightness of every other square; 1: a plain floor."""
    shift_m: Vector = (0.0, 0.0, 0.0)
    """From the model's place of the camera to the real one, along right, up and backward."""
    turn_rad: Vector = (0.0, 0.0, 0.0)
    """From the model's attitude to the real one: a rotation vector in the same axes."""
    placed: PlacedLens | None = None
    """A measured lens in its measured place, in that of the model's camera; `shift_m` and
    `turn_rad` are from there on."""


class RayCamera:
    """Renders what a model's camera sees: diffuse light of a few lamps, one colour a geom.

    Args:
        model: of primitives, each with a contact bit; its parts that are fixed to the world are
            taken as they are now (see `arrange`).
        camera: name of a camera that is fixed to the world; the field of view is the model's.
        width: px
        height: px
        aspect: width over height of what is seen; None: square pixels.
        look: colours, light and the camera's true place.
        supersample: so many rays a pixel along each side, averaged.
        reach_m: what is farther off is not seen.

    Attributes:
        held: a printed sheet in the picture; None: there is none.

    Raises:
        ValueError: a size is not positive, the camera moves, a geom has no such name, a lamp has no
            direction, or a lens folds its picture over.
    """

    def __init__(
        self,
        model: Model,
        camera: str = "hand",
        width: int = 32,
        height: int = 32,
        aspect: float | None = None,
        look: CameraLook | None = None,
        supersample: int = 1,
        reach_m: float = 3.0,
    ) -> None:
        if min(width, height, supersample) < 1:
            raise ValueError(
                f"width, height and supersample must be at least 1, got {width}, {height} and"
                f" {supersample}"
            )
        self.model, self.width, self.height = model, width, height
        self._camera: int = model.camera(camera).id
        if model.body_weldid[model.cam_bodyid[self._camera]] != 0:
            raise ValueError(f"camera {camera!r} moves; valid is one that is fixed to the world")
        self.held: Held | None = None
        self._shape = (float(width) / height if aspect is None else aspect, 1.0)
        self._samples, self._reach = supersample, reach_m
        # Kinematics of its own: pictures leave the twin's state untouched.
        self._scene = mujoco.MjData(model)
        self._moving = np.flatnonzero(model.body_weldid[model.geom_bodyid] != 0)
        self._developer = Sensor(SensorSettings.noiseless(), np.random.default_rng(0))
        pixels = width * height
        self._fine = np.empty((supersample**2, pixels, 3), np.float32)
        self._room = room_for(supersample**2 * pixels)
        self.arrange(look or CameraLook())

    def arrange(self, look: CameraLook) -> None:
        """Take on another look, and the model's fixed parts as they are now.

        Raises:
            ValueError: a geom has no such name, a lamp has no direction, or a lens folds over.
        """
        self.look = look
        self._colours = self._geom_colours(look)
        towards = np.array([lamp.towards for lamp in look.lamps], np.float64).reshape(-1, 3)
        lengths = np.linalg.norm(towards, axis=1)
        if not (lengths > 0.0).all():
            raise ValueError("a lamp's direction must not be zero")
        self._towards = np.ascontiguousarray((towards / lengths[:, None]).T)
        self._strengths = np.array([lamp.strength for lamp in look.lamps])
        mujoco.mj_resetData(self.model, self._scene)
        mujoco.mj_kinematics(self.model, self._scene)
        mujoco.mj_comPos(self.model, self._scene)
        mujoco.mj_camlight(self.model, self._scene)
        self._point(look)
        self._trace_fixed(look)

    def radiance(self, data: Data) -> Floats:
        """Linear light of `data`'s present state, shape (height, width, 3); a buffer of its own.

        From the positions alone (`data.qpos`), so that it may be asked between physics steps.
        """
        scene = self._scene
        scene.qpos[:] = data.qpos
        mujoco.mj_kinematics(self.model, scene)
        fine = self._fine
        np.copyto(fine, self._fixed)
        chosen = self._may_meet_moving()
        rays = self._rays[chosen]
        hits = cast(self.model, scene, self._eye, rays, self._reach, static=False, into=self._room)
        nearer = np.flatnonzero((hits.geoms >= 0) & (hits.distances < self._fixed_m[chosen]))
        if len(nearer):
            shaded = self._shaded(hits.geoms[nearer], hits.normals[nearer])
            fine.reshape(-1, 3)[chosen[nearer]] = shaded
        if self.held is not None:
            scene_m = self._fixed_m.copy()
            scene_m[chosen[nearer]] = hits.distances[nearer]
            self._show(self.held, scene_m)
        mean = fine[0] if len(fine) == 1 else fine.mean(axis=0)
        return mean.reshape(self.height, self.width, 3).copy()

    def render(self, data: Data) -> Image:
        """A picture of `data`'s present state without noise, uint8 (height, width, 3), RGB."""
        return self._developer.expose(self.radiance(data))

    def pixel_of(self, point_m: Vector) -> tuple[float, float]:
        """Where a point of the world lies in the picture: column and row, px; (0, 0): top left."""
        right, up, forward = self._axes
        ahead = np.subtract(point_m, self._eye)
        if self.look.placed is not None:
            lens = self.look.placed.lens
            seen = lens.project(np.array([[ahead @ right, -ahead @ up, ahead @ forward]]))[0]
            column, row = ((seen + 0.5) * (self.width, self.height) / lens.size).tolist()
            return column, row
        depth = float(ahead @ forward) * self._half_height
        column = float(ahead @ right) / (depth * self._shape[0])
        row = -float(ahead @ up) / depth
        return (column + 1.0) / 2.0 * self.width, (row + 1.0) / 2.0 * self.height

    def as_drawn(self, size: tuple[int, int]) -> PlacedLens:
        """The model's camera as it looks now, as a lens without distortion for pictures of `size`.

        Args:
            size: (width, height), px; their pixels are square if `aspect` is that of `size`.
        """
        width, height = size
        right, up, forward = self._axes
        focal = (
            width / 2.0 / (self._half_height * self._shape[0]),
            height / 2.0 / self._half_height,
        )
        lens = Lens(size, focal, ((width - 1) / 2.0, (height - 1) / 2.0))
        return PlacedLens(
            lens, (_vector(right), _vector(-up), _vector(forward)), _vector(self._eye)
        )

    def _geom_colours(self, look: CameraLook) -> Floats:
        colours = self.model.geom_rgba[:, :3].copy()
        for name, colour in look.colours.items():
            index = mujoco.mj_name2id(self.model, mujoco.mjtObj.mjOBJ_GEOM, name)
            if index < 0:
                raise ValueError(f"the model has no geom {name!r} to colour")
            colours[index] = colour
        return _linear(colours)

    def _point(self, look: CameraLook) -> None:
        """Aim the rays."""
        placed = look.placed
        if placed is None:
            frame = self._scene.cam_xmat[self._camera].reshape(3, 3)
            place = self._scene.cam_xpos[self._camera]
        else:
            frame = np.array(placed.axes).T * [1.0, -1.0, -1.0]
            place = np.array(placed.position_m)
        self._eye = place + frame @ look.shift_m
        right, up, backward = (frame @ _rotation(look.turn_rad)).T
        self._axes = (right, up, -backward)
        self._half_height = math.tan(math.radians(self.model.cam_fovy[self._camera]) / 2)
        width, height, samples = self.width, self.height, self._samples
        rays = self._directions((width * samples, height * samples))
        # All first samples of the pixels, then all second ones: a mean over the leading axis.
        split = rays.reshape(height, samples, width, samples, 3).transpose(1, 3, 0, 2, 4)
        self._rays = np.ascontiguousarray(split.reshape(-1, 3))
        self._rays32 = self._rays.astype(np.float32)
        middles = self._directions((width, height))
        self._middles = np.ascontiguousarray(middles.T, np.float32)
        if placed is None:
            cell = (self._half_height / width * self._shape[0], self._half_height / height)
            self._margin = 0.0 if samples == 1 else math.hypot(*cell)
        else:
            apart = split.reshape(samples**2, -1, 3) - middles
            self._margin = 1.01 * float(np.linalg.norm(apart, axis=2).max())

    def _directions(self, size: tuple[int, int]) -> Vectors:
        """Rays through a picture of the whole view, (width, height) px, row by row from the top."""
        placed, (right, up, forward) = self.look.placed, self._axes
        if placed is None:
            return pinhole(self._axes, self._half_height, size, self._shape)
        axes = (_vector(right), _vector(-up), _vector(forward))
        return replace(placed, axes=axes).directions(size)

    def _show(self, held: Held, scene_m: NDArray[np.float64]) -> None:
        """Draw a sheet where nothing is nearer; `scene_m`: how far each ray goes without it, m."""
        spread = math.acos(min(1.0, float(self._rays[0] @ self._rays[1]))) / self._samples
        seen, normal = held.sheet.seen(self._rays32, self._eye, held, spread)
        free = np.flatnonzero(seen.distances < scene_m[seen.rays])
        light = np.maximum(normal @ self._towards, 0.0) @ self._strengths + self.look.ambient
        shown = seen.albedo[free] * np.float32(light)
        self._fine.reshape(-1, 3)[seen.rays[free]] = shown[:, None]

    def _trace_fixed(self, look: CameraLook) -> None:
        """Everything that does not move, with its distance along each ray."""
        # Out of sight meanwhile; the next frame's kinematics bring them back.
        self._scene.geom_xpos[self._moving] = self._eye + 1e3 * self._axes[2]
        hits = cast(self.model, self._scene, self._eye, self._rays, self._reach)
        fixed = np.broadcast_to(_linear(np.array(look.background)), self._rays.shape).copy()
        seen = (hits.geoms >= 0) & (hits.distances <= self._reach)
        hit = np.flatnonzero(seen)
        fixed[hit] = self._shaded(hits.geoms[hit], hits.normals[hit])
        points = self._eye + self._rays[hit] * hits.distances[hit, None]
        planes = self.model.geom_type[hits.geoms[hit]] == int(mujoco.mjtGeom.mjGEOM_PLANE)
        dark = np.floor(points[:, :2] / look.tile_m).astype(np.int64).sum(axis=1) % 2 == 0
        fixed[hit[planes & dark]] *= look.tile_shade
        self._fixed = fixed.reshape(self._fine.shape)
        self._fixed_m = np.where(seen, hits.distances, self._reach)

    def _may_meet_moving(self) -> NDArray[np.intp]:
        """Rays that come near the bounding sphere of a moving geom."""
        ahead = self._scene.geom_xpos[self._moving] - self._eye
        distance = np.sqrt(np.einsum("ij,ij->i", ahead, ahead))
        ahead /= distance[:, None]
        share = self.model.geom_rbound[self._moving] / distance
        cosine = np.cos(np.arcsin(np.minimum(share, 1.0)) + self._margin) - _COSINE_SLACK
        # From within a sphere there is no direction that misses it.
        cosine[share >= 1.0] = -1.0 - _COSINE_SLACK
        inside = ahead.astype(np.float32) @ self._middles >= cosine.astype(np.float32)[:, None]
        pixels = np.flatnonzero(inside.any(axis=0))
        if self._samples == 1:
            return pixels
        firsts = np.arange(self._samples**2) * (self.width * self.height)
        return (firsts[:, None] + pixels).ravel()

    def _shaded(self, geoms: NDArray[np.int32], normals: Vectors) -> Floats:
        """Radiance of surfaces: Lambert's law for each lamp, and the ambient light."""
        light = normals @ self._towards
        np.maximum(light, 0.0, out=light)
        brightness = (light @ self._strengths + self.look.ambient).astype(np.float32)
        return self._colours[geoms] * brightness[:, None]


def _linear(colours: NDArray[np.float64]) -> Floats:
    return np.asarray(colours**_GAMMA, np.float32)


def _vector(array: Vectors) -> Vector:
    x, y, z = array.tolist()
    return x, y, z


def _rotation(vector: Vector) -> Vectors:
    """Matrix of a rotation vector, rad."""
    quaternion, matrix = np.zeros(4), np.zeros(9)
    angle = math.hypot(*vector)
    axis = np.divide(vector, angle) if angle > 0.0 else np.array([1.0, 0.0, 0.0])
    mujoco.mju_axisAngle2Quat(quaternion, axis, angle)
    mujoco.mju_quat2Mat(matrix, quaternion)
    return matrix.reshape(3, 3)
