"""The serial line at a sensor's end: its buffer, its baud, and how fast bytes leave."""

from __future__ import annotations

OUTPUT_LIMIT = 16384
"""Bytes kept for a host that does not read; what comes then is lost."""
BITS_PER_BYTE = 10
"""Start bit, 8 data bits, stop bit."""
_GARBLED = bytes((value * 37 + 11) & 0xFF for value in range(256))


class Uart:
    """One serial line.

    Args:
        baud: bit/s of the sensor's end.
        paced: bytes leave no faster than the baud allows, as `pass_time` is told; else at once.

    Attributes:
        host_baud: bit/s of the host's end; None: always the sensor's. Bytes of another baud arrive
            as rubbish, in both directions.
    """

    def __init__(self, baud: int, paced: bool) -> None:
        self.baud = baud
        self.host_baud: int | None = None
        self._paced = paced
        self._queued, self._sent = bytearray(), bytearray()
        self._credit = 0.0

    def say(self, data: bytes) -> None:
        """Queue bytes for the host; they are lost if too many wait already."""
        if len(self._queued) + len(self._sent) + len(data) <= OUTPUT_LIMIT:
            (self._queued if self._paced else self._sent).extend(self.heard(data))

    def heard(self, data: bytes) -> bytes:
        """Bytes as the other end hears them."""
        if self.host_baud is None or self.host_baud == self.baud:
            return data
        return data.translate(_GARBLED)

    def transmit(self) -> bytes:
        """What has reached the host."""
        data = bytes(self._sent)
        self._sent.clear()
        return data

    def pass_time(self, passed_ns: int) -> None:
        """Let as many bytes leave as the baud allows in that time."""
        if not self._paced:
            return
        self._credit += passed_ns * self.baud / (BITS_PER_BYTE * 1e9)
        leaving = min(len(self._queued), int(self._credit))
        self._sent += self._queued[:leaving]
        del self._queued[:leaving]
        # A line that is idle saves nothing up.
        self._credit = self._credit - leaving if self._queued else 0.0
