"""Mounting, bias and noise of an inertial sensor; what leaves them open."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.errors import Undetermined
from calibration.imu import GRAVITY_M_S2, ImuResult, Rest, Turn, calibrate_imu

IDENTITY = np.eye(3)
UP = {
    "level": (0.0, 0.0, -1.0),
    "on its back": (0.0, 0.0, 1.0),
    "nose down": (-1.0, 0.0, 0.0),
    "nose up": (1.0, 0.0, 0.0),
    "right side down": (0.0, -1.0, 0.0),
    "left side down": (0.0, 1.0, 0.0),
}
AXES = {"roll": (1.0, 0.0, 0.0), "pitch": (0.0, 1.0, 0.0), "yaw": (0.0, 0.0, 1.0)}


def samples(
    to_body: np.ndarray = IDENTITY,
    bias: tuple[float, float, float] = (0.0, 0.0, 0.0),
    noise: float = 0.0,
    seed: int = 0,
) -> tuple[list[Rest], list[Turn]]:
    """What a sensor tells whose axes `to_body` turns into the body's."""
    rng, to_sensor = np.random.default_rng(seed), to_body.T

    def shaken(vector: np.ndarray, count: int) -> np.ndarray:
        return np.tile(vector, (count, 1)) + noise * rng.standard_normal((count, 3))

    rests = [
        Rest(
            name,
            up,
            shaken(np.array(bias), 100),
            shaken(to_sensor @ np.array(up) * GRAVITY_M_S2, 100),
        )
        for name, up in UP.items()
    ]
    time = np.linspace(0.0, 1.0, 201)
    speed = 0.5 * math.pi * np.sin(math.pi * time)[:, None]
    turns = [
        Turn(
            name, axis, time, bias + speed * (to_sensor @ np.array(axis)) + shaken(np.zeros(3), 201)
        )
        for name, axis in AXES.items()
    ]
    return rests, turns


def about(axis: tuple[float, float, float], angle: float) -> np.ndarray:
    """Rotation matrix by Rodrigues."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    k = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + math.sin(angle) * k + (1.0 - math.cos(angle)) * (k @ k)


def test_a_square_sensor_with_a_bias() -> None:
    found = calibrate_imu(*samples(bias=(0.01, -0.02, 0.03)))
    assert found.mounting == pytest.approx((1.0, 0.0, 0.0, 0.0), abs=1e-9)
    assert found.gyro_bias_rad_s == pytest.approx((0.01, -0.02, 0.03), abs=1e-12)
    assert found.gyro_noise_rad_s == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)
    assert found.worst_rad == pytest.approx(0.0, abs=1e-7)
    assert found.axes == ("+x", "+y", "+z")
    # Each axis is known along by 2 of 6 attitudes and 1 of 3 turns: 1 - 3/9.
    assert found.coverage == pytest.approx(2.0 / 3.0)
    assert found.readings == 600 + 3 * 201


@pytest.mark.parametrize(
    ("axis", "angle", "quaternion", "axes"),
    [
        # The sensor's x points to the body's right: a quarter turn about z.
        ((0, 0, 1), math.pi / 2, (math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)), ("+y", "-x", "+z")),
        # Mounted upside down, its x still forward.
        ((1, 0, 0), math.pi, (0.0, 1.0, 0.0, 0.0), ("+x", "-y", "-z")),
        ((0, 1, 0), math.pi, (0.0, 0.0, 1.0, 0.0), ("-x", "+y", "-z")),
        # A third of a turn about the space diagonal: x to y, y to z, z to x.
        ((1, 1, 1), 2 * math.pi / 3, (0.5, 0.5, 0.5, 0.5), ("+y", "+z", "+x")),
        # Ten degrees about z: still square enough to be named.
        (
            (0, 0, 1),
            math.radians(10),
            (math.cos(math.radians(5)), 0.0, 0.0, math.sin(math.radians(5))),
            ("+x", "+y", "+z"),
        ),
        (
            (0, 0, 1),
            math.radians(45),
            (math.cos(math.radians(22.5)), 0.0, 0.0, math.sin(math.radians(22.5))),
            None,
        ),
    ],
)
def test_a_sensor_mounted_in_a_known_way(
    axis: tuple[float, float, float],
    angle: float,
    quaternion: tuple[float, ...],
    axes: tuple[str, str, str] | None,
) -> None:
    found = calibrate_imu(*samples(about(axis, angle)))
    assert found.mounting == pytest.approx(quaternion, abs=1e-7)
    assert found.axes == axes


def test_the_mounting_is_what_the_robot_turns_by() -> None:
    """The quaternion, in the robot's own frames, makes a level body of a sensor that sits askew."""
    from robosac.robots.frames import vector_from_vectornav

    to_body = about((1.0, -2.0, 0.5), 1.0)
    found = calibrate_imu(*samples(to_body))
    level = to_body.T @ np.array([0.0, 0.0, -GRAVITY_M_S2])
    felt = vector_from_vectornav(level, np.array(found.mounting))
    np.testing.assert_allclose(felt, (0.0, 0.0, GRAVITY_M_S2), atol=1e-6)


def test_noise_is_told() -> None:
    found = calibrate_imu(*samples(noise=0.01, seed=4))
    assert found.gyro_noise_rad_s == pytest.approx((0.01,) * 3, rel=0.15)
    assert found.acceleration_noise_m_s2 == pytest.approx((0.01,) * 3, rel=0.15)


RESTS, TURNS = samples(about((0.3, 1.0, -0.2), 0.7))
FLIP = np.array([1.0, -1.0, 1.0])


@pytest.mark.parametrize(
    ("rests", "turns", "says"),
    [
        (RESTS[:2], TURNS, "2 attitudes and 3 turns"),
        (RESTS, TURNS[:1], "6 attitudes and 1 turns"),
        (
            [RESTS[0], RESTS[1], RESTS[0]],
            [TURNS[2], replace(TURNS[2], name="again")],
            "along one line",
        ),
        (
            [
                replace(
                    r, gyro_rad_s=r.gyro_rad_s * FLIP, acceleration_m_s2=r.acceleration_m_s2 * FLIP
                )
                for r in RESTS
            ],
            [replace(t, gyro_rad_s=t.gyro_rad_s * FLIP) for t in TURNS],
            "a mirror explains the axes to 0.0 degrees",
        ),
        (RESTS, [*TURNS[:2], replace(TURNS[2], gyro_rad_s=-TURNS[2].gyro_rad_s)], "yaw is .* off"),
        (
            [replace(RESTS[0], up=UP["nose up"]), *RESTS[1:]],
            TURNS,
            "degrees off what all others say",
        ),
        ([replace(RESTS[0], up=(0.0, 0.0, -2.0)), *RESTS[1:]], TURNS, "no unit vector"),
        (
            [replace(RESTS[0], acceleration_m_s2=0.9 * RESTS[0].acceleration_m_s2), *RESTS[1:]],
            TURNS,
            r"specific force of 8\.83",
        ),
        (
            [replace(RESTS[0], gyro_rad_s=RESTS[0].gyro_rad_s + 0.5), *RESTS[1:]],
            TURNS,
            "no bias is larger",
        ),
        (
            [replace(RESTS[0], gyro_rad_s=RESTS[0].gyro_rad_s + 0.05), *RESTS[1:]],
            TURNS,
            "let it warm up",
        ),
        (
            [
                replace(
                    RESTS[0],
                    gyro_rad_s=RESTS[0].gyro_rad_s + np.linspace(0, 0.05, 100)[:, None],
                ),
                *RESTS[1:],
            ],
            TURNS,
            "level: it moved",
        ),
        ([replace(RESTS[0], gyro_rad_s=RESTS[0].gyro_rad_s[:99]), *RESTS[1:]], TURNS, "n >= 100"),
        (
            RESTS,
            [*TURNS[:2], replace(TURNS[2], gyro_rad_s=0.2 * TURNS[2].gyro_rad_s)],
            "yaw: it turned by 11 degrees",
        ),
        (RESTS, [*TURNS[:2], replace(TURNS[2], time_s=TURNS[2].time_s[::-1])], "times must"),
        (
            RESTS,
            [
                *TURNS[:2],
                replace(
                    TURNS[2],
                    gyro_rad_s=TURNS[2].gyro_rad_s
                    + 3.0 * np.sin(12.0 * TURNS[2].time_s)[:, None] * np.array([1.0, 0.0, 0.0]),
                ),
            ],
            "about other axes too",
        ),
    ],
)
def test_samples_that_leave_the_mounting_open_are_refused(
    rests: list[Rest], turns: list[Turn], says: str
) -> None:
    with pytest.raises(Undetermined, match=says):
        calibrate_imu(rests, turns)


def test_sloppy_attitudes_are_refused_by_their_own_residuals() -> None:
    rests = []
    for index, rest in enumerate(RESTS):
        tilted = about(AXES["roll"] if index % 2 else AXES["pitch"], math.radians(2.5))
        rests.append(replace(rest, acceleration_m_s2=rest.acceleration_m_s2 @ tilted.T))
    with pytest.raises(Undetermined, match=r"known to|off what all"):
        calibrate_imu(rests, TURNS)


@settings(max_examples=30)
@given(
    axis=st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda a: np.linalg.norm(a) > 0.1),
    angle=st.floats(-math.pi, math.pi),
    bias=st.tuples(*[st.floats(-0.05, 0.05)] * 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_mounting_is_found(
    axis: tuple[float, float, float],
    angle: float,
    bias: tuple[float, float, float],
    seed: int,
) -> None:
    to_body = about(axis, angle)
    found: ImuResult = calibrate_imu(*samples(to_body, bias, noise=0.02, seed=seed))
    w, x, y, z = found.mounting
    assert w >= 0.0
    back = (
        about((x, y, z), 2.0 * math.atan2(math.hypot(x, y, z), w))
        if (x, y, z) != (0, 0, 0)
        else IDENTITY
    )
    wrong = math.acos(min(1.0, (float(np.trace(back.T @ to_body)) - 1.0) / 2.0))
    assert wrong < math.radians(0.2)
    np.testing.assert_allclose(found.gyro_bias_rad_s, bias, atol=0.004)
