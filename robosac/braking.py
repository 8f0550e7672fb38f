"""How fast a joint may go toward a stop: discrete viability, and the soft zone before the stop.

A plain clamp (acceleration, then velocity, then position) breaks the acceleration bound at a stop.
Here the speed toward a stop is capped so that braking within the bound always remains possible.
With period h, shortest period s <= h that may follow, bound a and room d:

    w <= sqrt(2 a d + a^2 h (h - s)) - a (h - s/2)      (braking takes several periods)
    w <= min(d / h, a s)                                (or one period is enough to stand)

and the larger of the two is safe. For s = h the first line is
a (-h/2 + sqrt(h^2/4 + 2 (d - a h^2/8) / a)). Both lines together keep the set of states
{d >= 0 and (w <= a s or (w - a s / 2)^2 <= 2 a d)} closed for every h >= s, so periods may vary
from tick to tick; tests/robosac/test_safety_proof.py proves it.

Pure; arrays over stops, the last axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Braking:
    """Terms of the viability bound for one period; arrays over the stops of one side or of both."""

    dt: FloatArray
    """Length of the next period, s."""
    twice: FloatArray
    """2 a, rad/s^2."""
    grace: FloatArray
    """a^2 h (h - s), rad^2/s^2."""
    offset: FloatArray
    """a (h - s/2), rad/s."""
    single: FloatArray
    """a s, the speed that one shortest period can stop, rad/s."""

    @classmethod
    def within(cls, acceleration: FloatArray, dt: float, shortest: float) -> Braking:
        """For bounds (rad/s^2), a next period `dt` and none after it under `shortest` (s)."""
        return cls(
            np.full_like(acceleration, dt),
            2.0 * acceleration,
            acceleration * acceleration * (dt * (dt - shortest)),
            acceleration * (dt - shortest / 2),
            acceleration * shortest,
        )


def speed_to_stop(room: FloatArray, braking: Braking) -> FloatArray:
    """Largest speed (rad/s) during the next period that still lets the joint stop within `room`.

    Args:
        room: distance to the stop, rad, not negative.
        braking: terms for the length of the next period.
    """
    several = np.sqrt(braking.twice * room + braking.grace) - braking.offset
    return np.maximum(several, np.minimum(room / braking.dt, braking.single))


@dataclass(frozen=True, slots=True)
class SoftZone:
    """The last stretch before every stop, in which joints go slowly (reference hazard 4).

    A step that would end inside the zone may not be faster than `slow`. One that ends outside is
    not touched. A joint that comes faster is braked at its acceleration bound, no harder.
    """

    slow: FloatArray
    """Largest speed toward the stop inside the zone, rad/s."""
    edge: FloatArray
    """Width of the zone / period, rad/s."""

    @classmethod
    def of(cls, speeds: FloatArray, width: float, share: float, dt: float) -> SoftZone | None:
        """A zone `width` (rad) wide, with `share` of `speeds` (rad/s), for a period `dt` (s)."""
        return cls(share * speeds, np.full_like(speeds, width / dt)) if width > 0.0 else None

    def speed(self, room: FloatArray, dt: FloatArray) -> FloatArray:
        """Largest speed (rad/s) of the next period, of `dt` (s), with `room` (rad) to the stop."""
        return np.maximum(room / dt - self.edge, self.slow)
