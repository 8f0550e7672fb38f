"""Virtual time: waiting is what makes the physics advance."""

from __future__ import annotations

from collections.abc import Callable


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
