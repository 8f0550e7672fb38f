"""The actor's end of the link: sends what its disk holds, hears of policies, and never waits.

A thread of its own speaks with the learner, so that the control loop only hands transitions to the
store and looks at what came. Whatever happens to connection, learner or actor, a transition goes
on being sent until the learner has it on its disk, and is kept here until a checkpoint holds it.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Protocol

from robosac.duplex import Duplex
from robosac.envelope import Sealed
from robosac.errors import LinkError, PolicyRefused
from robosac.messages import (
    Acknowledged,
    Busy,
    Failed,
    Hello,
    LearnerMeans,
    Leave,
    Offer,
    Row,
    Rows,
    Save,
    ToLearner,
    Welcome,
    decode_to_actor,
    encode,
)
from robosac.store.rows import Chunk

SILENT_S: Final = 2.0
"""A learner that was not heard for so long does not answer (hazard 24: budget 2 s)."""
LOOK_S: Final = 0.02
"""How often the thread looks for new rows to send."""
PIECE_BYTES: Final = 1_000_000
"""Of rows in one message, unless a single row is larger."""
WINDOW_BYTES: Final = 4_000_000
"""Sent and not yet known to be on the learner's disk."""
LEAVE_S: Final = 2.0
"""Longest wait for the last words to go out."""


class Store(Protocol):
    """The actor's own; see `robosac.store.StoreThread`."""

    @property
    def committed(self) -> int:
        """The last transition that is on the disk; -1: none."""
        ...

    @property
    def saved(self) -> int:
        """The last transition that is known to be in a checkpoint; -1: none."""
        ...

    def read(self, after: int, most_bytes: int) -> Future[Chunk]:
        """Rows on the disk after number `after`, at least one if there is one."""
        ...

    def forget(self, sequence: int) -> None:
        """Everything up to this number is in a checkpoint; takes effect by and by."""
        ...


class Shelf(Protocol):
    """Where policies are kept; see `robosac.policy_shelf`."""

    def check(self, data: bytes) -> Sealed:
        """What an envelope holds. Raises PolicyRefused: it is not fit."""
        ...

    def keep(self, sealed: Sealed, data: bytes) -> None:
        """Keep a policy that was checked. Raises OSError: the disk refuses."""
        ...

    def newest(self) -> Sealed | None:
        """The newest that is kept; None: there is none."""
        ...


class Client(Duplex, Protocol):
    """A connection that can be made anew; see `robosac.link.LinkClient`."""

    @property
    def ended(self) -> str:
        """Why the newest connection ended; empty while it has not."""
        ...

    def close(self, linger_s: float = 0.0) -> None:
        """Close it, once what waits is sent, or after at most so long; safe to call twice."""
        ...

    def connect(self) -> bool:
        """Begin another attempt where one is due; whether it began."""
        ...


class Uplink:
    """One actor's connection to its learner, made anew whenever it breaks.

    Args:
        store: the actor's own.
        shelf: where policies go that came.
        hello: what to say first.
        client: to the learner; not yet connected, and closed by `close`.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        hello: Hello,
        client: Client,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._shelf, self._hello = store, shelf, hello
        self._client, self._clock = client, clock
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._live, name="uplink", daemon=True)
        self._welcome: Welcome | None = None
        self._standing = Acknowledged(
            stored=-1, learned=-1, saved=-1, updates=0, owed=0.0, replay_bytes=0
        )
        self._heard_at = clock()
        self._allowed_s = SILENT_S
        self._lost_at: float | None = clock()
        self._failure: str | None = None
        self._trouble = "not connected yet"
        self._policies: list[Sealed] = []
        self._refused: list[str] = []
        self._means: list[LearnerMeans] = []
        self._save: int | None = None
        self._sent = -1
        self._forgotten = store.saved
        newest = shelf.newest()
        stream = hello.stream.hex()
        self._learned = -1 if newest is None else newest.learned.get(stream, -1)
        """The last of this actor's transitions that the newest policy has learned from."""
        self._flying: list[tuple[int, int]] = []
        """(last sequence number, bytes) of what was sent and is not yet stored there."""

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    @property
    def welcome(self) -> Welcome | None:
        """What the learner said first; None: it was never reached."""
        with self._changed:
            return self._welcome

    @property
    def standing(self) -> Acknowledged:
        """The newest it said of how far it is."""
        with self._changed:
            return self._standing

    @property
    def lost_s(self) -> float:
        """For how long it has not answered, s; 0: it does."""
        with self._changed:
            now = self._clock()
            if self._lost_at is None and now - self._heard_at > self._allowed_s:
                return now - self._heard_at
            return 0.0 if self._lost_at is None else max(now - self._lost_at, 1e-9)

    @property
    def failure(self) -> str | None:
        """Why the learner, or this end, cannot go on."""
        with self._changed:
            return self._failure

    @property
    def trouble(self) -> str:
        """Why it is not connected, for people; empty: it is."""
        with self._changed:
            return self._trouble

    def take_policies(self) -> list[Sealed]:
        """Policies that came since the last call, oldest first; all of them are on the shelf."""
        with self._changed:
            policies, self._policies = self._policies, []
            return policies

    def take_refused(self) -> list[str]:
        """Why policies that came since the last call were not fit."""
        with self._changed:
            refused, self._refused = self._refused, []
            return refused

    def take_means(self) -> list[LearnerMeans]:
        """What the learner told of its updates since the last call."""
        with self._changed:
            means, self._means = self._means, []
            return means

    def ask_to_save(self, sequence: int) -> None:
        """Ask for a checkpoint once everything up to `sequence` is learned from."""
        with self._changed:
            self._save = sequence

    def wait(self, seconds: float) -> None:
        """Wait until something was heard, at most `seconds`."""
        with self._changed:
            self._changed.wait(seconds)

    def close(self) -> None:
        """Take leave and end the thread; what was not sent stays in the store. Safe to repeat."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    # The thread.

    def _live(self) -> None:
        # Signals are for the main thread.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            while not self._closing.is_set() and self.failure is None:
                if self._client.connect():
                    self._talk()
                else:
                    self._closing.wait(LOOK_S)
        except BaseException as error:
            # Nobody reads a thread's traceback: without the link the robot must not go on.
            self._fail(f"the link failed: {type(error).__name__}: {error}")
            raise
        finally:
            self._client.close()

    def _talk(self) -> None:
        """Speak until an end is gone."""
        try:
            self._converse()
            self._lose(self._client.ended)
        except LinkError as error:
            self._lose(str(error))
            self._client.close()

    def _converse(self) -> None:
        client = self._client
        welcome: Welcome | None = None
        saved: int | None = None
        self._tell(self._hello)
        while not client.closed and self.failure is None:
            for payload in client.receive():
                message = decode_to_actor(payload)
                if isinstance(message, Welcome):
                    welcome = message
                    self._begin_with(message)
                elif welcome is None and not isinstance(message, Failed):
                    raise LinkError("the learner did not begin with its welcome")
                else:
                    self._hear(message)
            if welcome is not None:
                self._send_rows()
                saved = self._send_save(saved)
            if self._closing.is_set():
                self._tell(Leave())
                client.close(LEAVE_S)
                return
            client.wait(LOOK_S)

    def _begin_with(self, welcome: Welcome) -> None:
        """Send what the learner's disk does not hold."""
        newest = self._store.committed
        if welcome.stored > newest:
            self._fail(
                f"the learner, run {welcome.run}, has {welcome.stored + 1} transitions of this"
                f" stream, this store {newest + 1}: it is another store, or an older copy"
            )
            return
        if welcome.stored < self._forgotten:
            self._fail(
                f"the learner, run {welcome.run}, has transitions up to {welcome.stored}; those up"
                f" to {self._forgotten} were safe with it once and are not kept here any more"
            )
            return
        self._sent, self._flying = welcome.stored, []
        with self._changed:
            self._welcome, self._heard_at, self._trouble = welcome, self._clock(), ""
            self._changed.notify_all()

    def _hear(self, message: object) -> None:
        with self._changed:
            self._heard_at = self._clock()
            # Busy says how long it may be silent; whatever comes next takes that back.
            self._allowed_s = SILENT_S
        if isinstance(message, Offer):
            self._take_offer(message)
        elif isinstance(message, Acknowledged):
            self._go_further(message)
        with self._changed:
            if isinstance(message, Busy):
                self._allowed_s = max(SILENT_S, message.seconds)
            elif isinstance(message, LearnerMeans):
                self._means.append(message)
            elif isinstance(message, Failed):
                self._failure = f"the learner cannot go on: {message.message}"
            self._changed.notify_all()

    def _take_offer(self, message: Offer) -> None:
        """Keep a policy, unless it knows less of this actor than the one before.

        A learner that went back to a checkpoint learns again what was learned before; nothing is
        gained by acting like that once more.
        """
        try:
            sealed = self._shelf.check(message.envelope)
            learned = sealed.learned.get(self._hello.stream.hex(), -1)
            if learned < self._learned:
                return
            self._shelf.keep(sealed, message.envelope)
        except (PolicyRefused, OSError) as error:
            with self._changed:
                self._refused.append(str(error))
            return
        self._learned = learned
        with self._changed:
            self._policies.append(sealed)

    def _go_further(self, message: Acknowledged) -> None:
        self._flying = [entry for entry in self._flying if entry[0] > message.stored]
        if message.saved > self._forgotten:
            self._forgotten = message.saved
            self._store.forget(message.saved)
        with self._changed:
            self._standing, self._lost_at = message, None

    def _send_rows(self) -> None:
        """Send rows that are on the disk, as long as not too much is under way."""
        while (
            self._store.committed > self._sent
            and sum(size for _, size in self._flying) < WINDOW_BYTES
            and self._client.waiting_bytes < WINDOW_BYTES
            and not self._client.closed
        ):
            chunk = self._store.read(self._sent, PIECE_BYTES).result()
            packed = tuple(Row(row.crc, row.data) for row in chunk.rows)
            self._tell(Rows(first=chunk.first_sequence, rows=packed))
            self._sent = chunk.last_sequence
            self._flying.append((self._sent, sum(len(row.data) for row in packed)))

    def _send_save(self, saved: int | None) -> int | None:
        """Ask for a checkpoint, once in each connection."""
        with self._changed:
            wanted = self._save
        if wanted is not None and wanted != saved:
            self._tell(Save(sequence=wanted))
        return wanted

    def _tell(self, message: ToLearner) -> None:
        self._client.send(encode(message))

    def _lose(self, why: str) -> None:
        with self._changed:
            self._trouble = why
            if self._lost_at is None:
                self._lost_at = self._heard_at
            self._changed.notify_all()

    def _fail(self, why: str) -> None:
        with self._changed:
            self._failure = why
            self._changed.notify_all()
