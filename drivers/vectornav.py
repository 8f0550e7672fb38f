"""The VN-100's bytes: binary output frames and ASCII commands on one line. No I/O.

A binary frame is 0xFA, the group byte, the field mask (little-endian), the payload and a big-endian
CRC-16; it carries no length, so only the one layout that we configure is recognised. Source: VN-100
user manual UM001 (binary output messages; register 75; VNWRG, VNRRG, VNASY).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from drivers.checksum import crc16, xor8
from drivers.errors import ProtocolError

GROUPS: Final = 0x01
"""Output groups: the common group only."""
FIELDS: Final = 0x0131
"""Common fields: TimeStartup (0), Quaternion (4), AngularRate (5), Accel (8)."""

_HEADER: Final = struct.pack("<BBH", 0xFA, GROUPS, FIELDS)
_PAYLOAD = struct.Struct("<Q4f3f3f")
FRAME_SIZE: Final = len(_HEADER) + _PAYLOAD.size + 2
"""Bytes of one binary frame: 54."""
LONGEST_ASCII: Final = 256
"""No ASCII message is longer, bytes."""

ERRORS: Final = {
    1: "hard fault",
    2: "serial buffer overflow",
    3: "invalid checksum",
    4: "invalid command",
    5: "not enough parameters",
    6: "too many parameters",
    7: "invalid parameter",
    8: "invalid register",
    9: "unauthorized access",
    10: "watchdog reset",
    11: "output buffer overflow",
    12: "insufficient baud rate",
    255: "error buffer overflow",
}
"""What follows VNERR, in hexadecimal there (UM001, system error codes)."""


class BinaryFrame(NamedTuple):
    """The fields of one binary output frame, in the sensor's own axes: FRD body, NED world."""

    startup_ns: int
    """Time since the sensor's start, ns."""
    quaternion_xyzw: tuple[float, float, float, float]
    """Attitude, body to NED, scalar last."""
    angular_velocity: tuple[float, float, float]
    """rad/s"""
    acceleration: tuple[float, float, float]
    """Includes gravity: at rest about (0, 0, -9.8), m/s^2."""


@dataclass(frozen=True, slots=True)
class ImuReading:
    """One inertial reading in the sensor's own axes (FRD body, NED world)."""

    time: float
    """When it was taken off the wire, s of the host's clock."""
    startup_ns: int
    """When the sensor made it, ns since its start."""
    quaternion_xyzw: tuple[float, float, float, float]
    """Attitude, body to NED, scalar last."""
    angular_velocity: tuple[float, float, float]
    """rad/s"""
    acceleration: tuple[float, float, float]
    """Includes gravity: at rest about (0, 0, -9.8), m/s^2."""


def parse_frame(frame: bytes) -> BinaryFrame:
    """A whole binary frame with the layout GROUPS, FIELDS.

    Raises:
        ProtocolError: another length or layout, or a wrong CRC.
    """
    if len(frame) != FRAME_SIZE or not frame.startswith(_HEADER):
        raise ProtocolError(f"not a VN-100 frame with fields 0x{FIELDS:04x}: {frame.hex()}")
    if crc16(frame[1:]):
        raise ProtocolError(f"wrong CRC: {frame.hex()}")
    values = _PAYLOAD.unpack_from(frame, len(_HEADER))
    return BinaryFrame(values[0], values[1:5], values[5:8], values[8:11])


def encode_command(body: str) -> bytes:
    """An ASCII command such as "VNRRG,11", with its checksum and line end."""
    return f"${body}*{xor8(body.encode('ascii')):02X}\r\n".encode("ascii")


def parse_message(message: bytes) -> list[str]:
    """The comma-separated parts of an ASCII message from `$` to its line end.

    Raises:
        ProtocolError: not an ASCII message, or its checksum is wrong.
    """
    body, star, digits = message.strip().removeprefix(b"$").rpartition(b"*")
    try:
        right = bool(star) and message.startswith(b"$") and int(digits, 16) == xor8(body)
        text = body.decode("ascii")
    except ValueError as error:
        raise ProtocolError(f"damaged ASCII message {message!r}") from error
    if not right:
        raise ProtocolError(f"not an ASCII message, or a wrong checksum: {message!r}")
    return text.split(",")


class StreamParser:
    """Finds binary frames and ASCII messages in a byte stream, wherever it begins.

    Attributes:
        skipped: bytes that belonged to neither.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._buffer = b""

    def feed(self, data: bytes) -> tuple[list[BinaryFrame], list[list[str]]]:
        """The frames, and the ASCII messages as their parts, that `data` completes, in order."""
        buffer = self._buffer + data
        frames: list[BinaryFrame] = []
        messages: list[list[str]] = []
        start, end = 0, len(buffer)
        while start < end:
            size = _message_size(buffer, start)
            if size == 0:
                break
            piece = buffer[start : start + size]
            start += size
            try:
                if size == FRAME_SIZE and piece[0] == 0xFA:
                    frames.append(parse_frame(piece))
                elif piece[0] == 0x24:
                    messages.append(parse_message(piece))
                else:
                    self.skipped += size
            except ProtocolError:
                # What looked like a message may hide the start of a true one: go on one byte later.
                start -= size - 1
                self.skipped += 1
        self._buffer = buffer[start:]
        return frames, messages

    def clear(self) -> None:
        """Forget an unfinished message."""
        self._buffer = b""


def _message_size(buffer: bytes, start: int) -> int:
    """Length of the message or garbage at `start`; 0: it may be a message, but is not complete."""
    available = len(buffer) - start
    if _HEADER.startswith(buffer[start : start + len(_HEADER)]):
        return FRAME_SIZE if available >= FRAME_SIZE else 0
    if buffer[start] != 0x24:
        return _garbage_size(buffer, start)
    newline = buffer.find(b"\n", start, start + LONGEST_ASCII)
    if newline >= 0:
        return newline + 1 - start
    text = buffer[start : start + LONGEST_ASCII]
    return 0 if available < LONGEST_ASCII and text.isascii() else 1


def _garbage_size(buffer: bytes, start: int) -> int:
    """Bytes up to the next one that could begin a message; at least 1."""
    sync, dollar = buffer.find(b"\xfa", start + 1), buffer.find(b"$", start + 1)
    found = [position for position in (sync, dollar) if position >= 0]
    return min(found, default=len(buffer)) - start
