"""What the learner's loop saves, and when: killed, behind, or before a disk that refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robosac import checkpoint
from robosac.errors import RunFolderError
from robosac.learning import Learning
from robosac.run_state import KEPT_CHECKPOINTS
from robosac.tasks.ends import EpisodeEnd
from tests.robosac.learner_service_rig import (
    STREAM,
    MemoryInbox,
    Offers,
    Remembering,
    row,
    served,
)


class Killed(BaseException):
    """What no handler expects."""


def refuse_the_first_save(
    monkeypatch: pytest.MonkeyPatch, told: Callable[[Learning], float]
) -> list[float]:
    """Have the disk be full once; what `told` says at each try is appended."""
    save, tries = Learning.save, list[float]()

    def refusing(learning: Learning, *arguments: Any, **more: Any) -> None:
        tries.append(told(learning))
        if len(tries) == 1:
            raise OSError(28, "no space left")
        save(learning, *arguments, **more)

    monkeypatch.setattr(Learning, "save", refusing)
    return tries


def test_a_killed_learner_goes_on_from_its_checkpoint_and_the_rows_after_it(run_path: Path) -> None:
    inbox = MemoryInbox(
        [row(n, end=EpisodeEnd.TRUNCATED if n == 149 else None) for n in range(150)]
    )
    overrides = ("checkpoint_every_episodes=1", "learner_process.lockstep=true")
    first = served(run_path, inbox, *overrides)
    assert inbox.checkpointed == 149
    assert first.learning.learner.updates == 51
    newest = checkpoint.latest(run_path)
    assert newest is not None
    tensors, document = checkpoint.load(newest)
    assert (document["step"], document["owed"]) == (150, 0.0)
    assert not [name for name in tensors if name.startswith("replay.")], "the inbox has them"
    inbox.rows += [row(150), row(151)]
    again = served(run_path, inbox)
    assert len(again.learning.replay) == 152
    assert again.learning.learner.updates == 53
    never = served(run_path.with_name("never"), inbox, *overrides)
    for name, value in never.learning.replay.state().items():
        np.testing.assert_array_equal(again.learning.replay.state()[name], value)


def test_a_checkpoint_of_another_inbox_is_refused(run_path: Path) -> None:
    rows = [row(number) for number in range(30)]
    served(run_path, MemoryInbox(rows))
    with pytest.raises(RunFolderError, match="30 transitions; the inbox has 20"):
        served(run_path, MemoryInbox(rows[:20]))


@pytest.mark.parametrize("prefetch", ["false", "true"])
def test_a_learner_that_is_killed_while_it_is_behind_catches_up_all_the_same(
    run_path: Path, prefetch: str
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
                run_path, inbox, *overrides, before_turn=live_half_a_minute, clock=lambda: now,
                learner=Remembering,
            )  # fmt: skip
        except Killed:
            kills += 1
            newest = checkpoint.latest(run_path)
            assert newest is not None
            reached.append(checkpoint.read_document(newest)["updates"])
            assert len(checkpoint.checkpoints(run_path)) <= KEPT_CHECKPOINTS
    assert caught_up is not None
    assert kills > 3
    assert reached == sorted(set(reached)), "each life came further than the one before"
    # Drawn on the spot: a checkpoint that was written while a batch was drawn ahead is as good.
    never = served(run_path.with_name("never"), inbox, *overrides[:2], learner=Remembering)
    assert caught_up.learning.learner.state() == never.learning.learner.state()


def test_a_disk_that_refuses_while_it_is_behind_is_asked_again_later(
    run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    tried = refuse_the_first_save(monkeypatch, lambda _: now)

    def pass_time(_: int) -> None:
        nonlocal now
        now += 1.0

    inbox = MemoryInbox([row(number) for number in range(150)])
    served(
        run_path, inbox, "learner_process.checkpoint_s=20", turns=60, before_turn=pass_time,
        clock=lambda: now,
    )  # fmt: skip
    assert tried == pytest.approx([21.0, 31.0, 51.0, 61.0], abs=1.0)


def test_in_lockstep_no_checkpoint_is_made_while_updates_are_owed(run_path: Path) -> None:
    now = 0.0

    def pass_time(turn: int) -> None:
        nonlocal now
        now += 60.0
        assert checkpoint.latest(run_path) is None
        if turn == 100:
            raise Killed

    inbox = MemoryInbox([row(number) for number in range(150)])
    with pytest.raises(Killed):
        served(
            run_path, inbox, "learner_process.lockstep=true", "sac.updates_per_step=3",
            before_turn=pass_time, clock=lambda: now,
        )  # fmt: skip


def test_a_checkpoint_that_was_asked_for_is_taken_once_it_holds_that_row(run_path: Path) -> None:
    offers = Offers()
    inbox = MemoryInbox([row(number) for number in range(100)])
    offers.board.ask_to_save(STREAM, 119)
    rest = [row(number) for number in range(100, 120)]

    def come(turn: int) -> None:
        if turn == 30:
            assert checkpoint.latest(run_path) is None
            inbox.rows += rest

    served(
        run_path, inbox, "learner_process.lockstep=true", board=offers, turns=400, before_turn=come
    )
    assert checkpoint.latest(run_path) == checkpoint.folder_for(run_path, 120, updates=21)
    assert offers.board.standing().saved == {STREAM: 119}


def test_a_disk_that_refuses_a_checkpoint_ends_nothing(
    run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    tried = refuse_the_first_save(monkeypatch, lambda _: now)
    offers = Offers()
    offers.board.ask_to_save(STREAM, 9)
    seen: list[str] = []

    def pass_time(turn: int) -> None:
        nonlocal now
        now += 1.0
        seen.append(offers.board.trouble)

    inbox = MemoryInbox([row(number) for number in range(10)])
    served(
        run_path, inbox, "learner_process.lockstep=true", board=offers, turns=40,
        before_turn=pass_time, clock=lambda: now,
    )  # fmt: skip
    assert len(tried) == 2
    assert any("no space left" in text for text in seen)
    assert offers.board.trouble == ""
    assert offers.board.standing().saved == {STREAM: 9}


def test_in_lockstep_a_refused_checkpoint_waits_for_the_next_edge(
    run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    tried = refuse_the_first_save(monkeypatch, lambda learning: learning.step)
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
        run_path, first, "learner_process.lockstep=true", "checkpoint_every_episodes=1",
        turns=120, before_turn=come, clock=lambda: now,
    )  # fmt: skip
    assert tried == [10, 30]
