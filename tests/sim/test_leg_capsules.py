"""The legs as they are drawn: where the model has them at this very moment."""

from __future__ import annotations

import numpy as np
import pytest

from sim.leg_capsules import PARTS, LegCapsules
from sim.leg_geometry import foot_position
from sim.plant import MinitaurPlant

FOOT = PARTS.index("foot")
HIP_HEIGHT_M = -0.0185
"""Of the hips' axis above the body's origin, by the model."""


@pytest.mark.parametrize("swing", [-0.3, 0.0, 0.4])
def test_feet_are_where_the_closed_form_has_them(swing: float) -> None:
    plant = MinitaurPlant()
    legs = LegCapsules(plant.model, plant.data)
    plant.reset(extension=2.0, swing=swing)
    foot = legs.ends()[0, FOOT]
    np.testing.assert_array_equal(foot[0], foot[1])
    x, z = foot_position(2.0, swing)
    hip_m = np.add(plant.base_position, (0.2375, 0.0, HIP_HEIGHT_M))
    assert foot[0, 0] - hip_m[0] == pytest.approx(float(x), abs=1e-6)
    assert foot[0, 2] - hip_m[2] == pytest.approx(float(z), abs=1e-6)


def test_links_have_their_lengths_and_hang_together() -> None:
    plant = MinitaurPlant()
    legs = LegCapsules(plant.model, plant.data)
    ends = legs.ends()
    length = np.linalg.norm(ends[:, :, 1] - ends[:, :, 0], axis=-1)
    for part, expected_m in (("front_upper", 0.112), ("front_shank", 0.2), ("rear_shank", 0.2315)):
        np.testing.assert_allclose(length[:, PARTS.index(part)], expected_m, atol=1e-9)
    knee = ends[:, PARTS.index("front_knee_ball"), 0]
    upper = ends[:, PARTS.index("front_upper")]
    away = np.linalg.norm(upper - knee[:, None], axis=-1).min(axis=1)
    np.testing.assert_allclose(away, 0.0, atol=1e-9)


def test_they_follow_the_angles_before_the_next_step_is_reckoned() -> None:
    plant = MinitaurPlant()
    legs = LegCapsules(plant.model, plant.data)
    before = legs.ends()
    plant.data.qpos[7] += 0.1
    moved = np.abs(legs.ends() - before).max(axis=(1, 2, 3))
    assert moved[0] > 0.01
    assert moved[1:].max() == 0.0
