"""The learner's loop against an inbox in memory: no process, no clock, no torch."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robosac import checkpoint
from robosac.config import load_preset
from robosac.envelope import Sealed, unseal
from robosac.errors import RunFolderError, TransitionRefused
from robosac.learner_board import Board
from robosac.learner_service import LearnerService
from robosac.learning import Learning
from robosac.messages import encode, experience_of
from robosac.policy_shelf import PolicyShelf
from robosac.prefetch import THREAD
from robosac.replay import Batch, Replay
from robosac.run_state import KEPT_CHECKPOINTS, SAMPLING
from robosac.runs import RunFolder
from robosac.schema import schema_of
from robosac.store.inbox import Arrival, Stream
from robosac.tasks.ends import EpisodeEnd
from robosac.told_spaces import spaces_of
from robosac.transition import Transition
from tests.robosac.learner_rig import SMALL, Counted, CountingLearner, pendulum_schema

STREAM = bytes(16)


class MemoryInbox:
    """What an inbox is to the loop."""

    def __init__(self, rows: Sequence[bytes] = ()) -> None:
        self.rows = list(rows)
        self.checkpointed = -1
        self.streams = {0: Stream(0, STREAM, "actor", -1, -1)}

    @property
    def newest_arrival(self) -> int:
        return len(self.rows) - 1

    def read(self, after_arrival: int, most_rows: int, most_bytes: int) -> list[Arrival]:
        first = after_arrival + 1
        found = enumerate(self.rows[first : first + most_rows], first)
        return [Arrival(number, 0, number, data) for number, data in found]

    def mark_checkpointed(self, arrival: int) -> dict[bytes, int]:
        self.checkpointed = arrival
        return {STREAM: arrival}


def row(
    sequence: int, reward: float = 1.0, rewarded: bool = True, end: EpisodeEnd | None = None
) -> bytes:
    seen = np.full(3, sequence, np.float32)
    action = np.zeros(1, np.float32)
    transition = Transition(
        "actor", 0, sequence, sequence, 0, seen, action, action, 0, reward, rewarded, {},
        seen + 1, end, 0.0, 0.0,
    )  # fmt: skip
    return encode(experience_of(transition))


class Remembering(CountingLearner):
    """Its state is all that it was shown, in order."""

    def __init__(self, observations: int, actions: int) -> None:
        super().__init__(observations, actions)
        self._seen = 0

    def update_many(self, batches: Sequence[Batch[Any]]) -> list[Counted]:
        for batch in batches:
            self._seen = zlib.crc32(np.ascontiguousarray(batch.observation).tobytes(), self._seen)
        return super().update_many(batches)

    def state(self) -> dict[str, Any]:
        return super().state() | {"seen": np.array(self._seen)}

    def load(self, state: Mapping[str, Any]) -> None:
        super().load(state)
        self._seen = int(state["seen"])


class Killed(BaseException):
    """What no handler expects."""


class Offers:
    """A board that remembers every policy."""

    def __init__(self) -> None:
        self.board = Board(lambda: 0.0)
        self.told: list[Sealed] = []
        offer = self.board.offer

        def remember(envelope: bytes) -> None:
            self.told.append(unseal(envelope, pendulum_schema()))
            offer(envelope)

        self.board.offer = remember  # type: ignore[method-assign]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "run"


def served(
    folder: Path,
    inbox: MemoryInbox,
    *overrides: str,
    board: Offers | None = None,
    turns: int | None = None,
    before_turn: Callable[[int], None] = lambda _: None,
    clock: Callable[[], float] = lambda: 0.0,
    learner: type[CountingLearner] = CountingLearner,
) -> LearnerService:
    """A loop that ran until there was nothing left to do, or for so many turns."""
    if folder.exists():
        run = RunFolder.open(folder)
    else:
        run = RunFolder.create(folder, load_preset("gym:Pendulum-v1", [*SMALL, *overrides]))
    replay = Replay(run.config.sac.replay_capacity, (3,), 1)
    learning = Learning(run.config, learner(3, 1), replay, lambda: 0.0)
    shelf = PolicyShelf(folder / "policies", pendulum_schema())
    offers = board or Offers()
    offers.board.wait = lambda seconds: None  # type: ignore[method-assign]
    service = LearnerService(
        run, learning, inbox, shelf.publish, offers.board, lambda means: None, clock
    )
    looked = 0

    def stopped() -> bool:
        nonlocal looked
        before_turn(looked)
        looked += 1
        if turns is not None:
            return looked > turns
        idle = inbox.newest_arrival < learning.step and not learning.may_update
        return idle and looked > 3

    try:
        service.run(stopped)
    finally:
        learning.close()
    return service


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    ratio=st.sampled_from((0.1, 0.5, 1.0, 3.0)),
    total=st.integers(0, 200),
    lockstep=st.booleans(),
)
def test_updates_keep_the_ratio(
    tmp_path_factory: pytest.TempPathFactory, ratio: float, total: int, lockstep: bool
) -> None:
    folder = tmp_path_factory.mktemp("loop") / "run"
    overrides = (
        f"sac.updates_per_step={ratio}",
        "sac.random_steps=20",
        f"learner_process.lockstep={str(lockstep).lower()}",
    )
    service = served(folder, MemoryInbox([row(number) for number in range(total)]), *overrides)
    assert service.learning.step == len(service.learning.replay) == total
    assert service.learning.learner.updates == int(ratio * max(0, total - 19) + 1e-6)


def test_what_must_not_be_learned_from_is_refused_by_number(folder: Path) -> None:
    with pytest.raises(TransitionRefused, match="transition 1: reward"):
        served(folder, MemoryInbox([row(0), row(1, reward=float("nan"))]))


def test_a_step_that_earned_nothing_counts_and_is_not_learned_from(folder: Path) -> None:
    service = served(folder, MemoryInbox([row(0), row(1, float("nan"), rewarded=False)]))
    assert (service.learning.step, len(service.learning.replay)) == (2, 1)


def test_a_killed_learner_goes_on_from_its_checkpoint_and_the_rows_after_it(folder: Path) -> None:
    inbox = MemoryInbox(
        [row(n, end=EpisodeEnd.TRUNCATED if n == 149 else None) for n in range(150)]
    )
    overrides = ("checkpoint_every_episodes=1", "learner_process.lockstep=true")
    first = served(folder, inbox, *overrides)
    assert inbox.checkpointed == 149
    assert first.learning.learner.updates == 51
    newest = checkpoint.latest(folder)
    assert newest is not None
    tensors, document = checkpoint.load(newest)
    assert (document["step"], document["owed"]) == (150, 0.0)
    assert not [name for name in tensors if name.startswith("replay.")], "the inbox has them"
    inbox.rows += [row(150), row(151)]
    again = served(folder, inbox)
    assert len(again.learning.replay) == 152
    assert again.learning.learner.updates == 53
    never = served(folder.with_name("never"), inbox, *overrides)
    for name, value in never.learning.replay.state().items():
        np.testing.assert_array_equal(again.learning.replay.state()[name], value)


def test_a_checkpoint_of_another_inbox_is_refused(folder: Path) -> None:
    rows = [row(number) for number in range(30)]
    served(folder, MemoryInbox(rows))
    with pytest.raises(RunFolderError, match="30 transitions; the inbox has 20"):
        served(folder, MemoryInbox(rows[:20]))


def test_in_lockstep_a_policy_comes_at_each_edge_and_only_there(folder: Path) -> None:
    ends = {49, 119, 149}
    rows = [row(n, end=EpisodeEnd.TRUNCATED if n in ends else None) for n in range(170)]
    offers = Offers()
    served(folder, MemoryInbox(rows), "learner_process.lockstep=true", board=offers)
    assert [sealed.learned.get(STREAM.hex(), -1) for sealed in offers.told] == [-1, 49, 119, 149]
    assert [sealed.version for sealed in offers.told] == [0, 0, 21, 51]


def test_in_lockstep_rows_that_come_late_or_early_change_nothing(folder: Path) -> None:
    rows = [row(n, end=EpisodeEnd.TRUNCATED if n % 40 == 39 else None) for n in range(160)]
    early, late = Offers(), Offers()
    served(folder, MemoryInbox(rows), "learner_process.lockstep=true", board=early)
    inbox = MemoryInbox()
    rest = list(rows)

    def drip(turn: int) -> None:
        if turn % 3 == 0 and rest:
            inbox.rows.append(rest.pop(0))

    served(
        folder.with_name("late"), inbox, "learner_process.lockstep=true", board=late,
        turns=1000, before_turn=drip,
    )  # fmt: skip
    assert [sealed.sha256 for sealed in early.told] == [sealed.sha256 for sealed in late.told]


def test_while_it_is_behind_policies_come_all_the_same(folder: Path) -> None:
    offers = Offers()
    rows = [row(number) for number in range(600)]
    served(folder, MemoryInbox(rows), "learner_process.publish_updates=100", board=offers)
    assert [sealed.version for sealed in offers.told] == [0, 100, 200, 300, 400, 500]


@pytest.mark.parametrize("prefetch", ["false", "true"])
def test_a_learner_that_is_killed_while_it_is_behind_catches_up_all_the_same(
    folder: Path, prefetch: str
) -> None:
    inbox, now = MemoryInbox([row(number) for number in range(150)]), 0.0
    overrides = (
        "sac.updates_per_step=3",
        "learner_process.checkpoint_s=20",
        f"learner_prefetch={prefetch}",
    )

    def live_half_a_minute(turn: int) -> None:
        nonlocal now
        now += 1.0
        if turn == 30:
            raise Killed

    reached, kills, caught_up = [0], 0, None
    while caught_up is None and kills < 20:
        try:
            caught_up = served(
                folder, inbox, *overrides, before_turn=live_half_a_minute, clock=lambda: now,
                learner=Remembering,
            )  # fmt: skip
        except Killed:
            kills += 1
            newest = checkpoint.latest(folder)
            assert newest is not None
            reached.append(checkpoint.read_document(newest)["updates"])
            assert len(checkpoint.checkpoints(folder)) <= KEPT_CHECKPOINTS
    assert caught_up is not None
    assert kills > 3
    assert reached == sorted(set(reached)), "each life came further than the one before"
    # Drawn on the spot: a checkpoint that was written while a batch was drawn ahead is as good.
    never = served(folder.with_name("never"), inbox, *overrides[:2], learner=Remembering)
    assert caught_up.learning.learner.state() == never.learning.learner.state()


@pytest.mark.parametrize("ratio", [0.5, 2.5, 4.0])
@pytest.mark.parametrize("every", [1, 2, 7])
def test_batches_drawn_ahead_are_the_same_while_transitions_come(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ratio: float, every: int
) -> None:
    """A row comes every so many turns: before, while and after what is owed is made up for."""
    drawn: list[bool] = []
    sample = Replay.sample

    def counting(replay: Replay, rng: np.random.Generator, size: int) -> Batch[Any]:
        drawn.append(threading.current_thread().name.startswith(THREAD))
        return sample(replay, rng, size)

    monkeypatch.setattr(Replay, "sample", counting)
    found: list[tuple[dict[str, Any], bytes]] = []
    for prefetch in ("false", "true"):
        inbox = MemoryInbox([row(number) for number in range(105)])
        more = [row(number, end=EpisodeEnd.TRUNCATED) for number in range(105, 140)]

        def come(turn: int, inbox: MemoryInbox = inbox, more: list[bytes] = more) -> None:
            if turn % every == 0 and more:
                inbox.rows.append(more.pop(0))

        service = served(
            folder / prefetch, inbox, f"sac.updates_per_step={ratio}",
            f"learner_prefetch={prefetch}", turns=400, before_turn=come, learner=Remembering,
        )  # fmt: skip
        newest = checkpoint.latest(folder / prefetch)
        assert newest is not None
        tensors, _ = checkpoint.load(newest)
        found.append((service.learning.learner.state(), tensors[SAMPLING].tobytes()))
        assert any(drawn) == (prefetch == "true")
        drawn.clear()
    assert found[0] == found[1]
    assert found[0][0]["updates"] == int(ratio * 41)


@pytest.mark.parametrize("more_come", [False, True])
@pytest.mark.parametrize("error", [MemoryError("none left"), ValueError("out of range")])
def test_a_batch_that_cannot_be_drawn_is_no_fault_of_the_transition(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, more_come: bool
) -> None:
    sample = Replay.sample

    def failing(replay: Replay, rng: np.random.Generator, size: int) -> Batch[Any]:
        if threading.current_thread().name.startswith(THREAD):
            raise error
        return sample(replay, rng, size)

    monkeypatch.setattr(Replay, "sample", failing)
    inbox = MemoryInbox([row(number) for number in range(110)])

    def come(turn: int) -> None:
        if turn == 1 and more_come:
            inbox.rows.append(row(110))

    with pytest.raises(type(error)) as raised:
        served(folder, inbox, "learner_prefetch=true", before_turn=come)
    assert raised.value is error


def test_a_disk_that_refuses_while_it_is_behind_is_asked_again_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, tried, now = Learning.save, list[float](), 0.0

    def save(learning: Learning, *arguments: Any, **more: Any) -> None:
        tried.append(now)
        if len(tried) == 1:
            raise OSError(28, "no space left")
        alive(learning, *arguments, **more)

    monkeypatch.setattr(Learning, "save", save)

    def pass_time(_: int) -> None:
        nonlocal now
        now += 1.0

    inbox = MemoryInbox([row(number) for number in range(150)])
    served(
        folder, inbox, "learner_process.checkpoint_s=20", turns=60, before_turn=pass_time,
        clock=lambda: now,
    )  # fmt: skip
    assert tried == pytest.approx([21.0, 31.0, 51.0, 61.0], abs=1.0)


def test_in_lockstep_no_checkpoint_is_made_while_updates_are_owed(folder: Path) -> None:
    now = 0.0

    def pass_time(turn: int) -> None:
        nonlocal now
        now += 60.0
        assert checkpoint.latest(folder) is None
        if turn == 100:
            raise Killed

    inbox = MemoryInbox([row(number) for number in range(150)])
    with pytest.raises(Killed):
        served(
            folder, inbox, "learner_process.lockstep=true", "sac.updates_per_step=3",
            before_turn=pass_time, clock=lambda: now,
        )  # fmt: skip


def test_a_checkpoint_that_was_asked_for_is_taken_once_it_holds_that_row(folder: Path) -> None:
    offers = Offers()
    inbox = MemoryInbox([row(number) for number in range(100)])
    offers.board.ask_to_save(STREAM, 119)
    rest = [row(number) for number in range(100, 120)]

    def come(turn: int) -> None:
        if turn == 30:
            assert checkpoint.latest(folder) is None
            inbox.rows += rest

    served(
        folder, inbox, "learner_process.lockstep=true", board=offers, turns=400, before_turn=come
    )
    assert checkpoint.latest(folder) == checkpoint.folder_for(folder, 120, updates=21)
    assert offers.board.standing().saved == {STREAM: 119}


def test_a_disk_that_refuses_a_checkpoint_ends_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, tries, now = Learning.save, 0, 0.0

    def save(learning: Learning, *arguments: Any, **more: Any) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError(28, "no space left")
        alive(learning, *arguments, **more)

    monkeypatch.setattr(Learning, "save", save)
    offers = Offers()
    offers.board.ask_to_save(STREAM, 9)
    seen: list[str] = []

    def pass_time(turn: int) -> None:
        nonlocal now
        now += 1.0
        seen.append(offers.board.trouble)

    inbox = MemoryInbox([row(number) for number in range(10)])
    served(
        folder, inbox, "learner_process.lockstep=true", board=offers, turns=40,
        before_turn=pass_time, clock=lambda: now,
    )  # fmt: skip
    assert tries == 2
    assert any("no space left" in text for text in seen)
    assert offers.board.trouble == ""
    assert offers.board.standing().saved == {STREAM: 9}


def test_in_lockstep_a_refused_checkpoint_waits_for_the_next_edge(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive, tried, now = Learning.save, list[int](), 0.0

    def save(learning: Learning, *arguments: Any, **more: Any) -> None:
        tried.append(learning.step)
        if len(tried) == 1:
            raise OSError(28, "no space left")
        alive(learning, *arguments, **more)

    monkeypatch.setattr(Learning, "save", save)

    # The edge at 12 comes before the disk is asked again, the one at 30 after.
    rows = [row(n, end=EpisodeEnd.TRUNCATED if n in (9, 11, 29) else None) for n in range(40)]
    first = MemoryInbox(rows[:10])
    rest = rows[10:]

    def come(turn: int) -> None:
        nonlocal now
        now += 1.0
        if tried and rest:
            first.rows.append(rest.pop(0))

    served(
        folder, first, "learner_process.lockstep=true", "checkpoint_every_episodes=1",
        turns=120, before_turn=come, clock=lambda: now,
    )  # fmt: skip
    assert tried == [10, 30]


def test_the_spaces_are_those_that_were_told() -> None:
    run = load_preset("gym:Pendulum-v1", SMALL)
    told = spaces_of(pendulum_schema())
    assert schema_of(run, told) == pendulum_schema()
