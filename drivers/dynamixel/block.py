"""The usual case, fast: when all answers of a tick arrive whole, they are taken apart at once.

Nothing here decides what is wrong with bytes that do not fit; it says so, and the parsers of
`packet` and `fast_reply` take over.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.checksum import crc16_buypass
from drivers.dynamixel.constants import BROADCAST_ID, HEADER, Instruction
from drivers.dynamixel.packet import STATUS_OVERHEAD
from drivers.dynamixel.readings import Window

FloatArray = NDArray[np.float64]
ByteArray = NDArray[np.uint8]

_MARK = HEADER[:3]
_HEAD_SIZE, _ERROR_SIZE, _CRC_SIZE, _PART_OVERHEAD = 8, 1, 2, 4


class Counts(NamedTuple):
    """What a row of servos answered."""

    values: FloatArray
    """Effort, velocity and position, shape (3, n)."""
    ticks: FloatArray
    """Their clocks, ms, shape (n,)."""


class BlockCrc:
    """CRC-16/BUYPASS of messages of one length.

    The sum is linear: each byte adds what it would in a message of zeros. Those are looked up by
    place and value, for many messages at once.

    Args:
        length: bytes of a message.
    """

    def __init__(self, length: int) -> None:
        single = np.array([crc16_buypass(bytes((value,))) for value in range(256)], np.uint16)
        table = np.empty((length + _CRC_SIZE, 256), np.uint16)
        for place in range(length - 1, -1, -1):
            table[place] = (
                single if place == length - 1 else _followed_by_zero(table[place + 1], single)
            )
        # Behind the message its sum, low byte first, which must cancel everything.
        table[length] = np.arange(256)
        table[length + 1] = table[length] << 8
        self._table = table.ravel()
        self._places = np.arange(length + _CRC_SIZE) * 256
        self._message_places = self._places[:length]

    def of(self, messages: ByteArray) -> NDArray[np.uint16]:
        """The sums of `messages`, shape (..., length)."""
        terms: NDArray[np.uint16] = self._table.take(messages + self._message_places)
        return np.asarray(np.bitwise_xor.reduce(terms, axis=-1), dtype=np.uint16)

    def right(self, packets: ByteArray) -> bool:
        """Whether each of `packets`, shape (..., length + 2), ends with its own sum."""
        return not np.bitwise_xor.reduce(self._table.take(packets + self._places), axis=-1).any()


@cache
def block_crc(length: int) -> BlockCrc:
    """The one BlockCrc for messages of `length` bytes; its table is only read."""
    return BlockCrc(length)


def _followed_by_zero(crc: NDArray[np.uint16], single: NDArray[np.uint16]) -> NDArray[np.uint16]:
    return ((crc << 8) ^ single[crc >> 8]).astype(np.uint16)


class SyncReadBlock:
    """The answers to a sync read: one status packet of each servo, in the order of the request.

    Args:
        ids: the servos in that order.
        window: what they were asked for.
    """

    def __init__(self, ids: Sequence[int], window: Window) -> None:
        count, packet = len(ids), STATUS_OVERHEAD + window.size
        length = (window.size + 4).to_bytes(2, "little")
        rest = length + bytes((Instruction.STATUS, 0))
        self._expected = tuple(HEADER + bytes((id,)) + rest for id in ids)
        head = _HEAD_SIZE + _ERROR_SIZE
        self._heads = struct.Struct(f"{head}s{packet - head}x" * count)
        self._crc = block_crc(packet - _CRC_SIZE)
        self._record = _record(_HEAD_SIZE + _ERROR_SIZE, window, packet)
        self._count, self._bytes = count, count * packet

    def decode(self, data: bytes) -> Counts | None:
        """What the servos answered, in the order of the request.

        None unless `data` are all the answers, without error, alert or stuffing, nor a CRC that
        looks like a header by chance: those are for the parser.
        """
        if len(data) != self._bytes or data.count(_MARK) != self._count:
            return None
        if self._heads.unpack(data) != self._expected:
            return None
        if not self._crc.right(np.frombuffer(data, np.uint8).reshape(self._count, -1)):
            return None
        return _counts(np.frombuffer(data, self._record))


class FastReadBlock:
    """The answer to a fast sync read, one packet by all servos in the order of the request.

    Its last CRC covers all bytes, those of the earlier CRCs too.

    Args:
        ids: the servos in that order.
        window: what they were asked for.
    """

    def __init__(self, ids: Sequence[int], window: Window) -> None:
        part, count = window.size + _PART_OVERHEAD, len(ids)
        self._bytes = _HEAD_SIZE + count * part
        length = (1 + count * part).to_bytes(2, "little")
        self._head = HEADER + bytes((BROADCAST_ID,)) + length + bytes((Instruction.STATUS,))
        self._expected = np.array([(0, id) for id in ids], np.uint8)
        self._crc = block_crc(self._bytes - _CRC_SIZE)
        self._record = _record(2, window, part)
        self._count = count

    def decode(self, data: bytes) -> Counts | None:
        """As `SyncReadBlock.decode`."""
        if len(data) != self._bytes or not data.startswith(self._head):
            return None
        message = np.frombuffer(data, np.uint8)
        parts = message[_HEAD_SIZE:].reshape(self._count, -1)
        if not (parts[:, :2] == self._expected).all():
            return None
        if not self._crc.right(message):
            return None
        return _counts(np.frombuffer(data, self._record, offset=_HEAD_SIZE))


def _record(data_at: int, window: Window, size: int) -> np.dtype[np.void]:
    """One servo's part: `size` bytes, the data it was asked for from `data_at` on."""
    effort = data_at + window.offset
    names, formats = ["effort", "velocity", "position", "tick"], ["<i2", "<i4", "<i4", "<u2"]
    offsets = [effort, effort + 2, effort + 6, data_at + window.tick_at]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})


def _counts(records: NDArray[np.void]) -> Counts:
    values = np.empty((3, len(records)))
    values[0], values[1], values[2] = (
        records["effort"],
        records["velocity"],
        records["position"],
    )
    return Counts(values, records["tick"].astype(np.float64))
