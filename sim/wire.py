"""A wire whose far end is firmware in the same process, on the twin's clock."""

from __future__ import annotations

import enum
from typing import Protocol

from drivers.errors import WireClosed

POLL_S = 0.001
"""How long a reader waits between two looks at the device, s: the twin's physics step."""
SAME_TIME_S = 1e-9
"""Closer than this to a deadline the virtual clock stands still: rounding, not time left."""


class Device(Protocol):
    """The firmware's two ends of a serial line."""

    def receive(self, data: bytes) -> None:
        """Bytes from the host."""
        ...

    def transmit(self) -> bytes:
        """Bytes for the host; b"" if there are none."""
        ...


class TwinClock(Protocol):
    """The clock that makes the twin go on."""

    def now(self) -> float:
        """The present, s."""
        ...

    def wait_until(self, deadline: float) -> None:
        """Let time pass until `deadline` (s)."""
        ...


class Direction(enum.Enum):
    """Which way bytes go."""

    TO_DEVICE = "to device"
    TO_HOST = "to host"


class WireFaults(Protocol):
    """What may go wrong on the way."""

    def mangle(self, data: bytes, direction: Direction) -> bytes:
        """The bytes that arrive in place of `data`."""
        ...


class TwinWire:
    """A `drivers.wire.Wire` to `device`.

    Attributes:
        faults: what damages bytes on the way; None: a perfect wire. May be exchanged at any time.
    """

    def __init__(self, device: Device, clock: TwinClock, faults: WireFaults | None = None) -> None:
        self.faults = faults
        self._device, self._clock = device, clock
        self._gone: str | None = None
        self._unplugged = False

    @property
    def device(self) -> Device:
        """The firmware's end, for whoever brings a wire of his own."""
        return self._device

    def write(self, data: bytes) -> None:
        self._check()
        if self.faults is not None:
            data = self.faults.mangle(data, Direction.TO_DEVICE)
        self._device.receive(data)

    def read(self, deadline: float) -> bytes:
        while not (data := self.drain()):
            now = self._clock.now()
            if now >= deadline - SAME_TIME_S:
                return b""
            self._clock.wait_until(min(deadline, now + POLL_S))
        return data

    def drain(self) -> bytes:
        self._check()
        data = self._device.transmit()
        if data and self.faults is not None:
            data = self.faults.mangle(data, Direction.TO_HOST)
        return data

    def close(self) -> None:
        self._gone = self._gone or "closed"

    def reopen(self) -> None:
        if self._unplugged:
            self._check()
        self._device.transmit()
        self._gone = None

    def unplug(self) -> None:
        """Pull the cable out: every later use raises WireClosed."""
        self._gone, self._unplugged = "unplugged", True

    def plug_in(self) -> None:
        """Put the cable back; as with a real port, whoever had it open must `reopen` it."""
        self._unplugged = False

    def _check(self) -> None:
        if self._gone is not None:
            raise WireClosed(f"the twin's wire is {self._gone}")
