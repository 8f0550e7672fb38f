"""Watches a stop button in a thread, and objects when it is open or when the thread is silent."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Final, Protocol

from robosac.estop import NO_DEMAND, Demand, EStopGate, Stop

PERIOD_S: Final = 0.005
"""Between two looks at the button, s."""
MAX_AGE_S: Final = 0.1
"""A button that nobody has seen closed for so long counts as open, s."""


class Button(Protocol):
    """Any button of `drivers.button`."""

    def closed(self) -> bool:
        """True only while it is not pressed and everything between here and it is whole."""
        ...

    def close(self) -> None:
        """Release it."""
        ...


class ButtonWatch:
    """A guard of the gate. It trips by itself too, so that a press counts while no tick looks.

    Args:
        button: closed by `close`.
        name: for the reason.
        gate: what an open button trips.
        now: monotonic s.
    """

    def __init__(
        self, button: Button, name: str, gate: EStopGate, now: Callable[[], float]
    ) -> None:
        self._button, self._name, self._gate, self._now = button, name, gate, now
        self._closed_at = now()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stop-button", daemon=True)

    def start(self) -> ButtonWatch:
        """Begin to watch."""
        self._thread.start()
        return self

    def look(self) -> None:
        """One look at the button."""
        if self._button.closed():
            self._closed_at = self._now()
        else:
            self._gate.trip(self._pressed())

    def demand(self) -> Demand:
        """See `robosac.estop.Guard`."""
        if self._now() - self._closed_at <= MAX_AGE_S:
            return NO_DEMAND
        return Demand(Stop.CUT, self._pressed())

    def close(self) -> None:
        """End the thread, then release the button."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()
        self._button.close()

    def _pressed(self) -> str:
        return f"stop button {self._name} is pressed, broken or unplugged"

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while not self._end.wait(PERIOD_S):
            self.look()
