"""Single steps of the limiter in numbers that are exact: both sides of every threshold."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from robosac.hal import FloatArray, Limits
from robosac.reasons import Reason
from robosac.safety import (
    Bounds,
    Envelope,
    Limited,
    LimiterSettings,
    Memory,
    brake,
    inside,
    limit,
)

FREE = Reason.NONE.value
POSITION, DISTANCE = Reason.POSITION.value, Reason.DISTANCE.value
VELOCITY, ACCELERATION = Reason.VELOCITY.value, Reason.ACCELERATION.value


def envelope_of(
    acceleration: float = 4.0,
    speed: float = 8.0,
    reach: float = 1.0,
    period: float = 0.5,
    distance: float = 100.0,
    zone: float = 0.0,
    share: float = 0.25,
    joints: int = 1,
) -> Envelope:
    """Joints between -`reach` and `reach`; the shortest period is `period` / 2."""
    one = np.ones(joints)
    limits = Limits(
        tuple(f"j{joint}" for joint in range(joints)),
        *(-reach * one, reach * one, speed * one, acceleration * one, one, one, 1.0, 80.0),
    )
    return Envelope(limits, LimiterSettings(period, distance, zone, share))


def array(*values: float) -> FloatArray:
    return np.array(values)


def step(
    envelope: Envelope,
    goal: float,
    start: float = 0.0,
    last: float = 0.0,
    tracking: bool = True,
    measured: float | None = None,
    dt: float = 0.5,
) -> tuple[float, float, int]:
    """Position, velocity and code of a robot with one joint."""
    place = array(start if measured is None else measured)
    memory = Memory(array(start), array(last), tracking)
    limited = limit(array(goal), memory, place, envelope, dt)
    assert limited.codes.dtype == np.uint8
    return float(limited.position[0]), float(limited.velocity[0]), int(limited.codes[0])


def ulps(value: float, count: int) -> float:
    """`value` and `count` units in the last place of 1."""
    return value + count * math.ulp(1.0)


def test_documented_defaults() -> None:
    settings = LimiterSettings()
    assert (settings.period, settings.max_distance) == (0.005, 1.0)
    assert (settings.soft_zone, settings.soft_share) == (0.0, 0.25)


def test_four_units_in_the_last_place_of_the_largest_limit_are_rounding() -> None:
    one = np.ones(2)
    limits = Limits(
        ("a", "b"), *(array(-2.0, -1.0), array(1.0, 0.5), one, array(3.0, 7.0), one, one, 1.0, 80.0)
    )
    envelope = Envelope(limits)
    assert envelope.rounding == 4.0 * math.ulp(2.0)
    assert envelope.accelerations == (3.0, 7.0)


@pytest.mark.parametrize("tracking", [True, False])
def test_a_change_of_velocity_may_err_by_the_rounding_and_no_more(tracking: bool) -> None:
    """From rest at 2 rad/s, which is 4 rad/s^2 in half a second."""
    at = ulps(0.5, 4)
    assert step(envelope_of(), at, -0.5, 0.0, tracking) == (at, (at + 0.5) / 0.5, FREE)
    position, velocity, code = step(envelope_of(), ulps(0.5, 5), -0.5, 0.0, tracking)
    assert (position, velocity, code) == (0.5, 2.0, ACCELERATION)


def test_the_speed_toward_a_stop_may_err_by_the_rounding_and_no_more() -> None:
    """a = 2, h = 1, s = 1/2 and 3.5 rad to the stop: 2.5 rad/s (tests/robosac/test_braking.py)."""
    envelope = envelope_of(acceleration=2.0, reach=4.0, period=1.0)
    at = 3.0 + 4 * math.ulp(4.0)
    assert step(envelope, at, 0.5, 1.5, dt=1.0) == (at, at - 0.5, FREE)
    position, _, code = step(envelope, at + math.ulp(4.0), 0.5, 1.5, dt=1.0)
    assert position < 3.0
    assert code == POSITION


def test_at_the_speed_limit_a_joint_is_not_too_fast() -> None:
    envelope = envelope_of(acceleration=1.0, speed=1.0)
    assert step(envelope, 0.5, 0.0, 0.0) == (0.25, 0.5, ACCELERATION)
    assert step(envelope, 0.5 + 2.0**-40, 0.0, 0.0)[2] == ACCELERATION | VELOCITY
    assert step(envelope_of(speed=1.0), 0.5) == (0.5, 1.0, FREE)


@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize(
    ("request_", "measured", "passed", "code"),
    [
        (0.5, 0.0, 0.5, FREE),
        (0.75, 0.0, 0.5, DISTANCE),
        (1.0, 0.0, 0.5, DISTANCE),
        (2.0, 0.0, 0.5, DISTANCE | POSITION),
        (1.25, 1.0, 1.0, POSITION),
        (1.5, 1.0, 1.0, POSITION),
        (1.75, 1.0, 1.0, DISTANCE | POSITION),
        # The limits come last; at the limit nothing else could have been sent.
        (1.0, 3.0, 1.0, FREE),
        (0.5, 3.0, 1.0, DISTANCE),
        (-0.75, 0.0, -0.5, DISTANCE),
    ],
)
def test_goals_and_their_reasons(
    side: float, request_: float, measured: float, passed: float, code: int
) -> None:
    envelope = envelope_of(acceleration=64.0, speed=64.0, distance=0.5)
    position, velocity, found = step(envelope, side * request_, measured=side * measured)
    assert (position, found) == (side * passed, code)
    assert velocity == 2.0 * position


def test_goals_so_great_that_their_sum_is_not_finite_are_bounded_not_refused() -> None:
    envelope = envelope_of(acceleration=64.0, speed=64.0, joints=2)
    memory = Memory.anchored(np.zeros(2))
    limited = limit(np.full(2, 1.7e308), memory, np.zeros(2), envelope, 0.5)
    assert limited.codes.tolist() == [POSITION | DISTANCE] * 2
    far = limit(array(0.25, 0.25), memory, np.full(2, 1.7e308), envelope, 0.5)
    assert far.codes.tolist() == [DISTANCE] * 2


@pytest.mark.parametrize("wild", [math.inf, -math.inf, math.nan])
def test_infinities_do_not_cancel(wild: float) -> None:
    """Goal and measured position of the same joint, or of two joints, add up to anything."""
    envelope, memory = envelope_of(joints=2), Memory.anchored(np.zeros(2))
    for places in (array(wild, 0.0), array(-wild, 0.0), array(0.0, wild)):
        refused = limit(array(wild, 0.0), memory, places, envelope, 0.5)
        assert refused.codes.tolist() == [Reason.NON_FINITE.value] * 2
        refused = limit(array(0.25, 0.0), memory, places, envelope, 0.5)
        assert refused.codes.tolist() == [Reason.MEASURED.value] * 2


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_who_is_carried_outward_outside_a_limit_stays_where_he_is(side: float) -> None:
    """3 rad/s cannot be taken back in one period: the next goal is where the joint was."""
    position, velocity, _ = step(envelope_of(), 0.5 * side, 1.25 * side, 3.0 * side)
    assert position == 1.25 * side
    assert velocity == 1.0 * side


def test_inside_in_numbers() -> None:
    bounds = Bounds(-1.0, 1.0, 2.0, 4.0, 0.5)
    table = [(0.5, 0.0, 0.5), (1.0, 0.0, 1.0), (1.5, 0.0, 1.0), (1.5, 1.25, 1.25), (1.2, 1.25, 1.2)]
    for position, start, kept in table:
        assert inside(position, start, bounds) == kept
        assert inside(-position, -start, bounds) == -kept


def test_a_slow_joint_is_bounded_in_a_narrow_zone_too() -> None:
    """Half a second and a zone of 1/4 rad: 1/2 rad/s less, or 1/4 of 1 rad/s inside it."""
    envelope = envelope_of(acceleration=64.0, speed=1.0, zone=0.25)
    assert step(envelope, 0.5, 0.0) == (0.5, 1.0, FREE)
    assert step(envelope, 0.875, 0.5) == (0.75, 0.5, POSITION)
    assert step(envelope, 1.0, 0.75) == (0.875, 0.25, POSITION)


def test_a_slow_joint_is_bounded_at_long_periods_too() -> None:
    envelope = envelope_of(speed=1.0, period=2.0, zone=0.5)
    assert step(envelope, 1.0, 0.0, dt=2.0) == (0.5, 0.25, POSITION)


def two(goals: FloatArray, envelope: Envelope) -> Limited:
    return limit(goals, Memory.anchored(np.zeros(2)), np.zeros(2), envelope, 0.5)


def test_who_reached_his_goal_tracks_it() -> None:
    envelope = envelope_of(joints=2, distance=0.25)
    free = two(array(0.125, -0.125), envelope)
    assert free.tracking is True
    bounded = two(array(0.5, -0.125), envelope)
    assert bounded.codes.tolist() == [DISTANCE, 0]
    assert bounded.tracking is True
    lagging = two(array(0.5, -0.125), envelope_of(acceleration=0.5, joints=2))
    assert isinstance(lagging.tracking, np.ndarray)
    assert lagging.tracking.tolist() == [False, True]
    for limited in (free, bounded, lagging):
        assert limited.codes.dtype == np.uint8


def test_a_braked_command_lags_behind_its_goal() -> None:
    braked = brake(Memory.anchored(np.zeros(2)), envelope_of(joints=2), 0.5, Reason.SHAPE)
    assert braked.tracking is False
    assert braked.codes.dtype == np.uint8
    assert braked.codes.tolist() == [Reason.SHAPE.value] * 2


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_braking_ends_at_a_limit_and_outside_of_it_where_it_is(side: float) -> None:
    memory = Memory(array(0.875, 1.25) * side, array(3.0, 3.0) * side)
    braked = brake(memory, envelope_of(joints=2), 0.5)
    assert braked.velocity.tolist() == [side, side]
    assert braked.position.tolist() == [side, 1.25 * side]


def test_the_anchor_is_of_doubles_and_cannot_be_changed() -> None:
    single: Any = np.array([0.25, 0.5], dtype=np.float32)
    memory = Memory.anchored(single)
    assert memory.position.dtype == np.float64
    with pytest.raises(ValueError, match="read-only"):
        memory.position[0] = 1.0
