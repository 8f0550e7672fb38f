"""The stop key of the console a robot is run from: space or `s`, without Enter.

The terminal gives every key at once while this runs and is put back behind it. What is not a stop
key goes on to whoever reads `source`, such as the operator's Enter.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import tty
from functools import partial
from types import TracebackType
from typing import Any, Final, TextIO

from robosac.estop import EStopGate
from robosac.listening import ListeningThread

STOP_KEYS: Final = b" sS"


class StopKey:
    """A context in which the console's stop key trips the gate; does nothing without a terminal.

    Args:
        gate: what the key trips.
        console: standard input, as a rule.
    """

    def __init__(self, gate: EStopGate, console: TextIO = sys.stdin) -> None:
        self._gate, self._console = gate, console
        self.source: TextIO = console
        """Where to read what was typed besides; a real file."""
        self._before: list[Any] | None = None
        self._thread: ListeningThread | None = None

    def __enter__(self) -> StopKey:
        if not _ours(self._console):
            return self
        terminal = self._console.fileno()
        self._before = termios.tcgetattr(terminal)
        rest, sink = os.pipe()
        os.set_blocking(sink, False)
        self.source = os.fdopen(rest, "r", buffering=1)
        self._thread = ListeningThread("stop-key", partial(self._listen, terminal, sink))
        try:
            tty.setcbreak(terminal, termios.TCSANOW)
            self._thread.start()
        except BaseException:
            termios.tcsetattr(terminal, termios.TCSANOW, self._before)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is None:
            return
        try:
            self._thread.close()
        finally:
            termios.tcsetattr(self._console.fileno(), termios.TCSANOW, self._before or [])
            self.source.close()
            self.source, self._thread = self._console, None

    def _listen(self, terminal: int, sink: int, wake: int) -> None:
        with os.fdopen(sink, "wb", buffering=0) as rest:
            while True:
                ready, _, _ = select.select([terminal, wake], [], [])
                if wake in ready:
                    return
                try:
                    typed = os.read(terminal, 1024)
                except OSError:
                    typed = b""
                if not typed:
                    self._gate.trip("the console is gone")
                    return
                if any(key in STOP_KEYS for key in typed):
                    self._gate.trip("stop key on the console")
                if other := bytes(key for key in typed if key not in STOP_KEYS):
                    # A pipe that is full holds keys enough; the stop key must not wait for it.
                    with contextlib.suppress(BlockingIOError):
                        rest.write(other)


def _ours(console: TextIO) -> bool:
    """Whether `console` is a terminal, and we in front of it: others may not change its ways."""
    try:
        return console.isatty() and os.tcgetpgrp(console.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
