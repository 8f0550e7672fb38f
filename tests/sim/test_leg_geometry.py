"""The five-bar's closed form against itself and against the model file."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import leg_geometry
from sim.plant import MinitaurPlant

EXTENSIONS = st.floats(0.5, 2.9)
SWINGS = st.floats(-0.8, 0.8)
PLANT = MinitaurPlant()


@given(st.lists(EXTENSIONS, min_size=4, max_size=4), st.lists(SWINGS, min_size=4, max_size=4))
def test_motor_angles_and_leg_pose_are_inverse(extension: list[float], swing: list[float]) -> None:
    back = leg_geometry.leg_pose(leg_geometry.motor_angles(extension, swing))
    np.testing.assert_allclose(back, [extension, swing], atol=1e-12)


def test_standing_pose_by_hand() -> None:
    # l1 = .112, l2 = .2, l3 = .2315, extension 2.0: sin(alpha) = .112 * .909297 / .2 = .509207,
    # cos(alpha) = .860644; ankle .2 * .860644 + .112 * .416147 = .218737;
    # toe (.2315 * .509207 - .112 * .909297, -.2315 * .860644 - .112 * .416147).
    assert leg_geometry.ankle_length(2.0) == pytest.approx(0.218737, abs=1e-6)
    x, z = leg_geometry.foot_position(2.0, 0.0)
    assert x == pytest.approx(0.016040, abs=1e-6)
    assert z == pytest.approx(-0.245848, abs=1e-6)


def test_positive_swing_moves_the_foot_forward_and_more_extension_moves_it_down() -> None:
    x, z = leg_geometry.foot_position(np.array([2.0, 2.0, 2.2]), np.array([0.0, 0.2, 0.0]))
    assert x[1] > x[0] + 0.03
    assert z[2] < z[0] - 0.01


@given(st.floats(0.6, 2.9), st.floats(-0.7, 0.7), st.integers(0, 3))
def test_the_model_agrees_with_the_closed_form(extension: float, swing: float, leg: int) -> None:
    extensions, swings = np.full(4, 2.0), np.zeros(4)
    extensions[leg], swings[leg] = extension, swing
    PLANT.reset(extensions, swings)
    assert PLANT.loop_error() < 1e-9
    name = leg_geometry.LEG_NAMES[leg]
    hip = PLANT.data.body(f"{name}_front").xpos
    foot = PLANT.data.geom(f"{name}_foot").xpos
    np.testing.assert_allclose(
        (foot - hip)[[0, 2]], leg_geometry.foot_position(extension, swing), atol=1e-9
    )


def test_an_extension_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="must be finite"):
        leg_geometry.foot_position(float("nan"), 0.0)
