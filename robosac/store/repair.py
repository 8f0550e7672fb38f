"""Copy the sound rows of a damaged store into a new file; the damaged one stays as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robosac.errors import StoreError
from robosac.store.check import looked_at, sound_rows
from robosac.store.database import WAL_SUFFIX, Database, Kind
from robosac.store.file_lock import SUFFIX as LOCK_SUFFIX
from robosac.store.inbox import INBOX
from robosac.store.outbox import OUTBOX
from robosac.store.rows import NONE, is_sound

SUFFIX = ".repaired"


@dataclass(frozen=True, slots=True)
class Repaired:
    """What became of a repair."""

    path: str
    """The new file."""
    kept: int
    """Rows in it."""
    lost: tuple[str, ...]
    """What is not in it, and why; empty: nothing was lost."""


def repair(path: Path) -> Repaired:
    """Copy every sound row up to the first damage into PATH.repaired, which must not exist.

    A repaired outbox is sealed: it hands out its rows and takes no new ones, for the learner may
    have had rows that it lost, and no number may mean two rows.

    Raises:
        StoreError: the new file exists or cannot be written, or the old one cannot be read.
        StoreFormatError: it is no store that this version reads.
    """
    target = path.with_name(path.name + SUFFIX)
    if target.exists():
        raise StoreError(f"{target} exists already; move it away first")
    with looked_at(path) as (connection, kind), _whole_or_absent(target):
        database = Database(target, kind)
        with closing(database), database.transaction():
            copy = _Copy(connection, database, kind)
            copy.rows()
            copy.cursors()
    return Repaired(str(target), copy.kept, tuple(copy.lost))


@contextmanager
def _whole_or_absent(target: Path) -> Iterator[None]:
    """Remove what was begun where it cannot be finished."""
    try:
        yield
    except BaseException:
        for end in ("", WAL_SUFFIX, LOCK_SUFFIX):
            target.with_name(target.name + end).unlink(missing_ok=True)
        raise


class _Copy:
    """One repair under way."""

    def __init__(self, source: sqlite3.Connection, target: Database, kind: Kind) -> None:
        self._source, self._target, self._kind = source, target, kind
        self.kept = 0
        self.lost: list[str] = []
        self._reached: dict[int, int] = {}
        self._last: int = NONE
        """The last row that was copied, in the store's order."""

    def rows(self) -> None:
        """Copy rows until one is wrong."""
        marks = ", ".join("?" * (3 if self._kind is OUTBOX else 5))
        try:
            for row, problem in sound_rows(self._source, self._kind):
                stream, sequence = (0, row[0]) if self._kind is OUTBOX else (row[1], row[2])
                if problem is None and self._kind is INBOX:
                    before = self._reached.get(stream, NONE)
                    if sequence != before + 1:
                        problem = f"stream {stream} goes from {before} to {sequence}"
                if problem is not None:
                    self.lost.append(f"{problem}; it and what follows is left out")
                    break
                self._target.execute(f"INSERT INTO row VALUES ({marks})", row)
                self._reached[stream] = sequence
                self._last = row[0]
                self.kept += 1
        except sqlite3.DatabaseError as error:
            self.lost.append(f"after row {self._last}: {error}; what follows is left out")
        count = self._ask("SELECT count(*) FROM row")
        if self.lost and count is not None:
            self.lost.append(f"rows that were there and are left out: {count[0] - self.kept}")

    def cursors(self) -> None:
        """Write where the copied rows end."""
        if self._kind is OUTBOX:
            self._outbox_cursor()
        else:
            self._inbox_cursors()

    def _outbox_cursor(self) -> None:
        found = self._ask("SELECT stream_id, saved, state_sequence, state_crc, state FROM stream")
        if found is None:
            raise StoreError("the stream's name cannot be read, so its rows belong to nobody")
        stream_id, saved, *state = found
        if state[2] is not None and (
            state[0] > self._last or not is_sound(state[0] + 1, state[1], state[2])
        ):
            self.lost.append("the actor's state")
            state = [None, None, None]
        self._target.execute(
            "INSERT INTO stream VALUES (0, ?, ?, 1, ?, ?, ?)",
            (stream_id, min(saved, self._last), *state),
        )

    def _inbox_cursors(self) -> None:
        try:
            streams = self._source.execute("SELECT * FROM stream ORDER BY number").fetchall()
        except sqlite3.DatabaseError as error:
            raise StoreError(f"the streams' names cannot be read: {error}") from error
        for number, stream_id, actor_id, hi, checkpointed in streams:
            reached = self._reached.pop(number, NONE)
            if reached != hi:
                self.lost.append(f"rows {reached + 1} to {hi} of actor {actor_id!r}")
            self._target.execute(
                "INSERT INTO stream VALUES (?, ?, ?, ?, ?)",
                (number, stream_id, actor_id, reached, min(checkpointed, reached)),
            )
        if self._reached:
            raise StoreError(f"nothing tells whose rows those of stream {[*self._reached]} are")
        found = self._ask("SELECT checkpointed FROM cursor")
        self._target.execute(
            "UPDATE cursor SET checkpointed = ?", (min(found[0] if found else NONE, self._last),)
        )

    def _ask(self, statement: str) -> tuple[Any, ...] | None:
        """The first row of a query; None: there is none, or it cannot be read."""
        try:
            return self._source.execute(statement).fetchone()
        except sqlite3.DatabaseError:
            return None
