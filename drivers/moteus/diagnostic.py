"""The text console that a moteus tunnels through its CAN frames. No I/O.

The host writes a line with subframe 0x40 and asks for the answer with 0x42 until it is complete.
A plain poll takes bytes off the controller for good: when its reply is lost, so are they. A poll
with flow control (0x44, newer firmware) names the last packet it received, and the controller
repeats the next one until it is acknowledged. Source: mjbots/mjlib mjlib/multiplex/format.h and
micro_server.cc; the commands: mjbots/moteus docs/protocol/diagnostic.md.
"""

from __future__ import annotations

import math
import re
from typing import Final, NamedTuple

from drivers.errors import ProtocolError
from drivers.moteus.multiplex import pad, varuint_at
from drivers.moteus.registers import (
    CONSOLE_CHANNEL,
    STREAM_DATA,
    STREAM_FLOW_DATA,
    STREAM_FLOW_POLL,
    STREAM_POLL,
    STREAM_WRITE,
)

LARGEST_WRITE: Final = 61
"""Bytes of text that one frame carries beside its three bytes of header."""
LARGEST_POLL: Final = 48
"""Bytes asked for in one poll; the controller may send fewer."""
LONGEST_LINE: Final = 99
"""The controller's line buffer; a longer line is thrown away there."""
LONGEST_ANSWER: Final = 16384
"""An answer that goes on for longer is not one of the protocol, bytes."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*([eE][+-]?\d+)?|nan|inf)")


class StreamChunk(NamedTuple):
    """Bytes of the console's output, as one frame carries them."""

    data: bytes
    packet: int | None
    """0 to 255 where flow control is spoken; to be acknowledged by the next poll."""


def encode_text(data: bytes) -> bytes:
    """The frame that hands up to LARGEST_WRITE bytes to the console.

    Raises:
        ValueError: more than fits.
    """
    if len(data) > LARGEST_WRITE:
        raise ValueError(f"a frame carries at most {LARGEST_WRITE} bytes of text, got {len(data)}")
    return pad(bytes([STREAM_WRITE, CONSOLE_CHANNEL, len(data)]) + data)


def encode_poll(limit: int = LARGEST_POLL) -> bytes:
    """The frame that asks for up to `limit` bytes of output, and takes them."""
    return bytes([STREAM_POLL, CONSOLE_CHANNEL, limit])


def encode_flow_poll(acknowledged: int, limit: int = LARGEST_POLL) -> bytes:
    """Likewise with flow control; `acknowledged` is the last packet received, 0 to 255."""
    return bytes([STREAM_FLOW_POLL, CONSOLE_CHANNEL, acknowledged, limit])


def parse_chunk(frame: bytes) -> StreamChunk:
    """The console output in a reply frame.

    Raises:
        ProtocolError: another kind of frame or channel, or one that is cut short.
    """
    if not frame or frame[0] not in (STREAM_DATA, STREAM_FLOW_DATA):
        raise ProtocolError(f"no console output in {frame.hex()}; it begins with 41 or 43")
    channel, offset = varuint_at(frame, 1)
    if channel != CONSOLE_CHANNEL:
        raise ProtocolError(f"console output on channel {channel} instead of {CONSOLE_CHANNEL}")
    packet = None
    if frame[0] == STREAM_FLOW_DATA:
        if offset >= len(frame):
            raise ProtocolError(f"console output is cut short in {frame.hex()}")
        packet = frame[offset]
        offset += 1
    size, offset = varuint_at(frame, offset)
    if offset + size > len(frame):
        raise ProtocolError(f"{size} bytes of console output are cut short in {frame.hex()}")
    return StreamChunk(frame[offset : offset + size], packet)


class LineReader:
    """Cuts console output into lines; ended by CR, LF or both, empty ones left out."""

    def __init__(self) -> None:
        self._rest = b""
        self._taken = 0

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes.

        Raises:
            ProtocolError: more than LONGEST_ANSWER bytes since the last `clear`.
        """
        self._taken += len(data)
        if self._taken > LONGEST_ANSWER:
            raise ProtocolError(f"the console's answer is longer than {LONGEST_ANSWER} bytes")
        pieces = (self._rest + data).replace(b"\r", b"\n").split(b"\n")
        self._rest = pieces.pop()
        return [piece.decode("ascii", errors="replace") for piece in pieces if piece]

    def clear(self) -> None:
        """Forget an unfinished line."""
        self._rest = b""
        self._taken = 0


def check_name(name: str) -> str:
    """`name` itself, if it can name an option.

    Raises:
        ValueError: it could not; nothing but letters, digits, `_` and dots is sent to a console.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no option's name; valid is like 'servo.max_current_A'")
    return name


def format_value(value: float) -> str:
    """A value as `conf set` takes it: integers without a point, `nan` for none.

    Raises:
        ValueError: an infinite value, which no option means.
    """
    if math.isinf(value):
        raise ValueError("an option's value must be finite, or NaN for none")
    if math.isnan(value):
        return "nan"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else f"{value:.9g}"


def parse_value(line: str) -> float:
    """The value in the answer to `conf get`; NaN is a value: no limit.

    Raises:
        ProtocolError: not a number.
    """
    if not _NUMBER.fullmatch(line):
        raise ProtocolError(f"not an option's value: {line!r}; valid is a number or nan")
    return float(line)
