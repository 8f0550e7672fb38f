"""The learner's loop against an inbox in memory: no process, no clock, no torch."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robosac import checkpoint
from robosac.config import load_preset
from robosac.errors import TransitionRefused
from robosac.prefetch import THREAD
from robosac.replay import Batch, Replay
from robosac.run_state import SAMPLING
from robosac.schema import schema_of
from robosac.tasks.ends import EpisodeEnd
from robosac.told_spaces import spaces_of
from tests.robosac.learner_rig import SMALL, pendulum_schema
from tests.robosac.learner_service_rig import (
    STREAM,
    MemoryInbox,
    Offers,
    Remembering,
    row,
    served,
)


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


def test_what_must_not_be_learned_from_is_refused_by_number(run_path: Path) -> None:
    with pytest.raises(TransitionRefused, match="transition 1: reward"):
        served(run_path, MemoryInbox([row(0), row(1, reward=float("nan"))]))


def test_a_step_that_earned_nothing_counts_and_is_not_learned_from(run_path: Path) -> None:
    service = served(run_path, MemoryInbox([row(0), row(1, float("nan"), rewarded=False)]))
    assert (service.learning.step, len(service.learning.replay)) == (2, 1)


def test_in_lockstep_a_policy_comes_at_each_edge_and_only_there(run_path: Path) -> None:
    ends = {49, 119, 149}
    rows = [row(n, end=EpisodeEnd.TRUNCATED if n in ends else None) for n in range(170)]
    offers = Offers()
    served(run_path, MemoryInbox(rows), "learner_process.lockstep=true", board=offers)
    assert [sealed.learned.get(STREAM.hex(), -1) for sealed in offers.told] == [-1, 49, 119, 149]
    assert [sealed.version for sealed in offers.told] == [0, 0, 21, 51]


def test_in_lockstep_rows_that_come_late_or_early_change_nothing(run_path: Path) -> None:
    rows = [row(n, end=EpisodeEnd.TRUNCATED if n % 40 == 39 else None) for n in range(160)]
    early, late = Offers(), Offers()
    served(run_path, MemoryInbox(rows), "learner_process.lockstep=true", board=early)
    inbox = MemoryInbox()
    rest = list(rows)

    def drip(turn: int) -> None:
        if turn % 3 == 0 and rest:
            inbox.rows.append(rest.pop(0))

    served(
        run_path.with_name("late"), inbox, "learner_process.lockstep=true", board=late,
        turns=1000, before_turn=drip,
    )  # fmt: skip
    assert [sealed.sha256 for sealed in early.told] == [sealed.sha256 for sealed in late.told]


def test_while_it_is_behind_policies_come_all_the_same(run_path: Path) -> None:
    offers = Offers()
    rows = [row(number) for number in range(600)]
    served(run_path, MemoryInbox(rows), "learner_process.publish_updates=100", board=offers)
    assert [sealed.version for sealed in offers.told] == [0, 100, 200, 300, 400, 500]


@pytest.mark.parametrize("ratio", [0.5, 2.5, 4.0])
@pytest.mark.parametrize("every", [1, 2, 7])
def test_batches_drawn_ahead_are_the_same_while_transitions_come(
    run_path: Path, monkeypatch: pytest.MonkeyPatch, ratio: float, every: int
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
            run_path / prefetch, inbox, f"sac.updates_per_step={ratio}",
            f"learner_prefetch={prefetch}", turns=400, before_turn=come, learner=Remembering,
        )  # fmt: skip
        newest = checkpoint.latest(run_path / prefetch)
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
    run_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, more_come: bool
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
        served(run_path, inbox, "learner_prefetch=true", before_turn=come)
    assert raised.value is error


def test_the_spaces_are_those_that_were_told() -> None:
    run = load_preset("gym:Pendulum-v1", SMALL)
    told = spaces_of(pendulum_schema())
    assert schema_of(run, told) == pendulum_schema()
