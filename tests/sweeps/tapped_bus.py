"""A motor bus and its wire, with a note of when a STOP left after the gate was tripped."""

from __future__ import annotations

from collections.abc import Callable

from drivers.moteus import MoteusBus
from drivers.moteus.command import Command, Stop
from drivers.moteus.readings import ServoReadings
from drivers.wire import Wire
from robosac.estop import EStopGate


class Tap:
    """When the gate was tripped, and when the first STOP after that was written."""

    def __init__(self, gate: EStopGate, now: Callable[[], float]) -> None:
        self._gate, self._now = gate, now
        self.tripped_at: float | None = None
        self.stop_at: float | None = None
        self.stopping = False

    def fresh(self) -> None:
        """Begin a new trial."""
        self.tripped_at = self.stop_at = None

    def written(self) -> None:
        """A frame has gone out."""
        if self.stopping and self._gate.tripped and self.stop_at is None:
            self.stop_at = self._now()


class TappedWire:
    """A wire that tells a tap what is written."""

    def __init__(self, wire: Wire, tap: Tap) -> None:
        self._wire, self._tap = wire, tap
        self.read, self.drain = wire.read, wire.drain
        self.reopen, self.close = wire.reopen, wire.close

    def write(self, data: bytes) -> None:
        self._wire.write(data)
        self._tap.written()


class TappedBus(MoteusBus):
    """A bus that tells a tap when what it writes is a STOP to all."""

    def __init__(self, wire: Wire, ids: list[int], now: Callable[[], float], tap: Tap) -> None:
        super().__init__(TappedWire(wire, tap), ids, now)
        self._tap = tap

    def exchange(self, command: Command, deadline: float) -> ServoReadings:
        self._tap.stopping = isinstance(command, Stop)
        try:
            return super().exchange(command, deadline)
        finally:
            self._tap.stopping = False
