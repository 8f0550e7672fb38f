"""Time as an object: a monotonic clock, a Protocol any twin can satisfy, and a fixed rate."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from. Monotonic seconds; the origin means nothing."""

    def now(self) -> float:
        """The present, s."""
        ...

    def wait_until(self, deadline: float) -> None:
        """Return at `deadline` (s), or at once if it has passed."""
        ...


class MonotonicClock:
    """The machine's own monotonic clock."""

    def now(self) -> float:
        return time.monotonic()

    def wait_until(self, deadline: float) -> None:
        remaining = deadline - time.monotonic()
        if remaining > 0:
            time.sleep(remaining)


class Rate:
    """Wakes on an absolute grid; a late wake-up skips the missed ticks and counts them."""

    def __init__(self, clock: Clock, period: float) -> None:
        if not period > 0:
            raise ValueError(f"period must be positive, got {period}")
        self.clock = clock
        self.period = period
        self.skipped = 0
        """Ticks that were missed altogether."""
        self.lateness: list[float] = []
        """How late each wake-up was since the list was last taken, s."""
        self._next = clock.now()

    def restart(self) -> None:
        """Begin a new grid at the present."""
        self._next = self.clock.now()

    def wait(self) -> float:
        """Sleep until the next tick of the grid and return its lateness, s."""
        self._next += self.period
        self.clock.wait_until(self._next)
        late = self.clock.now() - self._next
        if late >= self.period:
            missed = int(late / self.period)
            self.skipped += missed
            self._next += missed * self.period
        late = max(late, 0.0)
        self.lateness.append(late)
        return late

    def take_lateness(self) -> list[float]:
        """Return the recorded lateness and begin anew."""
        taken, self.lateness = self.lateness, []
        return taken
