"""Rotation matrices and unit quaternions, each from the other."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from calibration.rotations import matrix_of, quaternion

PART = st.floats(-1.0, 1.0)


def test_a_quarter_turn_about_down_puts_x_where_right_is() -> None:
    half = math.sqrt(0.5)
    np.testing.assert_allclose(matrix_of((half, 0.0, 0.0, half)) @ [1, 0, 0], [0, 1, 0], atol=1e-12)


@given(st.tuples(PART, PART, PART, PART).filter(lambda four: np.linalg.norm(four) > 0.1))
def test_one_is_the_others_inverse(four: tuple[float, ...]) -> None:
    turned = matrix_of(np.array(four) / np.linalg.norm(four))
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(matrix_of(quaternion(turned)), turned, atol=1e-12)
