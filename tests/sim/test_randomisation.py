"""Robots drawn from published ranges."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sim.randomisation import Draw, Randomisation


def test_off_is_the_nominal_robot() -> None:
    assert Randomisation.off().draw(np.random.default_rng(3)) == Draw()


def test_tan_2018_stays_in_and_fills_its_ranges() -> None:
    # Tan et al. 2018 (arXiv 1804.10332), Table I.
    rng = np.random.default_rng(0)
    draws = [Randomisation.tan_2018().draw(rng) for _ in range(500)]
    published = {
        "chassis_mass_scale": (0.8, 1.2),
        "leg_mass_scale": (0.8, 1.2),
        "inertia_scale": (0.5, 1.5),
        "foot_friction": (0.5, 1.25),
        "motor_strength": (0.8, 1.2),
        "viscous_friction": (0.0, 0.05),
        "supply_v": (14.0, 16.8),
        "latency_s": (0.0, 0.04),
        "imu_noise_rad": (0.0, 0.05),
    }
    for name, (low, high) in published.items():
        values = [getattr(draw, name) for draw in draws]
        assert low <= min(values) < low + 0.05 * (high - low), name
        assert high - 0.05 * (high - low) < max(values) <= high, name
    biases = np.array([draw.imu_bias_rad for draw in draws])
    assert -0.05 <= biases.min() < -0.045
    assert 0.045 < biases.max() <= 0.05


def test_the_same_seed_draws_the_same_robot() -> None:
    tan = Randomisation.tan_2018()
    assert tan.draw(np.random.default_rng(5)) == tan.draw(np.random.default_rng(5))
    assert tan.draw(np.random.default_rng(5)) != tan.draw(np.random.default_rng(6))


def test_switching_one_property_off_leaves_the_others() -> None:
    tan = Randomisation.tan_2018()
    less = dataclasses.replace(tan, mass_scale=None)
    full, part = tan.draw(np.random.default_rng(5)), less.draw(np.random.default_rng(5))
    assert part == dataclasses.replace(full, chassis_mass_scale=1.0, leg_mass_scale=1.0)


@pytest.mark.parametrize(
    ("name", "span"),
    [
        ("mass_scale", (1.2, 0.8)),
        ("mass_scale", (0.0, 1.0)),
        ("latency_s", (-0.01, 0.02)),
        ("foot_friction", (0.5, float("inf"))),
    ],
)
def test_an_impossible_range_is_refused_by_name(name: str, span: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=name):
        Randomisation(**{name: span})
