"""The limiter's rule once more, plainly: both stops of every joint, by array operations.

Slow and written for reading. `tests/robosac/test_safety_reference.py` holds the limiter to it, to
the bit.
"""

from __future__ import annotations

import numpy as np

from robosac.hal import BoolArray, FloatArray
from robosac.reasons import Reason
from robosac.safety import CodeArray, Envelope, Memory

ROUNDING_ULPS = 4.0


def speed_within(room: FloatArray, a: FloatArray, h: float, s: float) -> FloatArray:
    """Largest speed that still lets a joint stop within `room`; see `robosac.braking`."""
    several = np.sqrt(2.0 * a * room + a * a * (h * (h - s))) - a * (h - s / 2)
    return np.maximum(several, np.minimum(room / h, a * s))


def reference(
    request: FloatArray, memory: Memory, measured: FloatArray, envelope: Envelope, h: float
) -> tuple[FloatArray, FloatArray, CodeArray, BoolArray]:
    """Position, velocity, codes and tracking of a finite request, a period `h` (s) being legal."""
    limits, part = envelope.limits, envelope.settings
    a, start, last = limits.acceleration, memory.position, memory.velocity
    nearest, farthest = measured - part.max_distance, measured + part.max_distance
    goal = np.clip(np.clip(request, nearest, farthest), limits.lower, limits.upper)
    goal = np.where(goal == request, request, goal)
    wanted = (goal - start) / h

    rounding = ROUNDING_ULPS * np.spacing(np.abs((limits.lower, limits.upper)).max()) / h
    caps: list[FloatArray] = []
    for room in (limits.upper - start, start - limits.lower):
        free = np.maximum(room, 0.0)
        cap = np.minimum(speed_within(free, a, h, envelope.shortest), limits.velocity)
        if part.soft_zone:
            soft = np.maximum(free / h - part.soft_zone / h, part.soft_share * limits.velocity)
            cap = np.minimum(cap, soft)
        caps.append(cap)
    upward, downward = caps
    gentle = np.abs(wanted - last) <= a * h + rounding
    gentle &= memory.tracking | (np.abs(wanted) <= a * h + rounding)
    legal = gentle & (wanted <= upward + rounding) & (-wanted <= downward + rounding)

    least, most = last - a * h, last + a * h
    slowest, fastest = np.clip(-downward, least, most), np.clip(upward, least, most)
    toward = np.copysign(speed_within(np.abs(goal - start), a, h, h), wanted)
    velocity = np.where(legal, wanted, np.clip(toward, slowest, fastest))
    stepped = np.clip(
        start + velocity * h, np.minimum(limits.lower, start), np.maximum(limits.upper, start)
    )

    fast = np.abs(wanted) > limits.velocity
    codes = np.where(fast, Reason.VELOCITY.value, 0) | np.where(
        gentle, 0, Reason.ACCELERATION.value
    )
    codes = np.where(legal, 0, np.where(codes == 0, Reason.POSITION.value, codes))
    moved = goal != request
    beyond = moved & ((request < limits.lower) | (request > limits.upper))
    astray = moved & ((request < nearest) | (request > farthest))
    codes |= np.where(beyond, Reason.POSITION.value, 0)
    codes |= np.where(astray, Reason.DISTANCE.value, 0)
    return np.where(legal, goal, stepped), velocity, codes.astype(np.uint8), legal
