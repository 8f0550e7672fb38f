"""Messages on a stream of bytes: length, checksum, payload. Pure; knows no socket.

A frame is a u32 length of the payload, a u32 CRC-32 (zlib) of that length and the payload, both
little-endian, then the payload.
"""

from __future__ import annotations

import struct
import zlib

from robosac.errors import LinkError

_HEADER = struct.Struct("<II")
_LENGTH = struct.Struct("<I")
HEADER_BYTES = _HEADER.size
MAX_PAYLOAD_BYTES = 16 * 1024 * 1024
"""Two uncompressed 1080p pictures and more: far above any transition here."""


def frame(payload: bytes) -> bytes:
    """The frame of `payload`.

    Raises:
        LinkError: it is longer than MAX_PAYLOAD_BYTES.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise LinkError(f"message of {len(payload)} bytes; at most {MAX_PAYLOAD_BYTES} may be sent")
    return _HEADER.pack(len(payload), _crc(payload)) + payload


class FrameReader:
    """Takes bytes as they arrive, in pieces of any size, and gives back whole payloads.

    It never holds more than one unfinished frame and the piece it was fed last. After an error it
    is of no more use: where the next frame begins cannot be known.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def unfinished(self) -> bool:
        """Whether part of a frame is waiting for the rest; at the end of a stream: truncated."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that `data` completes, in order.

        Raises:
            LinkError: a length above MAX_PAYLOAD_BYTES (nothing is reserved for it), or a damaged
                frame.
        """
        self._buffer += data
        payloads: list[bytes] = []
        start = 0
        while len(self._buffer) - start >= HEADER_BYTES:
            length, crc = _HEADER.unpack_from(self._buffer, start)
            if length > MAX_PAYLOAD_BYTES:
                raise LinkError(f"a frame announces {length} bytes; at most {MAX_PAYLOAD_BYTES}")
            end = start + HEADER_BYTES + length
            if len(self._buffer) < end:
                break
            payload = bytes(memoryview(self._buffer)[start + HEADER_BYTES : end])
            if _crc(payload) != crc:
                raise LinkError(f"a frame of {length} bytes is damaged: its CRC-32 does not fit")
            payloads.append(payload)
            start = end
        del self._buffer[:start]
        return payloads


def _crc(payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(_LENGTH.pack(len(payload))))
