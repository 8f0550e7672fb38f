"""The VN-100's bytes: binary output frames and ASCII commands on one line. No I/O.

A binary frame is 0xFA, the group byte, the field masks (little-endian), the payload and a CRC-16
(big-endian); it carries no length, so only the one layout that we configure is recognised. An ASCII
message is `$`, text, `*`, a check in hexadecimal and a line end. Source: VN-100 user manual UM001
(sections 3.8 and 4; registers 30 and 75; VNWRG, VNRRG, VNASY).
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from drivers.checksum import crc16, xor8
from drivers.errors import ProtocolError
from drivers.imu import NO_EXTRA, Quaternion, Vector
from drivers.vectornav.layout import MOTION, STANDARD, SYNC, Field, Layout

IMU_RATE_HZ: Final = 800
"""Rate at which the sensor measures; the binary outputs divide it (UM001, register 75)."""
FRAME_SIZE: Final = STANDARD.size
"""Bytes of one binary frame of the standard layout: 54."""
LONGEST_ASCII: Final = 256
"""No ASCII message is longer, bytes."""
BAUDS: Final = (115200, 921600, 460800, 230400, 57600, 38400, 128000, 19200, 9600)
"""Every rate that register 5 takes, bit/s, the likeliest first; 115200 is the factory's."""

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

_DOLLAR = 0x24
_Motion = tuple[int, Quaternion, Vector, Vector]
_CHECK = re.compile(rb"[0-9A-Fa-f]{2}(?:[0-9A-Fa-f]{2})?")


class Check(enum.IntEnum):
    """How ASCII messages are guarded; the values of register 30's SerialChecksum."""

    XOR8 = 1
    CRC16 = 3


class BinaryFrame(NamedTuple):
    """The fields of one binary output frame, in the sensor's own axes: FRD body, NED world."""

    startup_ns: int
    """Time since the sensor's start, ns."""
    quaternion_xyzw: Quaternion
    """Attitude, body to NED, scalar last."""
    angular_velocity: Vector
    """rad/s"""
    acceleration: Vector
    """Includes gravity: at rest about (0, 0, -9.8), m/s^2."""
    extra: Mapping[str, tuple[float, ...]] = NO_EXTRA
    """The layout's other fields, by label."""


def checked(frame: bytes, layout: Layout) -> tuple[float, ...]:
    """All numbers of a whole binary frame, in the order of `layout.fields`.

    Raises:
        ProtocolError: another length or layout, or a wrong CRC.
    """
    if len(frame) != layout.size or not frame.startswith(layout.header):
        raise ProtocolError(f"not a VN-100 frame with output {layout.setting()}: {frame.hex()}")
    if crc16(frame[1:]):
        raise ProtocolError(f"wrong CRC: {frame.hex()}")
    return layout.unpack(frame)


def parse_frame(frame: bytes, layout: Layout = STANDARD) -> BinaryFrame:
    """A whole binary frame with `layout`, which must have the fields of motion.

    Raises:
        ProtocolError: another length or layout, or a wrong CRC.
    """
    values = checked(frame, layout)
    if layout is STANDARD:
        motion = (values[0], values[1:5], values[5:8], values[8:11])
        return BinaryFrame(*cast(_Motion, motion))
    motion = (
        values[layout.slice_of(Field.STARTUP)][0],
        values[layout.slice_of(Field.QUATERNION)],
        values[layout.slice_of(Field.ANGULAR_RATE)],
        values[layout.slice_of(Field.ACCELERATION)],
    )
    return BinaryFrame(*cast(_Motion, motion), layout.named(values, MOTION))


def encode_command(body: str, check: Check = Check.XOR8) -> bytes:
    """An ASCII command such as "VNRRG,11", with its check and line end."""
    data = body.encode("ascii")
    digits = f"{xor8(data):02X}" if check is Check.XOR8 else f"{crc16(data):04X}"
    return f"${body}*{digits}\r\n".encode("ascii")


def parse_message(message: bytes) -> list[str]:
    """The comma-separated parts of an ASCII message from `$` to its line end.

    Two digits are an 8-bit checksum, four a CRC-16. Letters X in their place, which the sensor
    takes from a person at a terminal, are no check and refused.

    Raises:
        ProtocolError: not an ASCII message, or its check is wrong.
    """
    body, star, digits = message.rstrip(b"\r\n").rpartition(b"*")
    if not (star and body.startswith(b"$") and body.isascii() and _CHECK.fullmatch(digits)):
        raise ProtocolError(f"not an ASCII message: {message!r}")
    body = body[1:]
    if int(digits, 16) != (xor8(body) if len(digits) == 2 else crc16(body)):
        raise ProtocolError(f"wrong checksum: {message!r}")
    return body.decode("ascii").split(",")


class StreamParser:
    """Finds binary frames and ASCII messages in a byte stream, wherever it begins.

    It keeps at most one unfinished message. What only looks like the start of one is stepped over a
    byte at a time, so it cannot swallow a true one behind it.

    Attributes:
        skipped: bytes that belonged to neither.

    Raises:
        ValueError: the layout lacks a field of motion.
    """

    def __init__(self, layout: Layout = STANDARD) -> None:
        if missing := MOTION - set(layout.fields):
            names = sorted(field.name for field in missing)
            raise ValueError(f"the layout lacks {', '.join(names)}")
        self.skipped = 0
        self._layout = layout
        self._buffer = b""

    def feed(self, data: bytes) -> tuple[list[BinaryFrame], list[list[str]]]:
        """The frames, and the ASCII messages as their parts, that `data` completes, in order."""
        buffer = self._buffer + data
        frames: list[BinaryFrame] = []
        messages: list[list[str]] = []
        start, end = 0, len(buffer)
        frame_size = self._layout.size
        while start < end:
            size = self._message_size(buffer, start)
            if size == 0:
                break
            piece = buffer[start : start + size]
            start += size
            try:
                if size == frame_size and piece[0] == SYNC:
                    frames.append(parse_frame(piece, self._layout))
                elif piece[0] == _DOLLAR:
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

    def _message_size(self, buffer: bytes, start: int) -> int:
        """Length of the message or garbage at `start`; 0: it may be a message, not complete yet."""
        available = len(buffer) - start
        header, frame_size = self._layout.header, self._layout.size
        if header.startswith(buffer[start : start + len(header)]):
            return frame_size if available >= frame_size else 0
        if buffer[start] != _DOLLAR:
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
