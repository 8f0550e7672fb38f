"""Look through a store, and save what is sound of a damaged one; the file itself is not touched."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from robosac.errors import StoreError, StoreFormatError, StoreFull
from robosac.store.database import (
    WAL_SUFFIX,
    Kind,
    ended_cleanly,
    readable,
    structure_problems,
    translated,
)
from robosac.store.file_lock import FileLock
from robosac.store.inbox import INBOX
from robosac.store.outbox import OUTBOX
from robosac.store.rows import NONE, is_sound

KINDS: Final = {kind.name: kind for kind in (OUTBOX, INBOX)}
MOST_PROBLEMS: Final = 20
"""No more of them are listed."""
ORDER: Final = {"outbox": "sequence", "inbox": "arrival"}
"""The column by which a store's rows are ordered without a gap."""


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """One stream in a store."""

    stream_id: str
    actor_id: str
    """Empty in an outbox, which knows no name of its actor."""
    first: int | None
    """None: there is no row."""
    last: int | None
    rows: int
    bytes: int
    saved: int
    """The last row that a checkpoint holds; -1: none."""


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """What is in a store."""

    path: str
    kind: str
    version: int
    sqlite: str
    ended_cleanly: bool
    file_bytes: int
    log_bytes: int
    streams: tuple[StreamFigures, ...]


@dataclass(slots=True)
class Findings:
    """What a look through a store found."""

    path: str
    kind: str
    rows: int = 0
    """Rows that are sound, up to the first that is not."""
    problems: list[str] = field(default_factory=list[str])
    """Empty: none; at most MOST_PROBLEMS are listed."""

    def add(self, problem: str) -> None:
        """Note a problem, unless there are too many already."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)


@contextmanager
def looked_at(path: Path) -> Iterator[tuple[sqlite3.Connection, Kind]]:
    """A connection that reads a store and cannot change its file, and its kind.

    Where a log lies beside it, file and log are copied into a folder beside them for as long.

    Raises:
        StoreBusy: it is in use; the message names the process.
        StoreFormatError: it is no store that this version reads.
        StoreDamaged: it cannot be read at all.
        StoreFull: there is no room for the copy.
        StoreError: it cannot be read.
    """
    if not path.is_file():
        raise StoreFormatError(f"there is no store at {path}; valid is a file of robosac's stores")
    with ExitStack() as opened:
        opened.callback(FileLock(path).release)
        clean = ended_cleanly(path)
        place = path if clean else opened.enter_context(_copied(path))
        # Without a log nothing has to be brought into the file, so it can be read as it lies.
        how = "mode=ro&immutable=1" if clean else "mode=rw"
        with translated(path):
            connection = opened.enter_context(
                closing(sqlite3.connect(f"{place.absolute().as_uri()}?{how}", uri=True))
            )
            connection.isolation_level, connection.text_factory = None, readable
            connection.execute("PRAGMA cell_size_check=1")
            yield connection, _kind(path, connection)


def figures(path: Path) -> StoreFigures:
    """Streams, rows, bytes and cursors. Raises as `looked_at` does."""
    clean = path.is_file() and ended_cleanly(path)
    with looked_at(path) as (connection, kind):
        streams = connection.execute(
            "SELECT hex(stream_id), '', (SELECT min(sequence) FROM row),"
            " (SELECT max(sequence) FROM row), (SELECT count(*) FROM row),"
            " (SELECT coalesce(sum(length(data)), 0) FROM row), saved FROM stream"
            if kind is OUTBOX
            else "SELECT hex(stream_id), actor_id, min(sequence), max(sequence), count(sequence),"
            " coalesce(sum(length(data)), 0), checkpointed"
            " FROM stream LEFT JOIN row ON row.stream = stream.number GROUP BY stream.number"
        )
        found = tuple(StreamFigures(name.lower(), *rest) for name, *rest in streams)
    log = path.with_name(path.name + WAL_SUFFIX)
    return StoreFigures(
        str(path),
        kind.name,
        kind.version,
        sqlite3.sqlite_version,
        clean,
        path.stat().st_size,
        log.stat().st_size if log.exists() else 0,
        found,
    )


def verify(path: Path) -> Findings:
    """Check the file's structure, every row's checksum, that no number is missing, and the cursors.

    Raises as `looked_at` does; damage that can be gone on from is a problem in what is returned.
    """
    with looked_at(path) as (connection, kind):
        findings = Findings(str(path), kind.name)
        for problem in structure_problems(connection, "integrity_check", MOST_PROBLEMS):
            findings.add(problem)
        try:
            reached = _check_rows(connection, kind, findings)
            _check_cursors(connection, kind, findings, reached)
        except sqlite3.DatabaseError as error:
            findings.add(f"after {findings.rows} sound rows: {error}")
        return findings


def sound_rows(
    connection: sqlite3.Connection, kind: Kind
) -> Iterator[tuple[tuple[Any, ...], str | None]]:
    """The rows of a store in order, each with what is wrong with it, or None."""
    order = ORDER[kind.name]
    expected: int | None = None if kind is OUTBOX else 0
    for row in connection.execute(f"SELECT * FROM row ORDER BY {order}"):
        *numbers, crc, data = row
        number, sequence = numbers[0], numbers[-1]
        problem = None
        if expected is not None and number != expected:
            problem = f"{order} {expected} is missing; {number} comes next"
        elif not is_sound(sequence, crc, data):
            problem = f"{order} {number} is not what was written"
        expected = number + 1
        yield row, problem


def _check_rows(connection: sqlite3.Connection, kind: Kind, findings: Findings) -> dict[int, int]:
    """Note every row that is wrong; the last sequence of each stream."""
    sound, reached = True, dict[int, int]()
    for row, problem in sound_rows(connection, kind):
        stream, sequence = (0, row[0]) if kind is OUTBOX else (row[1], row[2])
        if problem is None and kind is INBOX and sequence != reached.get(stream, NONE) + 1:
            problem = f"stream {stream} goes from {reached.get(stream, NONE)} to {sequence}"
        if problem is not None:
            findings.add(problem)
        sound = sound and problem is None
        findings.rows += sound
        reached[stream] = sequence
    return reached


def _check_cursors(
    connection: sqlite3.Connection, kind: Kind, findings: Findings, reached: dict[int, int]
) -> None:
    if kind is OUTBOX:
        last, (saved, state, state_crc, blob) = (
            reached.get(0, NONE),
            connection.execute(
                "SELECT saved, state_sequence, state_crc, state FROM stream"
            ).fetchone(),
        )
        (first,) = connection.execute("SELECT min(sequence) FROM row").fetchone()
        if not NONE <= saved <= last or (first or 0) > saved + 1:
            findings.add(f"row {saved} is called saved; rows here are {first} to {last}")
        if blob is not None and (state > last or not is_sound(state + 1, state_crc, blob)):
            findings.add("the actor's state is not what was written, or of a row that is not here")
        return
    for number, actor, hi, checkpointed in connection.execute(
        "SELECT number, actor_id, hi, checkpointed FROM stream"
    ):
        if hi != reached.pop(number, NONE):
            findings.add(f"the stream of {actor!r} is said to reach {hi}, which its rows do not")
        if checkpointed > hi:
            findings.add(f"row {checkpointed} of {actor!r} is called saved; the last is {hi}")
    for number in reached:
        findings.add(f"rows of stream {number} are here, and nothing tells whose it is")


def _kind(path: Path, connection: sqlite3.Connection) -> Kind:
    try:
        about = connection.execute("SELECT kind, version FROM about").fetchone()
    except sqlite3.OperationalError:
        about = None
    if about is None:
        raise StoreFormatError(f"{path} is no store of robosac, or its first page is damaged")
    kind = KINDS.get(about[0])
    if kind is None or kind.version != about[1]:
        valid = ", ".join(f"{k.name} of version {k.version}" for k in KINDS.values())
        raise StoreFormatError(f"{path} is an {about[0]} of version {about[1]}; valid are {valid}")
    return kind


@contextmanager
def _copied(path: Path) -> Iterator[Path]:
    """A copy of a file and its log."""
    parts = [path, *(path.with_name(path.name + end) for end in (WAL_SUFFIX, "-journal"))]
    parts = [part for part in parts if part.exists()]
    need = sum(part.stat().st_size for part in parts)
    if shutil.disk_usage(path.parent).free < 2 * need:
        raise StoreFull(
            f"{path} did not end cleanly, so a copy is looked at; that takes {2 * need} bytes of"
            f" room in {path.parent}"
        )
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
            for part in parts:
                shutil.copyfile(part, Path(folder) / part.name)
            yield Path(folder) / path.name
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{path} cannot be copied: {error}") from error
