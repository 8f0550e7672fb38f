import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.firmware.moteus.trajectory import SetPoint, advance_free, advance_limited

DT = 0.001
REST = SetPoint(0.0, 0.0)


@given(st.floats(-5, 5), st.floats(1.0, 200.0), st.floats(0.5, 30.0))
def test_limits_hold_and_the_goal_is_reached_without_overshoot(
    goal: float, accel: float, speed: float
) -> None:
    point = REST
    for _ in range(20_000):
        new = advance_limited(point, SetPoint(goal, 0.0), speed, accel, DT)
        assert abs(new.velocity) <= speed * (1 + 1e-9)
        assert abs(new.velocity - point.velocity) <= accel * DT * (1 + 1e-9)
        point = new
        if point == (goal, 0.0) or abs(point.position - goal) + abs(point.velocity) < 1e-9:
            break
        assert abs(point.position) <= abs(goal) + accel * DT * DT
    assert point.position == pytest.approx(goal, abs=1e-6)


def test_time_of_a_trapezoid() -> None:
    """1 revolution at 50 rev/s^2 takes 2*sqrt(1/50) = 0.283 s, half of it speeding up."""
    point, steps = REST, 0
    while abs(point.position - 1.0) > 1e-3:
        point, steps = advance_limited(point, SetPoint(1.0, 0.0), math.nan, 50.0, DT), steps + 1
    assert steps * DT == pytest.approx(2 * math.sqrt(1 / 50), rel=0.06)


def test_no_limit_is_a_jump() -> None:
    goal = SetPoint(0.7, 0.1)
    assert advance_limited(REST, goal, math.nan, -1.0, DT) == goal


def test_free_motion_and_its_stop() -> None:
    assert advance_free(SetPoint(0.0, 1.0), math.nan, DT) == SetPoint(0.001, 1.0)
    assert advance_free(SetPoint(0.0, 1.0), 0.0005, DT) == SetPoint(0.0005, 0.0)
    assert advance_free(SetPoint(0.0, 1.0), -0.5, DT) == SetPoint(-0.5, 0.0)
