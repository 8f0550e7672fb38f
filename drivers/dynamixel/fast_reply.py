"""The one packet with which all servos together answer a fast sync or fast bulk read. No I/O.

    FF FF FD 00 | FE | length (2) | 55 | for each servo: error, id, data, CRC (2)

The first servo sends the head, each appends its part. Every CRC runs over all bytes so far, earlier
CRCs included; the last is the packet's. Nothing is stuffed. Source: ROBOTIS e-manual, "DYNAMIXEL
Protocol 2.0", Fast Sync Read and Fast Bulk Read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from drivers.checksum import crc16_buypass
from drivers.dynamixel.constants import ALERT, BROADCAST_ID, HEADER, Instruction
from drivers.dynamixel.packet import Status
from drivers.errors import ProtocolError

_HEAD_SIZE: Final = 8
_PART_OVERHEAD: Final = 4


class FastReply:
    """Collects one fast reply from a stream of bytes.

    Each servo's part is believed as soon as its own CRC is right, so a reply that breaks off keeps
    what came before. Bytes before the expected head are dropped.

    Args:
        ids: the servos, in the order of the request.
        sizes: data bytes of each.

    Attributes:
        discarded: bytes before the head, or behind a part that could not be believed.
        done: nothing more can come of this reply.
    """

    def __init__(self, ids: Sequence[int], sizes: Sequence[int]) -> None:
        self._sizes = dict(zip(ids, sizes, strict=True))
        self._waiting = list(ids)
        length = 1 + sum(size + _PART_OVERHEAD for size in sizes)
        self._head = b"".join(
            (
                HEADER,
                bytes((BROADCAST_ID,)),
                length.to_bytes(2, "little"),
                bytes((Instruction.STATUS,)),
            )
        )
        self._buffer = b""
        self._crc = crc16_buypass(self._head)
        self._begun = False
        self.discarded = 0
        self.done = False

    def feed(self, data: bytes) -> list[Status]:
        """The servos' parts that `data` completes, in the order of the request."""
        if self.done:
            self.discarded += len(data)
            return []
        self._buffer += data
        if not self._begun and not self._find_head():
            return []
        found: list[Status] = []
        while self._waiting and (status := self._next_part()) is not None:
            found.append(status)
        if not self._waiting:
            self.done = True
        if self.done:
            self.discarded += len(self._buffer)
        return found

    def _find_head(self) -> bool:
        at = self._buffer.find(self._head)
        if at < 0:
            surplus = max(0, len(self._buffer) - (_HEAD_SIZE - 1))
            self.discarded += surplus
            self._buffer = self._buffer[surplus:]
            return False
        self.discarded += at
        self._buffer = self._buffer[at + _HEAD_SIZE :]
        self._begun = True
        return True

    def _next_part(self) -> Status | None:
        if len(self._buffer) < 2:
            return None
        error, id = self._buffer[0], self._buffer[1]
        # A servo that is missing may be left out; one that is not asked for ends the reply.
        if id not in self._waiting:
            self.done = True
            return None
        end = 2 + self._sizes[id]
        if len(self._buffer) < end + 2:
            return None
        crc = crc16_buypass(self._buffer[:end], self._crc)
        sent = self._buffer[end : end + 2]
        if crc != int.from_bytes(sent, "little"):
            self.done = True
            return None
        self._crc = crc16_buypass(sent, crc)
        parameters = self._buffer[2:end]
        self._buffer = self._buffer[end + 2 :]
        del self._waiting[: self._waiting.index(id) + 1]
        return Status(id, error & 0x7F, error >= ALERT, parameters)


def decode_fast_reply(packet: bytes, ids: Sequence[int], sizes: Sequence[int]) -> list[Status]:
    """The answers of all `ids` in a whole fast reply.

    Raises:
        ProtocolError: not exactly the reply that is expected.
    """
    reply = FastReply(ids, sizes)
    found = reply.feed(packet)
    if len(found) != len(ids) or reply.discarded:
        raise ProtocolError(f"no fast reply of servos {list(ids)}: {packet[:32].hex()}")
    return found
