"""The controller's internal set-point: how a commanded position is approached. Pure."""

from __future__ import annotations

import math
from typing import NamedTuple


class SetPoint(NamedTuple):
    """Where the control law aims at this moment."""

    position: float
    """revolutions"""
    velocity: float
    """revolutions/s"""


def advance_limited(
    now: SetPoint, goal: SetPoint, velocity_limit: float, accel_limit: float, dt: float
) -> SetPoint:
    """One step of `dt` (s) toward a moving goal within velocity and acceleration limits.

    A trapezoid in discrete time: the velocity relative to the goal is the largest from which the
    acceleration can still stop at the goal. It reaches what the firmware's planner reaches, but its
    last step before the goal may differ by one velocity increment. A limit that is NaN or negative
    is none.
    """
    gap = goal.position - now.position
    wanted = gap / dt
    if accel_limit >= 0:
        # The exact discrete stop: v*dt/2 + v^2/(2 a) <= |gap|.
        half = 0.5 * accel_limit * dt
        reach = math.sqrt(half * half + 2.0 * accel_limit * abs(gap)) - half
        wanted = math.copysign(min(reach, abs(wanted)), gap)
    wanted += goal.velocity
    if velocity_limit >= 0:
        wanted = max(-velocity_limit, min(velocity_limit, wanted))
    if accel_limit >= 0:
        change = accel_limit * dt
        wanted = max(now.velocity - change, min(now.velocity + change, wanted))
    if velocity_limit >= 0 or accel_limit >= 0:
        return SetPoint(now.position + wanted * dt, wanted)
    return goal


def advance_free(now: SetPoint, stop_position: float, dt: float) -> SetPoint:
    """One step of `dt` (s) at the commanded velocity, held at `stop_position` (NaN: none)."""
    position = now.position + now.velocity * dt
    if stop_position == stop_position and (stop_position - position) * now.velocity <= 0.0:
        return SetPoint(stop_position, 0.0)
    return SetPoint(position, now.velocity)
