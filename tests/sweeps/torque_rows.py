"""Rows of motors in virtual time, on a cable that loses messages; its every use can be noticed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from drivers.dynamixel import (
    DynamixelBus,
    Observe,
    OperatingMode,
    PositionGoal,
    ServoArming,
    ServoSetup,
)
from drivers.dynamixel.commands import Command
from drivers.moteus import MoteusBus, PositionCommand
from drivers.motor_bus import MotorBus
from sim.clock import VirtualClock
from sim.fault_spec import Kind
from sim.faulty_line import FaultyLine
from sim.firmware.dynamixel.line import DynamixelLine
from sim.firmware.dynamixel.servo import ServoSpec
from sim.firmware.fdcanusb import Fdcanusb
from sim.firmware.moteus.bank import MoteusBank, MoteusConfig
from sim.wire import Device, Direction, TwinWire
from sim.wire_framing import LINES, PACKETS, Framing

IDS = (1, 2, 3)
DT, PERIOD, BUDGET = 0.001, 0.010, 0.008


class NoticedWire(TwinWire):
    """Tells of every use before it.

    Attributes:
        notice: what is called; it may raise.
    """

    notice: Callable[[], object] = staticmethod(lambda: None)

    def write(self, data: bytes) -> None:
        self.notice()
        super().write(data)

    def read(self, deadline: float) -> bytes:
        self.notice()
        return super().read(deadline)


class Row(Protocol):
    """Motors, their bus, and the truth about them."""

    @property
    def bus(self) -> MotorBus[Any, Any, Any]: ...

    @property
    def wire(self) -> NoticedWire: ...

    def engage(self) -> None:
        """Switch every motor on."""
        ...

    def tick(self) -> None:
        """Wait for the next period, and hold where the motors are."""
        ...

    def lose(self, probability: float) -> None:
        """From now on each message gets lost with `probability`."""
        ...

    def driving(self) -> int:
        """How many motors the firmware drives."""
        ...


class _Row:
    """What both kinds have in common."""

    def __init__(self, framing: Framing, rng: np.random.Generator) -> None:
        self.clock = VirtualClock(self.step, DT)
        self._framing, self._rng = framing, rng

    def connect(self, device: Device) -> NoticedWire:
        self._line = FaultyLine(device, self._framing, self.clock.now, self._rng)
        return NoticedWire(self._line, self.clock)

    def lose(self, probability: float) -> None:
        for way in Direction:
            self._line.set_rate(Kind.DROP, way, probability)

    def wait(self) -> float:
        """Wait for the next period; the deadline of its exchange, s."""
        now = self.clock.now()
        self.clock.wait_until((math.floor(now / PERIOD + 1e-6) + 1) * PERIOD)
        return self.clock.now() + BUDGET

    def step(self) -> None:
        raise NotImplementedError


class DynamixelRow(_Row):
    """Servos on shafts that nothing moves, configured once."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(PACKETS, rng)
        self._zero = np.zeros(len(IDS))
        self._position = np.full(len(IDS), 3.0)
        specs = [ServoSpec(id) for id in IDS]
        self._servos = DynamixelLine(specs, self.clock.now, position_rad=self._position)
        self.step()
        self.wire = self.connect(self._servos)
        self.bus = DynamixelBus(self.wire, IDS, self.clock.now)
        self.bus.probe()
        setup = ServoSetup(OperatingMode.POSITION)
        self._arming = ServoArming(self.bus, dict.fromkeys(IDS, setup))
        self._arming.configure()
        self._goal: Command = Observe()

    def step(self) -> None:
        self._servos.control(self._position, self._zero, 12.0, DT)
        self._servos.sense(self._zero, self._zero, self._zero + 30.0, 12.0)

    def engage(self) -> None:
        for servo in self._servos.servos:
            # A watchdog that tripped in the trial before would refuse goals.
            servo.memory["bus_watchdog"] = 0
        self._arming.engage()
        self._goal = PositionGoal(self._position)

    def tick(self) -> None:
        self.bus.exchange(self._goal, self.wait())

    def driving(self) -> int:
        return sum(servo.motion.torque for servo in self._servos.servos)


class MoteusRow(_Row):
    """Controllers on shafts that nothing moves."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(LINES, rng)
        self._zero = np.zeros(len(IDS))
        self._bank = MoteusBank(IDS, MoteusConfig())
        self.step()
        self.wire = self.connect(Fdcanusb(self._bank.handle_frame))
        self.bus = MoteusBus(self.wire, IDS, self.clock.now)
        one, nan = self._zero + 1.0, self._zero + math.nan
        self._hold = PositionCommand(
            *(self._zero, self._zero, self._zero, one, one, one, nan, 0.1 * one, nan, -one)
        )

    def step(self) -> None:
        zero = self._zero
        self._bank.control(zero, zero, 16.0, DT)
        self._bank.sense(zero, zero, zero, zero, zero + 25.0, 16.0)

    def engage(self) -> None:
        for _ in range(3):
            self.tick()

    def tick(self) -> None:
        self.bus.exchange(self._hold, self.wait())

    def driving(self) -> int:
        return int(np.count_nonzero(self._bank.driving))


ROWS: dict[str, Callable[[np.random.Generator], Row]] = {
    "dynamixel": DynamixelRow,
    "moteus": MoteusRow,
}
