"""A clock that wakes at changing times, so that a loop of fixed period sees all of a motion."""

from __future__ import annotations

from collections.abc import Callable

from robosac.clock import Clock

SHARE = 0.35
"""Of the period: with it, two ticks are 0.65 to 1.35 periods apart, which the limiter accepts."""


class DitheredClock:
    """`clock`, whose waits end up to `SHARE` of a period late while `dithers`.

    Args:
        clock: tells the time.
        period_s: of the loop that waits.
        draw: numbers in [0, 1).

    Attributes:
        dithers: may be changed at any time.
    """

    def __init__(self, clock: Clock, period_s: float, draw: Callable[[], float]) -> None:
        self._clock, self._most, self._draw = clock, SHARE * period_s, draw
        self.dithers = False

    def now(self) -> float:
        """See `robosac.clock.Clock`."""
        return self._clock.now()

    def wait_until(self, deadline: float) -> None:
        """See `robosac.clock.Clock`; later by what is drawn."""
        late = self._most * self._draw() if self.dithers else 0.0
        self._clock.wait_until(deadline + late)
