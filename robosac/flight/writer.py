"""Writes recordings in a process of its own, so that a control loop keeps its interpreter.

Turning half a minute into messages takes seconds of Python, and a thread of the robot's process
would take them from the loop. Data goes over a pipe, as plain bytes.
"""

from __future__ import annotations

import contextlib
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np

from robosac.errors import FlightFileError
from robosac.flight.log import FlightLog, Header, Note
from robosac.flight.ring import INDEX_TYPE, BusCopy
from robosac.flight.rows import row_type
from robosac.hal import Frame

TIMEOUT_S: Final = 120.0
_LENGTH: Final = struct.Struct("<Q")


class _Picture(msgspec.Struct, frozen=True):
    """A picture without its bytes."""

    time: float
    sequence: int
    shape: tuple[int, int, int]


class _Head(msgspec.Struct, frozen=True):
    """What comes first over the pipe; the bytes of the arrays follow in this order."""

    path: str
    header: Header
    notes: tuple[Note, ...]
    rows: int
    chunks: int
    stored: int
    ports: tuple[str, ...]
    pictures: tuple[_Picture, ...]


def save_aside(log: FlightLog, path: Path) -> None:
    """Write `log` to `path` in another process, whole or not at all, and wait for it.

    Raises:
        FlightFileError: it could not be written.
    """
    command = [sys.executable, "-m", "robosac.flight.aside"]
    pipe = subprocess.PIPE
    try:
        # A session of its own, for only its leader can lower the whole session's share.
        with subprocess.Popen(
            command,
            stdin=pipe,
            stderr=pipe,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        ) as child:
            assert child.stdin is not None
            # A child that died tells why on standard error.
            with contextlib.suppress(BrokenPipeError):
                for part in _parts(log, path):
                    child.stdin.write(part)
            try:
                _, complaint = child.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                raise
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FlightFileError(f"{path} cannot be written: {error}") from error
    if child.returncode:
        lines = complaint.decode(errors="replace").strip().splitlines() or ["no text"]
        raise FlightFileError(f"{lines[-1]} (writer ended with {child.returncode})")


def receive_and_save(source: BinaryIO) -> None:
    """In the other process: read one log from `source` and write it.

    Raises:
        FlightFileError: it is not whole, or cannot be written.
    """
    path, log = _received(source)
    # Only here: the robot's own process never needs it.
    from robosac.flight.file import save

    save(log, path)


def _parts(log: FlightLog, path: Path) -> Iterator[Any]:
    """What goes over the pipe."""
    frames = log.frames
    head = msgspec.msgpack.encode(
        _Head(
            str(path),
            log.header,
            log.notes,
            len(log.rows),
            len(log.bus.index),
            len(log.bus.stored),
            log.bus.ports,
            tuple(_Picture(f.time, f.sequence, _shape(f)) for f in frames),
        )
    )
    yield _LENGTH.pack(len(head))
    yield head
    for array in (log.rows, log.bus.index, log.bus.stored, *(frame.image for frame in frames)):
        yield np.ascontiguousarray(array).view(np.uint8).reshape(-1).data


def _received(source: BinaryIO) -> tuple[Path, FlightLog]:
    (length,) = _LENGTH.unpack(_exactly(source, _LENGTH.size))
    head = msgspec.msgpack.decode(_exactly(source, length), type=_Head)

    def array(kind: Any, count: int) -> Any:
        kind = np.dtype(kind)
        return np.frombuffer(_exactly(source, kind.itemsize * count), dtype=kind)

    rows = array(row_type(len(head.header.joints)), head.rows)
    bus = BusCopy(array(INDEX_TYPE, head.chunks), array(np.uint8, head.stored), head.ports)
    frames = tuple(
        Frame(p.time, array(np.uint8, int(np.prod(p.shape))).reshape(p.shape), p.sequence)
        for p in head.pictures
    )
    return Path(head.path), FlightLog(head.header, rows, head.notes, bus, frames)


def _exactly(source: BinaryIO, size: int) -> bytes:
    data = source.read(size)
    if len(data) != size:
        raise FlightFileError("the process that records ended before the recording was whole")
    return data


def _shape(frame: Frame) -> tuple[int, int, int]:
    height, width, colours = frame.image.shape
    return height, width, colours
