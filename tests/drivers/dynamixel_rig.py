"""Scripted servos, the wire between, and a bus that has probed them."""

import math
from collections.abc import Callable
from unittest import mock

import drivers.dynamixel.bus
from drivers.dynamixel import (
    DynamixelBus,
    DynamixelReadings,
    Observe,
    OperatingMode,
    ServoArming,
    ServoSetup,
)
from drivers.dynamixel.commands import Command
from drivers.dynamixel.control_table import TABLES
from tests.drivers.scripted_servos import ScriptedServos
from tests.drivers.scripted_wire import ScriptedWire

_HEADER = b"\xff\xff\xfd\x00"

IDS = (10, 11, 12)
TICK = 0.01
RAD = 2 * math.pi / 4096
ARMED_IDS = (20, 21)
POSITION = ServoSetup(OperatingMode.POSITION)


class PacketWire(ScriptedWire):
    """Takes one write apart into the packets of which it consists."""

    def write(self, data: bytes) -> None:
        assert data.startswith(_HEADER)
        for rest in data.split(_HEADER)[1:]:
            super().write(_HEADER + rest)


class TickRig:
    """Servos on a scripted wire, and the bus that drives them."""

    def __init__(self, model: int = 1020, fast: bool = False, firmware: int = 48) -> None:
        self.servos = ScriptedServos(IDS, model, firmware)
        self.wire = PacketWire(self.servos.answer)
        self.servos.now = self.wire.now
        self.bus = DynamixelBus(self.wire, IDS, self.wire.now, fast=fast)
        for place, id in enumerate(IDS):
            self.place(id, 1000 + 1000 * place)
        self.bus.probe()
        self.servos.log.clear()
        self.wire.written.clear()

    def place(self, id: int, position: int, velocity: int = 0, effort: int = 0) -> None:
        self.servos.set(id, 126, 2, effort)
        self.servos.set(id, 128, 4, velocity)
        self.servos.set(id, 132, 4, position)

    def tick(self, command: Command | None = None, seconds: float = TICK) -> DynamixelReadings:
        self.wire.time += TICK
        return self.bus.exchange(command or Observe(), self.wire.time + seconds)

    def hook(self, change: Callable[[bytes], bytes], instruction: int = 0x82) -> None:
        """Let `change` rewrite the answers to an instruction."""

        def answer(packet: bytes) -> bytes:
            reply = self.servos.answer(packet)
            return change(reply) if packet[7] == instruction else reply

        self.wire.answer = answer


def without_telemetry(rig: TickRig, command: Command | None = None) -> DynamixelReadings:
    """A tick too short for telemetry."""
    with mock.patch.object(drivers.dynamixel.bus, "TELEMETRY_LEFT_S", math.inf):
        return rig.tick(command, 0.0025)


class ArmingRig:
    """Factory-new servos on a scripted wire, and a bus that has probed them."""

    def __init__(self, model: int = 1020, firmware: int = 48) -> None:
        self.servos = ScriptedServos(ARMED_IDS, model, firmware)
        for id in ARMED_IDS:
            for register in TABLES[model]:
                if register.default and register.name not in ("model_number", "id"):
                    self.servos.set(id, register.address, register.size, register.default)
            self.servos.set(id, 132, 4, 2000)
        self.wire = ScriptedWire(self.servos.answer)
        self.bus = DynamixelBus(self.wire, ARMED_IDS, self.wire.now)
        self.bus.probe()
        self.servos.log.clear()

    def arming(self, setup: ServoSetup = POSITION) -> ServoArming:
        return ServoArming(self.bus, dict.fromkeys(ARMED_IDS, setup))

    def writes(self) -> list[tuple[int, int]]:
        """Id and address of every write, in order."""
        return [
            (id, int.from_bytes(parameters[:2], "little"))
            for instruction, id, parameters in self.servos.log
            if instruction == 0x03
        ]

    def before(self, instruction: int, act: Callable[[bytes], bytes | None]) -> None:
        """Let `act` see packets of an instruction first, and answer them if it likes."""

        def answer(packet: bytes) -> bytes:
            reply = act(packet) if packet[7] == instruction else None
            return self.servos.answer(packet) if reply is None else reply

        self.wire.answer = answer
