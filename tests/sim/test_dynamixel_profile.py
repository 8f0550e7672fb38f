"""The set-point's way to a goal."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.firmware.dynamixel.profile import (
    ACCELERATION_UNIT_COUNTS_S2,
    UNLIMITED,
    VELOCITY_UNIT_COUNTS_S,
    Limits,
    SetPoint,
    Shape,
    advance,
    limits_from_registers,
)

DT = 0.001
REST = SetPoint(0.0, 0.0)


def travel(goal: float, limits: Limits, start: SetPoint = REST) -> list[SetPoint]:
    """Every set-point until it rests at the goal."""
    points = [start]
    while points[-1] != (goal, 0.0):
        points.append(advance(points[-1], goal, limits, DT))
        assert len(points) < 20_000
    return points


def test_units_of_the_manual() -> None:
    """0.229 rpm and 214.577 rpm/min."""
    assert math.isclose(VELOCITY_UNIT_COUNTS_S, 15.633, rel_tol=1e-4)
    assert math.isclose(ACCELERATION_UNIT_COUNTS_S2, 244.141, rel_tol=1e-4)


def test_trapezoid_has_the_manuals_times() -> None:
    """t1 = 64 * PV / PA ms to speed up; t2 = 64 * distance / PV ms until braking begins."""
    velocity, acceleration, distance = 100, 20, 4096.0
    points = travel(distance, limits_from_registers(velocity, acceleration, False, distance))
    t1 = 0.064 * velocity / acceleration
    t2 = distance / (velocity * VELOCITY_UNIT_COUNTS_S)
    assert (len(points) - 1) * DT == pytest.approx(t1 + t2, abs=0.003)
    fastest = max(point.velocity for point in points)
    assert fastest == pytest.approx(velocity * VELOCITY_UNIT_COUNTS_S)
    reached = next(i for i, point in enumerate(points) if point.velocity == fastest)
    assert reached * DT == pytest.approx(t1, abs=0.002)


def test_time_based_profile_takes_its_time() -> None:
    for distance in (100.0, -3000.0):
        points = travel(distance, limits_from_registers(800, 200, True, distance))
        assert (len(points) - 1) * DT == pytest.approx(0.8, abs=0.004)


def test_speeding_up_takes_half_of_the_time_at_most() -> None:
    limits = limits_from_registers(800, 700, True, 1000.0)
    assert limits == limits_from_registers(800, 400, True, 1000.0)


def test_shapes() -> None:
    def shape(velocity: int, acceleration: int, distance: float) -> Shape:
        return limits_from_registers(velocity, acceleration, False, distance).shape(distance)

    assert shape(0, 0, 100.0) is Shape.STEP
    assert shape(0, 50, 100.0) is Shape.STEP
    assert shape(50, 0, 100.0) is Shape.RECTANGULAR
    assert shape(50, 50, 4000.0) is Shape.TRAPEZOIDAL
    assert shape(500, 50, 400.0) is Shape.TRIANGULAR
    assert limits_from_registers(800, 0, True, 0.0) == UNLIMITED


@settings(deadline=None, max_examples=60)
@given(
    goal=st.floats(-3000.0, 3000.0),
    start=st.floats(-3000.0, 3000.0),
    speed=st.floats(500.0, 10_000.0),
    acceleration=st.floats(2000.0, 200_000.0) | st.just(math.inf),
)
def test_limits_hold_and_the_goal_is_reached(
    goal: float, start: float, speed: float, acceleration: float
) -> None:
    start = max(-speed, min(speed, start))
    points = travel(goal, Limits(speed, acceleration), SetPoint(0.0, start))
    for before, after in itertools.pairwise(points):
        assert abs(after.velocity) <= speed * (1 + 1e-9)
        if after != (goal, 0.0):
            assert after.position == pytest.approx(before.position + after.velocity * DT)
            change = abs(after.velocity - before.velocity)
            assert change <= acceleration * DT * (1 + 1e-9)
