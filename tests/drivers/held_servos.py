"""Servos with motors and joints behind a wire, held and let go one by one through the bus."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
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
from sim.faulty_line import FaultyLine
from sim.firmware.dynamixel.line import LineOptions
from sim.firmware.dynamixel.servo import DynamixelServo, ServoSpec
from sim.servo_joint import JointParameters
from sim.wire import TwinWire
from sim.wire_framing import PACKETS, cut_packets
from tests.sim.dynamixel_bench import Bench

MODEL, CURRENT_LIMIT_A = 1050, 0.6
SETUP = ServoSetup(OperatingMode.CURRENT_BASED_POSITION, current_limit_a=CURRENT_LIMIT_A)
PERIOD, BUDGET = 0.01, 0.008
ON, OFF = True, False


Listener = Callable[[int, int, bytes], bool]
"""Instruction, address and packet of what the host says; False: the servos do not hear it."""


class HeldServos:
    """`count` servos, prepared and not yet held."""

    def __init__(
        self,
        count: int = 3,
        options: LineOptions | None = None,
        joint: JointParameters | None = None,
        counts: tuple[float, ...] = (1000.0, 2000.0, 5000.0),
    ) -> None:
        self.ids = tuple(range(10, 10 + count))
        specs = [ServoSpec(id, MODEL) for id in self.ids]
        self.bench = Bench(*specs, options=options, counts=counts[:count], joint=joint)
        now = self.bench.clock.now
        self.line = FaultyLine(self.bench.line, PACKETS, now, np.random.default_rng(7))
        self.wire = TwinWire(self.line, self.bench.clock)
        self.bus = DynamixelBus(self.wire, self.ids, now)
        self.bus.probe()
        self.arming = ServoArming(self.bus, dict.fromkeys(self.ids, SETUP))
        self.arming.prepare()
        self.exchange(Observe())

    def servo(self, place: int) -> DynamixelServo:
        return self.bench.line.servo(self.ids[place])

    def torque(self) -> list[bool]:
        """The truth."""
        return [self.servo(place).motion.torque for place in range(len(self.ids))]

    def watchdogs(self) -> list[int]:
        return [self.servo(place).memory["bus_watchdog"] for place in range(len(self.ids))]

    def stands(self) -> NDArray[np.float64]:
        """Where the servos last said they are, rad."""
        return self.bus.last_readings().position_rad

    def exchange(self, command: Command) -> DynamixelReadings:
        now = self.bench.clock.now()
        self.bench.clock.wait_until((math.floor(now / PERIOD + 1e-6) + 1) * PERIOD)
        return self.bus.exchange(command, self.bench.clock.now() + BUDGET)

    def listen(self, heard: Listener) -> None:
        """Let `heard` decide of every packet from now on."""
        receive = self.bench.line.receive

        def through(data: bytes) -> None:
            for packet in cut_packets(data):
                if heard(packet[7], packet[8] | packet[9] << 8, packet):
                    receive(packet)

        self.bench.line.receive = through

    def hold(self, *held: bool, times: int = 1, most_a: float | None = 0.4) -> DynamixelReadings:
        """Exchanges that want the servos held where they now stand, or free."""
        most = None if most_a is None else np.full(len(self.ids), most_a)
        goal = PositionGoal(self.stands(), most, np.array(held))
        for _ in range(times - 1):
            self.exchange(goal)
        return self.exchange(goal)
