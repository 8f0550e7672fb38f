"""What the robot has seen, on its own disk, until a checkpoint of the learner holds it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from robosac.errors import SequenceGap, StoreDamaged, StoreSealed
from robosac.store.database import Database, Kind
from robosac.store.rows import (
    NONE,
    STREAM_ID_BYTES,
    ActorState,
    Chunk,
    Row,
    check_numbers,
    check_row,
    checksum,
    is_sound,
    sealed,
)

OUTBOX: Final = Kind(
    "outbox",
    1,
    (
        "CREATE TABLE row (sequence INTEGER PRIMARY KEY, crc INTEGER NOT NULL, data BLOB NOT NULL)",
        "CREATE TABLE stream (one INTEGER PRIMARY KEY CHECK (one = 0), stream_id BLOB NOT NULL,"
        " saved INTEGER NOT NULL, sealed INTEGER NOT NULL,"
        " state_sequence INTEGER, state_crc INTEGER, state BLOB)",
    ),
)
SLICE_ROWS: Final = 256
"""Rows that one transaction deletes at most, so that no commit waits long behind it."""


class Outbox:
    """The rows of one stream, numbered from 0 without a gap. For the thread that opened it.

    The stream's name is made inside the file: a disk that was wiped begins another stream. The
    last row is kept whatever the learner has, so that numbers never begin again.

    Args:
        path: the file; made when missing.
        random_bytes: where a new stream's name comes from.

    Raises:
        StoreError, StoreFormatError: see `robosac.store.database.Database`.
        StoreDamaged: its numbers contradict each other.
    """

    def __init__(self, path: Path, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._database = Database(path, OUTBOX)
        try:
            self._load(random_bytes)
        except BaseException:
            self._database.close()
            raise

    @property
    def path(self) -> Path:
        """Its file."""
        return self._database.path

    @property
    def next_sequence(self) -> int:
        """Number of the next row."""
        return self._last + 1

    @property
    def first_sequence(self) -> int:
        """Number of the first row that is still here; `next_sequence` where there is none."""
        return self._first

    def append(self, rows: Sequence[bytes], state: ActorState | None = None) -> int:
        """Write rows and, with them or not at all, where the actor stands; on the disk at return.

        Args:
            rows: at most MOST_ROW_BYTES each; they get the numbers from `next_sequence` on.
            state: as of any of these rows, or of the last one before them.

        Returns:
            Number of the last row there is now.

        Raises:
            StoreError: nothing was written; the same call may be made again.
            StoreSealed: it was repaired, and takes nothing.
            ValueError: a row is too large, or the state is of another row.
        """
        if self.sealed:
            raise StoreSealed(
                f"{self.path} was repaired: its rows can be sent; new ones need a new outbox"
            )
        first, last = self.next_sequence, self._last + len(rows)
        made = [sealed(sequence, data) for sequence, data in enumerate(rows, first)]
        if state is not None and not self._last <= state.sequence <= last:
            raise ValueError(
                f"the state is of row {state.sequence}; valid is {self._last} to {last}"
            )
        with self._database.transaction():
            self._database.execute_many(
                "INSERT INTO row VALUES (?, ?, ?)",
                ((sequence, *row) for sequence, row in enumerate(made, first)),
            )
            if state is not None:
                self._database.execute(
                    "UPDATE stream SET state_sequence = ?, state_crc = ?, state = ?",
                    (state.sequence, checksum(state.sequence + 1, state.data), state.data),
                )
        self._last = last
        self.kept_bytes += sum(len(row.data) for row in made)
        self.actor_state = state or self.actor_state
        return last

    def read(self, after: int, most_bytes: int) -> Chunk:
        """The rows that follow number `after`: together at most `most_bytes`, but one at least.

        Raises:
            SequenceGap: rows after `after` were forgotten, or there never was one of that number.
            StoreDamaged: a row is not what was written, or is missing.
            StoreError: it cannot be read.
        """
        if after > self._last:
            raise SequenceGap(f"{self.path} has no row {after}; its last is {self._last}")
        if after + 1 < self._first:
            raise SequenceGap(
                f"{self.path} has forgotten row {after + 1}; its first is {self._first}"
            )
        rows: list[Row] = []
        size = 0
        statement = "SELECT sequence, crc, data FROM row WHERE sequence > ? ORDER BY sequence"
        with closing(self._database.each(statement, (after,))) as found:
            for sequence, crc, data in found:
                check_row(self.path, after + 1 + len(rows), sequence, crc, data)
                if rows and size + len(data) > most_bytes:
                    break
                rows.append(Row(crc, data))
                size += len(data)
        if not rows and after < self._last:
            raise StoreDamaged(f"{self.path}: row {after + 1} is missing")
        return Chunk(after + 1, tuple(rows))

    def forget(self, sequence: int) -> None:
        """Delete every row up to `sequence`, which a checkpoint holds; the last row stays.

        Raises:
            SequenceGap: there never was a row of that number.
            StoreError: not all of it could be deleted; the same call may be made again.
        """
        self.mark_saved(sequence)
        while self.delete_saved():
            pass

    def mark_saved(self, sequence: int) -> None:
        """Note that a checkpoint holds every row up to `sequence`; a lower number changes nothing.

        Raises:
            SequenceGap: there never was a row of that number.
            StoreError: it is not noted.
        """
        if sequence > self._last:
            raise SequenceGap(
                f"{self.path}: row {sequence} is called saved; the last is {self._last}"
            )
        if sequence > self.saved:
            with self._database.transaction():
                self._database.execute("UPDATE stream SET saved = ?", (sequence,))
            self.saved = sequence

    def delete_saved(self, most_rows: int = SLICE_ROWS) -> bool:
        """Delete some of the saved rows, in one transaction; whether there are more of them.

        Raises StoreError: none was deleted.
        """
        until = min(self.saved, self._last - 1, self._first + most_rows - 1)
        if until < self._first:
            return False
        size = self._size("WHERE sequence <= ?", (until,))
        with self._database.transaction():
            self._database.execute("DELETE FROM row WHERE sequence <= ?", (until,))
        self._first = until + 1
        self.kept_bytes -= size
        return until < min(self.saved, self._last - 1)

    def make_room(self) -> None:
        """Empty the write-ahead log into the file. Raises StoreError."""
        self._database.checkpoint()

    def free_bytes(self) -> int:
        """Room left on its disk, bytes. Raises StoreError."""
        return self._database.free_bytes()

    def close(self) -> None:
        """Close the file. Safe to call twice. Raises StoreError."""
        self._database.close()

    def _load(self, random_bytes: Callable[[int], bytes]) -> None:
        select = self._database.select
        if not select("SELECT 1 FROM stream"):
            with self._database.transaction():
                self._database.execute(
                    "INSERT INTO stream VALUES (0, ?, ?, 0, NULL, NULL, NULL)",
                    (random_bytes(STREAM_ID_BYTES), NONE),
                )
        ((stream_id, saved, is_sealed, *state),) = select(
            "SELECT stream_id, saved, sealed, state_sequence, state_crc, state FROM stream"
        )
        check_numbers(self.path, saved, is_sealed)
        ((first, last, count),) = select("SELECT min(sequence), max(sequence), count(*) FROM row")
        self.stream_id: bytes = stream_id
        self.saved: int = saved
        """The last row that a checkpoint holds; -1: none."""
        self.sealed = bool(is_sealed)
        """Whether it was repaired, and takes no new rows."""
        self._first: int = 0 if first is None else first
        self._last: int = NONE if last is None else last
        self.actor_state = _state_of(self.path, state)
        """Where the actor stood; None: it never said."""
        self.kept_bytes = self._size()
        """Bytes of all rows that are here."""
        self._check_numbers(count)

    def _check_numbers(self, count: int) -> None:
        state = self.actor_state
        wrong = (
            (len(self.stream_id) != STREAM_ID_BYTES, f"its stream's name is {self.stream_id!r}"),
            (count != self._last + 1 - self._first, f"{count} rows from {self._first}"),
            (not NONE <= self.saved <= self._last, f"saved up to {self.saved}"),
            (self._first > self.saved + 1, f"saved up to {self.saved}, first {self._first}"),
            (state is not None and state.sequence > self._last, f"a state of {state}"),
        )
        for is_wrong, what in wrong:
            if is_wrong:
                raise StoreDamaged(
                    f"{self.path} contradicts itself: {what}; its last row is {self._last}"
                )

    def _size(self, where: str = "", parameters: Sequence[Any] = ()) -> int:
        statement = f"SELECT coalesce(sum(length(data)), 0) FROM row {where}"
        return self._database.select(statement, parameters)[0][0]


def _state_of(path: Path, columns: Sequence[Any]) -> ActorState | None:
    sequence, crc, data = columns
    if data is None:
        return None
    check_numbers(path, sequence, crc)
    # Numbers begin at -1, and a checksum's number has no sign.
    if sequence < NONE or not is_sound(sequence + 1, crc, data):
        raise StoreDamaged(f"{path}: the actor's state is not what was written")
    return ActorState(sequence, data)
