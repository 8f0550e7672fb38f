"""What the learner was sent, by all its robots, each row once and in the order of arrival."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

from robosac.errors import RobosacError, RowDamaged, SequenceGap, StoreDamaged, StreamRefused
from robosac.store.database import Database, Kind
from robosac.store.rows import NONE, STREAM_ID_BYTES, Row, check_numbers, check_row, check_rows

INBOX: Final = Kind(
    "inbox",
    1,
    (
        "CREATE TABLE stream (number INTEGER PRIMARY KEY, stream_id BLOB NOT NULL UNIQUE,"
        " actor_id TEXT NOT NULL, hi INTEGER NOT NULL, checkpointed INTEGER NOT NULL)",
        "CREATE TABLE row (arrival INTEGER PRIMARY KEY, stream INTEGER NOT NULL,"
        " sequence INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL,"
        " UNIQUE (stream, sequence))",
        "CREATE TABLE cursor (one INTEGER PRIMARY KEY CHECK (one = 0), checkpointed INTEGER)",
        f"INSERT INTO cursor VALUES (0, {NONE})",
    ),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """One robot's stream as the inbox knows it."""

    number: int
    """Its short name within this file."""
    stream_id: bytes
    actor_id: str
    hi: int
    """The last row of it that is here; -1: none."""
    checkpointed: int
    """The last row of it that a checkpoint holds; -1: none."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one stream, as a session received them."""

    stream_id: bytes
    first_sequence: int
    rows: Sequence[Row]


class Arrival(NamedTuple):
    """A row, with its place in the order in which the learner learns."""

    arrival: int
    stream: int
    """Number of its stream; see `Inbox.streams`."""
    sequence: int
    data: bytes


class Inbox:
    """The rows of every stream, each numbered without a gap. For the thread that opened it.

    Args:
        path: the file; made when missing.

    Raises:
        StoreError, StoreFormatError: see `robosac.store.database.Database`.
        StoreDamaged: its numbers contradict each other.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, INBOX)
        try:
            self._load()
        except BaseException:
            self._database.close()
            raise

    @property
    def path(self) -> Path:
        """Its file."""
        return self._database.path

    @property
    def streams(self) -> Mapping[int, Stream]:
        """Every stream, by its number."""
        return {stream.number: stream for stream in self._streams.values()}

    def register(self, stream_id: bytes, actor_id: str) -> int:
        """Let a stream in; what is the last row of it that is here (-1: none)?

        Raises:
            StreamRefused: it is another actor's, or no name of a stream.
            StoreError: it could not be noted.
        """
        if len(stream_id) != STREAM_ID_BYTES:
            raise StreamRefused(
                f"a stream's name has {STREAM_ID_BYTES} bytes; that has {len(stream_id)}"
            )
        known = self._streams.get(stream_id)
        if known is None:
            number = 1 + max((s.number for s in self._streams.values()), default=NONE)
            known = Stream(number, stream_id, actor_id, NONE, NONE)
            with self._database.transaction():
                self._database.execute(
                    "INSERT INTO stream VALUES (?, ?, ?, ?, ?)",
                    (number, stream_id, actor_id, NONE, NONE),
                )
            self._streams[stream_id] = known
        if known.actor_id != actor_id:
            raise StreamRefused(
                f"stream {stream_id.hex()} belongs to actor {known.actor_id!r}, not {actor_id!r}:"
                " is that a copy of its outbox?"
            )
        return known.hi

    def accept(self, stream_id: bytes, first_sequence: int, rows: Sequence[Row]) -> int:
        """Write the rows that are new; the last row of the stream that is on the disk at return.

        Rows that are here already are compared and left alone.

        Raises:
            SequenceGap: rows are missing before these.
            StreamRefused: the stream is not registered, or has two different pasts.
            RowDamaged: a row does not have its checksum.
            StoreError: nothing was written; the same rows may be sent again.
        """
        (result,) = self.accept_all([Batch(stream_id, first_sequence, rows)])
        if isinstance(result, RobosacError):
            raise result
        return result

    def accept_all(self, batches: Sequence[Batch]) -> list[int | RobosacError]:
        """What `accept` would return or raise for each, in one transaction.

        A batch that is refused leaves the others alone.

        Raises:
            StoreError: nothing of any was written.
        """
        reached: dict[bytes, int] = {}
        results: list[int | RobosacError] = []
        arrival = self.newest_arrival
        with self._database.transaction():
            for batch in batches:
                try:
                    hi, fresh = self._fresh(batch, reached)
                except (SequenceGap, StreamRefused, RowDamaged) as refused:
                    results.append(refused)
                    continue
                number = self._streams[batch.stream_id].number
                self._database.execute_many(
                    "INSERT INTO row VALUES (?, ?, ?, ?, ?)",
                    (
                        (arrival + step, number, hi + step, row.crc, row.data)
                        for step, row in enumerate(fresh, 1)
                    ),
                )
                arrival += len(fresh)
                reached[batch.stream_id] = hi + len(fresh)
                results.append(hi + len(fresh))
            for stream_id, hi in reached.items():
                self._database.execute(
                    "UPDATE stream SET hi = ? WHERE stream_id = ?", (hi, stream_id)
                )
        self.newest_arrival = arrival
        for stream_id, hi in reached.items():
            self._streams[stream_id] = replace(self._streams[stream_id], hi=hi)
        return results

    def read(self, after_arrival: int, most_rows: int, most_bytes: int) -> list[Arrival]:
        """What arrived after `after_arrival` (-1: from the first on), in order.

        Args:
            after_arrival: the last arrival that is known already.
            most_rows: at most so many.
            most_bytes: together at most so large; but one at least, where there is one.

        Raises:
            SequenceGap: there never was an arrival of that number.
            StoreDamaged: a row is not what was written, or is missing.
            StoreError: it cannot be read.
        """
        if not NONE <= after_arrival <= self.newest_arrival:
            raise SequenceGap(
                f"{self.path} has no arrival {after_arrival}; its last is {self.newest_arrival}"
            )
        found: list[Arrival] = []
        size = 0
        statement = (
            "SELECT arrival, stream, sequence, crc, data FROM row WHERE arrival > ?"
            " ORDER BY arrival LIMIT ?"
        )
        with closing(self._database.each(statement, (after_arrival, most_rows))) as rows:
            for arrival, stream, sequence, crc, data in rows:
                if arrival != after_arrival + 1 + len(found):
                    break
                check_row(self.path, sequence, sequence, crc, data)
                if found and size + len(data) > most_bytes:
                    return found
                found.append(Arrival(arrival, stream, sequence, data))
                size += len(data)
        if len(found) < min(most_rows, self.newest_arrival - after_arrival):
            raise StoreDamaged(f"{self.path}: arrival {after_arrival + 1 + len(found)} is missing")
        return found

    def mark_checkpointed(self, arrival: int) -> dict[bytes, int]:
        """Note that a checkpoint holds everything up to `arrival`.

        A checkpoint older than the newest noted changes nothing: robots forgot by that one.

        Returns:
            For each stream's name, its last row that a checkpoint holds (-1: none).

        Raises:
            SequenceGap: there never was an arrival of that number.
            StoreError: it is not noted.
        """
        if arrival > self.newest_arrival:
            raise SequenceGap(
                f"{self.path}: arrival {arrival} is called saved; the last is {self.newest_arrival}"
            )
        if arrival > self.checkpointed_arrival:
            held = self._database.select(
                "SELECT stream, max(sequence) FROM row WHERE arrival > ? AND arrival <= ?"
                " GROUP BY stream",
                (self.checkpointed_arrival, arrival),
            )
            with self._database.transaction():
                for number, sequence in held:
                    self._database.execute(
                        "UPDATE stream SET checkpointed = ? WHERE number = ?", (sequence, number)
                    )
                self._database.execute("UPDATE cursor SET checkpointed = ?", (arrival,))
            self.checkpointed_arrival = arrival
            names = {stream.number: stream.stream_id for stream in self._streams.values()}
            for number, sequence in held:
                stream = self._streams[names[number]]
                self._streams[names[number]] = replace(stream, checkpointed=sequence)
        return {name: stream.checkpointed for name, stream in self._streams.items()}

    def make_room(self) -> None:
        """Empty the write-ahead log into the file. Raises StoreError."""
        self._database.checkpoint()

    def free_bytes(self) -> int:
        """Room left on its disk, bytes. Raises StoreError."""
        return self._database.free_bytes()

    def close(self) -> None:
        """Close the file. Safe to call twice. Raises StoreError."""
        self._database.close()

    def _load(self) -> None:
        select = self._database.select
        known = [Stream(*row) for row in select("SELECT * FROM stream ORDER BY number")]
        for stream in known:
            check_numbers(self.path, stream.number, stream.hi, stream.checkpointed)
        self._streams = {stream.stream_id: stream for stream in known}
        ((newest, count),) = select("SELECT max(arrival), count(*) FROM row")
        ((checkpointed,),) = select("SELECT checkpointed FROM cursor")
        check_numbers(self.path, checkpointed)
        self.newest_arrival: int = NONE if newest is None else newest
        """The last arrival; -1: none."""
        self.checkpointed_arrival: int = checkpointed
        """The last arrival that a checkpoint holds; -1: none."""
        rows = self.newest_arrival + 1
        wrong = (
            (count != rows, f"{count} rows up to arrival {self.newest_arrival}"),
            (sum(stream.hi + 1 for stream in known) != rows, f"{rows} rows, streams {known}"),
            (not NONE <= checkpointed < rows, f"arrival {checkpointed} is called saved"),
            (any(s.checkpointed > s.hi for s in known), f"more saved than there is: {known}"),
        )
        for is_wrong, what in wrong:
            if is_wrong:
                raise StoreDamaged(f"{self.path} contradicts itself: {what}")

    def _fresh(self, batch: Batch, reached: Mapping[bytes, int]) -> tuple[int, Sequence[Row]]:
        """How far the stream is, and those rows of `batch` that come after."""
        stream, first = self._streams.get(batch.stream_id), batch.first_sequence
        if stream is None:
            raise StreamRefused(f"stream {batch.stream_id.hex()} is not registered here")
        hi = reached.get(batch.stream_id, stream.hi)
        if first > hi + 1:
            raise SequenceGap(
                f"stream of {stream.actor_id!r}: rows from {first} on were sent; {hi + 1} is next"
            )
        check_rows(first, batch.rows)
        known = min(len(batch.rows), hi + 1 - first)
        self._compare(stream, first, batch.rows[:known])
        return hi, batch.rows[known:]

    def _compare(self, stream: Stream, first: int, rows: Sequence[Row]) -> None:
        """Rows that are sent again must be those that are here."""
        if not rows:
            return
        here = self._database.select(
            "SELECT crc FROM row WHERE stream = ? AND sequence BETWEEN ? AND ? ORDER BY sequence",
            (stream.number, first, first + len(rows) - 1),
        )
        if [crc for (crc,) in here] != [row.crc for row in rows]:
            raise StreamRefused(
                f"stream of {stream.actor_id!r}: other rows than these are here from {first} to"
                f" {first + len(rows) - 1}: its outbox is a copy, or lost rows that it had sent"
            )
