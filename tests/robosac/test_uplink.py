"""The actor's uplink against a learner in memory: what it sends, and sends again, and takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future

import pytest

from robosac.envelope import Sealed, seal, unseal
from robosac.errors import LinkError
from robosac.messages import (
    VERSION,
    Acknowledged,
    Busy,
    Failed,
    Hello,
    Leave,
    Offer,
    Rows,
    Save,
    ToActor,
    Welcome,
    decode_to_learner,
    encode,
)
from robosac.store.rows import Chunk, sealed
from robosac.uplink import SILENT_S, Uplink
from tests.robosac.learner_rig import CountingLearner, pendulum_schema

STREAM = bytes(16)
HELLO = Hello(version=VERSION, actor_id="actor", stream=STREAM, schema=pendulum_schema())
PATIENCE_S = 20.0
"""Far more than anything here takes; only so that a hang fails instead of hanging."""


class Client:
    """A learner that follows a script: what it answers, by connection and message."""

    def __init__(self, answer: Callable[[int, object], list[ToActor] | None]) -> None:
        self._answer = answer
        self.connections = 0
        self.closed = True
        self.waiting_bytes = 0
        self.ended = "hung up"
        self.told: list[object] = []
        self._coming: list[bytes] = []

    def connect(self) -> bool:
        self.connections += 1
        self.closed, self._coming = False, []
        return True

    def send(self, payload: bytes) -> None:
        message = decode_to_learner(payload)
        self.told.append(message)
        answer = self._answer(self.connections, message)
        if answer is None:
            self.closed = True
        else:
            self._coming += [encode(each) for each in answer]

    def receive(self) -> list[bytes]:
        coming, self._coming = self._coming, []
        if b"damage" in coming:
            raise LinkError("damaged")
        return coming

    def say(self, *messages: ToActor) -> None:
        self._coming += [encode(each) for each in messages]

    def wait(self, seconds: float) -> None:
        time.sleep(0.001)

    def close(self, linger_s: float = 0.0) -> None:
        self.closed = True


class Store:
    """Rows in memory."""

    def __init__(self, rows: int, saved: int = -1) -> None:
        self.rows = [b"row %d" % number for number in range(rows)]
        self.saved = saved
        self.forgotten: list[int] = []

    @property
    def committed(self) -> int:
        return len(self.rows) - 1

    def read(self, after: int, most_bytes: int) -> Future[Chunk]:
        rows = [sealed(n, data) for n, data in enumerate(self.rows)][after + 1 : after + 11]
        future: Future[Chunk] = Future()
        future.set_result(Chunk(after + 1, tuple(rows)))
        return future

    def forget(self, sequence: int) -> None:
        self.forgotten.append(sequence)


class Shelf:
    """Policies in memory."""

    def __init__(self) -> None:
        self.kept: list[Sealed] = []

    def check(self, data: bytes) -> Sealed:
        return unseal(data, pendulum_schema())

    def keep(self, sealed: Sealed, data: bytes) -> None:
        self.kept.append(sealed)

    def newest(self) -> Sealed | None:
        return None


def offer(version: int, learned: int) -> Offer:
    learner = CountingLearner(3, 1)
    learner.updates = version
    return Offer(
        envelope=seal(learner.policy(), version, {STREAM.hex(): learned}, pendulum_schema())
    )


def welcome(stored: int) -> Welcome:
    return Welcome(run="run", stored=stored, lockstep=False)


def standing(stored: int, saved: int = -1) -> Acknowledged:
    return Acknowledged(
        stored=stored, learned=stored, saved=saved, updates=0, owed=0.0, replay_bytes=0
    )


def storing(_: int, message: object) -> list[ToActor] | None:
    """A learner that stores everything at once."""
    if isinstance(message, Hello):
        return [welcome(-1), standing(-1)]
    if isinstance(message, Rows):
        return [standing(message.first + len(message.rows) - 1)]
    return []


Made = Callable[..., Uplink]


@pytest.fixture
def start() -> Iterator[Made]:
    made: list[Uplink] = []

    def begin(store: Store, client: Client, shelf: Shelf | None = None, **more: object) -> Uplink:
        uplink = Uplink(store, shelf or Shelf(), HELLO, client, **more)  # type: ignore[arg-type]
        made.append(uplink)
        uplink.start()
        return uplink

    yield begin
    for uplink in made:
        uplink.close()


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end
        time.sleep(0.002)


def rows_told(client: Client) -> list[int]:
    """Numbers of all rows that were sent, in order, doubles included."""
    return [
        number
        for message in client.told
        if isinstance(message, Rows)
        for number in range(message.first, message.first + len(message.rows))
    ]


def test_everything_that_is_on_the_disk_is_sent_once_and_in_order(start: Made) -> None:
    store, client = Store(25), Client(storing)
    uplink = start(store, client)
    until(lambda: uplink.standing.stored == 24)
    store.rows.append(b"one more")
    until(lambda: uplink.standing.stored == 25)
    assert rows_told(client) == list(range(26))
    assert uplink.lost_s == 0.0
    assert uplink.trouble == ""


def test_after_a_cut_it_sends_what_the_learner_does_not_have(start: Made) -> None:
    def cutting(connection: int, message: object) -> list[ToActor] | None:
        if connection == 1 and isinstance(message, Rows):
            return None if message.first else [standing(9)]
        if connection == 2 and isinstance(message, Hello):
            return [welcome(9), standing(9)]
        return storing(connection, message)

    client = Client(cutting)
    uplink = start(Store(25), client)
    until(lambda: uplink.standing.stored == 24)
    assert client.connections == 2
    assert rows_told(client) == [*range(20), *range(10, 25)]


@pytest.mark.parametrize(
    ("stored", "saved", "says"),
    [(7, -1, "another store, or an older copy"), (1, 3, "are not kept here any more")],
)
def test_a_learner_that_does_not_fit_the_store_is_a_failure(
    start: Made, stored: int, saved: int, says: str
) -> None:
    uplink = start(Store(5, saved), Client(lambda *_: [welcome(stored)]))
    until(lambda: uplink.failure is not None)
    assert says in str(uplink.failure)


def test_what_a_checkpoint_holds_is_forgotten(start: Made) -> None:
    store, client = Store(5), Client(storing)
    uplink = start(store, client)
    until(lambda: uplink.standing.stored == 4)
    client.say(standing(4, saved=3), standing(4, saved=3), standing(4, saved=2))
    until(lambda: store.forgotten == [3])
    client.say(standing(4, saved=4))
    until(lambda: store.forgotten == [3, 4])


def test_a_policy_is_kept_before_it_is_taken_and_an_older_one_is_not(start: Made) -> None:
    shelf, client = Shelf(), Client(storing)
    uplink = start(Store(5), client, shelf)
    until(lambda: uplink.standing.stored == 4)
    client.say(offer(3, 4), offer(2, 1), offer(4, 4))
    until(lambda: len(shelf.kept) == 2)
    assert [sealed.version for sealed in uplink.take_policies()] == [3, 4]
    assert uplink.take_policies() == []


def test_a_policy_that_is_damaged_or_cannot_be_kept_is_told(start: Made) -> None:
    class Full(Shelf):
        def keep(self, sealed: Sealed, data: bytes) -> None:
            if sealed.version == 5:
                raise OSError(28, "no room")
            super().keep(sealed, data)

    shelf, client = Full(), Client(storing)
    uplink = start(Store(1), client, shelf)
    until(lambda: uplink.standing.stored == 0)
    client.say(Offer(envelope=b"nonsense"), offer(5, 0), offer(6, 0))
    until(lambda: len(shelf.kept) == 1)
    refused = uplink.take_refused()
    assert len(refused) == 2
    assert "no room" in refused[1]


def test_silence_is_told_unless_the_learner_said_that_it_is_busy(start: Made) -> None:
    now = 0.0
    client = Client(storing)
    uplink = start(Store(1), client, clock=lambda: now)
    until(lambda: uplink.standing.stored == 0)
    assert uplink.lost_s == 0.0
    now = SILENT_S + 0.1
    assert uplink.lost_s == pytest.approx(now)
    client.say(Busy(doing="saving", seconds=60.0))
    until(lambda: uplink.lost_s == 0.0)
    now += 59.0
    assert uplink.lost_s == 0.0
    now += 2.0
    assert uplink.lost_s > 0.0
    client.say(standing(0))
    until(lambda: uplink.lost_s == 0.0)


def test_a_learner_that_cannot_go_on_is_a_failure_by_name(start: Made) -> None:
    client = Client(lambda *_: [Failed(message="its disk is gone")])
    uplink = start(Store(1), client)
    until(lambda: uplink.failure is not None)
    assert "its disk is gone" in str(uplink.failure)


def test_damage_ends_the_connection_alone(start: Made) -> None:
    client = Client(storing)
    uplink = start(Store(3), client)
    until(lambda: uplink.standing.stored == 2)
    client._coming = [b"damage"]
    until(lambda: client.connections == 2)
    until(lambda: uplink.lost_s == 0.0)


def test_a_wish_for_a_checkpoint_is_told_again_in_a_new_connection(start: Made) -> None:
    client = Client(storing)
    uplink = start(Store(3), client)
    until(lambda: uplink.standing.stored == 2)
    uplink.ask_to_save(2)
    until(lambda: client.told.count(Save(sequence=2)) == 1)
    client.closed = True
    until(lambda: client.told.count(Save(sequence=2)) == 2)


def test_it_takes_its_leave(start: Made) -> None:
    client = Client(storing)
    uplink = start(Store(1), client)
    until(lambda: uplink.standing.stored == 0)
    uplink.close()
    assert isinstance(client.told[-1], Leave)


def test_a_learner_that_speaks_out_of_turn_is_not_listened_to(start: Made) -> None:
    client = Client(lambda *_: [standing(3)])
    uplink = start(Store(1), client)
    until(lambda: client.connections >= 2)
    assert uplink.welcome is None
    assert "welcome" in uplink.trouble
