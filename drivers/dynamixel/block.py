"""The usual case, fast: when all answers of a tick arrive whole, they are taken apart at once.

Nothing here decides what is wrong with bytes that do not fit; it says so, and the parsers of
`packet` and `fast_reply` take over.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from drivers.checksum import crc16_buypass
from drivers.dynamixel.constants import BROADCAST_ID, HEADER, Instruction
from drivers.dynamixel.packet import STATUS_OVERHEAD

FloatArray = NDArray[np.float64]
ByteArray = NDArray[np.uint8]

_MARK = HEADER[:3]
_HEAD_SIZE, _ERROR_SIZE, _CRC_SIZE, _PART_OVERHEAD = 8, 1, 2, 4


class BlockCrc:
    """CRC-16/BUYPASS of messages of one length.

    The sum is linear: each byte adds what it would in a message of zeros. Those are looked up by
    place and value, for many messages at once.

    Args:
        length: bytes of a message.
    """

    def __init__(self, length: int) -> None:
        single = np.array([crc16_buypass(bytes((value,))) for value in range(256)], np.uint16)
        table = np.empty((length, 256), np.uint16)
        for place in range(length - 1, -1, -1):
            table[place] = (
                single if place == length - 1 else _followed_by_zero(table[place + 1], single)
            )
        self._table = table.ravel()
        self._places = np.arange(length) * 256

    def of(self, messages: ByteArray) -> NDArray[np.uint16]:
        """The sums of `messages`, shape (..., length)."""
        terms: NDArray[np.uint16] = self._table.take(messages + self._places)
        return np.asarray(np.bitwise_xor.reduce(terms, axis=-1), dtype=np.uint16)


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
        size: data bytes of each answer.
        offset: where among them effort begins, followed by velocity and position.
    """

    def __init__(self, ids: Sequence[int], size: int, offset: int) -> None:
        count, packet = len(ids), STATUS_OVERHEAD + size
        length = (size + 4).to_bytes(2, "little")
        heads = [HEADER + bytes((id,)) + length + bytes((Instruction.STATUS, 0)) for id in ids]
        self._expected = np.frombuffer(b"".join(heads), np.uint8).reshape(count, _HEAD_SIZE + 1)
        self._crc = block_crc(packet - _CRC_SIZE)
        self._record = _record(_HEAD_SIZE + _ERROR_SIZE + offset, packet)
        self._count, self._bytes = count, count * packet

    def decode(self, data: bytes) -> FloatArray | None:
        """Effort, velocity and position counts, shape (3, n), in the order of the request.

        None unless `data` are all the answers, without error, alert or stuffing.
        """
        if len(data) != self._bytes or data.count(_MARK) != self._count:
            return None
        packets = np.frombuffer(data, np.uint8).reshape(self._count, -1)
        if not (packets[:, : _HEAD_SIZE + _ERROR_SIZE] == self._expected).all():
            return None
        records = np.frombuffer(data, self._record)
        if not (self._crc.of(packets[:, :-_CRC_SIZE]) == records["crc"]).all():
            return None
        return _values(records)


class FastReadBlock:
    """The answer to a fast sync read, one packet by all servos in the order of the request.

    Its last CRC covers all bytes, those of the earlier CRCs too.

    Args:
        ids: the servos in that order.
        size: data bytes of each part.
        offset: where among them effort begins, followed by velocity and position.
    """

    def __init__(self, ids: Sequence[int], size: int, offset: int) -> None:
        part, count = size + _PART_OVERHEAD, len(ids)
        self._bytes = _HEAD_SIZE + count * part
        length = (1 + count * part).to_bytes(2, "little")
        self._head = HEADER + bytes((BROADCAST_ID,)) + length + bytes((Instruction.STATUS,))
        self._expected = np.array([(0, id) for id in ids], np.uint8)
        self._crc = block_crc(self._bytes - _CRC_SIZE)
        self._record = _record(2 + offset, part)
        self._count = count

    def decode(self, data: bytes) -> FloatArray | None:
        """As `SyncReadBlock.decode`."""
        if len(data) != self._bytes or not data.startswith(self._head):
            return None
        message = np.frombuffer(data, np.uint8)
        parts = message[_HEAD_SIZE:].reshape(self._count, -1)
        if not (parts[:, :2] == self._expected).all():
            return None
        records = np.frombuffer(data, self._record, offset=_HEAD_SIZE)
        if self._crc.of(message[:-_CRC_SIZE]) != records["crc"][-1]:
            return None
        return _values(records)


def _record(values_at: int, size: int) -> np.dtype[np.void]:
    return np.dtype(
        {
            "names": ["effort", "velocity", "position", "crc"],
            "formats": ["<i2", "<i4", "<i4", "<u2"],
            "offsets": [values_at, values_at + 2, values_at + 6, size - _CRC_SIZE],
            "itemsize": size,
        }
    )


def _values(records: NDArray[np.void]) -> FloatArray:
    values = np.empty((3, len(records)))
    values[0], values[1], values[2] = (
        records["effort"],
        records["velocity"],
        records["position"],
    )
    return values
