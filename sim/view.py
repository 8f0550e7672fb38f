"""Pictures of the twin by ray casting in MuJoCo itself: no OpenGL and no display needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.engine import Data, Model
from sim.rays import cast, pinhole

Floats = NDArray[np.float32]

_SKY_LOW: Final = np.array([0.86, 0.90, 0.94], dtype=np.float32)
_SKY_HIGH: Final = np.array([0.47, 0.62, 0.80], dtype=np.float32)
_TILE_M: Final = 0.25
_TILE_SHADE: Final = 0.80
_AMBIENT: Final = 0.42
_DIFFUSE: Final = 0.62
_SHADOW: Final = 0.30
"""Share of the direct light that still reaches a shadowed point."""
_SHADOW_REACH_M: Final = 0.8
_FAR_M: Final = 12.0


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that follows the robot without turning with it."""

    offset_m: tuple[float, float, float] = (0.42, -0.92, 0.34)
    """From the point on the floor below the robot to the camera."""
    look_at_m: tuple[float, float, float] = (0.0, 0.0, 0.14)
    """From the same point to what is in the middle of the picture."""
    light_m: tuple[float, float, float] = (-0.5, -0.9, 2.2)
    """From the same point to the lamp."""
    vertical_angle_rad: float = 0.62


class RayView:
    """Renders a model's bodies: one ray a pixel, diffuse light, one lamp's shadow.

    Args:
        model: any MuJoCo model of primitives with a plane named `floor`.
        body: the body the camera follows.
        camera: where it stands.
    """

    def __init__(self, model: Model, body: str = "base", camera: Camera | None = None) -> None:
        self.model = model
        self.camera = camera or Camera()
        self._body: int = model.body(body).id
        self._floor: int = model.geom("floor").id
        # One more row so that index -1, "hit nothing", has a colour too.
        self._colours = np.vstack([model.geom_rgba[:, :3], np.zeros(3)]).astype(np.float32)
        self._rays: tuple[int, int, NDArray[np.float64]] = (0, 0, np.zeros((0, 3)))

    def render(self, data: Data, width: int, height: int) -> NDArray[np.uint8]:
        """Return a picture of `data`'s present state, uint8, shape (height, width, 3), RGB.

        Raises:
            ValueError: the size is not positive.
        """
        if width < 1 or height < 1:
            raise ValueError(f"picture size must be positive, got {width} x {height}")
        ground = np.array([data.xpos[self._body, 0], data.xpos[self._body, 1], 0.0])
        eye = ground + self.camera.offset_m
        rays = self._directions(width, height)
        geoms, distances, normals = self._cast(data, eye, rays)
        hit = geoms >= 0
        points = eye + rays[hit] * distances[hit, None]
        light = self._light(data, ground + self.camera.light_m, points, normals[hit])
        colours = self._colours[geoms[hit]]
        colours[self._dark_tiles(geoms[hit], points)] *= _TILE_SHADE
        picture = self._sky(rays)
        haze = np.clip(distances[hit] / _FAR_M, 0.0, 1.0).astype(np.float32)[:, None] ** 2
        picture[hit] = colours * light[:, None] * (1 - haze) + _SKY_LOW * haze
        np.clip(picture, 0.0, 1.0, out=picture)
        return (picture * 255.0).astype(np.uint8).reshape(height, width, 3)

    def _directions(self, width: int, height: int) -> NDArray[np.float64]:
        """Unit ray directions in the world, shape (height * width, 3), row by row from the top."""
        if self._rays[:2] != (width, height):
            forward = np.subtract(self.camera.look_at_m, self.camera.offset_m)
            forward /= np.linalg.norm(forward)
            right = np.cross(forward, [0.0, 0.0, 1.0])
            right /= np.linalg.norm(right)
            up = np.cross(right, forward)
            half = np.tan(self.camera.vertical_angle_rad / 2)
            size = (width, height)
            rays = pinhole((right, up, forward), half, size, size)
            self._rays = (width, height, rays)
        return self._rays[2]

    def _cast(
        self, data: Data, origin: NDArray[np.float64], rays: NDArray[np.float64]
    ) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]:
        """First hit of each unit ray: geom (-1: none), distance (m) and surface normal."""
        hits = cast(self.model, data, origin, rays, _FAR_M)
        return hits.geoms, hits.distances, hits.normals

    def _light(
        self,
        data: Data,
        lamp: NDArray[np.float64],
        points: NDArray[np.float64],
        normals: NDArray[np.float64],
    ) -> Floats:
        """Brightness of each point: ambient and diffuse, less where the lamp does not see it."""
        rays = points - lamp
        reach = np.sqrt(np.einsum("ij,ij->i", rays, rays))
        rays /= reach[:, None]
        direct = np.maximum(-np.einsum("ij,ij->i", normals, rays), 0.0)
        # Only points this near the body can lie in its shadow.
        near = np.flatnonzero(np.abs(points - data.xpos[self._body]).max(axis=1) < _SHADOW_REACH_M)
        _, seen, _ = self._cast(data, lamp, rays[near])
        # -1 is no hit within range; a millimetre of slack keeps surfaces from shading themselves.
        direct[near[(seen >= 0) & (seen < reach[near] - 1e-3)]] *= _SHADOW
        return (_AMBIENT + _DIFFUSE * direct).astype(np.float32)

    def _dark_tiles(
        self, geoms: NDArray[np.int32], points: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """True where a point lies on a dark tile of the floor's checker."""
        cells = np.floor(points[:, :2] / _TILE_M).astype(np.int64).sum(axis=1)
        return (geoms == self._floor) & (cells % 2 == 0)

    @staticmethod
    def _sky(rays: NDArray[np.float64]) -> Floats:
        """Background colour of each ray, pale at the horizon."""
        height = np.clip(rays[:, 2:] * 2.5, 0.0, 1.0).astype(np.float32)
        return np.asarray(_SKY_LOW + (_SKY_HIGH - _SKY_LOW) * height, dtype=np.float32)
