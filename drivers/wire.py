"""The lowest seam: a wire carries bytes to and from one device or bus.

Below it lies either a serial port (`SerialWire`) or the twin's firmware; everything above it is the
same code. Deadlines are absolute times of the clock that the owner of the wire uses.
"""

from __future__ import annotations

import contextlib
import select
import time
from typing import Protocol

import serial

from drivers.errors import WireClosed


class Wire(Protocol):
    """A two-way byte pipe with deadlines."""

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises WireClosed when the port is gone."""
        ...

    def read(self, deadline: float) -> bytes:
        """Return what has arrived, waiting for the first byte; b"" once `deadline` has passed.

        Raises WireClosed when the port is gone.
        """
        ...

    def drain(self) -> bytes:
        """Return what has already arrived without waiting. Raises WireClosed."""
        ...

    def close(self) -> None:
        """Release the port; safe to call twice."""
        ...


class SerialWire:
    """A serial port, opened exclusively, on `time.monotonic` deadlines.

    Args:
        path: a stable name such as /dev/serial/by-id/...
        baud: bit/s; without meaning for USB CDC devices.

    Raises:
        WireClosed: the port cannot be opened.
    """

    def __init__(self, path: str, baud: int) -> None:
        self.path = path
        try:
            self._port = serial.Serial(path, baud, timeout=0, write_timeout=0.1, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            raise WireClosed(
                f"cannot open {path}: {error}; valid is a serial port nobody else holds"
            ) from error
        # Best effort: FTDI adapters wait 16 ms otherwise; a pty and USB CDC have no such setting.
        with contextlib.suppress(OSError, ValueError, NotImplementedError):
            self._port.set_low_latency_mode(True)

    def write(self, data: bytes) -> None:
        try:
            written = self._port.write(data)
        except (serial.SerialException, OSError) as error:
            raise WireClosed(f"{self.path} is gone: {error}") from error
        if written != len(data):
            raise WireClosed(f"{self.path} took {written} of {len(data)} bytes")

    def read(self, deadline: float) -> bytes:
        try:
            remaining = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._port.fileno()], [], [], remaining)
            return self._port.read(4096) if ready else b""
        except (serial.SerialException, OSError, TypeError, ValueError) as error:
            raise WireClosed(f"{self.path} is gone: {error}") from error

    def drain(self) -> bytes:
        return self.read(0.0)

    def close(self) -> None:
        with contextlib.suppress(serial.SerialException, OSError):
            self._port.close()
