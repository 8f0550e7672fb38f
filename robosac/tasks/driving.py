"""How tasks move the robot: one goal a control period, through the executor."""

from __future__ import annotations

import numpy as np

from robosac.hal import BoolArray, FloatArray
from robosac.states import SafetyState
from robosac.tasks.motion import Motion
from robosac.ticks import Tick


class Driver:
    """Ticks an executor through whole control periods.

    An executor in a process of its own ticks on while the actor thinks. A goal that comes after the
    next tick has begun takes effect a tick later, but the period still ends where it would have:
    the policy keeps its rate, and the delay is one more latency of the robot. Where more than half
    a period was missed, a whole one begins.

    Args:
        executor: owns the robot; armed.
        period_s: control period, s; a whole number of ticks.
    """

    def __init__(self, executor: Motion, period_s: float) -> None:
        self.executor, self.period_s = executor, period_s
        self._ended: float | None = None
        """Time of the last period's last tick, s."""

    def drive(self, goal: FloatArray) -> list[Tick]:
        """Send one goal (rad) and tick through its period; stops early when no longer active."""
        self.executor.request(goal, self.period_s)
        due = round(self.period_s / self.executor.period)
        ticks = [self.executor.tick()]
        due -= self._missed(ticks[0], due)
        while len(ticks) < due and ticks[-1].safety is SafetyState.ACTIVE:
            ticks.append(self.executor.tick())
        self._ended = ticks[-1].time
        return ticks

    def move(self, goal: FloatArray, seconds: float) -> Tick:
        """Move to `goal` (rad) over `seconds` and return the last tick.

        Stops early, like `drive`: the last tick tells.
        """
        periods = max(1, round(seconds / self.period_s))
        start = self.executor.commanded_position
        for period in range(1, periods):
            tick = self.drive(start + period / periods * (goal - start))[-1]
            if tick.safety is not SafetyState.ACTIVE:
                return tick
        return self.drive(goal)[-1]

    def _missed(self, first: Tick, due: int) -> int:
        """Ticks between the last period and `first` that were begun without the goal."""
        if self._ended is None:
            return 0
        missed = round((first.time - self._ended) / self.executor.period) - 1
        return missed if 0 < missed <= due // 2 else 0


def let_through(tick: Tick, within_rad: float) -> BoolArray:
    """Which joints the limiter let go where they were asked to, but for `within_rad`; (n,)."""
    if not isinstance(tick.target, np.ndarray):
        return np.zeros(len(tick.executed), dtype=np.bool_)
    return np.abs(tick.executed - tick.target) <= within_rad
