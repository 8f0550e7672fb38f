"""The inbox's own thread: sessions wait until their rows are on the disk, the learner reads."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Final, TypeVar

from robosac.errors import RobosacError, StoreDamaged, StoreError
from robosac.store.inbox import Arrival, Batch, Inbox, Stream
from robosac.store.rows import Row

ANSWER_S: Final = 30.0
"""Longest time that a call waits for a disk that does not answer, s."""
MOST_GROUP: Final = 64
"""Batches that are committed together."""
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Job:
    """Something to do with the inbox: a batch to accept, or a call."""

    work: Batch | Callable[[Inbox], Any]
    future: Future[Any]


class InboxThread:
    """An inbox that many threads use; each call returns when it is done, on the disk.

    Batches that wait at the same time are committed together. When the disk refuses, every one of
    them is told so and none is kept here: the robots have them, and send them again.

    Args:
        open_inbox: opens the inbox; called in the new thread, which alone uses it.

    Raises:
        StoreError, StoreFormatError: the inbox cannot be opened.
    """

    def __init__(self, open_inbox: Callable[[], Inbox]) -> None:
        self._wake = threading.Condition(threading.Lock())
        self._arrived = threading.Condition(threading.Lock())
        self._jobs: deque[_Job] = deque()
        self._closing = self._ended = False
        self.failure: BaseException | None = None
        """Why the inbox refused what it was asked last; None again once that is over."""
        self._refusal: BaseException | None = None
        opened: Future[None] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(open_inbox, opened), name="inbox", daemon=True
        )
        self._thread.start()
        opened.result()

    @property
    def newest_arrival(self) -> int:
        """The last arrival that is on the disk; -1: none."""
        return self._newest

    @property
    def checkpointed_arrival(self) -> int:
        """The last arrival that a checkpoint holds; -1: none."""
        return self._checkpointed

    @property
    def streams(self) -> Mapping[int, Stream]:
        """Every stream by its number, as of the last change."""
        return self._streams

    def register(self, stream_id: bytes, actor_id: str) -> int:
        """See `Inbox.register`."""
        return self._asked(lambda inbox: inbox.register(stream_id, actor_id))

    def accept(self, stream_id: bytes, first_sequence: int, rows: Sequence[Row]) -> int:
        """See `Inbox.accept`: at return the rows are on the disk, and may be acknowledged."""
        return self._done(Batch(stream_id, first_sequence, rows))

    def read(self, after_arrival: int, most_rows: int, most_bytes: int) -> list[Arrival]:
        """See `Inbox.read`."""
        return self._asked(lambda inbox: inbox.read(after_arrival, most_rows, most_bytes))

    def mark_checkpointed(self, arrival: int) -> dict[bytes, int]:
        """See `Inbox.mark_checkpointed`."""
        return self._asked(lambda inbox: inbox.mark_checkpointed(arrival))

    def wait_beyond(self, arrival: int, timeout_s: float) -> bool:
        """Wait until there is an arrival after `arrival`, at most so long; whether there is."""
        with self._arrived:
            return self._arrived.wait_for(
                lambda: self._newest > arrival or self._ended, timeout_s
            ) and (self._newest > arrival)

    def close(self) -> None:
        """Do what waits and close the inbox. Safe to call twice.

        Raises:
            StoreError: it could not be closed, or the disk does not answer.
        """
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(ANSWER_S)
        if self._thread.is_alive():
            raise StoreError(f"the disk has not answered for {ANSWER_S:.0f} s")
        if self._refusal is not None:
            raise StoreError(f"the inbox ended with: {self._refusal}") from self._refusal

    def _asked(self, call: Callable[[Inbox], Answer]) -> Answer:
        return self._done(call)

    def _done(self, work: Batch | Callable[[Inbox], Any]) -> Any:
        """Have something done and wait for it. Raises what it raised, or StoreError."""
        job = _Job(work, Future())
        with self._wake:
            if self._closing or self._ended:
                raise StoreError(f"the inbox is closed: {self._refusal or 'it was asked to'}")
            self._jobs.append(job)
            self._wake.notify()
        try:
            return job.future.result(ANSWER_S)
        except TimeoutError:
            # What is under way is finished all the same; a row sent again is then known.
            job.future.cancel()
            raise StoreError(f"the disk has not answered for {ANSWER_S:.0f} s") from None

    # From here on: in the inbox's own thread.

    def _run(self, open_inbox: Callable[[], Inbox], opened: Future[None]) -> None:
        try:
            inbox = open_inbox()
        except BaseException as error:  # noqa: BLE001 (it is raised where it was asked for)
            opened.set_exception(error)
            return
        self._look(inbox)
        opened.set_result(None)
        try:
            while self._turn(inbox):
                pass
        except BaseException as error:  # noqa: BLE001 (every later call is told)
            self._refusal = error
        finally:
            self._end(inbox)

    def _turn(self, inbox: Inbox) -> bool:
        """Do what waits next; False: nothing does, and nothing will."""
        with self._wake:
            self._wake.wait_for(lambda: self._jobs or self._closing)
            if not self._jobs:
                return False
            group = [self._jobs.popleft()]
            if isinstance(group[0].work, Batch):
                rest = takewhile(lambda job: isinstance(job.work, Batch), list(self._jobs))
                group += list(rest)[: MOST_GROUP - 1]
                for _ in group[1:]:
                    self._jobs.popleft()
        running = [job for job in group if job.future.set_running_or_notify_cancel()]
        if not running:
            return True
        answers = self._answers(inbox, running)
        self._look(inbox)
        for job, answer in zip(running, answers, strict=True):
            if isinstance(answer, BaseException):
                job.future.set_exception(answer)
            else:
                job.future.set_result(answer)
        return True

    def _answers(self, inbox: Inbox, jobs: Sequence[_Job]) -> list[Any]:
        """What each job comes to, its error among that: batches together, or a single call."""
        first = jobs[0].work
        try:
            if isinstance(first, Batch):
                answers = inbox.accept_all([j.work for j in jobs if isinstance(j.work, Batch)])
            else:
                answers = [first(inbox)]
        except StoreError as error:
            self.failure = error
            # A full disk may still take what is in the log; then the log's room is free again.
            if not isinstance(error, StoreDamaged):
                with contextlib.suppress(StoreError):
                    inbox.make_room()
            return [error] * len(jobs)
        except RobosacError as error:
            return [error]
        except BaseException as error:
            for job in jobs:
                job.future.set_exception(error)
            raise
        self.failure = None
        return list(answers)

    def _look(self, inbox: Inbox) -> None:
        """Let the others see how far the inbox is."""
        with self._arrived:
            self._streams = inbox.streams
            self._checkpointed = inbox.checkpointed_arrival
            self._newest = inbox.newest_arrival
            self._arrived.notify_all()

    def _end(self, inbox: Inbox) -> None:
        with self._wake:
            self._ended = True
        with self._arrived:
            self._arrived.notify_all()
        for job in self._jobs:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(StoreError("the inbox is closed"))
        try:
            inbox.close()
        except StoreError as error:
            self._refusal = self._refusal or error
