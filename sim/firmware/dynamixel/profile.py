"""The profile generator: how a servo's set-point approaches a new goal. Pure.

Source: ROBOTIS e-manual, X series, "What is the Profile", Drive Mode (10), Moving Status (123).
"""

from __future__ import annotations

import enum
import math
from typing import NamedTuple

VELOCITY_UNIT_COUNTS_S = 0.229 * 4096.0 / 60.0
"""One count of a velocity register, position counts/s."""
ACCELERATION_UNIT_COUNTS_S2 = 214.577 * 4096.0 / 3600.0
"""One count of profile_acceleration, position counts/s^2."""
ARRIVED_COUNTS = 1e-6


class Shape(enum.IntEnum):
    """Bits 4 and 5 of moving_status."""

    STEP = 0
    RECTANGULAR = 1
    TRIANGULAR = 2
    TRAPEZOIDAL = 3


class Limits(NamedTuple):
    """What a profile may do; infinite where it is not limited."""

    speed: float
    """counts/s"""
    acceleration: float
    """counts/s^2"""

    def shape(self, distance: float) -> Shape:
        """The kind of profile over `distance` (counts) from rest to rest."""
        if math.isinf(self.speed):
            return Shape.STEP
        if math.isinf(self.acceleration):
            return Shape.RECTANGULAR
        triangular = self.speed**2 / self.acceleration > abs(distance)
        return Shape.TRIANGULAR if triangular else Shape.TRAPEZOIDAL


class SetPoint(NamedTuple):
    """Where the control law aims at this moment."""

    position: float
    """counts"""
    velocity: float
    """counts/s"""


UNLIMITED = Limits(math.inf, math.inf)


def limits_from_registers(
    profile_velocity: int, profile_acceleration: int, time_based: bool, distance: float
) -> Limits:
    """The limits of a move over `distance` (counts).

    Args:
        profile_velocity: 0.229 rpm, or the whole time of the move in ms; 0: a step.
        profile_acceleration: 214.577 rpm/min, or the time of speeding up in ms; 0: without limit.
        time_based: which of the two meanings, bit 2 of the drive mode.
    """
    if profile_velocity == 0:
        return UNLIMITED
    if not time_based:
        speed = profile_velocity * VELOCITY_UNIT_COUNTS_S
        if profile_acceleration == 0:
            return Limits(speed, math.inf)
        return Limits(speed, profile_acceleration * ACCELERATION_UNIT_COUNTS_S2)
    whole = profile_velocity * 1e-3
    # The manual allows speeding up for half of the time at most.
    rise = min(profile_acceleration * 1e-3, whole / 2.0)
    speed = abs(distance) / (whole - rise)
    if speed == 0.0:
        return UNLIMITED
    return Limits(speed, speed / rise if rise else math.inf)


def advance(now: SetPoint, goal: float, limits: Limits, dt: float) -> SetPoint:
    """The set-point `dt` (s) later on the way to rest at `goal` (counts).

    The speed is the largest from which the acceleration can still stop at the goal, counted in
    whole steps: v*dt/2 + v^2/(2a) <= distance.
    """
    gap = goal - now.position
    speed = min(abs(gap) / dt, limits.speed)
    acceleration = limits.acceleration
    if math.isinf(acceleration):
        velocity = math.copysign(speed, gap)
    else:
        half = 0.5 * acceleration * dt
        speed = min(speed, math.sqrt(half * half + 2.0 * acceleration * abs(gap)) - half)
        velocity = ramp(now.velocity, math.copysign(speed, gap), acceleration, dt)
    after = SetPoint(now.position + velocity * dt, velocity)
    near = abs(goal - after.position) <= ARRIVED_COUNTS
    stoppable = math.isinf(acceleration) or abs(velocity) <= acceleration * dt
    return SetPoint(goal, 0.0) if near and stoppable else after


def ramp(velocity: float, goal: float, acceleration: float, dt: float) -> float:
    """The velocity `dt` (s) later on the way to `goal`, all in counts/s."""
    change = acceleration * dt
    return max(velocity - change, min(velocity + change, goal))
