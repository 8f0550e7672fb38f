"""The one user of a wire with Dynamixel servos: transactions, and order after a miss."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from drivers.dynamixel.constants import StatusError
from drivers.dynamixel.packet import Status, StatusParser
from drivers.errors import BusTimeout, DeviceError
from drivers.statistics import BusCounters
from drivers.wire import Wire

IDLE_S: Final = 0.002
"""Silence that counts as an idle line, s: more than a USB adapter's latency timer of 1 ms and a
return delay of 0.5 ms. At 57600 bit/s, or with the timer's default of 16 ms, take more."""
RESYNC_READS: Final = 4
"""A resynchronisation gives up waiting for silence after so many reads."""
REPLY_TIMEOUT_S: Final = 0.04
"""How long one try outside the control tick waits, s: twice the default latency timer and more."""


class Answer(NamedTuple):
    """What came back for a question that was not waited for."""

    status: Status | None
    """None: nothing came."""
    asked_at: float
    """s; the answer is younger."""


class _Open(NamedTuple):
    """A question whose answer may still be on its way."""

    id: int
    size: int
    asked_at: float
    until: float


class DynamixelPort:
    """Sends packets and finds the answers.

    Args:
        wire: the port; nobody else uses it.
        now: the clock that the wire's deadlines belong to, monotonic seconds.
        idle_s: silence after which nothing old can arrive any more, s.

    Attributes:
        counters: what happened; `corrupt` is brought up to date by `statistics`.
    """

    def __init__(self, wire: Wire, now: Callable[[], float], idle_s: float = IDLE_S) -> None:
        self.wire, self.now, self.idle_s = wire, now, idle_s
        self.counters = BusCounters()
        self._parser = StatusParser()
        self._parsed_corrupt = 0
        self._unsettled = False
        self._open: _Open | None = None
        self._answer: Answer | None = None

    def count_corrupt(self) -> None:
        """Move the parser's count into the counters."""
        self.counters.corrupt += self._parser.corrupt - self._parsed_corrupt
        self._parsed_corrupt = self._parser.corrupt

    @property
    def settled(self) -> bool:
        """Whether nothing old is known to be on its way."""
        return not self._unsettled

    def missed(self) -> None:
        """Something did not arrive, or arrived in disorder: the line must fall silent first."""
        self._unsettled = True

    def settle(self, deadline: float) -> bool:
        """Take what nobody waited for off the line; True: what comes next can be trusted.

        An answer that is still on its way is waited for. After a miss, or when old bytes lie there,
        the line must be silent for `idle_s` before `deadline` (s).

        Raises:
            WireClosed: the port is gone.
        """
        if not self.finish(deadline) and (data := self.wire.drain()):
            self._drop(data)
            self._unsettled = True
        if not self._unsettled:
            self._parser.clear()
            return True
        self.counters.resyncs += 1
        for _ in range(RESYNC_READS):
            silent_at = self.now() + self.idle_s
            if data := self.wire.read(min(deadline, silent_at)):
                self._drop(data)
            else:
                self._unsettled = silent_at > deadline
                break
        self._parser.clear()
        return not self._unsettled

    def finish(self, deadline: float) -> bool:
        """Let the answer to `ask_and_go` come, so that nobody speaks into it.

        True: it has just come, and nothing else. Raises WireClosed.
        """
        question = self._open
        if question is None:
            return False
        self._open, found, others = None, None, 0
        until = min(deadline, question.until)
        while found is None and (data := self.wire.read(until)):
            for status in self._parser.feed(data):
                if found is None and _answers(status, question.id, question.size):
                    found = status
                else:
                    others += 1
            if self.now() >= until:
                break
        self.counters.late += others
        self.counters.lost += found is None
        # Whoever has been silent for so long since then has nothing more to say.
        if others or (found is None and self.now() < question.until + self.idle_s):
            self.missed()
        self._answer = Answer(found, question.asked_at)
        return found is not None and self._parser.empty

    def parse(self, data: bytes) -> list[Status]:
        """The status packets that `data` completes."""
        return self._parser.feed(data)

    def statuses(self, deadline: float) -> Iterator[Status]:
        """Status packets as they arrive, until `deadline` (s). Raises WireClosed."""
        while data := self.wire.read(deadline):
            yield from self._parser.feed(data)
            if self.now() >= deadline:
                return

    def ask(self, packet: bytes, id: int, size: int, deadline: float) -> Status | None:
        """Send `packet` and wait until `deadline` (s) for servo `id`'s answer; None: none came.

        An answer has `size` parameters, or an error and none.

        Raises:
            WireClosed: the port is gone.
        """
        if not self.settle(deadline):
            return None
        self.wire.write(packet)
        for status in self.statuses(deadline):
            if _answers(status, id, size):
                return status
            self.counters.late += 1
        self.counters.lost += 1
        self.missed()
        return None

    def ask_and_go(self, packet: bytes, id: int, size: int, patience_s: float) -> None:
        """As `ask`, without waiting: the next use of the line takes the answer, for `answer`.

        Whatever comes next gives it `patience_s` (s) before it speaks. The line must be settled.

        Raises:
            WireClosed: the port is gone.
        """
        at = self.now()
        self.wire.write(packet)
        self._open = _Open(id, size, at, at + patience_s)

    def answer(self) -> Answer | None:
        """What became of the last question of `ask_and_go`, once; None: there is nothing new."""
        answer, self._answer = self._answer, None
        return answer

    def request(
        self,
        packet: bytes,
        id: int,
        size: int,
        attempts: int = 3,
        timeout_s: float = REPLY_TIMEOUT_S,
    ) -> Status:
        """As `ask`, trying again; for configuration, never in a control tick.

        Raises:
            BusTimeout: no answer. DeviceError: the servo refuses. WireClosed: the port is gone.
        """
        for _ in range(attempts):
            status = self.ask(packet, id, size, self.now() + timeout_s)
            if status is None:
                continue
            if status.error == StatusError.NONE:
                return status
            self.counters.refused += 1
            # The servo got a damaged packet: worth another try, unlike every other refusal.
            if status.error != StatusError.CRC:
                raise DeviceError(f"servo {id} refuses: {error_name(status.error)}")
        raise BusTimeout(
            f"servo {id} did not answer in {attempts} tries; check power, wiring, id and baud rate"
        )

    def reopen(self) -> None:
        """Open the wire anew after it was gone. Raises WireClosed: it is not back."""
        self.wire.reopen()
        self._open = self._answer = None
        self._parser.clear()
        self.missed()

    def _drop(self, data: bytes) -> None:
        self.counters.late += len(self._parser.feed(data))


def _answers(status: Status, id: int, size: int) -> bool:
    """Whether this is servo `id`'s answer of `size` bytes, or its refusal."""
    return status.id == id and (
        len(status.parameters) == size or (status.error != 0 and not status.parameters)
    )


def error_name(error: int) -> str:
    """A status error's name, or its number where it is none that is documented."""
    try:
        return StatusError(error).name
    except ValueError:
        return f"unknown status error {error}"
