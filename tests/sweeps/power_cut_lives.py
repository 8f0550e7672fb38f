"""What runs until the power is cut, and what must be true of its store afterwards."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from robosac.errors import StoreError
from robosac.store.inbox import Inbox
from robosac.store.outbox import Outbox
from robosac.store.rows import ActorState, Row, sealed
from tests.sweeps.power_cut_disk import Recorder

SIZES: Final = (1, 200, 1_000, 3_900, 9_000, 42_000)
STREAMS: Final = (bytes(16), bytes([1] * 16))
FILE: Final = "store.sqlite"


@cache
def row_bytes(stream: bytes, sequence: int) -> bytes:
    """The one row that may have this number."""
    rng = random.Random(stream.hex() + str(sequence))
    return rng.randbytes(rng.choice(SIZES))


def state_bytes(sequence: int) -> bytes:
    return f"after {sequence}".encode() * 5


@dataclass
class Promises:
    """What was asked of a store, and what it had said to be done, when the power was cut."""

    tried: dict[Any, int] = field(default_factory=dict[Any, int])
    done: dict[Any, int] = field(default_factory=dict[Any, int])

    def take(self, mark: tuple[str, Any, int]) -> None:
        how, what, number = mark
        into = self.tried if how == "try" else self.done
        into[what] = max(into.get(what, -1), number)
        if how == "done":
            self.tried[what] = max(self.tried.get(what, -1), number)

    def problem(self, what: Any, found: int) -> str | None:
        if found < self.done.get(what, -1):
            return f"LOST: {what} is {found}; {self.done[what]} was acknowledged"
        if found > self.tried.get(what, -1):
            return f"INVENTED: {what} is {found}; no more than {self.tried.get(what, -1)} was tried"
        return None


class Life(ABC):
    """A store in use, until the power is cut."""

    def __init__(self, path: Path, recorder: Recorder, rng: random.Random) -> None:
        self.path, self.recorder, self.rng = path, recorder, rng
        self.at_work = False
        """Not just being opened or closed."""
        self.refused = 0
        """Calls that the disk refused, and that were made again."""
        self.spoil: Callable[[Any], None] = lambda store: None
        """What a test does to a store to see that the sweep would notice."""

    def doing(self, what: Any, number: int, call: Callable[[], Any]) -> None:
        self.recorder.mark(("try", what, number))
        self.at_work = True
        while True:
            try:
                call()
                break
            except StoreError:
                self.refused += 1
        self.at_work = False
        self.recorder.mark(("done", what, number))

    @abstractmethod
    def run(self, calls: int) -> None:
        """Use the store, closing and opening it now and then."""

    @staticmethod
    @abstractmethod
    def problems(path: Path, promises: Promises) -> list[str]:
        """What is wrong with the store at `path`, which is opened as the product does."""


class OutboxLife(Life):
    """A robot's store: rows, states, and the learner's word that it has saved them."""

    def run(self, calls: int) -> None:
        outbox = self._opened()
        for _ in range(calls):
            choice = self.rng.random()
            if choice < 0.8:
                self._append(outbox, self.rng.choice((1, 1, 2, 5)))
            elif choice < 0.95:
                last = outbox.next_sequence - 1
                saved = self.rng.randint(outbox.saved, last)
                self.doing("saved", saved, partial(outbox.forget, saved))
            else:
                outbox.close()
                outbox = self._opened()
        outbox.close()

    def _opened(self) -> Outbox:
        outbox = Outbox(self.path, lambda count: STREAMS[0][:count])
        self.spoil(outbox)
        return outbox

    def _append(self, outbox: Outbox, count: int) -> None:
        first = outbox.next_sequence
        last = first + count - 1
        rows = [row_bytes(outbox.stream_id, sequence) for sequence in range(first, last + 1)]
        state = ActorState(last, state_bytes(last)) if self.rng.random() < 0.5 else None
        if state is not None:
            self.recorder.mark(("try", "state", last))
        self.doing("row", last, lambda: outbox.append(rows, state))
        if state is not None:
            self.recorder.mark(("done", "state", last))

    @staticmethod
    def problems(path: Path, promises: Promises) -> list[str]:
        outbox = Outbox(path, lambda count: STREAMS[0][:count])
        try:
            state = outbox.actor_state
            last = outbox.next_sequence - 1
            found = [
                promises.problem("row", last),
                promises.problem("saved", outbox.saved),
                promises.problem("state", -1 if state is None else state.sequence),
            ]
            if state is not None and state.data != state_bytes(state.sequence):
                found.append(f"CORRUPT: state {state}")
            after = outbox.first_sequence - 1
            while after < last:
                chunk = outbox.read(after, 10_000_000)
                for sequence, row in enumerate(chunk.rows, after + 1):
                    if row.data != row_bytes(outbox.stream_id, sequence):
                        found.append(f"CORRUPT: row {sequence}")
                after = chunk.last_sequence
            return [problem for problem in found if problem]
        finally:
            outbox.close()


class InboxLife(Life):
    """The learner's store: two robots' rows, some of them sent twice, and its checkpoints."""

    def run(self, calls: int) -> None:
        inbox = self._opened()
        for _ in range(calls):
            choice = self.rng.random()
            if choice < 0.85:
                self._accept(inbox)
            elif choice < 0.95:
                arrival = self.rng.randint(inbox.checkpointed_arrival, inbox.newest_arrival)
                self.doing("saved", arrival, partial(inbox.mark_checkpointed, arrival))
            else:
                inbox.close()
                inbox = self._opened()
        inbox.close()

    def _opened(self) -> Inbox:
        inbox = Inbox(self.path)
        self.spoil(inbox)
        return inbox

    def _accept(self, inbox: Inbox) -> None:
        stream = self.rng.choice(STREAMS)
        hi = inbox.register(stream, stream.hex())
        first = max(0, hi + 1 - self.rng.choice((0, 0, 2)))
        last = hi + self.rng.choice((1, 1, 4))
        rows = [_row(stream, sequence) for sequence in range(first, last + 1)]
        self.doing(stream, last, lambda: inbox.accept(stream, first, rows))

    @staticmethod
    def problems(path: Path, promises: Promises) -> list[str]:
        inbox = Inbox(path)
        try:
            reached = dict.fromkeys(STREAMS, -1)
            reached |= {stream.stream_id: stream.hi for stream in inbox.streams.values()}
            found = [promises.problem(stream, hi) for stream, hi in reached.items()]
            found.append(promises.problem("saved", inbox.checkpointed_arrival))
            names = {number: stream.stream_id for number, stream in inbox.streams.items()}
            seen = dict.fromkeys(STREAMS, -1)
            after = -1
            while after < inbox.newest_arrival:
                for arrival in inbox.read(after, 1000, 10_000_000):
                    stream, after = names[arrival.stream], arrival.arrival
                    if arrival.sequence != seen[stream] + 1:
                        found.append(f"GAP: {seen[stream]}, then {arrival.sequence}")
                    seen[stream] = arrival.sequence
                    if arrival.data != row_bytes(stream, arrival.sequence):
                        found.append(f"CORRUPT: row {arrival.sequence}")
            if seen != reached:
                found.append(f"GAP: rows reach {seen}, cursors {reached}")
            return [problem for problem in found if problem]
        finally:
            inbox.close()


def _row(stream: bytes, sequence: int) -> Row:
    return sealed(sequence, row_bytes(stream, sequence))
