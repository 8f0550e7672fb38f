"""Rays from one point against a model's geoms: the many-rays search of MuJoCo."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.engine import Data, Model, mujoco

Vectors = NDArray[np.float64]


class Hits(NamedTuple):
    """What each ray met first."""

    geoms: NDArray[np.int32]
    """Index of the geom, -1: none within reach; shape (rays,)."""
    distances: NDArray[np.float64]
    """m, -1: none; shape (rays,)."""
    normals: Vectors
    """Of the surface that was met, outward, in the world; zero: none; shape (rays, 3)."""


def room_for(rays: int) -> Hits:
    """Memory for the answers of so many rays, to be used again and again."""
    return Hits(np.empty(rays, np.int32), np.empty(rays), np.empty((rays, 3)))


def cast(
    model: Model,
    data: Data,
    origin: Vectors,
    rays: Vectors,
    reach_m: float,
    static: bool = True,
    into: Hits | None = None,
) -> Hits:
    """Find the first hit of each ray.

    Args:
        model: of primitives; a geom without any contact bit is not found.
        data: its state, of which the kinematics must be up to date.
        origin: of all rays, m, shape (3,).
        rays: unit directions in the world, contiguous, shape (rays, 3).
        reach_m: hits farther off may be left out.
        static: also meet geoms that are fixed to the world.
        into: room for at least as many answers; None: new memory.
    """
    count = len(rays)
    room = room_for(count) if into is None else into
    hits = Hits(room.geoms[:count], room.distances[:count], room.normals[:count])
    mujoco.mj_multiRay(
        model,
        data,
        origin,
        rays.ravel(),
        None,
        int(static),
        -1,
        hits.geoms,
        hits.distances,
        hits.normals.ravel(),
        count,
        reach_m,
    )
    return hits


def pinhole(
    axes: tuple[Vectors, Vectors, Vectors],
    half_height: float,
    size: tuple[int, int],
    shape: tuple[float, float],
) -> Vectors:
    """Unit directions through the middles of a picture's pixels, row by row from the top.

    Args:
        axes: right, up and forward of the camera in the world, orthonormal, each of shape (3,).
        half_height: tangent of half the vertical angle of view.
        size: (width, height), px.
        shape: width and height of the scene that the picture shows, in any unit; not in proportion
            to `size`: pixels that are not square.

    Returns:
        Shape (height * width, 3), contiguous.
    """
    right, up, forward = axes
    width, height = size
    u = ((np.arange(width) + 0.5) / width * 2 - 1) * half_height * shape[0] / shape[1]
    v = (1 - (np.arange(height) + 0.5) / height * 2) * half_height
    rays = forward + u[None, :, None] * right + v[:, None, None] * up
    rays /= np.linalg.norm(rays, axis=2, keepdims=True)
    return np.ascontiguousarray(rays.reshape(-1, 3))
