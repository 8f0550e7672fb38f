"""One writer, many readers, no lock: a slot of shared memory whose torn reads are noticed.

A sequence lock alone needs a processor that keeps the order of stores, which Python cannot ask for.
So each slot also carries a CRC-32 over its contents and its version: whatever the order in which
bytes become visible, a mixture of two versions does not pass. Layout, little endian:

    u64 version * 2, odd while it is written | u32 CRC | 4 unused | contents | u64 the same again
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

_HEAD: Final = struct.Struct("<QI4x")
_WORD: Final = struct.Struct("<Q")
_CRC: Final = struct.Struct("<I")
OVERHEAD: Final = _HEAD.size + _WORD.size
"""Bytes that a slot takes beside its contents."""


class Slot:
    """A place for contents of one fixed size.

    Args:
        view: writable bytes, `OVERHEAD` more than the contents; zeros if nobody wrote them yet.

    Raises:
        ValueError: the view is too short for any contents.
    """

    def __init__(self, view: memoryview) -> None:
        if len(view) <= OVERHEAD:
            raise ValueError(f"a slot needs more than {OVERHEAD} bytes, got {len(view)}")
        self._view = view
        self.size = len(view) - OVERHEAD
        """Of the contents, bytes."""

    def write(self, contents: bytes, version: int) -> None:
        """Put `contents` there as `version`, which must grow from 1; for the one writer only.

        Raises:
            ValueError: contents of another size.
        """
        if len(contents) != self.size:
            raise ValueError(f"this slot holds {self.size} bytes, got {len(contents)}")
        view, done = self._view, _WORD.pack(2 * version)
        view[:8] = _WORD.pack(2 * version - 1)
        view[_HEAD.size : -8] = contents
        view[8:12] = _CRC.pack(zlib.crc32(contents, zlib.crc32(done)))
        view[-8:] = done
        view[:8] = done

    def read(self) -> tuple[int, bytes] | None:
        """The newest version and its contents; None: nothing yet, or it is just being written."""
        raw = bytes(self._view)
        marked, crc = _HEAD.unpack_from(raw)
        (again,) = _WORD.unpack_from(raw, len(raw) - 8)
        if not marked or marked % 2 or marked != again:
            return None
        contents = raw[_HEAD.size : -8]
        if zlib.crc32(contents, zlib.crc32(raw[:8])) != crc:
            return None
        # Written anew meanwhile: what was copied is whole, but not the newest any more.
        return (marked // 2, contents) if self._view[:8] == raw[:8] else None
