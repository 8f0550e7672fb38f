"""Which camera is behind a path: what it calls itself, and its USB serial number if it has one.

Source: Linux `Documentation/ABI/stable/sysfs-class-video4linux` (name, device) and
`sysfs-bus-usb` (serial, of the device that an interface belongs to).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drivers.camera.unix_socket import SCHEME

SYSFS: Final = Path("/sys")
SOCKET: Final = "socket"
"""The model of a camera whose pictures another process sends."""


@dataclass(frozen=True, slots=True)
class CameraIdentity:
    """What stays the same when a camera is plugged in elsewhere."""

    model: str
    serial: str | None
    """None: it tells none, as many webcams do."""


def camera_identity(path: str, sysfs: Path = SYSFS) -> CameraIdentity | None:
    """Who is behind `path`, which may be a link; None where the system knows no such camera."""
    if path.startswith(SCHEME):
        return CameraIdentity(SOCKET, None)
    node = sysfs / "class" / "video4linux" / Path(os.path.realpath(path)).name
    try:
        model = (node / "name").read_text(errors="replace").strip()
    except OSError:
        return None
    return CameraIdentity(model[:100], _serial(node)) if model else None


def _serial(node: Path) -> str | None:
    # The node's device is a USB interface; the device that it belongs to lies above.
    try:
        serial = (node / "device").resolve().parent / "serial"
        return serial.read_text(errors="replace").strip()[:100] or None
    except OSError:
        return None
