"""Memory that is taken once and written round and round, by one thread, and copied by another.

Whoever copies takes no lock that the control loop would have to wait for: it copies first, and then
drops what may have been overwritten in the meantime.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from robosac.flight.rows import Kind, Rows, RowWriter, row_type
from robosac.ticks import Decision, Tick


class TickRing:
    """The newest exchanges, a row each.

    Args:
        rows: how many are kept.
        joints: of the robot.
    """

    def __init__(self, rows: int, joints: int) -> None:
        self._rows = np.zeros(rows, dtype=row_type(joints))
        self._writer = RowWriter(self._rows, joints)
        self._count = 0

    @property
    def size(self) -> int:
        """How many rows are kept."""
        return len(self._rows)

    @property
    def count(self) -> int:
        """Rows written so far; the number of the next."""
        return self._count

    def kind(self, request: object) -> Kind:
        """What the limiter takes `request` for."""
        return self._writer.kind(request)

    def add(self, tick: Tick, decision: Decision) -> None:
        """Write the next row; a copy is handed out only once it is whole."""
        self._writer.fill(self._count % len(self._rows), self._count, tick, decision)
        self._count += 1

    def copy(self) -> Rows:
        """What is kept now, oldest first."""
        end, size = self._count, len(self._rows)
        begin = max(0, end - size)
        # Two plain copies: taking rows one by one would keep the interpreter from the loop.
        copied = np.empty(end - begin, dtype=self._rows.dtype)
        newest = end % size
        turned = len(copied) - newest
        copied[turned:] = self._rows[:newest]
        copied[:turned] = self._rows[size - turned :] if turned else copied[:0]
        # The row that is being written now may have been copied half old, half new.
        lost = max(0, self._count + 1 - size - begin) if self._count >= size else 0
        return copied[lost:]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that went over a port at once."""

    time: float
    """Clock time, s."""
    port: str
    to_device: bool
    data: bytes


INDEX_TYPE: Final = np.dtype(
    [("time", "<f8"), ("start", "<i8"), ("size", "<i8"), ("port", "|u1"), ("out", "|b1")]
)

_ENTRY: Final = struct.Struct("<dqqB?")
"""One record of INDEX_TYPE: packed at once, which is quicker than column by column."""


@dataclass(frozen=True, slots=True)
class BusCopy:
    """A copy of a ring of bytes; taking it apart is left to whoever has the time."""

    index: NDArray[np.void]
    """Records of INDEX_TYPE; `start` counts all bytes ever kept."""
    stored: NDArray[np.uint8]
    ports: tuple[str, ...]

    @classmethod
    def empty(cls) -> BusCopy:
        """No bytes at all."""
        return cls(np.zeros(0, dtype=INDEX_TYPE), np.zeros(1, dtype=np.uint8), ())

    def chunks(self) -> Iterator[Chunk]:
        """Every chunk, oldest first."""
        for time, start, size, port, out in self.index.tolist():
            place = start % len(self.stored)
            data = self.stored[place : place + size].tobytes()
            if len(data) < size:
                data += self.stored[: size - len(data)].tobytes()
            yield Chunk(time, self.ports[port], out, data)


class BusRing:
    """The newest bytes of all ports. One thread may write.

    Args:
        capacity: bytes kept.
        chunks: how many writes and reads are kept.
    """

    def __init__(self, capacity: int, chunks: int) -> None:
        self._bytes = np.zeros(capacity, dtype=np.uint8)
        self._view = self._bytes.data
        self._index = np.zeros(chunks, dtype=INDEX_TYPE)
        self._entries = self._index.view(np.uint8).data
        self._ports: dict[str, int] = {}
        self._written = self._count = 0

    def add(self, time: float, port: str, to_device: bool, data: bytes) -> None:
        """Keep a chunk; a `drivers.tap.Listener`. Of one that is too long, the end."""
        capacity = len(self._view)
        size = min(len(data), capacity)
        begin = self._written % capacity
        first = min(size, capacity - begin)
        kept = data[len(data) - size :] if size < len(data) else data
        number = self._ports.setdefault(port, len(self._ports))
        # The count of bytes goes up first: a copy must know what is about to be overwritten.
        start, self._written = self._written, self._written + size
        self._view[begin : begin + first] = kept[:first]
        self._view[: size - first] = kept[first:]
        place = self._count % len(self._index) * _ENTRY.size
        _ENTRY.pack_into(self._entries, place, time, start, size, number, to_device)
        self._count += 1

    def copy(self) -> BusCopy:
        """What is kept whole, oldest first."""
        end = self._count
        index, stored = self._index.copy(), self._bytes.copy()
        oldest_byte = self._written - len(stored)
        begin = max(0, self._count + 1 - len(index)) if self._count >= len(index) else 0
        # Slices and a search: picking entries one by one would keep the interpreter from the loop.
        place, count = begin % len(index), max(0, end - begin)
        newer = index[place : place + count]
        kept = np.concatenate((newer, index[: count - len(newer)]))
        whole = int(np.searchsorted(kept["start"], oldest_byte))
        return BusCopy(kept[whole:], stored, tuple(self._ports))
