"""The controller's side of the multiplex protocol, written apart from the driver's.

Only constants and tables are shared with `drivers`, so that one mistake cannot hide in both ends.
Source: mjbots/moteus docs/protocol/can.md.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import NamedTuple

from drivers.moteus.registers import FRAME_SIZES, NOP, Quantity

INT8, INT16, INT32, FLOAT = range(4)
_VALUE = (struct.Struct("<b"), struct.Struct("<h"), struct.Struct("<i"), struct.Struct("<f"))
_LOWEST = (-128, -32768, -2147483648)


class WriteRequest(NamedTuple):
    """Set registers from `register` on to raw values of one type."""

    register: int
    type: int
    raw: tuple[float, ...]


class ReadRequest(NamedTuple):
    """Tell `length` registers from `register` on."""

    register: int
    type: int
    length: int


def decode_requests(data: bytes) -> list[WriteRequest | ReadRequest]:
    """The requests in a frame, up to the first byte that makes no sense."""
    requests: list[WriteRequest | ReadRequest] = []
    reader = _Reader(data)
    try:
        while reader.left:
            head = reader.byte()
            if head == NOP:
                continue
            if head >= 0x20:
                break
            kind, count = head >> 2 & 0b11, head & 0b11 or reader.varuint()
            register = reader.varuint()
            if head & 0x10:
                requests.append(ReadRequest(register, kind, count))
            else:
                raw = tuple(reader.value(kind) for _ in range(count))
                requests.append(WriteRequest(register, kind, raw))
    except EOFError:
        # Cut short: what came before still counts, as in the firmware's own server.
        return requests
    return requests


def from_raw(raw: float, kind: int, quantity: Quantity) -> float:
    """A wire value in the unit of its register."""
    if kind == FLOAT:
        return raw
    return math.nan if raw == _LOWEST[kind] else raw * quantity.scale[kind]


def to_raw(value: float, kind: int, quantity: Quantity) -> float:
    """A wire value for a quantity: rounded, saturated, lowest integer for not-a-number."""
    if kind == FLOAT:
        return value
    if value != value:
        return _LOWEST[kind]
    top = -_LOWEST[kind] - 1
    scaled = value / quantity.scale[kind]
    return top if scaled >= top else -top if scaled <= -top else round(scaled)


class ReplyWriter:
    """Gathers a reply frame of at most 64 bytes; what does not fit is left out."""

    def __init__(self) -> None:
        self._data = bytearray()

    def values(self, register: int, kind: int, raw: Sequence[float]) -> None:
        """Registers from `register` on hold these raw values."""
        count = len(raw)
        block = bytearray([0x20 | kind << 2 | (count if count <= 3 else 0)])
        if count > 3:
            block += _varuint(count)
        block += _varuint(register)
        for value in raw:
            block += _VALUE[kind].pack(value)
        self._append(block)

    def error(self, register: int, code: int, writing: bool) -> None:
        """A register that could not be read or written."""
        self._append(bytes([0x30 if writing else 0x31]) + _varuint(register) + _varuint(code))

    def finish(self) -> bytes:
        """The frame, padded to a size that CAN-FD has."""
        size = next(size for size in FRAME_SIZES if size >= len(self._data))
        return bytes(self._data) + bytes([NOP]) * (size - len(self._data))

    def _append(self, block: bytes | bytearray) -> None:
        if len(self._data) + len(block) <= FRAME_SIZES[-1]:
            self._data += block


def _varuint(value: int) -> bytes:
    low, high = value & 0x7F, value >> 7
    return bytes([low]) if not high else bytes([low | 0x80]) + _varuint(high)


class _Reader:
    """Takes typed values off a frame; EOFError where it ends too soon."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> bool:
        return self._at < len(self._data)

    def byte(self) -> int:
        if not self.left:
            raise EOFError
        self._at += 1
        return self._data[self._at - 1]

    def varuint(self) -> int:
        byte = self.byte()
        return byte if byte < 0x80 else byte & 0x7F | self.varuint() << 7

    def value(self, kind: int) -> float:
        layout = _VALUE[kind]
        if self._at + layout.size > len(self._data):
            raise EOFError
        self._at += layout.size
        return layout.unpack_from(self._data, self._at - layout.size)[0]
