"""How tasks move the robot: one goal a control period, through the executor."""

from __future__ import annotations

from dataclasses import dataclass

from robosac.hal import FloatArray
from robosac.states import SafetyState
from robosac.tasks.motion import Motion
from robosac.ticks import Tick


@dataclass(frozen=True, slots=True)
class Driver:
    """Ticks an executor through whole control periods.

    Args:
        executor: owns the robot; armed.
        period_s: control period, s; a whole number of ticks.
    """

    executor: Motion
    period_s: float

    def drive(self, goal: FloatArray) -> list[Tick]:
        """Send one goal (rad) and tick through its period; stops early when no longer active."""
        self.executor.request(goal, self.period_s)
        ticks: list[Tick] = []
        for _ in range(round(self.period_s / self.executor.period)):
            ticks.append(self.executor.tick())
            if ticks[-1].safety is not SafetyState.ACTIVE:
                break
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
