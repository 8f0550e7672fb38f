"""Pictures of a fixed camera: the right thing in the right pixel, in the right light."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from sim.camera_sensor import Floats, Image
from sim.engine import Data, Model, mujoco
from sim.ray_camera import CameraLook, Lamp, RayCamera
from sim.rays import cast

CLAW = Path(__file__).parents[2] / "sim" / "models" / "claw.xml"
GOLDEN = Path(__file__).parents[1] / "golden" / "claw_camera.png"
HOME = (0.0, -math.pi / 3, math.pi / 3) * 3
BENCH = """
<mujoco>
  <worldbody>
    <geom name="table" type="plane" size="0 0 1" rgba="0.5 0.5 0.5 1"/>
    <geom name="wedge" type="box" size="0.1 0.1 0.01" pos="-0.4 0 0.2" euler="0 60 0"/>
    <camera name="hand" pos="0 0 1" fovy="90"/>
    <camera name="aside" pos="0.5 -0.5 1" xyaxes="1 0 0 0 0.8 0.6" fovy="45"/>
    <body name="marble" pos="0.3 0.2 0.5">
      <freejoint/>
      <geom type="sphere" size="0.03" rgba="1 0 0 1"/>
      <camera name="riding" pos="0 0 1"/>
    </body>
  </worldbody>
</mujoco>
"""


@pytest.fixture(scope="module")
def claw() -> tuple[Model, Data]:
    model = mujoco.MjModel.from_xml_path(str(CLAW))
    return model, mujoco.MjData(model)


@pytest.fixture
def bench() -> tuple[Model, Data]:
    model = mujoco.MjModel.from_xml_string(BENCH)
    return model, mujoco.MjData(model)


def set_hand(data: Data, valve_rad: float, fingers: tuple[float, ...] = HOME) -> None:
    data.qpos[:] = (*fingers, valve_rad)


def warm(picture: Image) -> np.ndarray:
    """Where the coloured lobe is seen."""
    channels = picture.astype(int)
    return channels[..., 0] - channels[..., 2] > 80


def middle(mask: np.ndarray) -> tuple[float, float]:
    """Column and row of a mask's centre, px."""
    rows, columns = np.nonzero(mask)
    assert len(rows)
    return float(columns.mean() + 0.5), float(rows.mean() + 0.5)


def test_golden_picture(claw: tuple[Model, Data]) -> None:
    model, data = claw
    set_hand(data, 0.5, (0.3, -0.7, 0.6) * 3)
    golden = cv2.imread(str(GOLDEN))
    assert golden is not None
    picture = RayCamera(model).render(data)
    assert (picture.shape, picture.dtype) == ((32, 32, 3), np.uint8)
    assert np.abs(picture.astype(int) - golden[:, :, ::-1]).mean() <= 1.0


def test_the_same_state_gives_the_same_bits_and_is_left_alone(claw: tuple[Model, Data]) -> None:
    model, data = claw
    set_hand(data, 1.0)
    mujoco.mj_forward(model, data)
    before = [data.xpos.copy(), data.geom_xpos.copy(), data.qpos.copy(), data.cam_xpos.copy()]
    eye = RayCamera(model)
    first = eye.render(data)
    set_hand(data, -2.0)
    assert (eye.render(data) != first).any()
    set_hand(data, 1.0)
    np.testing.assert_array_equal(eye.render(data), first)
    np.testing.assert_array_equal(RayCamera(model).render(data), first)
    for kept, now in zip(
        before, [data.xpos, data.geom_xpos, data.qpos, data.cam_xpos], strict=True
    ):
        np.testing.assert_array_equal(kept, now)


@pytest.mark.parametrize("samples", [1, 3])
def test_leaving_rays_out_leaves_no_geom_out(claw: tuple[Model, Data], samples: int) -> None:
    """Against every ray traced through everything, one by one."""
    model, data = claw
    rng = np.random.default_rng(5)
    eye = RayCamera(model, width=24, height=20, supersample=samples)
    assert (eye.width, eye.height) == (24, 20)
    for _ in range(6):
        set_hand(data, rng.uniform(-3, 3), tuple(rng.uniform(-1, 1, 9)))
        mujoco.mj_forward(model, data)
        np.testing.assert_allclose(
            eye.radiance(data), traced(model, data, eye.look, (24, 20), samples), atol=1e-6
        )


def traced(
    model: Model, data: Data, look: CameraLook, size: tuple[int, int], samples: int
) -> Floats:
    """The picture in plain steps."""
    width, height = size
    camera = model.camera("hand").id
    half = math.tan(math.radians(model.cam_fovy[camera]) / 2)
    grid = np.empty((height, width, samples, samples, 3))
    for row, column, i, j in np.ndindex(grid.shape[:4]):
        x = 2 * (column + (j + 0.5) / samples) / width - 1
        y = 1 - 2 * (row + (i + 0.5) / samples) / height
        ray = np.array([x * half * width / height, y * half, -1.0])
        grid[row, column, i, j] = ray / np.linalg.norm(ray)
    rays = np.ascontiguousarray(grid.reshape(-1, 3) @ data.cam_xmat[camera].reshape(3, 3).T)
    hits = cast(model, data, data.cam_xpos[camera].copy(), rays, 3.0)
    assert (hits.geoms >= 0).all()
    light = np.full(len(rays), look.ambient)
    for lamp in look.lamps:
        towards = np.array(lamp.towards) / np.linalg.norm(lamp.towards)
        light += lamp.strength * np.maximum(hits.normals @ towards, 0.0)
    colours = model.geom_rgba[hits.geoms, :3].astype(float) ** 2.2 * light[:, None]
    mean = colours.reshape(height, width, -1, 3).mean(axis=2)
    return mean.astype(np.float32)


@pytest.mark.parametrize(
    ("valve_rad", "towards"),
    [(0.0, (1, 0)), (math.pi / 2, (0, -1)), (math.pi, (-1, 0)), (-math.pi / 2, (0, 1))],
)
def test_the_coloured_lobe_is_where_the_valve_says(
    claw: tuple[Model, Data], valve_rad: float, towards: tuple[int, int]
) -> None:
    """Angle 0: to the right; positive: counter-clockwise as seen from above."""
    model, data = claw
    set_hand(data, valve_rad)
    eye = RayCamera(model)
    column, row = middle(warm(eye.render(data)))
    hub = eye.pixel_of((0.0, 0.0, 0.102))
    across, down = column - hub[0], row - hub[1]
    along = across * towards[0] + down * towards[1]
    off = abs(across * towards[1] - down * towards[0])
    assert along > 3.0
    assert off < 1.5


def test_every_angle_of_the_valve_has_a_picture_of_its_own(claw: tuple[Model, Data]) -> None:
    model, data = claw
    eye = RayCamera(model)
    pictures: list[np.ndarray] = []
    for angle in np.linspace(-math.pi, math.pi, 63, endpoint=False):
        set_hand(data, float(angle))
        pictures.append(eye.render(data).astype(int))
        assert warm(pictures[-1]).sum() >= 15
    for one, other in zip(pictures, [*pictures[1:], pictures[0]], strict=True):
        assert (np.abs(one - other).max(axis=2) > 30).sum() >= 4


@pytest.mark.parametrize("camera", ["hand", "aside"])
@pytest.mark.parametrize("aspect", [None, 4.0 / 3.0])
def test_a_point_of_the_world_falls_on_its_pixel(
    bench: tuple[Model, Data], camera: str, aspect: float | None
) -> None:
    model, data = bench
    eye = RayCamera(model, camera, 200, 160, aspect)
    for place in ((0.3, 0.2, 0.5), (0.45, -0.2, 0.3), (0.7, 0.15, 0.1)):
        data.qpos[:3] = place
        picture = eye.render(data).astype(int)
        seen = middle(picture[..., 0] - picture[..., 1] > 100)
        assert seen == pytest.approx(eye.pixel_of(place), abs=1.0)


def test_pixels_are_numbered_from_the_top_left(bench: tuple[Model, Data]) -> None:
    """The camera looks down from 1 m with 45 degrees to each side; +y is up in the picture."""
    model, _ = bench
    eye = RayCamera(model, width=100, height=100)
    assert eye.pixel_of((0.0, 0.0, 0.0)) == pytest.approx((50.0, 50.0))
    assert eye.pixel_of((-1.0, 1.0, 0.0)) == pytest.approx((0.0, 0.0))
    assert eye.pixel_of((0.25, -0.125, 0.5)) == pytest.approx((75.0, 62.5))
    squeezed = RayCamera(model, width=100, height=100, aspect=2.0)
    assert squeezed.pixel_of((1.0, 0.0, 0.0)) == pytest.approx((75.0, 50.0))
    assert RayCamera(model, width=200, height=100).pixel_of((1.0, 0.0, 0.0))[0] == 150.0


def test_a_camera_moved_and_turned_sees_from_there(bench: tuple[Model, Data]) -> None:
    model, _ = bench
    moved = RayCamera(model, width=100, height=100, look=CameraLook(shift_m=(0.1, -0.2, 1.0)))
    assert moved.pixel_of((0.1, -0.2, 0.0)) == pytest.approx((50.0, 50.0))
    assert moved.pixel_of((2.1, -0.2, 0.0)) == pytest.approx((100.0, 50.0))
    # Turned about its own up axis to the left: what was ahead wanders to the right.
    look = CameraLook(turn_rad=(0.0, math.atan(0.5), 0.0))
    turned = RayCamera(model, width=100, height=100, look=look)
    assert turned.pixel_of((0.0, 0.0, 0.0)) == pytest.approx((75.0, 50.0))
    up = CameraLook(turn_rad=(math.atan(0.5), 0.0, 0.0))
    assert RayCamera(model, width=100, height=100, look=up).pixel_of(
        (0.0, 0.0, 0.0)
    ) == pytest.approx((50.0, 75.0))


def test_surfaces_are_lit_by_lamberts_law(bench: tuple[Model, Data]) -> None:
    model, data = bench
    look = CameraLook(ambient=0.1, lamps=(Lamp((0.0, 0.0, 2.0), 0.8),))
    eye = RayCamera(model, width=101, height=101, look=look)
    light = eye.radiance(data)
    table = 0.5**2.2
    assert light[95, 50] == pytest.approx(table * 0.9, rel=1e-3)
    column, row = (int(place) for place in eye.pixel_of((-0.4, 0.0, 0.21)))
    assert light[row, column] == pytest.approx(table * (0.1 + 0.8 * 0.5), rel=1e-3)
    eye.arrange(replace(look, lamps=(Lamp((0.0, 0.0, -1.0), 0.8),)))
    assert eye.radiance(data)[95, 50] == pytest.approx(table * 0.1, rel=1e-3)


def test_more_rays_a_pixel_soften_edges(claw: tuple[Model, Data]) -> None:
    model, data = claw
    set_hand(data, 0.3)
    coarse, fine = (RayCamera(model, supersample=samples).render(data) for samples in (1, 4))
    large = RayCamera(model, width=128, height=128).radiance(data)
    mean = large.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    as_shown = np.rint(255 * np.clip(mean, 0, 1) ** (1 / 2.2))
    assert np.abs(fine - as_shown).max() <= 1.0
    assert np.abs(coarse - as_shown).max() > 50.0


def test_fixed_parts_are_taken_when_it_is_arranged(claw: tuple[Model, Data]) -> None:
    model, data = claw
    set_hand(data, 0.0)
    eye = RayCamera(model)
    before = eye.render(data)
    colour, place = model.geom("floor").rgba.copy(), model.body("valve_base").pos.copy()
    try:
        model.geom("floor").rgba[:3] = (0.2, 0.5, 0.2)
        model.body("valve_base").pos[0] += 0.03
        eye.arrange(eye.look)
        after = eye.render(data)
        np.testing.assert_array_equal(RayCamera(model).render(data), after)
    finally:
        model.geom("floor").rgba[:], model.body("valve_base").pos[:] = colour, place
    assert (before[-1] != after[-1]).any(axis=1).all()
    assert middle(warm(after))[1] > middle(warm(before))[1] + 1.0


def test_a_look_has_its_colours_and_tiles(claw: tuple[Model, Data]) -> None:
    model, data = claw
    set_hand(data, 0.0)
    colours = {"floor": (0.1, 0.6, 0.1), "lobe_0": (0.0, 0.0, 1.0)}
    picture = RayCamera(model, look=CameraLook(colours=colours, tile_shade=0.5)).render(data)
    assert not warm(picture).any()
    row = picture[-1].astype(int)
    assert (row[:, 1] > row[:, 0] + 40).all()
    assert len(np.unique(row[:, 1] > row[:, 1].mean())) == 2
    assert (np.diff((row[:, 1] > row[:, 1].mean()).astype(int)) != 0).sum() >= 3


def test_what_is_beyond_reach_is_background(bench: tuple[Model, Data]) -> None:
    model, data = bench
    data.qpos[2] = -5.0
    look = CameraLook(background=(0.0, 1.0, 0.0))
    picture = RayCamera(model, look=look, reach_m=0.5).render(data)
    assert (picture == (0, 255, 0)).all()


def test_what_cannot_be_is_refused(bench: tuple[Model, Data]) -> None:
    model, _ = bench
    with pytest.raises(ValueError, match="at least 1, got 0, 32 and 1"):
        RayCamera(model, width=0)
    with pytest.raises(ValueError, match="at least 1"):
        RayCamera(model, supersample=0)
    with pytest.raises(ValueError, match="'riding' moves"):
        RayCamera(model, "riding")
    with pytest.raises(ValueError, match="no geom 'lobe_9'"):
        RayCamera(model, look=CameraLook(colours={"lobe_9": (1, 0, 0)}))
    with pytest.raises(ValueError, match="must not be zero"):
        RayCamera(model, look=CameraLook(lamps=(Lamp((0, 0, 0), 1.0),)))
