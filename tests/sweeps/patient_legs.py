"""Legs on a real port with watchdogs so long that a busy computer does not trip them."""

from __future__ import annotations

import time
from typing import Final

import numpy as np

from drivers.moteus import Mode, MoteusBus, PositionCommand, Stop
from drivers.wire import SerialWire
from robosac.hal import Drive, JointCommand, RobotState
from tests.robosac.fake_robot import FakeRobot, ManualClock

WATCHDOG_S: Final = 20.0
ANSWER_S: Final = 5.0
STOP_ATTEMPTS: Final = 20


class RealTime(ManualClock):
    """The machine's own clock."""

    def now(self) -> float:
        return time.monotonic()

    def wait_until(self, deadline: float) -> None:
        time.sleep(max(0.0, deadline - time.monotonic()))


class PatientLegs(FakeRobot):
    """Commands real motors and reads their torque back; tells the executor that all is well."""

    def __init__(self, path: str, baud: int, ids: tuple[int, ...]) -> None:
        super().__init__(RealTime())
        self.bus = MoteusBus(SerialWire(path, baud), ids, time.monotonic)

    def exchange(self, command: JointCommand, deadline: float) -> RobotState:
        zero, one, none = np.zeros(8), np.ones(8), np.full(8, np.nan)
        stay = PositionCommand(none, zero, zero, one, one, one, none, WATCHDOG_S * one, none, -one)
        stopped = command.drive is Drive.STOP
        self.bus.exchange(Stop() if stopped else stay, time.monotonic() + ANSWER_S)
        self.drive = command.drive
        return self._state()

    def stop(self) -> bool:
        for _ in range(STOP_ATTEMPTS):
            readings = self.bus.exchange(Stop(), time.monotonic() + ANSWER_S)
            self.stops = bool((readings.valid & (readings.mode == Mode.STOPPED)).all())
            if self.stops:
                break
        return super().stop()

    def close(self) -> None:
        self.bus.close()
        super().close()
