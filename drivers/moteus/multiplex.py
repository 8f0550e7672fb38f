"""The multiplex protocol: register reads and writes packed into CAN-FD frames. No I/O.

A frame is a row of subframes. The first byte of each is its kind (high nibble: 0 write, 1 read,
2 reply), its resolution (bits 3:2) and its count (bits 1:0; 0: a varuint count follows), then the
first register as varuint, then the values. Source: mjbots/moteus docs/protocol/can.md.
"""

from __future__ import annotations

import bisect
import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from drivers.errors import ProtocolError
from drivers.moteus.registers import FRAME_SIZES, NOP, REGISTERS, Quantity, Resolution

LARGEST = (127, 32767, 2147483647)
"""Largest count of int8, int16 and int32; one below its negative stands for not-a-number."""

_FORMATS = ("b", "h", "i", "f")
_SIZES = (1, 2, 4, 4)
_WRITE, _READ, _REPLY = 0x00, 0x10, 0x20
_WRITE_ERROR, _READ_ERROR = 0x30, 0x31


@dataclass(frozen=True, slots=True)
class Write:
    """Set consecutive registers to values, each in the unit of its register."""

    register: int
    resolution: Resolution
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Read:
    """Ask for `count` consecutive registers."""

    register: int
    resolution: Resolution
    count: int = 1


@dataclass(frozen=True, slots=True)
class Reply:
    """What a device says consecutive registers hold, each in the unit of its register."""

    register: int
    resolution: Resolution
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RegisterError:
    """A device refused to read or write a register."""

    register: int
    code: int
    """1: no such register, 2: not writeable, 3: value not valid."""
    writing: bool


Subframe = Write | Read | Reply | RegisterError


def to_count(value: float, quantity: Quantity, resolution: Resolution) -> int:
    """The nearest integer count of `value`; saturates, and not-a-number is the most negative.

    Raises:
        ValueError: `resolution` is FLOAT, which has no counts.
    """
    if resolution is Resolution.FLOAT:
        raise ValueError("a float has no integer count; valid: INT8, INT16, INT32")
    largest = LARGEST[resolution]
    if math.isnan(value):
        return -largest - 1
    return round(max(-largest, min(largest, value / quantity.scale[resolution])))


def from_count(count: int, quantity: Quantity, resolution: Resolution) -> float:
    """The value of an integer count; the most negative is not-a-number."""
    if count < -LARGEST[resolution]:
        return math.nan
    return count * quantity.scale[resolution]


def varuint(value: int) -> bytes:
    """A non-negative integer in groups of seven bits, the lowest first.

    Raises:
        ValueError: `value` is negative.
    """
    if value < 0:
        raise ValueError(f"a varuint is not negative, got {value}")
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def varuint_at(frame: bytes, offset: int) -> tuple[int, int]:
    """The varuint at `offset` of a frame, and the offset behind it.

    Raises:
        ProtocolError: it is cut short, or longer than five bytes.
    """
    value = 0
    for shift in range(0, 35, 7):
        if offset >= len(frame):
            raise ProtocolError(f"a varuint is cut short in {frame.hex()}")
        byte = frame[offset]
        offset += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, offset
    raise ProtocolError(f"a varuint is longer than five bytes in {frame.hex()}")


def pad(frame: bytes) -> bytes:
    """Fill up with NOP to the next size that a CAN-FD frame can have.

    Raises:
        ValueError: longer than 64 bytes.
    """
    index = bisect.bisect_left(FRAME_SIZES, len(frame))
    if index == len(FRAME_SIZES):
        raise ValueError(f"a CAN-FD frame holds at most 64 bytes, got {len(frame)}")
    return frame.ljust(FRAME_SIZES[index], bytes([NOP]))


def encode(subframes: Iterable[Subframe]) -> bytes:
    """One CAN-FD frame, padded.

    Raises:
        ValueError: more than fits into 64 bytes, or a count below 1.
    """
    return pad(b"".join(_encode_one(subframe) for subframe in subframes))


def parse(frame: bytes) -> list[Subframe]:
    """The subframes of a frame, without padding.

    Raises:
        ProtocolError: an unknown subframe, or one that is cut short.
    """
    found: list[Subframe] = []
    offset = 0
    while offset < len(frame):
        kind = frame[offset]
        if kind == NOP:
            offset += 1
        elif kind in (_WRITE_ERROR, _READ_ERROR):
            register, offset = varuint_at(frame, offset + 1)
            code, offset = varuint_at(frame, offset)
            found.append(RegisterError(register, code, writing=kind == _WRITE_ERROR))
        elif kind < _WRITE_ERROR:
            subframe, offset = _parse_registers(frame, offset)
            found.append(subframe)
        else:
            raise ProtocolError(f"unknown subframe 0x{kind:02x} at byte {offset} of {frame.hex()}")
    return found


def reply_values(frame: bytes) -> tuple[dict[int, float], list[RegisterError]]:
    """The register values and the refusals in a reply frame.

    Raises:
        ProtocolError: see `parse`.
    """
    values: dict[int, float] = {}
    errors: list[RegisterError] = []
    for subframe in parse(frame):
        if isinstance(subframe, Reply):
            values.update(enumerate(subframe.values, subframe.register))
        elif isinstance(subframe, RegisterError):
            errors.append(subframe)
    return values, errors


def reply_size(read: Read) -> int:
    """Bytes that the reply to `read` takes in its frame."""
    head = 1 + len(varuint(read.register)) + (len(varuint(read.count)) if read.count > 3 else 0)
    return head + read.count * _SIZES[read.resolution]


def quantity_of(register: int) -> Quantity:
    """The quantity a register holds; plain integers for one we do not know."""
    info = REGISTERS.get(register)
    return Quantity.INTEGER if info is None else info.quantity


def _encode_one(subframe: Subframe) -> bytes:
    match subframe:
        case Write():
            return _head(_WRITE, subframe, len(subframe.values)) + _encode_values(subframe)
        case Read():
            return _head(_READ, subframe, subframe.count)
        case Reply():
            return _head(_REPLY, subframe, len(subframe.values)) + _encode_values(subframe)
        case RegisterError():
            kind = _WRITE_ERROR if subframe.writing else _READ_ERROR
            return bytes([kind]) + varuint(subframe.register) + varuint(subframe.code)


def _head(kind: int, subframe: Write | Read | Reply, count: int) -> bytes:
    if count < 1:
        raise ValueError(f"a subframe covers at least one register, got {count}")
    first = kind | subframe.resolution << 2
    lead = bytes([first | count]) if count < 4 else bytes([first]) + varuint(count)
    return lead + varuint(subframe.register)


def _encode_values(subframe: Write | Reply) -> bytes:
    code = "<" + _FORMATS[subframe.resolution] * len(subframe.values)
    if subframe.resolution is Resolution.FLOAT:
        return struct.pack(code, *subframe.values)
    counts = [
        to_count(value, quantity_of(register), subframe.resolution)
        for register, value in enumerate(subframe.values, subframe.register)
    ]
    return struct.pack(code, *counts)


def _parse_registers(frame: bytes, offset: int) -> tuple[Write | Read | Reply, int]:
    first = frame[offset]
    kind, resolution, count = first & 0xF0, Resolution(first >> 2 & 3), first & 3
    offset += 1
    if count == 0:
        count, offset = varuint_at(frame, offset)
    register, offset = varuint_at(frame, offset)
    if kind == _READ:
        return Read(register, resolution, count), offset
    end = offset + count * _SIZES[resolution]
    if end > len(frame):
        raise ProtocolError(f"{count} values are cut short in {frame.hex()}")
    raw: tuple[float, ...] = struct.unpack("<" + _FORMATS[resolution] * count, frame[offset:end])
    if resolution is not Resolution.FLOAT:
        raw = tuple(
            from_count(int(value), quantity_of(number), resolution)
            for number, value in enumerate(raw, register)
        )
    return (Write if kind == _WRITE else Reply)(register, resolution, raw), end
