"""The bytes of a HiPNUC inertial sensor: HI91 frames and text lines on one line. No I/O.

A frame is 5a a5, the payload's length, a CRC-16 over these four bytes and the payload, and the
payload: 76 bytes, the first of them the tag 0x91. All numbers are little-endian. Source: HiPNUC's
products repository (Apache-2.0): c/hipnuc, python/docs/api.md, python/src/hipnuc/serial_device.py.

Axes: the sensor's own are x right, y front, z up (RFU), its world is east, north, up (ENU), its
Euler angles are of the order 3-1-2: the factory's setting, which a user may have changed on the
device and which the stream does not tell.
"""

from __future__ import annotations

import enum
import math
import struct
from typing import Final, NamedTuple

from drivers.checksum import crc16
from drivers.errors import ProtocolError
from drivers.imu import Quaternion, Vector

SAMPLING_RATE_HZ: Final = 1000
"""The highest output rate; all others are whole fractions of it."""
DIVISORS: Final = (1, 2, 4, 5, 10, 20, 50, 100, 200, 500, 1000)
"""What the rate may be divided by: 1000, 500, 250, 200, 100, 50, 20, 10, 5, 2 and 1 Hz."""
BAUDS: Final = (115200, 921600, 460800, 230400, 256000, 57600, 38400, 19200, 9600, 4800)
"""Baud rates, bit/s, the likeliest first; 115200 is the factory's."""

G_M_S2: Final = 9.8
"""What the firmware means by 1 g, m/s^2 (the vendor's C and Python decoders; an older example of
theirs took 9.80665)."""
FRAME_SIZE: Final = 82
"""Bytes of one frame."""
TICK_NS: Final = 1_000_000
TICKS: Final = 1 << 32
"""The device's clock counts milliseconds and begins anew after so many: 49.7 days."""
LONGEST_LINE: Final = 256
"""No text line is longer, bytes."""

_TAG = 0x91
_SYNC = b"\x5a\xa5"
_HEADER: Final = _SYNC + (76).to_bytes(2, "little")
_PAYLOAD_AT = 6
_PAYLOAD = struct.Struct("<BHbfI3f3f3f3f4f")
_MICROTESLA = 1e-6


class Status(enum.IntFlag):
    """Bits of the main status; those of convergence are warnings."""

    GYRO_BIAS_NOT_CONVERGED = 1 << 3
    MAGNETIC_DISTURBANCE = 1 << 4
    ACCELERATION_SATURATED = 1 << 5
    ANGULAR_RATE_SATURATED = 1 << 6
    ATTITUDE_NOT_CONVERGED = 1 << 7
    STATIC = 1 << 9
    MAGNETIC_AIDING = 1 << 10
    TIME_NOT_SYNCHRONISED = 1 << 11
    SYNC_OUT_PULSE = 1 << 12


class Hi91Frame(NamedTuple):
    """One HI91 frame in SI units and the sensor's own axes: RFU body, ENU world."""

    status: int
    """See Status."""
    temperature_c: float
    pressure_pa: float
    time_ms: int
    """Since the sensor's start, or of the day once a satellite receiver sets its clock, ms."""
    acceleration: Vector
    """Specific force, m/s^2: at rest and level (0, 0, 9.8)."""
    angular_velocity: Vector
    """rad/s"""
    magnetic_field_t: Vector
    roll_pitch_yaw: Vector
    """About front, right and up, rad."""
    quaternion_wxyz: Quaternion
    """Attitude, body to ENU, scalar first."""


def parse_frame(frame: bytes) -> Hi91Frame:
    """A whole HI91 frame.

    Raises:
        ProtocolError: another length or tag, or a wrong CRC.
    """
    if len(frame) != FRAME_SIZE or not frame.startswith(_HEADER) or frame[_PAYLOAD_AT] != _TAG:
        raise ProtocolError(f"not a HI91 frame of {FRAME_SIZE} bytes: {frame.hex()}")
    if crc16(frame[:4] + frame[_PAYLOAD_AT:]) != int.from_bytes(frame[4:_PAYLOAD_AT], "little"):
        raise ProtocolError(f"wrong CRC: {frame.hex()}")
    values = _PAYLOAD.unpack_from(frame, _PAYLOAD_AT)
    return Hi91Frame(
        status=values[1],
        temperature_c=float(values[2]),
        pressure_pa=values[3],
        time_ms=values[4],
        acceleration=_scaled(values[5:8], G_M_S2),
        angular_velocity=_scaled(values[8:11], math.pi / 180.0),
        magnetic_field_t=_scaled(values[11:14], _MICROTESLA),
        roll_pitch_yaw=_scaled(values[14:17], math.pi / 180.0),
        quaternion_wxyz=values[17:21],
    )


def vector_to_frd(vector: Vector) -> Vector:
    """Right-front-up to front-right-down; it is its own inverse, and does ENU to NED as well."""
    x, y, z = vector
    return y, x, -z


def attitude_to_ned(quaternion_wxyz: Quaternion) -> Quaternion:
    """An attitude (w, x, y, z) RFU to ENU as (x, y, z, w) FRD to NED.

    Both ends turn by half a turn about the same axis, so the rotation's own axis turns with them
    and its angle stays.
    """
    w, x, y, z = quaternion_wxyz
    return y, x, -z, w


def encode_command(body: str) -> bytes:
    """A command line such as "LOG VERSION"."""
    return f"{body}\r\n".encode("ascii")


def parse_identity(lines: list[str]) -> dict[str, str]:
    """The NAME=VALUE lines of the answer to LOG VERSION; others are left out."""
    pairs = (line.partition("=") for line in lines)
    return {name.strip().upper(): value.strip() for name, equals, value in pairs if equals}


class StreamParser:
    """Finds HI91 frames and text lines in a byte stream, wherever it begins.

    It keeps at most one unfinished frame and one unfinished line. Frames of other kinds are
    stepped over byte by byte.

    Attributes:
        skipped: bytes that belonged to neither.
    """

    def __init__(self) -> None:
        self.skipped = 0
        self._buffer = b""
        self._text = bytearray()

    def feed(self, data: bytes) -> tuple[list[Hi91Frame], list[str]]:
        """The frames and the text lines that `data` completes, in order."""
        buffer = self._buffer + data
        frames: list[Hi91Frame] = []
        lines: list[str] = []
        start, end = 0, len(buffer)
        while start < end:
            if not _HEADER.startswith(buffer[start : start + len(_HEADER)]):
                stop = buffer.find(_SYNC[0], start + 1)
                stop = end if stop < 0 else stop
                self._read_text(buffer[start:stop], lines)
                start = stop
            elif end - start < FRAME_SIZE:
                break
            else:
                try:
                    frames.append(parse_frame(buffer[start : start + FRAME_SIZE]))
                    start += FRAME_SIZE
                except ProtocolError:
                    # It may hide the start of a true frame: go on one byte later.
                    self._read_text(buffer[start : start + 1], lines)
                    start += 1
        self._buffer = buffer[start:]
        return frames, lines

    def clear(self) -> None:
        """Forget what is unfinished."""
        self._buffer = b""
        self._text.clear()

    def _read_text(self, data: bytes, lines: list[str]) -> None:
        """Bytes that are in no frame: text up to a line end, or garbage."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            line = bytes(self._text) + piece
            self._text.clear()
            text = line.strip(b"\r")
            if not text:
                continue
            if len(text) <= LONGEST_LINE and text.isascii() and text.decode("ascii").isprintable():
                lines.append(text.decode("ascii"))
            else:
                self.skipped += len(line) + 1
        self._text += rest
        if len(self._text) > LONGEST_LINE or not self._text.isascii():
            self.skipped += len(self._text)
            self._text.clear()


def _scaled(values: tuple[float, float, float], factor: float) -> Vector:
    x, y, z = values
    return x * factor, y * factor, z * factor
