"""Which side is down."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.hal import ImuSample
from robosac.tasks.posture import UPRIGHT_RAD, Posture, posture_of


def sample(roll: float, pitch: float, yaw: float = 0.0) -> ImuSample:
    """An attitude by yaw, then pitch, then roll, rad."""
    halves = np.array([roll, pitch, yaw]) / 2
    (cr, cp, cy), (sr, sp, sy) = np.cos(halves), np.sin(halves)
    quaternion = np.array(
        [
            cr * cp * cy + sr * sp * sy,
            sr * cp * cy - cr * sp * sy,
            cr * sp * cy + sr * cp * sy,
            cr * cp * sy - sr * sp * cy,
        ]
    )
    return ImuSample(0.0, quaternion, np.zeros(3), np.array([0.0, 0.0, 9.81]))


@pytest.mark.parametrize(
    ("roll", "pitch", "posture"),
    [
        (0.0, 0.0, Posture.UPRIGHT),
        (0.5, -0.3, Posture.UPRIGHT),
        (math.pi / 2, 0.0, Posture.RIGHT),
        (-math.pi / 2, 0.0, Posture.LEFT),
        (-1.2, 0.3, Posture.LEFT),
        (0.0, 1.3, Posture.PITCHED),
        (0.0, -1.3, Posture.PITCHED),
        (math.pi, 0.0, Posture.BACK),
        (2.9, 0.2, Posture.BACK),
    ],
)
@pytest.mark.parametrize("yaw", [0.0, 2.0, -3.0])
def test_the_side_that_is_down(roll: float, pitch: float, yaw: float, posture: Posture) -> None:
    assert posture_of(sample(roll, pitch, yaw)) is posture


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0])
def test_an_attitude_that_is_none_is_unknown(bad: float) -> None:
    broken = ImuSample(0.0, np.full(4, bad), np.zeros(3), np.zeros(3))
    assert posture_of(broken) is Posture.UNKNOWN
    assert posture_of(None) is Posture.UNKNOWN


@given(st.floats(-math.pi, math.pi), st.floats(-1.5, 1.5), st.floats(-math.pi, math.pi))
def test_upright_is_exactly_a_small_tilt(roll: float, pitch: float, yaw: float) -> None:
    imu = sample(roll, pitch, yaw)
    assert (posture_of(imu) is Posture.UPRIGHT) == (imu.tilt <= UPRIGHT_RAD)
