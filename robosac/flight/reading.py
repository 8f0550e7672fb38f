"""Reads a recording from a file that anybody may have made: sizes are capped, nothing is executed.

The file is read from its beginning, and every checksum is compared. What the summary at its end
says is not believed, for nothing here needs it.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

import msgspec
import numpy as np
import zstandard
from mcap.exceptions import McapError
from mcap.records import Channel, Chunk, DataEnd, Footer, McapRecord, Message, Metadata, Schema
from mcap.stream_reader import StreamReader, breakup_chunk

from robosac.errors import FlightFileError
from robosac.flight import channels, file
from robosac.flight.log import FORMAT, FlightLog, Header, Note, ordered
from robosac.flight.rows import Rows, leaves, row_type

LONGEST_FILE: Final = 512 << 20
"""bytes"""
LONGEST_CHUNK: Final = 64 << 20
"""bytes, once unpacked; also of any record."""
LONGEST_UNPACKED: Final = 2 << 30
"""bytes of all chunks together."""
MOST_ROWS: Final = 100_000
MOST_JOINTS: Final = 64
MOST_NOTES: Final = 1_000_000

_DAMAGED: Final = (
    McapError,
    zstandard.ZstdError,
    msgspec.DecodeError,
    struct.error,
    UnicodeDecodeError,
    ValueError,
    IndexError,
    KeyError,
    EOFError,
    OverflowError,
)


def load(path: Path) -> FlightLog:
    """Read what `file.save` wrote; bytes on the bus and pictures are left to the viewers.

    Raises:
        FlightFileError: the file is missing, damaged, cut off, too large, or something else.
    """
    try:
        size = path.stat().st_size
        if size > LONGEST_FILE:
            raise FlightFileError(f"{path} has {size} bytes; valid is up to {LONGEST_FILE}")
        with path.open("rb") as stream:
            return _Assembled(_records(stream)).log()
    except FlightFileError:
        raise
    except OSError as error:
        raise FlightFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except _DAMAGED as error:
        detail = " ".join(str(error).split())[:200] or type(error).__name__
        raise FlightFileError(
            f"{path} is not a whole flight recording: {detail}; valid is an .mcap file that"
            " robosac wrote"
        ) from error


@dataclass(frozen=True, slots=True)
class _Capped:
    """A file that refuses to read more at once than a record may have.

    The library believes every length inside a record, and a changed bit would ask for exabytes.
    """

    stream: IO[bytes]

    def read(self, size: int) -> bytes:
        """Up to so many bytes. Raises ValueError: it asks for more than LONGEST_CHUNK."""
        if not 0 <= size <= LONGEST_CHUNK:
            raise ValueError(f"it has a part of {size} bytes; valid is up to {LONGEST_CHUNK}")
        return self.stream.read(size)


def _records(stream: IO[bytes]) -> Iterator[McapRecord]:
    """Every record up to the end of the data, chunks unpacked. Raises one of _DAMAGED."""
    unpacked = 0
    reader = StreamReader(
        cast(IO[bytes], _Capped(stream)),
        emit_chunks=True,
        validate_crcs=True,
        record_size_limit=LONGEST_CHUNK,
    )
    for record in reader.records:
        if isinstance(record, DataEnd):
            if not record.data_section_crc:
                raise ValueError("the data has no checksum")
        elif isinstance(record, Footer):
            return
        elif isinstance(record, Chunk):
            whole = _unpacked(record)
            unpacked += len(whole.data)
            if unpacked > LONGEST_UNPACKED:
                raise ValueError(f"it unpacks to more than {LONGEST_UNPACKED} bytes")
            yield from breakup_chunk(whole, validate_crc=True)
        else:
            yield record
    raise ValueError("it ends too early")


def _unpacked(chunk: Chunk) -> Chunk:
    """The same chunk without compression; never larger than LONGEST_CHUNK."""
    if chunk.uncompressed_size > LONGEST_CHUNK:
        raise ValueError(f"a chunk of {chunk.uncompressed_size} bytes; valid: {LONGEST_CHUNK}")
    if chunk.compression not in ("", "zstd"):
        raise ValueError(f"compression {chunk.compression[:20]!r}; valid are none and zstd")
    data = chunk.data
    if chunk.compression:
        # Not `decompress`: that believes the size that the data itself claims.
        with zstandard.ZstdDecompressor().stream_reader(chunk.data) as packed:
            data = packed.read(chunk.uncompressed_size + 1)
    if len(data) != chunk.uncompressed_size:
        raise ValueError("a chunk has not the size that it says")
    if not chunk.uncompressed_crc:
        raise ValueError("a chunk has no checksum")
    return Chunk(
        compression="",
        data=data,
        message_end_time=chunk.message_end_time,
        message_start_time=chunk.message_start_time,
        uncompressed_crc=chunk.uncompressed_crc,
        uncompressed_size=chunk.uncompressed_size,
    )


@dataclass(slots=True)
class _Assembled:
    """Sorts the records of one file and makes a log of them."""

    records: Iterator[McapRecord]

    def log(self) -> FlightLog:
        """The log. Raises one of _DAMAGED or FlightFileError."""
        header: Header | None = None
        topics: dict[int, str] = {}
        said: dict[str, list[bytes]] = defaultdict(list)
        wanted = {"/" + channel for channel in channels.CHANNELS} | {file.FAULTS, file.EVENTS}
        for record in self.records:
            if isinstance(record, Metadata) and record.name == file.METADATA:
                header = _header(record)
            elif isinstance(record, Channel):
                topics[record.id] = record.topic
            elif isinstance(record, Message) and topics[record.channel_id] in wanted:
                said[topics[record.channel_id]].append(record.data)
            elif not isinstance(record, Schema | Message | Metadata):
                continue
        if header is None:
            raise ValueError("it has no header of a flight recorder")
        notes = said[file.FAULTS] + said[file.EVENTS]
        if len(notes) > MOST_NOTES:
            raise ValueError(f"{len(notes)} notes; valid is up to {MOST_NOTES}")
        decoded = [msgspec.json.decode(data, type=Note) for data in notes]
        rows = _rows(said, len(header.joints))
        return FlightLog(header, rows, ordered(decoded))


def _header(record: Metadata) -> Header:
    document = msgspec.json.decode(record.metadata["header"])
    version = document.get("format") if isinstance(document, dict) else None
    if version != FORMAT:
        raise ValueError(f"format {str(version)[:20]}; this version of robosac reads {FORMAT}")
    header = msgspec.convert(document, Header)
    if not 1 <= len(header.joints) <= MOST_JOINTS:
        raise ValueError(f"{len(header.joints)} joints; valid is 1 to {MOST_JOINTS}")
    return header


def _rows(said: dict[str, list[bytes]], joints: int) -> Rows:
    """The rows that the channels' messages tell."""
    timing = said["/timing"]
    if len(timing) > MOST_ROWS:
        raise ValueError(f"{len(timing)} exchanges; valid is up to {MOST_ROWS}")
    rows = np.zeros(len(timing), dtype=row_type(joints))
    for leaf in leaves(joints):
        rows[leaf.column] = leaf.value
    place = _fill_timing(rows, timing)
    for channel in channels.CHANNELS[1:]:
        count = _fill(rows, place, channel, said["/" + channel])
        if count != len(rows) and channel not in channels.OPTIONAL:
            raise ValueError(f"/{channel} has {count} messages; valid is {len(rows)}")
    return rows


def _fill_timing(rows: Rows, timing: list[bytes]) -> dict[int, int]:
    """Fill the first channel; the row of each sequence number."""
    place: dict[int, int] = {}
    columns = channels.columns_of(rows.dtype, "timing")
    for row, data in enumerate(timing):
        message = _object(data)
        for column in columns:
            rows[column.name][row] = column.parse(message.get(column.field))
        place[int(rows["timing.sequence"][row])] = row
    if (np.diff(rows["timing.sequence"]) <= 0).any():
        raise ValueError("sequence numbers do not rise")
    return place


def _fill(rows: Rows, place: dict[int, int], channel: str, said: list[bytes]) -> int:
    """Fill one more channel; how many rows it had a message for."""
    columns = channels.columns_of(rows.dtype, channel)
    optional = {leaf.column for leaf in leaves(rows["command.position"].shape[1])}
    seen: set[int] = set()
    told: dict[str, tuple[list[int], list[Any]]] = {column.name: ([], []) for column in columns}
    for data in said:
        message = _object(data)
        number: Any = message.get("sequence")
        row = place.get(number) if type(number) is int else None
        if row is None or row in seen:
            raise ValueError(f"/{channel}: sequence {str(number)[:20]} is not one more exchange")
        seen.add(row)
        for column in columns:
            if column.field not in message and column.name in optional:
                continue
            value = column.parse(message.get(column.field))
            if value is not None:
                told[column.name][0].append(row)
                told[column.name][1].append(value)
    for name, (places, values) in told.items():
        if places:
            rows[name][places] = values
    if channel in channels.OPTIONAL:
        rows[channels.OPTIONAL[channel]][list(seen)] = True
    return len(seen)


def _object(data: bytes) -> dict[str, Any]:
    message = msgspec.json.decode(data)
    if not isinstance(message, dict):
        raise channels.NotAMessage("a message must be an object")
    return message
