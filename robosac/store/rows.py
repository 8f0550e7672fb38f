"""What a store keeps: rows of bytes with a number and a checksum. Pure."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from robosac.errors import RowDamaged, StoreDamaged

MOST_ROW_BYTES: Final = 4_000_000
"""Largest row: with what is around it, it must fit into a message of the link, 4 MiB."""
STREAM_ID_BYTES: Final = 16
NONE: Final = -1
"""Where a cursor stands before the first row, whose number is 0."""
_NUMBER: Final = struct.Struct("<Q")


class Row(NamedTuple):
    """A row and its CRC-32; see `checksum`."""

    crc: int
    data: bytes


def checksum(sequence: int, data: bytes) -> int:
    """CRC-32 over a row's number (u64, little-endian) and its bytes.

    The number is in it so that a sound row in another row's place is found too.
    """
    return zlib.crc32(data, zlib.crc32(_NUMBER.pack(sequence)))


def is_sound(sequence: int, crc: int, data: object) -> bool:
    """Whether something read back is bytes, and those of that checksum."""
    return isinstance(data, bytes) and checksum(sequence, data) == crc


def sealed(sequence: int, data: bytes) -> Row:
    """A row with its checksum.

    Raises:
        ValueError: it is larger than MOST_ROW_BYTES.
    """
    check_size(sequence, data)
    return Row(checksum(sequence, data), data)


def check_size(sequence: int, data: bytes) -> None:
    """Raises ValueError: a row is larger than MOST_ROW_BYTES."""
    if len(data) > MOST_ROW_BYTES:
        raise ValueError(f"row {sequence} has {len(data)} bytes; at most {MOST_ROW_BYTES} go")


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one stream that follow each other."""

    first_sequence: int
    rows: tuple[Row, ...]

    @property
    def last_sequence(self) -> int:
        """Number of the last row; `first_sequence - 1` where there is none."""
        return self.first_sequence + len(self.rows) - 1


@dataclass(frozen=True, slots=True)
class ActorState:
    """Where the actor stood once it had written row `sequence` (-1: none): opaque bytes."""

    sequence: int
    data: bytes


def check_rows(first_sequence: int, rows: Sequence[Row]) -> None:
    """Whether every row is what its sender sealed.

    Raises:
        RowDamaged: a checksum is wrong, a row is too large, or a number is negative.
    """
    if first_sequence < 0:
        raise RowDamaged(f"the first row has number {first_sequence}; numbers begin at 0")
    for sequence, row in enumerate(rows, first_sequence):
        if len(row.data) > MOST_ROW_BYTES:
            raise RowDamaged(
                f"row {sequence} has {len(row.data)} bytes; at most {MOST_ROW_BYTES} go"
            )
        if checksum(sequence, row.data) != row.crc:
            raise RowDamaged(f"row {sequence} does not have the checksum it came with")


def check_row(path: Path, expected: int, sequence: int, crc: int, data: object) -> None:
    """Whether a row that was read back is the expected one, and what was written.

    Raises:
        StoreDamaged: it is not; `path` is named.
    """
    if sequence != expected:
        raise StoreDamaged(f"{path}: row {expected} is missing")
    if not is_sound(sequence, crc, data):
        raise StoreDamaged(f"{path}: row {sequence} is not what was written")


def check_numbers(path: Path, *numbers: object) -> None:
    """Whether what was read back as numbers is numbers.

    Raises:
        StoreDamaged: it is not; `path` is named.
    """
    wrong = [number for number in numbers if not isinstance(number, int)]
    if wrong:
        raise StoreDamaged(f"{path} is damaged: {wrong[0]!r} stands where a number should")
