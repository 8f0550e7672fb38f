"""Speeds toward a stop and a goal, against numbers worked out by hand from the formulas' source.

tests/robosac/test_safety_proof.py proves that they are safe; here stands that they are these.
"""

from __future__ import annotations

import math

import pytest

from robosac.braking import admissible, speed_to_goal, speed_to_stop


@pytest.mark.parametrize(
    ("room", "shortest", "speed"),
    [
        # a = 2, h = 1, s = 1/2: sqrt(4 d + 2) - 3/2, or min(d, 1).
        (3.5, 0.5, 2.5),
        (1.75, 0.5, 1.5),
        (0.6, 0.5, 0.6),
        (0.25, 0.5, 0.25),
        (0.0, 0.5, 0.0),
        # One period of braking stands, and the stop is farther than one period takes.
        (1.03, 0.5, 1.0),
        # s = h: sqrt(4 d) - 1, or min(d, 2).
        (4.0, 1.0, 3.0),
        (0.81, 1.0, 0.81),
        (2.1, 1.0, 2.0),
    ],
)
def test_speed_to_a_stop(room: float, shortest: float, speed: float) -> None:
    assert speed_to_stop(room, 2.0, 1.0, shortest) == pytest.approx(speed, rel=1e-15)
    # The same in half the time: speeds double, accelerations are four times as great.
    assert speed_to_stop(room, 8.0, 0.5, shortest / 2) == pytest.approx(2.0 * speed, rel=1e-15)


@pytest.mark.parametrize(
    ("room", "speed"), [(4.0, 3.0), (2.25, 2.0), (2.1, 2.0), (0.81, 0.81), (0.0, 0.0)]
)
def test_speed_to_a_goal(room: float, speed: float) -> None:
    assert speed_to_goal(room, room, 2.0, 1.0) == pytest.approx(speed, rel=1e-15)
    assert speed_to_goal(room, 2.0 * room, 8.0, 0.5) == pytest.approx(2.0 * speed, rel=1e-15)


@pytest.mark.parametrize("room", [0.0, 1e-6, 1e-3, 0.02, 0.3, 2.0])
@pytest.mark.parametrize("shortest", [0.0025, 0.004, 0.01])
def test_a_joint_at_that_speed_stands_before_the_stop(room: float, shortest: float) -> None:
    """It goes on for one period of 10 ms and brakes in periods that are as short as they may be."""
    acceleration, period = 50.0, 0.01
    speed = speed_to_stop(room, acceleration, period, shortest)
    left = room - speed * period
    while speed > 0.0:
        speed = max(0.0, speed - acceleration * shortest)
        left -= speed * shortest
    assert left >= -1e-12


@pytest.mark.parametrize(
    ("wish", "cap", "last", "velocity"),
    [
        (1.0, 2.0, 1.25, 1.0),
        (3.0, 2.0, 1.75, 2.0),
        (3.0, 5.0, 1.0, 1.5),
        (0.0, 5.0, 1.0, 0.5),
        (0.0, 0.25, 1.0, 0.5),
        (3.0, 0.25, 1.0, 0.5),
        (3.0, 0.0, -2.0, -1.5),
        (0.0, 0.0, 0.25, 0.0),
    ],
)
def test_the_nearest_velocity_within_reach_of_half_a_radian_per_second(
    wish: float, cap: float, last: float, velocity: float
) -> None:
    assert admissible(wish, cap, last, 0.5) == velocity


def test_a_velocity_that_is_no_number_comes_through() -> None:
    assert math.isnan(admissible(1.0, 2.0, math.nan, 0.5))
