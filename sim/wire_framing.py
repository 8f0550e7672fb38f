"""Where one message ends and the next begins, and how to put another sender's id into one.

Faults act on whole messages. What a firmware or a host sends is well formed, so that cutting it
needs no parser; bytes that are not are one piece.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from drivers.checksum import crc8

_HEADER = b"\xff\xff\xfd\x00"
_ID_AT = len(_HEADER)
_STATUS_AT, _STATUS = 7, 0x55
_SHORTEST_STATUS = 11
_IDS = 253
_CAN_IDS = 0x7F


@dataclass(frozen=True)
class Framing:
    """How a protocol's messages lie in a run of bytes."""

    cut: Callable[[bytes], list[bytes]]
    """The messages; joined again they are the bytes given."""
    relabel: Callable[[bytes], bytes]
    """A reply as the next id would give it, check and all; any other message unchanged."""


def cut_lines(data: bytes) -> list[bytes]:
    """Pieces that end with a newline, and what is left."""
    return data.splitlines(keepends=True)


def cut_packets(data: bytes) -> list[bytes]:
    """Dynamixel packets: a header begins each, and byte stuffing keeps it out of the rest."""
    starts: list[int] = []
    at = data.find(_HEADER)
    while at >= 0:
        starts.append(at)
        at = data.find(_HEADER, at + 1)
    if not starts or starts[0] > 0:
        starts.insert(0, 0)
    ends = [*starts[1:], len(data)]
    return [data[start:end] for start, end in zip(starts, ends, strict=True) if end > start]


def cut_nothing(data: bytes) -> list[bytes]:
    """All of it as one piece: a stream whose device sends message by message."""
    return [data] if data else []


def relabel_line(line: bytes) -> bytes:
    """An fdcanusb `rcv` line as if the next CAN id had sent the frame."""
    words = line.split(b" ")
    if words[0] != b"rcv" or len(words) < 3:
        return line
    try:
        frame_id = int(words[1], 16)
    except ValueError:
        return line
    sender = (frame_id >> 8) % (_CAN_IDS - 1) + 1
    words[1] = b"%0*X" % (len(words[1]), frame_id & 0xFF | sender << 8)
    text, star, _ = b" ".join(words).rpartition(b"*")
    return text + b"*%02X\r\n" % crc8(text) if star else b" ".join(words)


def relabel_packet(packet: bytes) -> bytes:
    """A Dynamixel status packet as if the next id had sent it."""
    if len(packet) < _SHORTEST_STATUS or packet[_STATUS_AT] != _STATUS:
        return packet
    changed = bytearray(packet[:-2])
    changed[_ID_AT] = (changed[_ID_AT] + 1) % _IDS
    return bytes(changed) + _crc16(changed).to_bytes(2, "little")


def _same(message: bytes) -> bytes:
    return message


def _crc16(data: bytes | bytearray) -> int:
    """CRC-16 of Protocol 2.0: polynomial 0x8005, start 0, most significant bit first."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x8005 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


LINES = Framing(cut_lines, relabel_line)
"""The fdcanusb's lines."""
PACKETS = Framing(cut_packets, relabel_packet)
"""Dynamixel Protocol 2.0."""
STREAM = Framing(cut_nothing, _same)
"""A sensor that speaks by itself."""
