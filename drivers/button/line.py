"""A stop button on the modem-control lines of a serial port.

The button's normally-closed contact joins RTS, which we hold asserted, to CTS, DSR or DCD. An open
contact, a broken wire and an unplugged adapter all read as pressed.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import serial

from drivers.errors import DeviceError, WireClosed

LINES: Final = {"cts": "cts", "dsr": "dsr", "dcd": "cd"}
"""The lines a button may pull, by pyserial's names for them."""
SETTLE_S: Final = 0.05
"""How long a USB adapter may take to pass a line on, s."""


class ModemPort(Protocol):
    """What of `serial.Serial` is used; each line raises OSError once the adapter is gone."""

    rts: Any

    def close(self) -> None: ...


class LineButton:
    """A button, open for as long as it is watched.

    Args:
        path: a stable name such as /dev/serial/by-id/...
        line: cts, dsr or dcd.
        open_port: opens the port.
        sleep: waits, s.

    Raises:
        ValueError: no such line.
        WireClosed: the port cannot be opened.
        DeviceError: the line does not follow RTS: the button is pressed, or its wiring is wrong.
    """

    def __init__(
        self,
        path: str,
        line: str = "cts",
        open_port: Callable[[str], ModemPort] | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if line not in LINES:
            raise ValueError(f"no line {line!r}; valid are {', '.join(LINES)}")
        self.path, self.line = path, line
        try:
            self._port = (open_port or _open)(path)
        except (serial.SerialException, OSError, ValueError) as error:
            raise WireClosed(f"cannot open the stop button at {path}: {error}") from error
        try:
            self._prove(sleep)
        except BaseException:
            self.close()
            raise

    def closed(self) -> bool:
        """Whether current flows: True only while the button is not pressed and all is wired."""
        try:
            return bool(getattr(self._port, LINES[self.line]))
        except (serial.SerialException, OSError, TypeError, ValueError):
            return False

    def close(self) -> None:
        """Release the port; safe to call twice."""
        with contextlib.suppress(serial.SerialException, OSError):
            self._port.close()

    def _prove(self, sleep: Callable[[float], None]) -> None:
        """See that the line follows RTS both ways: one that is stuck would never stop us."""
        for level in (False, True):
            try:
                self._port.rts = level
            except (serial.SerialException, OSError) as error:
                raise WireClosed(f"the stop button at {self.path} is gone: {error}") from error
            sleep(SETTLE_S)
            if self.closed() is not level:
                fault = "is pressed or not wired" if level else "is asserted without RTS"
                raise DeviceError(f"stop button at {self.path}: {self.line} {fault}")


def _open(path: str) -> ModemPort:
    return serial.Serial(path, timeout=0, exclusive=True)
