"""The e-stop gate: stands before every motion; once tripped it stays tripped until it is reset.

It is a stop in software and no certified emergency stop: the motor supply needs its own relay.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from types import FrameType


class EStopGate:
    """A latch that any thread or signal handler may trip.

    One attribute holds it, and storing an attribute is atomic. A lock would be worse here: a signal
    handler that interrupts its holder would wait for ever.
    """

    def __init__(self) -> None:
        self._reason: str | None = None

    @property
    def tripped(self) -> bool:
        """True from the first trip until `reset`."""
        return self._reason is not None

    @property
    def reason(self) -> str:
        """Why it tripped; empty while it has not."""
        return self._reason or ""

    def trip(self, reason: str) -> None:
        """Forbid all motion; the first reason is kept."""
        if self._reason is None:
            self._reason = reason or "no reason given"

    def reset(self) -> None:
        """Open the gate; by itself this moves nothing, the fault must be cleared and armed anew."""
        self._reason = None

    @contextlib.contextmanager
    def trip_on_signals(
        self, signals: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM)
    ) -> Iterator[EStopGate]:
        """Trip on `signals` instead of ending the program; main thread only.

        A second signal goes to the handler that was there before, so that a program that hangs can
        still be ended.
        """
        previous = {number: signal.getsignal(number) for number in signals}

        def handler(number: int, frame: FrameType | None) -> None:
            if self.tripped:
                signal.signal(number, previous[signal.Signals(number)])
                signal.raise_signal(number)
            self.trip(f"signal {signal.Signals(number).name}")

        try:
            for number in signals:
                signal.signal(number, handler)
            yield self
        finally:
            for number, old in previous.items():
                signal.signal(number, old)
