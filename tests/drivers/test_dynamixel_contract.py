"""The contract of every motor bus, on Dynamixel servos: sync read and fast sync read."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.dynamixel import (
    DynamixelBus,
    DynamixelReadings,
    Observe,
    OperatingMode,
    PositionGoal,
    ServoArming,
    ServoSetup,
)
from drivers.dynamixel.commands import Command
from drivers.dynamixel.constants import WATCHDOG_TRIPPED
from drivers.wire import Wire
from sim.clock import VirtualClock
from sim.faulty_line import FaultyLine
from sim.firmware.dynamixel.hooks import DynamixelHooks
from sim.firmware.dynamixel.line import DynamixelLine, LineOptions, Missing
from sim.firmware.dynamixel.servo import ServoSpec
from sim.wire import TwinWire
from sim.wire_framing import PACKETS
from tests.drivers.motor_bus_contract import BUDGET, PERIOD, BusRig, MotorBusContract

IDS = (10, 11, 12)
DT = 0.001
SETUP = ServoSetup(OperatingMode.POSITION)


class DynamixelRig:
    """Servos whose shafts go where a test puts them."""

    def __init__(
        self, missing: Missing, fast: bool, wrap: Callable[[Wire], Wire] = lambda wire: wire
    ) -> None:
        self.chained = missing is Missing.CHAIN
        self.clock = VirtualClock(self._step, DT)
        self.position = np.linspace(2.0, 4.0, len(IDS))
        specs = [ServoSpec(id) for id in IDS]
        options = LineOptions(missing=missing)
        self.servos = DynamixelLine(specs, self.clock.now, options, self.position)
        self.hooks = DynamixelHooks(self.servos)
        self.line = FaultyLine(self.servos, PACKETS, self.clock.now, np.random.default_rng(3))
        self.wire = TwinWire(self.line, self.clock)
        self.bus = DynamixelBus(wrap(self.wire), IDS, self.clock.now, fast=fast)
        self._sense()
        self.configure()
        self.wire.drain()
        self._goal: Command = Observe()

    def now(self) -> float:
        return self.clock.now()

    def tick(self) -> DynamixelReadings:
        self.clock.wait_until((math.floor(self.now() / PERIOD + 1e-6) + 1) * PERIOD)
        self._sense()
        return self.bus.exchange(self._goal, self.now() + BUDGET)

    def configure(self) -> None:
        assert set(self.bus.probe()) == set(IDS)

    def engage(self) -> None:
        arming = ServoArming(self.bus, dict.fromkeys(IDS, SETUP))
        arming.configure()
        arming.engage(watchdog_s=0.1)
        self._goal = PositionGoal(self.position.copy())

    def positions(self, readings: DynamixelReadings) -> NDArray[np.float64]:
        return readings.position_rad

    def driving(self) -> NDArray[np.bool_]:
        tripped = [servo.memory["bus_watchdog"] == WATCHDOG_TRIPPED for servo in self.servos.servos]
        return self.powered() & ~np.array(tripped)

    def powered(self) -> NDArray[np.bool_]:
        return self.servos.control(self.position, self._still, 12.0, 0.0).driving.copy()

    def _step(self) -> None:
        self.servos.control(self.position, self._still, 12.0, DT)
        self._sense()

    @property
    def _still(self) -> NDArray[np.float64]:
        return np.zeros(len(IDS))

    def _sense(self) -> None:
        zero = np.zeros(len(IDS))
        self.servos.sense(zero, zero, zero + 30.0, 12.0)


class TestDynamixel(MotorBusContract):
    tolerance = 2 * math.pi / 4096

    @pytest.fixture(params=Missing)
    def rig(self, request: pytest.FixtureRequest) -> BusRig:
        return DynamixelRig(request.param, fast=False)


class TestDynamixelFast(MotorBusContract):
    tolerance = 2 * math.pi / 4096

    @pytest.fixture
    def rig(self) -> BusRig:
        return DynamixelRig(Missing.SKIP, fast=True)
