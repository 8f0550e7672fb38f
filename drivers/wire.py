"""The lowest seam: a wire carries bytes to and from one device or bus.

Below it lies either a serial port (`SerialWire`) or the twin's firmware; everything above it is the
same code. Deadlines are absolute times of the clock that the owner of the wire uses.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import termios
import time
from typing import Final, Protocol

import serial

from drivers.errors import WireClosed
from drivers.usb_serial import identity_of, path_of, set_latency_timer

LATENCY_TIMER_MS: Final = 1
"""Longest wait we ask of an adapter; the 16 ms they come with allow no control."""
WRITE_TIMEOUT_S: Final = 0.1
"""A port that takes nothing for so long is as good as gone, s."""


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

    def reopen(self) -> None:
        """Open the same port anew, empty; whoever is behind it must be configured afresh.

        Raises:
            WireClosed: it is not back, or somebody else holds it.
        """
        ...

    def close(self) -> None:
        """Release the port; safe to call twice."""
        ...


class SerialWire:
    """A serial port, opened exclusively, on `time.monotonic` deadlines.

    Args:
        path: a stable name such as /dev/serial/by-id/...
        baud: bit/s; without meaning for USB CDC devices.

    Attributes:
        path: where the port is now; an adapter that was unplugged may come back elsewhere, and is
            known by its USB serial number.
        latency_timer_ms: what the adapter's latency timer is, ms; None where there is none.
        usb_serial: the adapter's USB serial number; None where there is none.

    Raises:
        WireClosed: the port cannot be opened.
    """

    def __init__(self, path: str, baud: int) -> None:
        self.path = path
        self._baud = baud
        self._port = _open(path, baud)
        self._identity = identity_of(path)
        self.usb_serial = None if self._identity is None else self._identity.serial_number
        self.latency_timer_ms = set_latency_timer(path, LATENCY_TIMER_MS)

    def reopen(self) -> None:
        self.close()
        if self._identity is not None:
            path = path_of(self._identity)
            if path is None:
                raise WireClosed(
                    f"{self.path} is away: no USB port has the serial number"
                    f" {self._identity.serial_number}; plug it in"
                )
            self.path = path
        self._port = _open(self.path, self._baud)
        self.latency_timer_ms = set_latency_timer(self.path, LATENCY_TIMER_MS)

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


def _open(path: str, baud: int) -> serial.Serial:
    """The port, for us alone, and empty. Raises WireClosed."""
    try:
        port = serial.Serial(path, baud, timeout=0, write_timeout=WRITE_TIMEOUT_S, exclusive=True)
    except (serial.SerialException, OSError, ValueError) as error:
        raise WireClosed(
            f"cannot open {path}: {error}; valid is a serial port nobody else holds"
        ) from error
    try:
        # The lock that pyserial takes binds only those who ask for one; this refuses the others. On
        # a pseudo-terminal it would outlive a process that was killed.
        if not os.path.realpath(path).startswith("/dev/pts/"):
            fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
        port.reset_input_buffer()
    except (serial.SerialException, OSError, termios.error) as error:
        port.close()
        raise WireClosed(f"cannot hold {path} for ourselves: {error}") from error
    # Best effort: the kernel's low-latency flag; a pty and USB CDC have no such setting.
    with contextlib.suppress(OSError, ValueError, NotImplementedError):
        port.set_low_latency_mode(True)
    return port
