"""The line to the adapter: frames out, frames in before a deadline, and silence after a miss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from drivers.errors import BusTimeout, ProtocolError
from drivers.moteus.fdcanusb import CanFrame, LineSplitter, Refused, encode_send, parse_line
from drivers.moteus.registers import REPLY_REQUESTED
from drivers.statistics import BusCounters
from drivers.wire import Wire

T = TypeVar("T")

IDLE_S: Final = 0.0005
"""Silence that counts as an idle bus: more than the 0.14 ms of the longest frame, s."""
RESYNC_READS: Final = 4
"""A resynchronisation gives up waiting for silence after so many reads."""
CONFIGURE_TIMEOUT_S: Final = 0.02
"""How long one try outside the control tick waits for its reply, s."""


class AdapterLink:
    """An fdcanusb, or a moteus on its own UART; one owner, one conversation at a time.

    Attributes:
        counters: what happened on the wire.
        now: the clock that the wire's deadlines belong to, monotonic seconds.
    """

    def __init__(self, wire: Wire, now: Callable[[], float], checksum: bool) -> None:
        self.counters = BusCounters()
        self.now = now
        self._wire, self._checksum = wire, checksum
        self._splitter = LineSplitter()
        self._unsettled = False

    def send(self, frames: Sequence[tuple[int, bytes]]) -> None:
        """Put (arbitration id, data) frames on the bus in one write. Raises WireClosed."""
        checksum = self._checksum
        self._wire.write(b"".join([encode_send(to, data, checksum) for to, data in frames]))

    def received(self, deadline: float) -> Iterator[list[CanFrame]]:
        """Frames as they arrive, those of one read together, until the deadline.

        Raises:
            WireClosed: the port is gone.
        """
        while data := self._wire.read(deadline):
            if frames := self._frames(data):
                yield frames
            if self.now() >= deadline:
                return

    def missed(self) -> None:
        """A reply did not come in time: it may still come, so the line must fall silent first."""
        self._unsettled = True

    def settle(self, deadline: float) -> None:
        """Take what nobody waited for off the line, so that no old reply passes for a new one.

        Replies carry no sequence number; after a miss the line must therefore fall silent first.
        """
        if data := self._wire.drain():
            self.counters.late += len(self._frames(data))
        if not self._unsettled:
            return
        self.counters.resyncs += 1
        for _ in range(RESYNC_READS):
            data = self._wire.read(min(deadline, self.now() + IDLE_S))
            if not data:
                break
            self.counters.late += len(self._frames(data))
        self._splitter.clear()
        self._unsettled = False

    def rest(self, seconds: float) -> None:
        """Wait; what arrives meanwhile is late."""
        deadline = self.now() + seconds
        for frames in self.received(deadline):
            self.counters.late += len(frames)

    def try_ask(self, id: int, query: bytes) -> bytes | None:
        """The data of one controller's reply to one frame; None: none came in time.

        Raises:
            WireClosed: the port is gone.
        """
        deadline = self.now() + CONFIGURE_TIMEOUT_S
        self.settle(deadline)
        self.send([(REPLY_REQUESTED | id, query)])
        for frames in self.received(deadline):
            for frame in frames:
                if frame.arbitration_id == id << 8:
                    return frame.data
                self.counters.late += 1
        self.missed()
        return None

    def ask(self, id: int, query: bytes, parse: Callable[[bytes], T], attempts: int) -> T:
        """Likewise, tried again until `parse` understands the reply. For configuration only.

        Raises:
            BusTimeout: no reply that could be understood. WireClosed: the port is gone.
        """
        for _ in range(attempts):
            data = self.try_ask(id, query)
            if data is None:
                continue
            try:
                return parse(data)
            except ProtocolError:
                self.counters.corrupt += 1
                self.missed()
        raise BusTimeout(
            f"controller {id} did not answer in {attempts} tries; check power and wiring"
        )

    def reopen(self) -> None:
        """Open the wire anew after it was gone. Raises WireClosed: it is not back."""
        self._wire.reopen()
        self._splitter.clear()
        self.missed()

    def close(self) -> None:
        """Release the wire; safe to call twice."""
        self._wire.close()

    def _frames(self, data: bytes) -> list[CanFrame]:
        frames: list[CanFrame] = []
        for text in self._splitter.feed(data):
            try:
                line = parse_line(text, self._checksum)
            except ProtocolError:
                self.counters.corrupt += 1
                continue
            if isinstance(line, CanFrame):
                frames.append(line)
            elif isinstance(line, Refused):
                self.counters.refused += 1
        return frames
