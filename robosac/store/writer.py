"""The outbox's own thread: the control loop hands rows over and never meets the disk."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from enum import Enum
from itertools import islice
from typing import Final, NamedTuple

from robosac.errors import SequenceGap, StoreDamaged, StoreError, StoreFull
from robosac.store.limits import Fill, StoreLimits, Waiting, commit_in, why_full
from robosac.store.outbox import Outbox
from robosac.store.rows import ActorState, Chunk, check_size

CLOSE_S: Final = 30.0
"""Longest time that `close` waits for a disk that does not answer, s."""
MOST_GROUP_ROWS: Final = 1000
"""As for most_group_bytes: taking them from the queue holds up whoever puts."""
LOOK_S: Final = 1.0
"""The room on the disk is looked at so often, s."""


class _Entry(NamedTuple):
    """A row, or only a state, that waits for the disk; a tuple, as that is quickly made."""

    sequence: int
    """Of the row, or of the last one before the state."""
    data: bytes | None
    state: bytes | None
    at: float
    size: int


class _Work(Enum):
    """What may be refused, and is tried again."""

    COMMIT = 0
    DELETE = 1


class StoreThread:
    """Rows handed over here are on the disk within the window, or `failure` tells why not.

    Nothing is dropped: while the disk refuses, rows stay in memory and are tried again. What the
    caller has to do is to end the episode once `is_full`, and to `close`. Every method may be
    called from any thread.

    Args:
        open_outbox: opens the outbox; called in the new thread, which alone uses it.
        limits: bounds and times.
        clock: monotonic seconds.

    Raises:
        StoreError, StoreFormatError: the outbox cannot be opened.
    """

    def __init__(
        self,
        open_outbox: Callable[[], Outbox],
        limits: StoreLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits, self._clock = limits or StoreLimits(), clock
        self._wake = threading.Condition(threading.Lock())
        self._entries: deque[_Entry] = deque()
        self._waiting_bytes = self._waiting_rows = 0
        self._reads: deque[tuple[int, int, Future[Chunk]]] = deque()
        self._forget = -1
        self._deleting = True
        self._closing = self._ended = False
        self._look_at = clock()
        self._retry_at = dict.fromkeys(_Work, self._look_at)
        self._free_bytes = 0
        self._trouble: dict[_Work, StoreError] = {}
        """What the disk refused last, of each kind of work."""
        self._refusal: BaseException | None = None
        opened: Future[Outbox] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(open_outbox, opened), name="outbox", daemon=True
        )
        self._thread.start()
        outbox = opened.result()
        self.stream_id = outbox.stream_id
        """The stream's name, 16 bytes."""
        self.actor_state = outbox.actor_state
        """Where the actor stood when the outbox was opened; None: it never said."""

    @property
    def next_sequence(self) -> int:
        """Number of the next row to `put`."""
        return self._next

    @property
    def committed(self) -> int:
        """The last row that is on the disk; -1: none."""
        return self._committed

    @property
    def saved(self) -> int:
        """The last row that is known to be in a checkpoint; -1: none."""
        return self._saved

    @property
    def waiting_rows(self) -> int:
        """Rows in memory that are not on the disk yet."""
        return self._waiting_rows

    @property
    def kept_bytes(self) -> int:
        """Bytes of rows that are kept, on the disk and in memory."""
        return self._kept_bytes + self._waiting_bytes

    @property
    def failure(self) -> BaseException | None:
        """Why rows are not on the disk, or why no more are taken; None again once that is over."""
        return self._refusal or next(iter(self._trouble.copy().values()), None)

    @property
    def why_full(self) -> str | None:
        """Why the episode should end and no other begin; None: there is room, and it is written."""
        if self.failure is not None:
            return str(self.failure)
        fill = Fill(self._waiting_bytes, self._kept_bytes, self._free_bytes)
        return why_full(fill, self._limits)

    @property
    def is_full(self) -> bool:
        """Whether the episode should end and no other begin."""
        return self.why_full is not None

    def put(self, sequence: int, data: bytes, state: bytes | None = None) -> None:
        """Hand a row over; no I/O, no waiting for it.

        Args:
            sequence: its number; must be `next_sequence`.
            data: the row, at most MOST_ROW_BYTES.
            state: where the actor stands with it, written with it or not at all.

        Raises:
            StoreFull: too much waits in memory. The row was not taken; end the episode.
            StoreError: the store has failed for good, or is closed. The row was not taken.
            ValueError: it has another number than the next, or is too large.
        """
        check_size(sequence, data)
        size = len(data) + (0 if state is None else len(state))
        entry = _Entry(sequence, data, state, self._clock(), size)
        with self._wake:
            if sequence != self._next:
                raise ValueError(f"row {sequence} was put; {self._next} is next")
            self._take(entry)
            self._next += 1
            self._waiting_rows += 1

    def put_state(self, state: bytes) -> None:
        """Hand over where the actor stands after the last row; as `put`, without a row.

        Raises as `put` does.
        """
        with self._wake:
            self._take(_Entry(self._next - 1, None, state, self._clock(), len(state)))

    def read(self, after: int, most_bytes: int) -> Future[Chunk]:
        """Ask for the committed rows that follow number `after`; see `Outbox.read`.

        The future holds them, or SequenceGap, or StoreError.
        """
        future: Future[Chunk] = Future()
        with self._wake:
            if self._ended or self._closing:
                future.set_exception(StoreError("the outbox is closed"))
            else:
                self._reads.append((after, most_bytes, future))
                self._wake.notify()
        return future

    def forget(self, sequence: int) -> None:
        """Let go of every row up to `sequence`, which a checkpoint holds; done when there is time.

        Raises:
            SequenceGap: that row is not on the disk yet.
        """
        if sequence > self._committed:
            raise SequenceGap(f"row {sequence} is called saved; committed is {self._committed}")
        with self._wake:
            self._forget = max(self._forget, sequence)
            self._deleting = True
            self._wake.notify()

    def close(self) -> None:
        """Write everything that waits and close the outbox. Safe to call twice.

        Raises:
            StoreError: rows are not on the disk; the message says how many, and why.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(CLOSE_S)
        silent = f"the disk has not answered for {CLOSE_S:.0f} s" if self._thread.is_alive() else ""
        if self._entries:
            why = silent or self.failure
            raise StoreError(f"{self._waiting_rows} rows are not on the disk: {why}")
        if silent or self._refusal is not None:
            raise StoreError(f"every row is on the disk, but: {silent or self._refusal}")

    def _take(self, entry: _Entry) -> None:
        if self._ended or self._closing or self._refusal is not None:
            raise StoreError(f"the outbox takes nothing more: {self.failure or 'it is closed'}")
        if self._waiting_bytes + entry.size > self._limits.most_waiting_bytes:
            raise StoreFull(
                f"{self._waiting_bytes} bytes wait for the disk: {self.failure or 'it is too slow'}"
            )
        self._entries.append(entry)
        self._waiting_bytes += entry.size
        # Its thread is awake already, or will be, where something waits.
        if len(self._entries) == 1:
            self._wake.notify()

    # From here on: in the store's own thread.

    def _run(self, open_outbox: Callable[[], Outbox], opened: Future[Outbox]) -> None:
        try:
            outbox = open_outbox()
        except BaseException as error:  # noqa: BLE001 (it is raised where it was asked for)
            opened.set_exception(error)
            return
        self._next, self._committed = outbox.next_sequence, outbox.next_sequence - 1
        self._kept_bytes, self._saved = outbox.kept_bytes, outbox.saved
        try:
            self._look(outbox)
            opened.set_result(outbox)
            while self._turn(outbox):
                pass
        except BaseException as error:  # noqa: BLE001 (told, and every row that waits is counted)
            self._refusal = error
            if not opened.done():
                opened.set_exception(error)
        finally:
            self._end(outbox)

    def _turn(self, outbox: Outbox) -> bool:
        """Do one thing, or wait until there is one to do; False: all is done that can be."""
        with self._wake:
            if self._closing and not self._entries:
                return False
            now = self._clock()
            waiting = Waiting(self._entries[0].at, self._waiting_bytes) if self._entries else None
            retry_at = self._retry_at[_Work.COMMIT]
            due = commit_in(waiting, now, retry_at, self._closing, self._limits)
            deletes = self._deleting and now >= self._retry_at[_Work.DELETE]
            # Where the disk refuses rows, deleting may be what makes room for them.
            first = deletes and bool(self._trouble) and not self._closing
            if due != 0.0 and not self._reads and not deletes:
                self._wake.wait(LOOK_S if due is None else min(due, LOOK_S))
        written = True
        if due == 0.0 and not first:
            written = self._tried(_Work.COMMIT, self._commit, outbox)
        elif self._reads and not first:
            self._answer(outbox)
        elif deletes and self._tried(_Work.DELETE, self._delete, outbox):
            self._retry_at[_Work.COMMIT] = self._clock()
        self._look(outbox)
        return written or not self._closing

    def _tried(self, what: _Work, work: Callable[[Outbox], None], outbox: Outbox) -> bool:
        """Whether `work` was done; what the disk refused is tried again later."""
        try:
            work(outbox)
        except StoreDamaged:
            raise
        except StoreError as error:
            self._trouble[what] = error
            self._retry_at[what] = self._clock() + self._limits.retry_s
            # A full disk may still take what is in the log; then the log's room is free again.
            with contextlib.suppress(StoreError):
                outbox.make_room()
            return False
        self._trouble.pop(what, None)
        return True

    def _commit(self, outbox: Outbox) -> None:
        """Write the rows that wait, one group of them."""
        with self._wake:
            group = list(_group(self._entries, self._limits.most_group_bytes))
        rows = [entry.data for entry in group if entry.data is not None]
        states = [
            ActorState(entry.sequence, entry.state) for entry in group if entry.state is not None
        ]
        committed = outbox.append(rows, states[-1] if states else None)
        with self._wake:
            for entry in group:
                self._entries.popleft()
                self._waiting_bytes -= entry.size
            self._waiting_rows -= len(rows)
            self._committed = committed

    def _answer(self, outbox: Outbox) -> None:
        """Answer one request for rows."""
        after, most_bytes, future = self._reads.popleft()
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(outbox.read(after, most_bytes))
        except StoreDamaged as error:
            # What waits is still written, and what is sound is still handed out.
            self._refusal = error
            future.set_exception(error)
        except (StoreError, SequenceGap) as error:
            future.set_exception(error)

    def _delete(self, outbox: Outbox) -> None:
        """Delete one slice of what is saved."""
        outbox.mark_saved(self._forget)
        more = outbox.delete_saved()
        with self._wake:
            self._deleting = more or self._forget > outbox.saved

    def _look(self, outbox: Outbox) -> None:
        self._kept_bytes, self._saved = outbox.kept_bytes, outbox.saved
        now = self._clock()
        if now >= self._look_at:
            self._free_bytes, self._look_at = outbox.free_bytes(), now + LOOK_S

    def _end(self, outbox: Outbox) -> None:
        with self._wake:
            self._ended = True
        for _, _, future in self._reads:
            if future.set_running_or_notify_cancel():
                future.set_exception(StoreError("the outbox is closed"))
        try:
            outbox.close()
        except StoreError as error:
            self._refusal = self._refusal or error


def _group(entries: Iterable[_Entry], most_bytes: int) -> Iterator[_Entry]:
    """The first entries that together have at most `most_bytes`; one at least."""
    size = 0
    for entry in islice(entries, MOST_GROUP_ROWS):
        size += entry.size
        if size > most_bytes and size > entry.size:
            return
        yield entry
