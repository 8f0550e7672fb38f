"""Pictures without OpenGL: what must be seen is seen."""

from __future__ import annotations

import numpy as np
import pytest

from sim.engine import mujoco
from sim.plant import MinitaurPlant
from sim.view import RayView


@pytest.fixture(scope="module")
def plant() -> MinitaurPlant:
    return MinitaurPlant()


def colour_share(picture: np.ndarray, red: bool) -> float:
    """Share of clearly orange (rear links) or clearly blue (front links) pixels."""
    channels = picture.astype(int)
    excess = channels[..., 0] - channels[..., 2] if red else channels[..., 2] - channels[..., 0]
    rows = slice(picture.shape[0] // 3, None)  # below the sky
    return float((excess[rows] > 90).mean())


def test_the_robot_with_both_colours_of_legs_is_in_the_picture(plant: MinitaurPlant) -> None:
    plant.reset()
    picture = RayView(plant.model).render(plant.data, 320, 180)
    assert picture.shape == (180, 320, 3)
    assert picture.dtype == np.uint8
    assert colour_share(picture, red=True) > 0.003
    assert colour_share(picture, red=False) > 0.003
    assert (picture.max(axis=2) < 70).mean() > 0.01  # the dark chassis


def test_the_same_state_gives_the_same_picture(plant: MinitaurPlant) -> None:
    plant.reset()
    first, second = (RayView(plant.model).render(plant.data, 96, 54) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_camera_follows_and_the_floor_moves(plant: MinitaurPlant) -> None:
    view = RayView(plant.model)
    plant.reset()
    here = view.render(plant.data, 160, 90)
    plant.reset(x=0.25)
    one_tile = view.render(plant.data, 160, 90)
    plant.reset(x=0.5)
    two_tiles = view.render(plant.data, 160, 90)
    assert (here != one_tile).mean() > 0.1
    assert colour_share(one_tile, red=True) == pytest.approx(colour_share(here, red=True), rel=0.2)
    assert (here != two_tiles).mean() < 0.01  # the checker repeats, and so does the robot


def test_a_shadow_falls_on_the_floor(plant: MinitaurPlant) -> None:
    view = RayView(plant.model)
    plant.reset()
    standing = view.render(plant.data, 160, 90)
    plant.reset(clearance=3.0)
    empty = view.render(plant.data, 160, 90)
    darker = empty[60:].astype(int).sum(axis=2) - standing[60:].astype(int).sum(axis=2) > 60
    assert darker.mean() > 0.02


def test_every_geom_can_be_hit(plant: MinitaurPlant) -> None:
    # The many-rays search must find what the one-ray search finds: a geom without any contact bit
    # would be left out of it.
    plant.reset()
    model, data, rng = plant.model, plant.data, np.random.default_rng(0)
    view = RayView(model)
    for _ in range(30):
        eye = np.array([0.0, 0.0, 1.5]) + rng.normal(size=3)
        rays = data.geom_xpos + rng.normal(size=(model.ngeom, 3)) * 0.02 - eye
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        found, _, _ = view._cast(data, eye, rays)
        for ray, geom in zip(rays, found, strict=True):
            one = np.zeros(1, dtype=np.int32)
            mujoco.mj_ray(model, data, eye, ray, None, 1, -1, one, np.zeros(3))
            assert one[0] == geom


def test_an_empty_picture_is_refused(plant: MinitaurPlant) -> None:
    with pytest.raises(ValueError, match="0 x 10"):
        RayView(plant.model).render(plant.data, 0, 10)
