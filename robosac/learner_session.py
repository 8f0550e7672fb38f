"""The learner's side of one actor: what comes is put on the disk, and only then acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from robosac.duplex import Duplex
from robosac.errors import (
    ActorRefused,
    LinkError,
    SequenceGap,
    StoreError,
    StreamRefused,
    TransitionRefused,
)
from robosac.learner_board import Board
from robosac.messages import (
    VERSION,
    Acknowledged,
    Busy,
    Failed,
    Hello,
    Leave,
    Offer,
    Row,
    Rows,
    Save,
    ToActor,
    Welcome,
    decode_experience,
    decode_to_learner,
    encode,
    transition_of,
)
from robosac.schema import Schema
from robosac.store.rows import Row as StoredRow
from robosac.store.rows import checksum
from robosac.transition_check import require_fit

HEARTBEAT_S = 0.5
"""Longest silence of a learner that is well."""
HUNG_S = 60.0
"""A loop without a sign of life for so long is hung: its sessions fall silent."""
HELLO_S = 5.0
"""Longest wait for an actor's first message."""
LOOK_S = 0.02
"""How often it is looked whether there is something new to tell."""
LAST_WORDS_S = 1.0
FULL_S = 4.0
"""Twice the time after which a disk that refused is tried again."""


class Inbox(Protocol):
    """Where transitions are kept; each call returns once it is on the disk."""

    def register(self, stream_id: bytes, actor_id: str) -> int:
        """Know a stream; its last transition here, or -1."""
        ...

    def accept(self, stream_id: bytes, first_sequence: int, rows: Sequence[StoredRow]) -> int:
        """Keep what is new of these rows; the last transition that is kept then."""
        ...


class Session:
    """One actor's connection; for one thread.

    Args:
        duplex: to the actor.
        name: that its certificate has; None: nobody has one, here.
        run: names the learner's run.
        lockstep: whether actor and learner take turns.
        board: what the learner's loop tells.
        inbox: where transitions are kept.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        duplex: Duplex,
        name: str | None,
        run: str,
        lockstep: bool,
        board: Board,
        inbox: Inbox,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._duplex, self._name, self._run, self._lockstep = duplex, name, run, lockstep
        self._board, self._inbox, self._clock = board, inbox, clock
        self._stored, self._told_at = -1, clock()
        self._told: Acknowledged | None = None
        self.broken: str | None = None
        """Why the connection was given up; None: it was not, or the actor was told why."""
        self._offers = self._means = 0

    def run(self) -> None:
        """Serve until the actor goes, or says what it must not.

        Damage on the way ends the connection alone: the actor will come again. What would be the
        same the next time is told to it.
        """
        try:
            hello = self._hello()
            number = self._board.join(hello.actor_id, hello.schema)
            try:
                self._serve(hello, number)
            finally:
                self._board.leave(hello.actor_id, number)
        except (ActorRefused, TransitionRefused, SequenceGap, StreamRefused) as error:
            self._tell(Failed(message=" ".join(str(error).split())))
            self._duplex.wait(LAST_WORDS_S)
        except LinkError as error:
            self.broken = str(error)
        finally:
            self._duplex.close()

    def _hello(self) -> Hello:
        """The first message.

        Raises:
            LinkError: there is none in time, or it is another one.
            ActorRefused: it speaks another version, or gives a false name.
        """
        end = self._clock() + HELLO_S
        payloads: list[bytes] = []
        while not payloads and not self._duplex.closed and self._clock() < end:
            self._duplex.wait(max(0.0, end - self._clock()))
            payloads = self._duplex.receive()
        message = decode_to_learner(payloads[0]) if len(payloads) == 1 else None
        if not isinstance(message, Hello):
            raise LinkError("the actor did not begin with its name and schema")
        if message.version != VERSION:
            raise ActorRefused(
                f"the actor speaks version {message.version}, this learner {VERSION}"
            )
        if self._name is not None and message.actor_id != self._name:
            raise ActorRefused(
                f"the actor calls itself {message.actor_id}; its certificate says {self._name}"
            )
        return message

    def _serve(self, hello: Hello, number: int) -> None:
        """Take what comes and tell what is new, until the actor leaves or is here anew."""
        self._stored = self._inbox.register(hello.stream, hello.actor_id)
        self._means = self._board.told_means
        self._tell(Welcome(run=self._run, stored=self._stored, lockstep=self._lockstep))
        while not self._duplex.closed and self._board.is_here(hello.actor_id, number):
            for payload in self._duplex.receive():
                message = decode_to_learner(payload)
                if isinstance(message, Rows):
                    self._take(hello, message)
                elif isinstance(message, Save):
                    self._board.ask_to_save(hello.stream, message.sequence)
                elif isinstance(message, Leave):
                    return
                else:
                    raise LinkError("the actor began twice")
            self._tell_news(hello.stream)
            self._duplex.wait(LOOK_S)

    def _take(self, hello: Hello, message: Rows) -> None:
        """Keep rows that are sound; refuse all of them where one is not."""
        rows = [
            checked(row, sequence, hello.actor_id, hello.schema)
            for sequence, row in enumerate(message.rows, message.first)
        ]
        while True:
            try:
                self._stored = self._inbox.accept(hello.stream, message.first, rows)
                break
            except StoreError as error:
                # The actor keeps everything meanwhile, and ends its episodes when it has no room.
                self._tell(Busy(doing=str(error)[:300], seconds=FULL_S))
                self._duplex.wait(FULL_S / 2.0)
                if self._duplex.closed:
                    return
        self._board.notify()

    def _tell_news(self, stream: bytes) -> None:
        """A policy, means, and how far it is: when there is something new, and as a heartbeat."""
        if self._board.failure is not None:
            raise ActorRefused(self._board.failure)
        # Read in this order: an offer is told before the standing that it belongs to.
        standing = self._board.standing()
        serial, envelope = self._board.newest_offer()
        if envelope is not None and serial != self._offers:
            self._offers = serial
            self._tell(Offer(envelope=envelope))
        for serial, means in self._board.means_after(self._means):
            self._means = serial
            self._tell(means)
        told = Acknowledged(
            stored=self._stored,
            learned=standing.learned.get(stream, -1),
            saved=standing.saved.get(stream, -1),
            updates=standing.updates,
            owed=standing.owed,
            replay_bytes=standing.replay_bytes,
        )
        due = self._clock() - self._told_at >= HEARTBEAT_S
        if (due and self._board.alive(HUNG_S)) or self._is_news(told):
            busy = self._board.busy()
            if busy is not None:
                self._tell(Busy(doing=busy.doing, seconds=busy.seconds))
            self._told, self._told_at = told, self._clock()
            self._tell(told)

    def _is_news(self, told: Acknowledged) -> bool:
        """Whether the actor waits for this: its rows are safe, or the learner is even."""
        before = self._told
        if before is None or told.stored != before.stored or told.saved != before.saved:
            return True
        even = told.owed < 1.0 and (before.owed >= 1.0 or told.learned != before.learned)
        return even and not self._duplex.waiting_bytes

    def _tell(self, message: ToActor) -> None:
        self._duplex.send(encode(message))


def checked(row: Row, sequence: int, actor_id: str, schema: Schema) -> StoredRow:
    """A row, if it is a transition that this stream may have there; the inbox checks its sum.

    Raises:
        LinkError: it is damaged.
        ActorRefused: it is another one, and was so before it was stored.
        TransitionRefused: it must not be learned from.
    """
    if checksum(sequence, row.data) != row.crc:
        raise LinkError(f"transition {sequence} is damaged: its CRC-32 does not fit")
    experience = decode_experience(row.data)
    if experience.sequence != sequence or experience.actor_id != actor_id:
        raise ActorRefused(
            f"transition {experience.sequence} of {experience.actor_id} came as {sequence} of"
            f" {actor_id}"
        )
    require_fit(transition_of(experience), schema)
    return StoredRow(row.crc, row.data)
