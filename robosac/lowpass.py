"""A low-pass for requests, before the limiter: second-order Butterworth, periods may vary.

The state-variable form with trapezoidal integration keeps its state in two integrators, so that a
period may differ from the last one without a jump (Zavalishin 2018, The Art of VA Filter Design,
chapter 4). Pure; what is not finite never enters the memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from robosac.hal import FloatArray

_DAMPING = math.sqrt(2.0)
"""1/Q of a Butterworth filter."""


@dataclass(frozen=True, slots=True)
class FilterMemory:
    """State of the two integrators; shape (n,)."""

    slope: FloatArray
    level: FloatArray
    """rad; the output, while the input rests."""

    @classmethod
    def anchored(cls, position: FloatArray) -> FilterMemory:
        """At rest at `position` (rad): an input of the same passes as it is."""
        return cls(np.zeros(position.shape), np.array(position, dtype=np.float64))


def smooth(
    request: FloatArray, memory: FilterMemory, cutoff: float, dt: float
) -> tuple[FloatArray, FilterMemory]:
    """The filtered request (rad), and what to remember.

    Args:
        request: joint goals, rad, shape (n,).
        memory: of the last call.
        cutoff: where half the power is left, Hz; under 1 / (2 `dt`).
        dt: time since the last call, s.

    A request that is not finite, or so large that its sum is not, comes back as it is, and memory
    stays: refusing it is the limiter's affair. So with a `dt` (s) that has no filter.
    """
    if not (dt > 0.0 and cutoff * dt < 0.5 and np.isfinite(request).all()):
        return request, memory
    g = math.tan(math.pi * cutoff * dt)
    share = 1.0 / (1.0 + g * (g + _DAMPING))
    with np.errstate(over="ignore"):
        ahead = request - memory.level
        slope = share * (memory.slope + g * ahead)
        level = memory.level + g * slope
        following = FilterMemory(2.0 * slope - memory.slope, 2.0 * level - memory.level)
    if not (np.isfinite(following.slope).all() and np.isfinite(following.level).all()):
        return request, memory
    return level, following
