"""The latency timer of USB serial adapters: how long they hold a partly filled buffer back.

FTDI's chips have one (application note AN232B-04), 16 ms unless set; USB CDC devices have none.
"""

from __future__ import annotations

from typing import Final

from robosac.check.place import Place
from robosac.check.row import Level, Row, judged, on_a_twin

WANTED_MS: Final = 1
LONGEST_MS: Final = 4
"""An adapter that waits longer hands over what is nearly a tick old, ms."""
VALID: Final = f"{WANTED_MS} ms, or none"
REMEDY: Final = (
    'udev rule SUBSYSTEM=="usb-serial", DRIVER=="ftdi_sio", ATTR{latency_timer}="1"'
    " (docs/hardware.md); until the next boot: echo 1 | sudo tee"
    " /sys/bus/usb-serial/devices/TTY/latency_timer"
)


def latency_timer_row(name: str, place: Place, found_ms: int | None) -> Row:
    """The timer of the port `name`, ms; None: the system shows none."""
    row = f"latency timer {name}"
    if place is not Place.REAL:
        return on_a_twin(row, "no adapter", VALID)
    if found_ms is None:
        return judged(row, Level.GREEN, "none, as with USB CDC", VALID, "")
    level = Level.GREEN
    if found_ms > WANTED_MS:
        level = Level.AMBER if found_ms <= LONGEST_MS else Level.RED
    return judged(row, level, f"{found_ms} ms", VALID, REMEDY)
