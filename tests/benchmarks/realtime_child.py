"""The executor's process for `realtime_loop`: a robot without bytes that has a motor's watchdog.

python -m tests.benchmarks.realtime_child CHANNEL BELL
"""

from __future__ import annotations

import sys
import time

from drivers.statistics import BusStatistics
from robosac.clock import MonotonicClock
from robosac.executor_process import BuiltRobot, main
from robosac.hal import Drive, JointCommand, RobotState
from robosac.requests import ExecutorSettings
from tests.robosac.fake_robot import FakeRobot

MODULE = "tests.benchmarks.realtime_child"
WATCHDOG_S = 0.1


class WatchedRobot(FakeRobot):
    """Follows at once; counts how often it was left alone for longer than a motor's watchdog."""

    exchanges = trips = 0
    longest_s = 0.0
    _commanded_at: float | None = None

    def exchange(self, command: JointCommand, deadline: float) -> RobotState:
        now = time.monotonic()
        if self._commanded_at is not None:
            silence = now - self._commanded_at
            self.longest_s = max(self.longest_s, silence)
            self.trips += silence > WATCHDOG_S
        self._commanded_at = None if command.drive is Drive.STOP else now
        self.exchanges += 1
        # Late ticks are what is measured; they are no reason to refuse one.
        state = super().exchange(command, float("inf"))
        self.commands.clear()
        return state

    def statistics(self) -> BusStatistics:
        """Watchdog trips stand as lost replies, and the longest silence as the longest exchange."""
        return BusStatistics(exchanges=self.exchanges, lost=self.trips, longest_s=self.longest_s)


def build(text: str) -> BuiltRobot:
    """A robot whose tick takes as many seconds as `text` says."""
    robot = WatchedRobot(MonotonicClock())
    return BuiltRobot(robot, ExecutorSettings(), float(text), robot.statistics)


if __name__ == "__main__":
    sys.exit(main(build))
