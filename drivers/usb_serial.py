"""Serial ports as the system knows them: who is behind a path, and how long its driver waits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serial.tools import list_ports

SYSFS: Final = Path("/sys/bus/usb-serial/devices")
"""Where Linux shows the settings of USB serial adapters."""


@dataclass(frozen=True, slots=True)
class UsbIdentity:
    """What stays the same when an adapter is unplugged and comes back under another name."""

    vendor: int
    product: int
    serial_number: str


@dataclass(frozen=True, slots=True)
class UsbPort:
    """A serial port on USB."""

    path: str
    identity: UsbIdentity


def usb_ports() -> list[UsbPort]:
    """The USB serial ports present now that tell a serial number."""
    return [
        UsbPort(port.device, UsbIdentity(port.vid, port.pid, port.serial_number))
        for port in list_ports.comports()
        if port.serial_number and port.vid is not None and port.pid is not None
    ]


def identity_of(
    path: str, ports: Callable[[], Iterable[UsbPort]] = usb_ports
) -> UsbIdentity | None:
    """Who is behind `path`, which may be a link; None where there is no serial number."""
    real = os.path.realpath(path)
    return next((port.identity for port in ports() if os.path.realpath(port.path) == real), None)


def path_of(
    identity: UsbIdentity, ports: Callable[[], Iterable[UsbPort]] = usb_ports
) -> str | None:
    """Where the adapter with `identity` is now; None while it is away."""
    return next((port.path for port in ports() if port.identity == identity), None)


def latency_timer_ms(path: str, sysfs: Path = SYSFS) -> int | None:
    """How long the adapter behind `path` holds back a partly filled buffer, ms.

    None where there is no such timer: it is FTDI's (application note AN232B-04; 16 ms unless set).
    """
    try:
        return int(_timer(path, sysfs).read_text())
    except (OSError, ValueError):
        return None


def set_latency_timer(path: str, milliseconds: int, sysfs: Path = SYSFS) -> int | None:
    """Ask for a latency timer of `milliseconds` (1 to 255) and return what it is then, ms.

    Setting it needs root or a udev rule (docs/hardware.md); without either nothing changes, which
    the value returned shows. None: no such timer.

    Raises:
        ValueError: outside 1 to 255.
    """
    if not 1 <= milliseconds <= 255:
        raise ValueError(f"a latency timer is 1 to 255 ms, got {milliseconds}")
    found = latency_timer_ms(path, sysfs)
    if found is None or found == milliseconds:
        return found
    try:
        _timer(path, sysfs).write_text(str(milliseconds))
    except OSError:
        return found
    return latency_timer_ms(path, sysfs)


def _timer(path: str, sysfs: Path) -> Path:
    return sysfs / Path(os.path.realpath(path)).name / "latency_timer"
