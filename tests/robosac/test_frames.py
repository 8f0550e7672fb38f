"""From the VN-100's FRD axes in NED to our FLU axes with z up."""

import math

import numpy as np
import pytest

from robosac.hal import ImuSample
from robosac.robots.frames import (
    multiply,
    orientation_from_vectornav,
    rotate,
    vector_from_vectornav,
)

SQUARE = np.array([1.0, 0.0, 0.0, 0.0])


def frd(roll: float, pitch: float, yaw: float) -> np.ndarray:
    """Quaternion (x, y, z, w) of aerospace angles (z-y-x, FRD to NED), rad."""
    (cr, sr), (cp, sp), (cy, sy) = ((math.cos(a / 2), math.sin(a / 2)) for a in (roll, pitch, yaw))
    return np.array(
        [
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
            cr * cp * cy + sr * sp * sy,
        ]
    )


def sample(xyzw: np.ndarray, mounting: np.ndarray = SQUARE) -> ImuSample:
    orientation = orientation_from_vectornav(xyzw, mounting)
    return ImuSample(0.0, orientation, np.zeros(3), np.zeros(3))


@pytest.mark.parametrize("yaw", [0.0, 1.0, -2.5])
def test_roll_keeps_its_sign_and_pitch_changes_it(yaw: float) -> None:
    # FRD: nose up is positive pitch. FLU with z up: nose down is. Roll is right side down in both.
    seen = sample(frd(0.2, 0.1, yaw))
    assert seen.roll == pytest.approx(0.2)
    assert seen.pitch == pytest.approx(-0.1)


def test_tilt_is_the_angle_from_the_vertical() -> None:
    assert sample(frd(0.0, 0.3, 2.0)).tilt == pytest.approx(0.3)
    assert sample(frd(math.pi, 0.0, 0.0)).tilt == pytest.approx(math.pi)


def test_gravity_points_up_at_rest() -> None:
    at_rest = np.array([0.0, 0.0, -9.81])
    np.testing.assert_allclose(vector_from_vectornav(at_rest, SQUARE), [0, 0, 9.81])


def test_forward_stays_forward_and_right_becomes_minus_left() -> None:
    np.testing.assert_allclose(vector_from_vectornav(np.array([1.0, 2, 3]), SQUARE), [1, -2, -3])


def test_a_sensor_mounted_askew_tells_the_same() -> None:
    # Mounted turned by 90 degrees about its z axis: its x axis points to the body's right.
    mounting = np.array([math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)])
    to_body = rotate(mounting, np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(to_body, [0, 1, 0], atol=1e-12)
    # The body is level and rolled by 0.2: the sensor sees that as a pitch of -0.2 ... about its y.
    body_xyzw = frd(0.2, 0.0, 0.0)
    body = np.array([body_xyzw[3], *body_xyzw[:3]])
    sensor = multiply(body, mounting)
    seen = sample(np.array([*sensor[1:], sensor[0]]), mounting)
    assert seen.roll == pytest.approx(0.2)
    assert seen.pitch == pytest.approx(0.0, abs=1e-12)
