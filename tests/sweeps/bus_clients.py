"""The clients that are compared on a bad cable: our bus, and the vendor's."""

from __future__ import annotations

import math
import resource
import time
from typing import Any, Protocol

import numpy as np
from dynamixel_sdk import (
    COMM_SUCCESS,
    GroupSyncRead,
    GroupSyncWrite,
    PortHandler,
    Protocol2PacketHandler,
    port_handler,
)

from drivers.dynamixel import TABLES, DynamixelBus, PositionGoal, Telemetry
from drivers.wire import SerialWire
from tests.sweeps.stamps import (
    IDS,
    MODEL,
    Reading,
    Verdict,
    judge,
    judge_supply,
    now_us,
)

BAUD = 1_000_000
BUDGET_S, LONG_BUDGET_S = 0.0025, 0.008
"""Of an exchange, s; the long one leaves time for telemetry."""
LONG_EVERY = 19
"""Odd, since only every other exchange asks for it."""
IDLE_S = 0.001
"""There is no adapter whose latency timer would have to be waited for."""
SDK_PATIENCE_S = 0.037
"""What the vendor's client waits for a packet at most, s."""
GOAL = 2048
_SYNC_READ, _INSTRUCTION_AT = 0x82, 7


class Client(Protocol):
    """Exchanges goals for readings."""

    name: str
    patience_s: float
    """How long the last exchange had, s."""

    @property
    def waited_s(self) -> float:
        """How long it has asked to wait, but for what the kernel added to that, s in all."""
        ...

    def exchange(self) -> list[Verdict]:
        """One exchange; what each of its good readings is."""
        ...

    def close(self) -> None:
        """Release the port."""
        ...


class TimedWire(SerialWire):
    """A port that notes when it asked for readings, and how long it was told to wait."""

    asked_us = 0
    waited_s = 0.0

    def read(self, deadline: float) -> bytes:
        begun = time.monotonic()
        data = super().read(deadline)
        self.waited_s += max(0.0, min(deadline, time.monotonic()) - begun)
        return data

    def write(self, data: bytes) -> None:
        if data[_INSTRUCTION_AT] == _SYNC_READ:
            self.asked_us = now_us()
        begun, blocked = time.monotonic(), _blocked()
        super().write(data)
        if _blocked() > blocked:
            self.waited_s += time.monotonic() - begun


def _blocked() -> int:
    """How often this thread has given the processor away of its own accord."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


class Ours:
    """`DynamixelBus`, its port probed.

    Attributes:
        supplies: how many answers about voltage and temperature were judged, too.
    """

    name = "ours"

    def __init__(self, path: str, epoch_us: int) -> None:
        self.patience_s = BUDGET_S
        self._wire, self._epoch_us = TimedWire(path, BAUD), epoch_us
        self.bus = DynamixelBus(self._wire, IDS, time.monotonic, idle_s=IDLE_S)
        self.bus.probe()
        table = TABLES[MODEL]
        names = ("present_current", "present_velocity", "present_position")
        self._scales = [table[name].scale for name in names]
        self._goal = PositionGoal(np.full(len(IDS), GOAL * self._scales[2]))
        self._count = self.supplies = 0
        self._supply_time = np.full(len(IDS), -math.inf)

    @property
    def waited_s(self) -> float:
        return self._wire.waited_s

    def exchange(self) -> list[Verdict]:
        self._count += 1
        self.patience_s = BUDGET_S if self._count % LONG_EVERY else LONG_BUDGET_S
        begun = time.monotonic()
        readings = self.bus.exchange(self._goal, begun + self.patience_s)
        asked_us = self._wire.asked_us - self._epoch_us
        effort, velocity, position = (
            np.rint(values / scale)
            for values, scale in zip(
                (readings.effort, readings.velocity_rad_s, readings.position_rad),
                self._scales,
                strict=True,
            )
        )
        found: list[Verdict] = []
        for i in np.flatnonzero(readings.valid):
            reading = Reading(IDS[i], int(effort[i]), int(velocity[i]), int(position[i]))
            verdict = judge(reading, asked_us)
            if verdict is Verdict.TRUE and readings.time[i] < begun:
                verdict = Verdict.STALE
            found.append(verdict)
        return found + self._judge_telemetry(readings.telemetry)

    def _judge_telemetry(self, telemetry: Telemetry) -> list[Verdict]:
        """Whatever of the news is not true."""
        now, times = now_us() - self._epoch_us, telemetry.supply_time
        verdicts = [
            judge_supply(
                IDS[i],
                round(telemetry.voltage_v[i] * 10),
                round(telemetry.temperature_c[i]),
                math.floor(times[i] * 1e6) - self._epoch_us,
                now,
            )
            for i in np.flatnonzero(times > self._supply_time)
        ]
        self.supplies += len(verdicts)
        self._supply_time = times
        return [verdict for verdict in verdicts if verdict is not Verdict.TRUE]

    def close(self) -> None:
        self.bus.close()


class TimedPort(PortHandler):
    """The vendor's port, which notes when it asked for readings, us."""

    asked_us = 0

    def writePort(self, packet: Any) -> Any:
        if packet[_INSTRUCTION_AT] == _SYNC_READ:
            self.asked_us = now_us()
        return super().writePort(packet)


class Sdk:
    """The vendor's sync write and sync read."""

    name = "sdk"
    patience_s = SDK_PATIENCE_S
    waited_s = 0.0
    """It never sleeps."""
    latency_ms = port_handler.LATENCY_TIMER
    """It waits twice that, and 2 ms, for a packet."""

    def __init__(self, path: str, epoch_us: int) -> None:
        self._epoch_us = epoch_us
        port_handler.LATENCY_TIMER = self.latency_ms
        self._port = TimedPort(path)
        if not self._port.openPort() or not self._port.setBaudRate(BAUD):
            raise OSError(f"the vendor's client cannot open {path}")
        handler = Protocol2PacketHandler()
        self._read = GroupSyncRead(self._port, handler, 126, 10)
        self._write = GroupSyncWrite(self._port, handler, 116, 4)
        for id in IDS:
            self._read.addParam(id)

    def exchange(self) -> list[Verdict]:
        # An error leaves this set, and then every later call only says so.
        self._port.is_using = False
        self._write.clearParam()
        for id in IDS:
            self._write.addParam(id, list(GOAL.to_bytes(4, "little")))
        self._write.txPacket()
        if self._read.txRxPacket() != COMM_SUCCESS:
            return []
        asked_us = self._port.asked_us - self._epoch_us
        return [judge(self._reading(id), asked_us) for id in IDS]

    def _reading(self, id: int) -> Reading:
        effort, velocity, position = (
            self._read.getData(id, address, size)
            for address, size in ((126, 2), (128, 4), (132, 4))
        )
        return Reading(id, _signed(effort, 16), _signed(velocity, 32), _signed(position, 32))

    def close(self) -> None:
        self._port.closePort()


class SdkShort(Sdk):
    """The vendor's client with its wait made shorter."""

    name = "sdk-short"
    patience_s = 0.005
    latency_ms = 1


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) else value
