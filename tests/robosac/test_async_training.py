"""Actor and learner as two processes: neither waits for the other, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robosac import checkpoint
from robosac.actor import Actor
from robosac.actor_state import ActorState
from robosac.async_training import AsyncTraining
from robosac.backpressure import LinkState
from robosac.config import load_preset
from robosac.envelope import Sealed, seal, unseal
from robosac.errors import LearnerLost, PolicyRefused, TransitionRefused
from robosac.messages import Acknowledged, LearnerMeans, decode_experience, transition_of
from robosac.metrics import EpisodeRow, EvaluationRow, LearnerRow
from robosac.policy_shelf import PolicyShelf
from robosac.progress import Progress
from robosac.runs import RunFolder
from robosac.schema import schema_of
from robosac.stage import Stage
from robosac.states import SafetyState
from robosac.store.inbox import Inbox
from robosac.tasks.ends import EpisodeEnd
from robosac.transition import Transition
from tests.robosac.learner_rig import CountingLearner, rescue_after, training

PATIENCE_S = 60.0
"""Far more than anything here takes; only so that a hang fails instead of hanging."""


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[Transition]:
    """Every transition that an actor makes outside evaluations, in order."""
    made: list[Transition] = []
    alive = Actor.step

    def step(actor: Actor, *arguments: Any) -> Transition:
        transition = alive(actor, *arguments)
        if actor.actor_id == "actor":
            made.append(transition)
        return transition

    monkeypatch.setattr(Actor, "step", step)
    return made


def at_step(
    monkeypatch: pytest.MonkeyPatch, actions: dict[int, Callable[[], None]]
) -> Callable[[], int]:
    """Do something just before some steps of the actor; returns what counts the steps."""
    alive, count = Actor.step, 0

    def step(actor: Actor, *arguments: Any) -> Transition:
        nonlocal count
        if actor.actor_id == "actor":
            actions.get(count, lambda: None)()
            count += 1
        return alive(actor, *arguments)

    monkeypatch.setattr(Actor, "step", step)
    return lambda: count


def last_checkpoint(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    newest = checkpoint.latest(folder / "learner")
    assert newest is not None
    return checkpoint.load(newest)


def stored(folder: Path) -> list[Transition]:
    """What the learner of a run has on its disk, in the order in which it came."""
    inbox = Inbox(folder / "learner" / "inbox.sqlite")
    try:
        rows = inbox.read(-1, 1_000_000, 1_000_000_000)
    finally:
        inbox.close()
    return [transition_of(decode_experience(row.data)) for row in rows]


def check_whole(folder: Path, taken: list[Transition], ratio: float = 1.0) -> None:
    """The learner has every transition once and in order, and the ratio was kept."""
    tensors, document = last_checkpoint(folder)
    assert document["step"] == len(taken)
    found = stored(folder)
    assert [t.sequence for t in found] == [t.sequence for t in taken] == list(range(len(taken)))
    for name in ("observation", "next_observation", "executed_action"):
        expected = np.stack([getattr(transition, name) for transition in taken])
        np.testing.assert_array_equal(np.stack([getattr(t, name) for t in found]), expected)
    # As in lock-step: updates begin with the last of the 100 random steps.
    assert int(tensors["learner.updates"]) == int((len(taken) - 99) * ratio)


def test_batches_may_be_drawn_ahead_in_the_learners_process(
    tmp_path: Path, taken: list[Transition]
) -> None:
    settings = ("steps=300", "sac.updates_per_step=3", "learner_prefetch=true")
    with training(tmp_path / "run", *settings) as (made, _):
        made.train()
    check_whole(tmp_path / "run", taken, ratio=3.0)


def test_a_killed_learner_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[Transition]
) -> None:
    with training(tmp_path / "run", "steps=1400") as (made, own):
        first: list[int] = []

        def kill() -> None:
            assert own.child.pid is not None
            first.append(own.child.pid)
            os.kill(own.child.pid, signal.SIGKILL)

        at_step(monkeypatch, {950: kill})
        made.train()
        assert own.child.pid != first[0]
    check_whole(tmp_path / "run", taken)
    assert made.policy_version > 0


def test_a_hung_learner_delays_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[Transition]
) -> None:
    with training(tmp_path / "run", "steps=1000", "sac.updates_per_step=0.3") as (made, own):

        def send(number: int) -> Callable[[], None]:
            def act() -> None:
                assert own.child.pid is not None
                os.kill(own.child.pid, number)

            return act

        # The whole rest of an episode is acted while the learner is stopped.
        at_step(monkeypatch, {405: send(signal.SIGSTOP), 599: send(signal.SIGCONT)})
        with rescue_after(PATIENCE_S, send(signal.SIGCONT)) as waited_for_it:
            made.train()
        assert not waited_for_it.is_set()
    check_whole(tmp_path / "run", taken, ratio=0.3)
    versions = {t.policy_version for t in taken if t.episode == 2}
    assert len(versions) == 1, "a policy changes between episodes alone"


def test_a_policy_that_is_not_fit_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[Transition]
) -> None:
    alive, refused = PolicyShelf.check, set[int]()

    def check(shelf: PolicyShelf, data: bytes) -> Sealed:
        sealed = alive(shelf, data)
        if 300 < sealed.learned.get(made.link.stream, -1) < 700:
            refused.add(sealed.version)
            raise PolicyRefused("this one shall not be")
        return sealed

    # However slow this computer, the learner is not left behind by more than an episode.
    overrides = ("steps=1200", "learner_process.behind_steps=100")
    with training(tmp_path / "run", *overrides) as (made, own):
        monkeypatch.setattr(PolicyShelf, "check", check)
        made.train()
        assert "this one shall not be" in own.link.refused
    acted = {t.policy_version for t in taken}
    assert refused
    assert not acted & refused, "the old one stays"
    assert max(acted) > max(refused), "and a better one is taken"


def test_a_learner_that_is_behind_ends_the_episode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[Transition]
) -> None:
    overrides = ("steps=700", "learner_process.behind_steps=50")
    with training(tmp_path / "run", *overrides) as (made, own):

        def stop() -> None:
            assert own.child.pid is not None
            os.kill(own.child.pid, signal.SIGSTOP)

        def go_on() -> None:
            assert own.child.pid is not None
            os.kill(own.child.pid, signal.SIGCONT)

        alive = AsyncTraining._await_room

        def await_room(training: AsyncTraining) -> None:
            go_on()
            alive(training)

        monkeypatch.setattr(AsyncTraining, "_await_room", await_room)
        at_step(monkeypatch, {210: stop})
        made.train()
    check_whole(tmp_path / "run", taken)
    ends = [
        row.end for row in RunFolder.open(tmp_path / "run").rows() if isinstance(row, EpisodeRow)
    ]
    assert EpisodeEnd.LEARNER_BEHIND in ends
    behind = [t for t in taken if t.end is EpisodeEnd.LEARNER_BEHIND]
    assert not any(t.terminated for t in behind), "the value of what follows is not cut"


def test_a_learner_that_cannot_live_ends_the_run_by_name(tmp_path: Path) -> None:
    broken = (sys.executable, "-c", "raise SystemExit(3)")
    with (
        training(tmp_path / "run", "steps=400", command=broken) as (made, _),
        pytest.raises(LearnerLost, match=r"learner\.log"),
    ):
        made.train()


class ScriptedLink:
    """A learner that answers until the actor has sent so many transitions."""

    def __init__(self, stage: Stage, lost_after: int) -> None:
        schema = schema_of(load_preset("minitaur"), stage.env)
        self.newest: Sealed | None = unseal(
            seal(CountingLearner(112, 8).policy(), 1, {}, schema), schema
        )
        self.refused: list[str] = []
        self.stream = "00"
        self.actor_state, self.last_episode = ActorState(), -1
        self.next_sequence = 0
        self.progress = Acknowledged(
            stored=-1, learned=-1, saved=-1, updates=0, owed=0.0, replay_bytes=0
        )
        self.sent: list[Transition] = []
        self._lost_after = lost_after

    @property
    def state(self) -> LinkState:
        lost_s = 601.0 if self.next_sequence >= self._lost_after else 0.0
        return LinkState(behind_steps=0.0, kept_bytes=0, lost_s=lost_s)

    def send(self, transition: Transition, state: ActorState | None = None) -> None:
        self.sent.append(transition)
        self.next_sequence += 1

    def policy_after(self, sequence: int) -> Sealed | None:
        return self.newest

    def learned_from(self, sealed: Sealed) -> int:
        return -1

    def take_means(self) -> list[LearnerMeans]:
        return []

    def open(self, *, may_act_alone: bool) -> None: ...
    def save(self) -> None: ...
    def wait(self, seconds: float) -> None: ...
    def revive(self) -> None: ...
    def close(self) -> None: ...


def test_without_a_learner_for_too_long_torque_goes_off(
    tmp_path: Path, make_twin: Callable[..., Stage]
) -> None:
    overrides = ("task.episode_steps=30", "task.settle_s=0.05", "learner_process.used=true")
    stage = make_twin(*overrides)
    run = RunFolder.create(tmp_path / "run", load_preset("minitaur", overrides))
    link = ScriptedLink(stage, lost_after=5)
    with run.metrics_writer() as metrics:
        made = AsyncTraining(run, stage, link, metrics, Progress(100, "test"))
        with pytest.raises(LearnerLost, match="without_learner_s"):
            made.train()
    assert stage.executor is not None
    assert stage.executor.safety is SafetyState.DISARMED
    assert [t.end for t in link.sent] == [None] * 5 + [EpisodeEnd.LEARNER_LOST]
    assert [t.policy_lag for t in link.sent] == list(range(6))
    ages = [t.policy_age_s for t in link.sent]
    assert ages == pytest.approx([0.02 * step for step in range(6)])
    stage.env.close()


def test_what_must_not_be_learned_from_ends_the_run_by_name_and_is_not_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = Actor.step

    def step(actor: Actor, *arguments: Any) -> Transition:
        transition = alive(actor, *arguments)
        if transition.sequence == 150:
            object.__setattr__(transition, "reward", float("nan"))
        return transition

    monkeypatch.setattr(Actor, "step", step)
    with (
        training(tmp_path / "run", "steps=4000") as (made, _),
        pytest.raises(TransitionRefused, match="transition 150: reward"),
    ):
        made.train()
    assert len(stored(tmp_path / "run")) <= 150


def test_an_interrupted_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[Transition]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with training(tmp_path / "run", "steps=900") as (made, _), monkeypatch.context() as patch:
        at_step(patch, {450: interrupt})
        with pytest.raises(KeyboardInterrupt):
            made.train()
    with training(tmp_path / "run") as (made, _):
        assert made.actor.sequence == made.step == 450
        assert made.episode == 3, "the episode that was broken off stays as it is"
        made.train()
    check_whole(tmp_path / "run", taken)
    rows = RunFolder.open(tmp_path / "run").rows()
    assert [row.step for row in rows if isinstance(row, EvaluationRow)] == [made.step]


PROBE = """
import sys
from pathlib import Path
from robosac import commands
from robosac.metrics import LearnerRow
from robosac.runs import RunFolder

settings = ["learner_process.used=true", "steps=1000", "sac.random_steps=100", "sac.batch_size=16",
    "sac.updates_per_step=0.25",
    "sac.hidden_units=[16, 16]", "sac.replay_capacity=2000", "evaluation.episodes=1"]
commands.train("gym:Pendulum-v1", settings, Path("run"))
print("torch", "torch" in sys.modules)
"""


def test_the_product_trains_and_its_actor_has_no_torch(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "torch False"
    tensors, document = last_checkpoint(tmp_path / "run")
    assert document["step"] == 1000
    assert int(tensors["learner.updates"]) == 225
    rows = [row for row in RunFolder.open(tmp_path / "run").rows() if isinstance(row, LearnerRow)]
    assert rows[-1].alpha is not None
    assert 0 < rows[-1].alpha < 1
