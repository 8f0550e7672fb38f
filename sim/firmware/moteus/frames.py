"""The controller's side of the multiplex protocol, written apart from the driver's.

Only constants and tables are shared with `drivers`, so that one mistake cannot hide in both ends.
Source: mjbots/moteus docs/protocol/can.md.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import NamedTuple

from drivers.moteus.registers import (
    FRAME_SIZES,
    NOP,
    STREAM_FLOW_POLL,
    STREAM_POLL,
    STREAM_WRITE,
    Quantity,
)

INT8, INT16, INT32, FLOAT = range(4)
_VALUE = (struct.Struct("<b"), struct.Struct("<h"), struct.Struct("<i"), struct.Struct("<f"))
_STREAM = frozenset({STREAM_WRITE, STREAM_POLL, STREAM_FLOW_POLL})
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
    counted: bool = False
    """The length came as a varuint of its own; the reply is written likewise."""


class StreamRequest(NamedTuple):
    """A subframe of the text console, and what is behind it."""

    data: bytes


Request = WriteRequest | ReadRequest | StreamRequest


def decode_requests(data: bytes) -> list[Request]:
    """The requests in a frame, up to the first byte that makes no sense."""
    requests: list[Request] = []
    reader = _Reader(data)
    try:
        while reader.left:
            head = reader.byte()
            if head == NOP:
                continue
            if head in _STREAM:
                requests.append(StreamRequest(bytes([head]) + reader.rest()))
                break
            if head >= 0x20:
                break
            kind, short = head >> 2 & 0b11, head & 0b11
            count = short or reader.varuint()
            register = reader.varuint()
            if head & 0x10:
                requests.append(ReadRequest(register, kind, count, not short))
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

    def fits(self, request: ReadRequest) -> bool:
        """True if the answer to a request still has room."""
        head = 1 + len(_varuint(request.register))
        head += len(_varuint(request.length)) if request.counted else 0
        size = head + request.length * _VALUE[request.type].size
        return len(self._data) + size <= FRAME_SIZES[-1]

    def values(self, register: int, kind: int, raw: Sequence[float], counted: bool = False) -> None:
        """Registers from `register` on hold these raw values."""
        count = len(raw)
        counted = counted or count > 3
        block = bytearray([0x20 | kind << 2 | (0 if counted else count)])
        if counted:
            block += _varuint(count)
        block += _varuint(register)
        for value in raw:
            block += _VALUE[kind].pack(value)
        self.append(block)

    def error(self, register: int, code: int, writing: bool) -> None:
        """A register that could not be read or written."""
        self.append(bytes([0x30 if writing else 0x31]) + _varuint(register) + _varuint(code))

    def append(self, block: bytes | bytearray) -> None:
        """A whole subframe, if there is room for it."""
        if len(self._data) + len(block) <= FRAME_SIZES[-1]:
            self._data += block

    def finish(self) -> bytes:
        """The frame, padded to a size that CAN-FD has."""
        size = next(size for size in FRAME_SIZES if size >= len(self._data))
        return bytes(self._data) + bytes([NOP]) * (size - len(self._data))


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

    def rest(self) -> bytes:
        rest = self._data[self._at :]
        self._at = len(self._data)
        return rest

    def varuint(self) -> int:
        byte = self.byte()
        return byte if byte < 0x80 else byte & 0x7F | self.varuint() << 7

    def value(self, kind: int) -> float:
        layout = _VALUE[kind]
        if self._at + layout.size > len(self._data):
            raise EOFError
        self._at += layout.size
        return layout.unpack_from(self._data, self._at - layout.size)[0]
