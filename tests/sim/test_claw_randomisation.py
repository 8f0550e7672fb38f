"""Hands drawn from ranges, and what a drawn hand is like in MuJoCo."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from sim.claw_plant import VALVE, ClawPlant
from sim.claw_randomisation import ClawDraw, ClawRandomisation
from sim.engine import mujoco


def test_off_is_the_nominal_hand() -> None:
    assert ClawRandomisation.off().draw(np.random.default_rng(3)) == ClawDraw()


def test_draws_stay_in_and_fill_their_ranges() -> None:
    rng, ranges = np.random.default_rng(0), ClawRandomisation.robel()
    draws = [ranges.draw(rng) for _ in range(500)]
    # ROBEL: kp 1 to 3 about 2, friction 0.8 to 1.2 about 1, mount 1 cm; its fork: valve 3 mm.
    for name, (low, high) in {
        "motor_strength": (0.5, 1.5),
        "friction_scale": (0.8, 1.2),
        "mount_shift_m": (-0.01, 0.01),
        "valve_radius_shift_m": (-0.003, 0.003),
    }.items():
        values = np.array([getattr(draw, name) for draw in draws])
        margin = 0.05 * (high - low)
        assert (values.min(axis=0) >= low).all(), name
        assert (values.max(axis=0) <= high).all(), name
        assert (values.min(axis=0) < low + margin).all(), name
        assert (values.max(axis=0) > high - margin).all(), name


def test_the_same_seed_draws_the_same_hand() -> None:
    ranges = ClawRandomisation.robel()
    assert ranges.draw(np.random.default_rng(5)) == ranges.draw(np.random.default_rng(5))
    assert ranges.draw(np.random.default_rng(5)) != ranges.draw(np.random.default_rng(6))


def test_switching_one_property_off_leaves_the_others() -> None:
    ranges = ClawRandomisation.robel()
    less = dataclasses.replace(ranges, motor_strength=None, mount_shift_m=None)
    full, part = ranges.draw(np.random.default_rng(5)), less.draw(np.random.default_rng(5))
    nominal = {"motor_strength": 1.0, "mount_shift_m": (0.0, 0.0, 0.0)}
    assert part == dataclasses.replace(full, **nominal)


@pytest.mark.parametrize(
    ("name", "span"),
    [
        ("motor_strength", (1.2, 0.8)),
        ("motor_strength", (0.0, 1.0)),
        ("damping_scale", (-0.1, 1.0)),
        ("friction_scale", (0.5, float("inf"))),
        ("valve_radius_shift_m", (-0.03, 0.0)),
    ],
)
def test_an_impossible_range_is_refused_by_name(name: str, span: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=name):
        ClawRandomisation(**{name: span})


def test_a_draw_is_applied_to_the_nominal_model_and_undone_by_the_next() -> None:
    plant = ClawPlant()
    model = plant.model
    names = ("dof_damping", "dof_frictionloss", "geom_friction", "geom_size", "body_pos")
    nominal = {name: getattr(model, name).copy() for name in names}
    draw = ClawDraw(0.5, 2.0, 1.3, 0.8, (0.01, -0.005, 0.002), 0.003)
    plant.apply(draw)
    plant.apply(draw)
    np.testing.assert_allclose(model.dof_damping, 0.5 * nominal["dof_damping"])
    np.testing.assert_allclose(model.dof_frictionloss, 2.0 * nominal["dof_frictionloss"])
    assert model.geom("lobe_1").friction[0] == pytest.approx(0.16)
    assert model.geom("tip_2_pad").friction[0] == pytest.approx(0.16)
    assert model.geom("floor").friction[0] == 0.6
    np.testing.assert_allclose(model.body("mount").pos, [0.01, -0.005, 0.337])
    np.testing.assert_allclose(model.geom("lobe_0").size[:2], [0.024, 0.035])
    plant.apply(ClawDraw())
    for name in names:
        np.testing.assert_array_equal(getattr(model, name), nominal[name])


@pytest.mark.parametrize("grown", [0.003, -0.003])
def test_thicker_lobes_are_hit_by_fingers_and_rays_alike(grown: float) -> None:
    plant = ClawPlant()
    plant.apply(ClawDraw(valve_radius_shift_m=grown))
    plant.reset()
    hit = np.zeros(1, dtype=np.int32)
    # Straight down on the middle of the lobe to +y, and in at its end.
    for eye, ray, expected in (
        ([0.0, 0.05, 0.2], [0.0, 0.0, -1.0], 0.2 - 0.1021 - 0.021 - grown),
        ([0.0, 0.2, 0.1021], [0.0, -1.0, 0.0], 0.2 - 0.073 - 0.021 - grown),
    ):
        arguments = (plant.model, plant.data, np.array(eye), np.array(ray))
        distance = mujoco.mj_ray(*arguments, None, 1, -1, hit)
        assert distance == pytest.approx(expected, abs=1e-9)
        assert plant.model.geom(hit[0]).name == "lobe_0"
        geoms, distances = np.zeros(1, dtype=np.int32), np.zeros(1)
        mujoco.mj_multiRay(*arguments, None, 1, -1, geoms, distances, None, 1, 1.0)
        assert distances[0] == pytest.approx(expected, abs=1e-9)
    gaps = []
    for angle in np.linspace(0.0, 2 * math.pi / 3, 25):
        plant.reset(np.zeros(9), float(angle))
        gaps += [contact.dist for contact in plant.data.contact]
    nominal = []
    plain = ClawPlant()
    for angle in np.linspace(0.0, 2 * math.pi / 3, 25):
        plain.reset(np.zeros(9), float(angle))
        nominal += [contact.dist for contact in plain.data.contact]
    assert min(gaps) == pytest.approx(min(nominal) - grown, abs=1e-6)
    assert plant.valve_angle == plant.joint_position[VALVE]
