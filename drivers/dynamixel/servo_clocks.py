"""Whether readings were taken after they were asked for, by the servos' own clocks. No I/O.

Each servo counts milliseconds in its realtime_tick. A reading that is neither older than its
request nor younger than its arrival bounds how far that clock is ahead of ours; every further one
must agree with those before. One that was held back disagrees by as much as it is old. A clock that
stands still is that of a servo that tells the same old values again and again.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

TICK_TURN_MS: Final = 32768.0
"""The register begins anew after 32767; ROBOTIS e-manual, X series, Realtime Tick (120)."""
TICK_MS: Final = 1.0
"""What the register cannot tell apart, ms."""
DRIFT: Final = 0.02
"""So much may a servo's clock be faster or slower than ours; it is not documented."""
STUCK_S: Final = 0.005
"""A clock that tells the same for longer stands still, s; it counts milliseconds."""
AGREE: Final = 10
"""So many readings in a row that agree with one another are believed against the earlier ones: a
servo that was restarted counts from zero."""


class ServoClocks:
    """The clocks of `count` servos."""

    def __init__(self, count: int) -> None:
        self._known, self._rival = _Lead(count), _Lead(count)
        self._agreed = np.zeros(count, dtype=np.int64)
        self._unset = np.ones(count, dtype=np.bool_)
        self._tick, self._since = np.full(count, math.nan), np.zeros(count)

    def fresh(
        self, ticks: FloatArray, asked: float, arrived: FloatArray, nothing_old: bool
    ) -> BoolArray:
        """Where a reading was taken after it was asked for, shape (n,).

        Args:
            ticks: realtime_tick of each servo; NaN where nothing was heard.
            asked: when all were asked, s.
            arrived: when each answer came, s; NaN where none did.
            nothing_old: nothing old can be on its way: what is heard first sets a clock.
        """
        heard = ~np.isnan(ticks)
        going = ~self._stuck(ticks, arrived)
        low = ticks - arrived * 1e3
        width = (arrived - asked) * 1e3 + TICK_MS
        good = self._known.meet(low, width, arrived)
        doubtful = heard & ~good
        self._agreed[good] = 0
        if not doubtful.any():
            return good & going
        agreed = self._rival.meet(low, width, arrived) & doubtful
        self._rival.set(low, width, arrived, doubtful & ~agreed)
        self._agreed[doubtful & ~agreed] = 0
        self._agreed[doubtful] += 1
        believed = doubtful & (self._agreed >= AGREE)
        if nothing_old:
            # Nothing is late on the line; but a servo itself may have begun to tell old values.
            believed |= doubtful & self._unset
        self._known.set(low, width, arrived, believed)
        fresh = good | believed
        self._unset &= ~fresh
        return fresh & going

    def forget(self, index: int) -> None:
        """Servo `index` may have been restarted: what it says next may set its clock anew."""
        self._unset[index] = True

    def _stuck(self, ticks: FloatArray, arrived: FloatArray) -> BoolArray:
        """Where a clock has told the same for too long."""
        same = ticks == self._tick
        stuck = same & (arrived - self._since > STUCK_S)
        moved = ~same & ~np.isnan(ticks)
        np.copyto(self._tick, ticks, where=moved)
        np.copyto(self._since, arrived, where=moved)
        return stuck


class _Lead:
    """How far each clock is ahead of ours, modulo a turn: from `_low` on, `_width` wide, ms."""

    def __init__(self, count: int) -> None:
        self._low, self._at = np.zeros(count), np.zeros(count)
        self._width = np.full(count, -math.inf)

    def meet(self, low: FloatArray, width: FloatArray, at: FloatArray) -> BoolArray:
        """Narrow the bounds by others, of `at` (s), where they overlap; where that is."""
        slack = (at - self._at) * (1e3 * DRIFT)
        half = TICK_TURN_MS / 2
        ahead = (low - self._low + half) % TICK_TURN_MS - half
        first = np.maximum(ahead, -slack)
        last = np.minimum(ahead + width, self._width + slack)
        met = first <= last
        self.set(self._low + first, last - first, at, met)
        return met

    def set(self, low: FloatArray, width: FloatArray, at: FloatArray, where: BoolArray) -> None:
        """Replace the bounds."""
        np.copyto(self._low, low, where=where)
        np.copyto(self._width, width, where=where)
        np.copyto(self._at, at, where=where)
