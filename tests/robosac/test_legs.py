"""Swing and extension, both ways, and against the twin's own geometry."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robosac.tasks.legs import joints_from_legs, legs_from_joints
from sim.leg_geometry import foot_position, motor_angles

angles = arrays(np.float64, 4, elements=st.floats(-1.5, 1.5))


@given(angles, angles)
def test_the_map_is_its_own_inverse(swing: np.ndarray, extension: np.ndarray) -> None:
    back = legs_from_joints(joints_from_legs(swing, extension))
    np.testing.assert_allclose(back[0], swing, atol=1e-12)
    np.testing.assert_allclose(back[1], extension, atol=1e-12)


def test_it_is_the_map_of_the_twin() -> None:
    swing, extension = np.array([0.1, -0.2, 0.3, 0.0]), np.array([2.0, 1.8, 1.6, 2.2])
    np.testing.assert_allclose(joints_from_legs(swing, extension), motor_angles(extension, swing))


def test_positive_swing_moves_the_foot_forward() -> None:
    x, _ = foot_position(2.0, np.array([-0.2, 0.0, 0.2]))
    assert x[0] < x[1] < x[2]
