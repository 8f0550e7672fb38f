"""A servo's own end of Dynamixel Protocol 2.0 packets: reading instructions, writing status.

Source: ROBOTIS e-manual, DYNAMIXEL Protocol 2.0 (Packet, Byte to Byte Time, CRC, Processing Order).
Written apart from the host's codec, so that a mistake in one is not also in the other.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from drivers.dynamixel.constants import BROADCAST_ID, BYTE_GAP_S, HEADER, MAX_ID, Instruction

LONGEST_PACKET = 1024
"""Bytes; a length field that promises more is no packet. The vendor's client has the same bound."""
GAP_TOLERANCE_S = 1e-9

_ID, _LENGTH, _BODY = 4, 5, 7
_SHORTEST_LENGTH = 3
_STATUS_HEAD = struct.Struct("<4sBHBB")
_STUFFABLE, _STUFFED = b"\xff\xff\xfd", b"\xff\xff\xfd\xfd"


def _crc_table() -> array[int]:
    """CRC of every two bytes: polynomial 0x8005, most significant bit first."""
    remainders = np.arange(1 << 16, dtype=np.uint16)
    for _ in range(16):
        remainders = (remainders << 1) ^ (remainders >> 15) * np.uint16(0x8005)
    return array("H", remainders.tolist())


_CRC = _crc_table()


def crc16(data: bytes | bytearray, crc: int = 0) -> int:
    """The packet's CRC-16 over `data`, going on from `crc`; two bytes at a time."""
    table = _CRC
    odd = len(data) % 2
    if odd:
        # Two bytes of which the first is zero are worth as much as the second.
        crc = crc << 8 & 0xFF00 ^ table[crc >> 8 ^ data[0]]
    for word in _words(len(data) // 2).unpack_from(data, odd):
        crc = table[crc ^ word]
    return crc


@lru_cache(maxsize=LONGEST_PACKET)
def _words(count: int) -> struct.Struct:
    return struct.Struct(f">{count}H")


class Packet(NamedTuple):
    """One packet off the wire."""

    id: int
    instruction: int
    parameters: bytes
    """Without byte stuffing; b"" if the CRC is wrong."""
    intact: bool
    """Whether the CRC is right."""
    size: int
    """Bytes it took on the wire."""


class PacketParser:
    """Finds instruction packets in a stream of bytes.

    It holds one packet at most: a silence of more than 1.5 ms inside one throws it away. As in a
    servo, a length field that was damaged upwards therefore swallows what follows until then.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._heard_at = 0.0

    def feed(self, data: bytes, now: float) -> list[Packet]:
        """The packets that `data`, arriving at `now` (s), completes."""
        if self._buffer and now - self._heard_at > BYTE_GAP_S + GAP_TOLERANCE_S:
            self._buffer = b""
        self._heard_at = now
        buffer, packets, at = self._buffer + data, list[Packet](), 0
        while True:
            start = buffer.find(HEADER, at)
            if start < 0:
                # The last bytes may be the beginning of a header.
                at = max(at, len(buffer) - len(HEADER) + 1)
                break
            at = start
            if len(buffer) - start < _BODY:
                break
            end = start + _packet_size(buffer, start)
            if end == start:
                at = start + 1
            elif end > len(buffer):
                break
            else:
                packet = _decode(buffer[start:end])
                if packet is not None:
                    packets.append(packet)
                at = end
        self._buffer = buffer[at:]
        return packets


def _packet_size(buffer: bytes, start: int) -> int:
    """Bytes of the packet that begins here; 0 if id or length cannot be right."""
    length = buffer[start + _LENGTH] | buffer[start + _LENGTH + 1] << 8
    id = buffer[start + _ID]
    if id > MAX_ID and id != BROADCAST_ID:
        return 0
    return length + _BODY if _SHORTEST_LENGTH <= length <= LONGEST_PACKET - _BODY else 0


@lru_cache(maxsize=128)
def _decode(packet: bytes) -> Packet | None:
    """The packet in exactly these bytes; None if it holds a header that was not stuffed.

    Kept for a while: a host asks the same again and again.
    """
    id, instruction = packet[_ID], packet[_BODY]
    if crc16(packet[:-2]) != packet[-2] | packet[-1] << 8:
        return Packet(id, instruction, b"", False, len(packet))
    body = packet[_BODY:-2]
    if _STUFFABLE in body:
        if _STUFFABLE in body.replace(_STUFFED, b"\x00"):
            return None
        body = body.replace(_STUFFED, _STUFFABLE)
    return Packet(id, instruction, body[1:], True, len(packet))


def status_packet(id: int, error: int, parameters: bytes = b"") -> bytes:
    """The status packet with the error byte `error`, stuffed and with its CRC."""
    # The error byte may be the first of what is stuffed.
    body = bytes((error,)) + parameters
    if _STUFFABLE in body:
        body = body.replace(_STUFFABLE, _STUFFED)
    head = _STATUS_HEAD.pack(HEADER, id, len(body) + 3, Instruction.STATUS, error)
    packet = head + body[1:]
    return packet + crc16(packet).to_bytes(2, "little")


class FastSlot(NamedTuple):
    """One servo's part of the common answer to a fast read."""

    id: int
    error: int
    data: bytes


def fast_status(size: int, slots: Sequence[FastSlot]) -> list[bytes]:
    """What each servo adds to the common status packet of a fast sync or bulk read, in order.

    Args:
        size: bytes of all parts, ERR, ID, data and CRC each, that the header promises.
        slots: the servos that add theirs; the first one sends the header.

    Every part ends with the CRC of everything before it, and nothing is stuffed.
    """
    head = _STATUS_HEAD.pack(HEADER, BROADCAST_ID, size + 1, Instruction.STATUS, 0)[:-1]
    parts: list[bytes] = []
    crc = 0
    for slot in slots:
        part = head + bytes((slot.error, slot.id)) + slot.data
        crc = crc16(part, crc)
        tail = crc.to_bytes(2, "little")
        crc = crc16(tail, crc)
        parts.append(part + tail)
        head = b""
    return parts
