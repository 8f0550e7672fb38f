"""An executor with a robot that tests can break, on a clock that they move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np

from robosac.estop import EStopGate
from robosac.executor import Executor, ExecutorSettings
from robosac.states import SafetyState
from robosac.ticks import Tick
from tests.robosac.fake_robot import JOINTS, FakeRobot, ManualClock

PERIOD = 0.005
STILL = np.zeros(JOINTS)


class Rig:
    """A robot, its clock, gate and executor."""

    def __init__(self, executor_settings: ExecutorSettings | None = None) -> None:
        self.clock = ManualClock()
        self.robot = FakeRobot(self.clock)
        self.gate = EStopGate()
        self.executor = Executor(self.robot, self.clock, self.gate, PERIOD, executor_settings)

    def armed(self) -> Self:
        self.executor.arm()
        return self

    def run(self, ticks: int, keep_requesting: bool = True) -> Tick:
        tick = None
        for _ in range(ticks):
            if keep_requesting and self.executor.safety in (SafetyState.ACTIVE, SafetyState.HOLD):
                self.executor.request(STILL)
            tick = self.executor.tick()
        assert tick is not None
        return tick


def set_attribute(name: str, value: object) -> Callable[[FakeRobot], None]:
    def change(robot: FakeRobot) -> None:
        setattr(robot, name, value)

    return change
