"""What surrounds messages on the link: a number, a checksum, and each message's length. Pure.

TLS notices every damage; a loopback connection without keys does not, and HTTP/2 skips frames of a
kind that it does not know. So an envelope is, little-endian:

    u32 CRC-32 (zlib) of the rest | u32 number | one or more of: u32 length, message

The number counts the envelopes of this direction of this connection from 0. What waits when an
envelope leaves goes in it together, for gRPC takes its time for each, however short.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import Final

from robosac.errors import ProtocolError

_U32: Final = struct.Struct("<I")
_MESSAGES_AT: Final = 8
ENVELOPE_BYTES: Final = _MESSAGES_AT + _U32.size
"""What an envelope adds to a single message."""
LENGTH_BYTES: Final = _U32.size
SHARED_BYTES: Final = 256 * 1024
"""Messages go together up to so many bytes, their lengths included."""
_NUMBERS: Final = 1 << 32


class Sealer:
    """Puts the messages of one direction into envelopes, in order."""

    def __init__(self) -> None:
        self._next = 0

    def seal(self, payloads: Iterable[bytes]) -> bytes:
        """The next envelope."""
        parts = [_U32.pack(self._next)]
        for payload in payloads:
            parts += _U32.pack(len(payload)), payload
        self._next = (self._next + 1) % _NUMBERS
        rest = b"".join(parts)
        return _U32.pack(zlib.crc32(rest)) + rest


class Opener:
    """Takes the messages of one direction out of their envelopes; after an error of no more use."""

    def __init__(self) -> None:
        self._next = 0

    def open(self, sealed: bytes) -> list[bytes]:
        """The messages, at least one.

        Raises:
            ProtocolError: it is damaged, or not the one that comes next.
        """
        if len(sealed) < ENVELOPE_BYTES:
            raise ProtocolError(f"{len(sealed)} bytes are no envelope of {ENVELOPE_BYTES} or more")
        if zlib.crc32(memoryview(sealed)[4:]) != _U32.unpack_from(sealed)[0]:
            raise ProtocolError(
                f"an envelope of {len(sealed)} bytes is damaged: its CRC-32 does not fit"
            )
        (number,) = _U32.unpack_from(sealed, 4)
        if number != self._next:
            raise ProtocolError(f"envelope {number} came where {self._next} had to come")
        self._next = (self._next + 1) % _NUMBERS
        return _messages(sealed)


def _messages(sealed: bytes) -> list[bytes]:
    payloads, at = list[bytes](), _MESSAGES_AT
    while at < len(sealed):
        begin = at + _U32.size
        if begin > len(sealed):
            raise ProtocolError(f"an envelope of {len(sealed)} bytes ends within a length")
        at = begin + _U32.unpack_from(sealed, begin - _U32.size)[0]
        if at > len(sealed):
            raise ProtocolError(
                f"an envelope of {len(sealed)} bytes claims a message that ends at {at}"
            )
        payloads.append(sealed[begin:at])
    return payloads
