"""The contract of every motor bus, on moteus controllers in both dialects."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from drivers.moteus import Mode, MoteusBus, PositionCommand, ServoReadings
from drivers.wire import Wire
from sim.clock import VirtualClock
from sim.fault_spec import Kind
from sim.faulty_line import FaultyLine
from sim.firmware.fdcanusb import Fdcanusb
from sim.firmware.moteus.bank import MoteusConfig
from sim.firmware.moteus.hooks import HookedMoteusBank
from sim.wire import TwinWire
from sim.wire_framing import LINES
from tests.drivers.motor_bus_contract import BUDGET, MIXED, PERIOD, BusRig, MotorBusContract

IDS = (1, 2, 3)
DT = 0.001


class MoteusRig:
    """Controllers whose shafts go where a test puts them."""

    chained = False

    def __init__(self, checksum: bool, wrap: Callable[[Wire], Wire] = lambda wire: wire) -> None:
        self.hooks = HookedMoteusBank(IDS, MoteusConfig())
        self.clock = VirtualClock(self._step, DT)
        adapter = Fdcanusb(self.hooks.handle_frame)
        self.line = FaultyLine(adapter, LINES, self.clock.now, np.random.default_rng(3))
        self.wire = TwinWire(self.line, self.clock)
        self.bus = MoteusBus(wrap(self.wire), IDS, self.clock.now, checksum)
        self.position = np.linspace(-0.2, 0.2, len(IDS))
        self._step()

    def now(self) -> float:
        return self.clock.now()

    def tick(self) -> ServoReadings:
        self.clock.wait_until((math.floor(self.now() / PERIOD + 1e-6) + 1) * PERIOD)
        self._sense()
        return self.bus.exchange(hold(self.position), self.now() + BUDGET)

    def configure(self) -> None:
        assert set(self.bus.probe()) == set(IDS)

    def engage(self) -> None:
        for _ in range(3):
            self.tick()

    def positions(self, readings: ServoReadings) -> NDArray[np.float64]:
        return readings.position_rev

    def driving(self) -> NDArray[np.bool_]:
        return np.array([mode == Mode.POSITION for mode in self.hooks.modes])

    def powered(self) -> NDArray[np.bool_]:
        return self.hooks.driving.copy()

    def _step(self) -> None:
        self.hooks.control(self.position, np.zeros(len(IDS)), 16.0, DT)
        self._sense()

    def _sense(self) -> None:
        zero = np.zeros(len(IDS))
        self.hooks.sense(self.position, zero, zero, zero, zero + 25.0, 16.0)


def hold(position: NDArray[np.float64]) -> PositionCommand:
    zero, one = np.zeros(len(position)), np.ones(len(position))
    nan = np.full(len(position), math.nan)
    return PositionCommand(position, zero, zero, one, one, one, nan, 0.1 * one, nan, -one)


class TestMoteus(MotorBusContract):
    @pytest.fixture
    def rig(self) -> BusRig:
        return MoteusRig(checksum=True)


class TestMoteusWithoutChecksums(MotorBusContract):
    mixed = tuple(kind for kind in MIXED if kind is not Kind.FLIP)

    @pytest.fixture
    def rig(self) -> BusRig:
        """A digit that turned into another one is not told from the true one."""
        return MoteusRig(checksum=False)
