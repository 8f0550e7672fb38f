"""Cameras drawn at random stay within their ranges, and show the mark."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sim.camera_randomisation import CameraDraw, CameraRandomisation
from sim.camera_sensor import SensorSettings
from sim.claw_camera import ClawCamera, ClawCameraOptions
from sim.engine import mujoco
from tests.sim.test_ray_camera import CLAW, HOME


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_off_is_the_nominal_camera() -> None:
    assert CameraRandomisation.off().draw(rng(1)) == CameraDraw()


def test_draws_fill_their_ranges_and_repeat_from_a_seed() -> None:
    ranges = CameraRandomisation.mild()
    draws = [ranges.draw(rng(seed)) for seed in range(300)]
    assert draws[:20] == [ranges.draw(rng(seed)) for seed in range(20)]
    shifts = np.array([draw.shift_m for draw in draws])
    turns = np.degrees([draw.turn_rad for draw in draws])
    for values, most in ((shifts, 0.01), (turns, 2.0)):
        assert np.abs(values).max() <= most
        assert values.min(axis=0) == pytest.approx([-most] * 3, abs=0.05 * most)
        assert values.max(axis=0) == pytest.approx([most] * 3, abs=0.05 * most)
    for name in ("exposure", "light_scale", "ambient_scale"):
        values = np.array([getattr(draw, name) for draw in draws])
        low, high = ranges.exposure if name == "exposure" else ranges.light_scale  # type: ignore[misc]
        assert low <= values.min() < low + 0.02 < high - 0.02 < values.max() <= high
    for draw in draws:
        for colour in (draw.valve, draw.mount, draw.floor):
            assert colour is not None
            assert 0.3 <= min(colour) <= max(colour) <= 0.95
            assert max(colour) - min(colour) <= 0.08 + 1e-9
        assert draw.mark is not None
        assert draw.mark[0] - max(draw.mark[1:]) > 0.2


def test_switching_one_property_off_leaves_the_others() -> None:
    mild = CameraRandomisation.mild()
    whole = mild.draw(rng(7))
    assert replace(mild, grey=None).draw(rng(7)) == replace(
        whole, valve=None, mount=None, floor=None
    )
    assert replace(mild, turn_rad=None).draw(rng(7)) == replace(whole, turn_rad=(0.0, 0.0, 0.0))
    assert replace(mild, exposure=None, light_scale=None).draw(rng(7)) == replace(
        whole, exposure=1.0, light_scale=1.0, ambient_scale=1.0
    )


@pytest.mark.parametrize(
    ("name", "span"),
    [
        ("grey", (0.5, 0.4)),
        ("grey", (0.5, 1.1)),
        ("mark_value", (-0.1, 0.5)),
        ("exposure", (0.0, 1.0)),
        ("light_scale", (0.5, math.inf)),
        ("shift_m", (math.nan, 0.0)),
    ],
)
def test_ranges_that_cannot_be_are_refused(name: str, span: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=f"randomisation.{name}"):
        CameraRandomisation(**{name: span})


def test_the_mark_stays_apart_from_everything_else() -> None:
    """One rule for all pictures: much more red than blue."""
    model = mujoco.MjModel.from_xml_path(str(CLAW))
    data = mujoco.MjData(model)
    options = ClawCameraOptions(
        randomisation=CameraRandomisation.mild(), sensor=SensorSettings.noiseless()
    )
    camera = ClawCamera(model, data, lambda: 0.0, lambda _: None, options, rng(0))
    floor = model.geom("floor").rgba.copy()
    angle = rng(1)
    for seed in range(60):
        data.qpos[:] = (*HOME, angle.uniform(-math.pi, math.pi))
        camera.place(rng(seed))
        picture = camera.eye.render(data).astype(int)
        warmth = picture[..., 0] - picture[..., 2]
        assert (warmth > 60).sum() >= 12
        # Nothing lies between, where one might be taken for the other.
        assert ((warmth > 35) & (warmth <= 60)).sum() <= 2
    # The model itself keeps its colours.
    np.testing.assert_array_equal(model.geom("floor").rgba, floor)


def test_each_drawn_property_changes_the_picture() -> None:
    model = mujoco.MjModel.from_xml_path(str(CLAW))
    data = mujoco.MjData(model)
    data.qpos[:] = (*HOME, 0.7)
    options = ClawCameraOptions(sensor=SensorSettings.noiseless())
    nominal = ClawCamera(model, data, lambda: 0.0, lambda _: None, options, rng(0))
    mild = CameraRandomisation.mild()
    for name in mild.__dataclass_fields__:
        if name in ("mark_saturation", "mark_value", "tint"):
            continue
        drawn = replace(options, randomisation=CameraRandomisation(**{name: getattr(mild, name)}))
        camera = ClawCamera(model, data, lambda: 0.0, lambda _: None, drawn, rng(3))
        changed = camera.device.expose(0.0)
        plain = nominal.device.expose(0.0)
        assert changed is not None
        assert plain is not None
        assert (changed != plain).any(), name
