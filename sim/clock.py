"""Virtual time: waiting is what makes the physics advance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class VirtualClock:
    """A clock that advances only while someone waits on it; repeatable to the bit.

    Time is an integer number of steps, so it neither drifts nor depends on how waits are cut up.

    Args:
        step: advances the world by `dt`; within it `now()` reads the END of the step being made, so
            that what is captured after the physics carries the time it belongs to.
        dt: length of one step, s.

    Raises:
        ValueError: `dt` is not positive.
    """

    def __init__(self, step: Callable[[], None], dt: float) -> None:
        if not dt > 0:
            raise ValueError(f"clock step must be positive, got {dt} s")
        self.dt = dt
        self.steps = 0
        """Steps made since the clock was built."""
        self._step = step

    def now(self) -> float:
        """The present, s since the clock was built."""
        return self.steps * self.dt

    def wait_until(self, deadline: float) -> None:
        """Step the world until `now()` reaches `deadline` (s); at once if it has passed.

        A deadline within a nanosecond after a step counts as reached: sums of periods carry
        rounding errors, and one extra step there would be a whole millisecond late.
        """
        step, dt = self._step, self.dt
        while self.steps * dt < deadline - 1e-9:
            self.steps += 1
            step()


class Steppable(Protocol):
    """A clock that makes its world go on."""

    @property
    def dt(self) -> float:
        """Length of one step, s."""
        ...

    def now(self) -> float:
        """The present, s."""
        ...

    def wait_until(self, deadline: float) -> None:
        """Step the world until `now()` reaches `deadline` (s)."""
        ...


class RealTimePacer:
    """Keeps a virtual clock level with real time, on an absolute grid that does not drift.

    After a stall the world catches up, but at most `bound_s`: the rest is skipped, counted, and
    never made up for, so that nothing in the twin ever sees more than `bound_s` pass in one rush.

    Args:
        clock: of the world.
        monotonic: real time, s.
        bound_s: the longest time that is caught up.

    Attributes:
        skipped_s: real time that the world was never given, s.

    Raises:
        ValueError: `bound_s` is shorter than two steps of the clock.
    """

    def __init__(self, clock: Steppable, monotonic: Callable[[], float], bound_s: float) -> None:
        if not bound_s >= 2 * clock.dt:
            raise ValueError(f"bound_s must be at least two steps of {clock.dt} s, got {bound_s}")
        self.skipped_s = 0.0
        self._clock, self._monotonic, self._bound = clock, monotonic, bound_s
        self._origin = monotonic() - clock.now()

    def until_due(self) -> float:
        """How long it is until the next step is due, s; 0 if one is."""
        due = self._origin + self._clock.now() + self._clock.dt
        return max(0.0, due - self._monotonic())

    def advance(self, most_s: float) -> None:
        """Make the steps that are due, but not more than `most_s` of them: call again for more."""
        behind = self._monotonic() - self._origin - self._clock.now()
        if behind > self._bound:
            self.skipped_s += behind - self._bound
            self._origin += behind - self._bound
            behind = self._bound
        steps = int(min(behind, most_s) / self._clock.dt + 1e-6)
        if steps > 0:
            self._clock.wait_until(self._clock.now() + steps * self._clock.dt)
