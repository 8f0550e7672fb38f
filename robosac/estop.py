"""The e-stop gate: stands before every motion; once tripped it stays tripped until it is reset.

It is a stop in software and no certified emergency stop: the motor supply needs its own relay.
"""

from __future__ import annotations

import contextlib
import enum
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import Final, Protocol

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
_ENDING: Final = (signal.SIGINT, signal.SIGTERM)


class Stop(enum.IntEnum):
    """How a guard wants the robot stopped."""

    NONE = 0
    SETTLE = 1
    """Damp; the guard asks for CUT when the time for that is over (IEC 60204-1, category 1)."""
    CUT = 2
    """Torque off at once (category 0)."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a guard demands, and why."""

    stop: Stop
    reason: str = ""


NO_DEMAND: Final = Demand(Stop.NONE)


class Guard(Protocol):
    """Something that must agree before the robot may move: a button, an endpoint, the lease."""

    def demand(self) -> Demand:
        """What it demands now; asked twice in every control tick, so it must not wait."""
        ...


class EStopGate:
    """A latch that any thread or signal handler may trip, and that guards are asked for.

    One attribute holds it, and storing an attribute is atomic. A lock would be worse here: a signal
    handler that interrupts its holder would wait for ever.
    """

    def __init__(self) -> None:
        self._reason: str | None = None
        self._settling: str | None = None
        self._guards: tuple[Guard, ...] = ()

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

    @property
    def settling(self) -> str:
        """Why the robot must be damped, although torque need not go yet; empty: it need not."""
        return self._settling or ""

    def add(self, guard: Guard) -> None:
        """Ask `guard` from now on at every look."""
        self._guards = (*self._guards, guard)

    def look(self) -> bool:
        """Ask every guard, trip if one demands it, and tell whether the gate is tripped.

        A guard that fails counts as one that objects.
        """
        for guard in self._guards:
            try:
                demand = guard.demand()
            except Exception as error:  # noqa: BLE001 - whatever a broken guard raises, it is no consent
                demand = Demand(Stop.CUT, f"guard {type(guard).__name__} failed: {error!r}")
            if demand.stop is Stop.CUT:
                self.trip(demand.reason)
            elif demand.stop is Stop.SETTLE and self._settling is None:
                self._settling = demand.reason or "no reason given"
        return self.tripped

    def reset(self) -> None:
        """Open the gate; by itself this moves nothing, the fault must be cleared and armed anew.

        Guards that still object trip it again at the next look.
        """
        self._reason = self._settling = None

    @contextlib.contextmanager
    def trip_on_signals(
        self, signals: Sequence[signal.Signals] = STOP_SIGNALS
    ) -> Iterator[EStopGate]:
        """Trip on `signals` instead of ending the program; main thread only.

        A second SIGINT or SIGTERM goes to the handler that was there before, so that a program that
        hangs can still be ended; SIGUSR1 only ever trips.
        """
        previous = {number: signal.getsignal(number) for number in signals}

        def handler(number: int, frame: FrameType | None) -> None:
            if self.tripped and number in _ENDING:
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
