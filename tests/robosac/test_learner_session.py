"""A learner's session against an actor in memory: what is stored, told and refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from robosac.errors import SequenceGap, StoreFull
from robosac.learner_board import Board, Standing
from robosac.learner_session import HEARTBEAT_S, HUNG_S, Session
from robosac.messages import (
    VERSION,
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
    experience_of,
)
from robosac.store.rows import Row as StoredRow
from robosac.store.rows import checksum
from robosac.transition import Transition
from tests.robosac.learner_rig import pendulum_schema

STREAM = bytes(range(16))
MEANS = LearnerMeans(
    step=1000, updates=900, critic_loss=1.0, actor_loss=1.0, alpha=1.0, entropy=1.0,
    target_entropy=-1.0, q_mean=0.0, updates_per_s=1.0, update_us=None,
)  # fmt: skip


class Line:
    """An actor that says one batch at each look and then hangs up."""

    def __init__(self, *batches: Sequence[ToLearner | bytes], looks: int = 0) -> None:
        self._batches = [list(batch) for batch in batches] + [[]] * looks
        self.closed = False
        self.waiting_bytes = 0
        self.told: list[object] = []
        self.on_wait: Callable[[], None] = lambda: None

    def send(self, payload: bytes) -> None:
        self.told.append(decode_to_actor(payload))

    def receive(self) -> list[bytes]:
        batch = self._batches.pop(0) if self._batches else []
        return [m if isinstance(m, bytes) else encode(m) for m in batch]

    def wait(self, seconds: float) -> None:
        self.on_wait()
        self.closed = self.closed or not self._batches

    def close(self) -> None:
        self.closed = True

    def of(self, kind: type) -> list:
        return [message for message in self.told if isinstance(message, kind)]


class Shelf:
    """An inbox in memory, which may refuse."""

    def __init__(self, stored: int = -1) -> None:
        self.hi = stored
        self.rows: list[StoredRow] = []
        self.refusals: list[Exception] = []

    def register(self, stream_id: bytes, actor_id: str) -> int:
        return self.hi

    def accept(self, stream_id: bytes, first_sequence: int, rows: Sequence[StoredRow]) -> int:
        if self.refusals:
            raise self.refusals.pop(0)
        if first_sequence > self.hi + 1:
            raise SequenceGap(f"{first_sequence} came; {self.hi + 1} is next")
        self.rows += rows
        self.hi = first_sequence + len(rows) - 1
        return self.hi


def transition(sequence: int, reward: float = 1.0) -> Transition:
    seen, action = np.zeros(3, np.float32), np.zeros(1, np.float32)
    return Transition(
        "actor", 0, sequence, sequence, 0, seen, action, action, 0, reward, True, {},
        seen, None, 0.0, 0.0,
    )  # fmt: skip


def rows(*made: Transition) -> Rows:
    packed = []
    for each in made:
        data = encode(experience_of(each))
        packed.append(Row(checksum(each.sequence, data), data))
    return Rows(first=made[0].sequence, rows=tuple(packed))


def hello(**changed: object) -> Hello:
    plain = Hello(version=VERSION, actor_id="actor", stream=STREAM, schema=pendulum_schema())
    return msgspec.structs.replace(plain, **changed)


def served(
    line: Line, inbox: Shelf | None = None, board: Board | None = None, name: str | None = None
) -> Session:
    session = Session(
        line, name, "run", False, board or Board(lambda: 0.0), inbox or Shelf(), lambda: 0.0
    )
    session.run()
    assert line.closed
    return session


def test_rows_are_stored_before_they_are_acknowledged() -> None:
    line, inbox = Line([hello()], [rows(transition(0), transition(1))], [Leave()]), Shelf()
    served(line, inbox)
    assert [row.data for row in inbox.rows] == [
        encode(experience_of(transition(n))) for n in range(2)
    ]
    assert line.of(Welcome) == [Welcome(run="run", stored=-1, lockstep=False)]
    assert [message.stored for message in line.of(Acknowledged)][-1] == 1


def test_an_actor_that_comes_back_is_told_where_it_stands() -> None:
    line = Line([hello()])
    served(line, Shelf(stored=41))
    assert line.of(Welcome)[0].stored == 41


@pytest.mark.parametrize(
    ("first", "says"),
    [
        (hello(version=1), "speaks version 1"),
        (hello(actor_id="other"), "its certificate says actor"),
        (
            hello(schema=msgspec.structs.replace(pendulum_schema(), robot="dog")),
            "robot: 'gym:Pendulum-v1' here, 'dog' there",
        ),
    ],
)
def test_what_would_be_the_same_the_next_time_is_told(first: Hello, says: str) -> None:
    board = Board(lambda: 0.0)
    board.agree(pendulum_schema())
    line = Line([first])
    served(line, board=board, name="actor")
    (failed,) = line.of(Failed)
    assert says in failed.message
    assert board.actors == ()


@pytest.mark.parametrize(
    "first", [[Leave()], [b"nonsense"], [hello(), hello()], []], ids=["leave", "noise", "two", "no"]
)
def test_a_false_begin_ends_the_connection_alone(first: list[ToLearner | bytes]) -> None:
    line = Line(first)
    session = served(line)
    assert session.broken is not None
    assert not line.told


def test_a_damaged_row_stores_nothing_and_the_actor_may_come_again() -> None:
    good = rows(transition(0), transition(1))
    bad = Rows(first=0, rows=(good.rows[0], Row(good.rows[1].crc ^ 1, good.rows[1].data)))
    line, inbox = Line([hello()], [bad]), Shelf()
    session = served(line, inbox)
    assert session.broken is not None
    assert "transition 1 is damaged" in session.broken
    assert not inbox.rows
    assert not line.of(Failed)


def test_a_row_in_anothers_place_is_not_taken() -> None:
    good = rows(transition(3))
    moved = Rows(first=0, rows=(Row(checksum(0, good.rows[0].data), good.rows[0].data),))
    line, inbox = Line([hello()], [moved]), Shelf()
    served(line, inbox)
    (failed,) = line.of(Failed)
    assert "transition 3 of actor came as 0 of actor" in failed.message
    assert not inbox.rows


@pytest.mark.parametrize(
    ("sent", "says"),
    [(rows(transition(0, float("nan"))), "reward"), (rows(transition(5)), "0 is next")],
)
def test_what_must_not_be_learned_from_is_told(sent: Rows, says: str) -> None:
    line, inbox = Line([hello()], [sent]), Shelf()
    served(line, inbox)
    (failed,) = line.of(Failed)
    assert says in failed.message
    assert not inbox.rows


def test_a_full_disk_is_waited_for() -> None:
    line, inbox = Line([hello()], [rows(transition(0))], looks=3), Shelf()
    inbox.refusals = [StoreFull("no room")]
    served(line, inbox)
    assert line.of(Busy)[0].doing == "no room"
    assert inbox.hi == 0


def test_news_are_told_once_and_the_policy_before_the_standing_that_belongs_to_it() -> None:
    board = Board(lambda: 0.0)
    line = Line([hello()], looks=4)
    looked = 0

    def work() -> None:
        nonlocal looked
        looked += 1
        if looked == 2:
            board.offer(b"policy")
            board.tell_means(MEANS)
            board.tell(Standing({STREAM: 7}, {}, 900, 0.0, 12))

    line.on_wait = work
    served(line, board=board)
    assert [message.envelope for message in line.of(Offer)] == [b"policy"]
    assert line.of(LearnerMeans) == [MEANS]
    even = next(
        n for n, m in enumerate(line.told) if isinstance(m, Acknowledged) and m.learned == 7
    )
    assert even > next(n for n, m in enumerate(line.told) if isinstance(m, Offer))


def test_a_hung_learner_falls_silent_though_its_sessions_live() -> None:
    now = 0.0
    board = Board(lambda: now)
    line = Line([hello()], looks=400)

    def pass_time() -> None:
        nonlocal now
        now += HEARTBEAT_S

    line.on_wait = pass_time
    session = Session(line, None, "run", False, board, Shelf(), lambda: now)
    session.run()
    heard = len(line.of(Acknowledged))
    assert HUNG_S / HEARTBEAT_S - 1 <= heard <= HUNG_S / HEARTBEAT_S + 2


def test_a_learner_that_cannot_go_on_says_so() -> None:
    board = Board(lambda: 0.0)
    board.fail("the disk is gone")
    line = Line([hello()], looks=2)
    served(line, board=board)
    assert line.of(Failed) == [Failed(message="the disk is gone")]


def test_an_actor_that_is_here_anew_ends_its_older_session() -> None:
    board = Board(lambda: 0.0)
    line = Line([hello()], looks=50)
    looked = 0

    def come_again() -> None:
        nonlocal looked
        looked += 1
        if looked == 3:
            board.join("actor", pendulum_schema())

    line.on_wait = come_again
    served(line, board=board)
    assert looked == 3
    assert board.actors == ("actor",), "the newer one stays"


def test_a_wish_for_a_checkpoint_reaches_the_loop() -> None:
    board = Board(lambda: 0.0)
    served(Line([hello()], [Save(sequence=12)]), board=board)
    assert board.take_saves() == {STREAM: 12}
    assert board.take_saves() == {}


def test_a_step_that_earned_nothing_may_hold_anything_of_the_right_shape() -> None:
    lost = replace(transition(0, float("nan")), rewarded=False)
    line, inbox = Line([hello()], [rows(lost)]), Shelf()
    served(line, inbox)
    assert inbox.hi == 0
