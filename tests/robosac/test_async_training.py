"""Actor and learner as two processes: neither waits for the other, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robosac import checkpoint
from robosac.actor import Actor
from robosac.async_training import AsyncTraining
from robosac.backpressure import LinkState
from robosac.config import load_preset
from robosac.errors import LearnerLost
from robosac.messages import Acknowledged, EpisodeEnded, LearnerMeans, Published, Ready, Save
from robosac.metrics import EpisodeRow, EvaluationRow, LearnerRow
from robosac.policy_feed import FOLDER, PolicyFeed
from robosac.progress import Progress
from robosac.runs import RunFolder
from robosac.stage import Stage
from robosac.states import SafetyState
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
    newest = checkpoint.latest(folder)
    assert newest is not None
    return checkpoint.load(newest)


def check_whole(folder: Path, taken: list[Transition], ratio: float = 1.0) -> None:
    """The replay holds every transition once and in order, and the ratio was kept."""
    tensors, document = last_checkpoint(folder)
    assert document["step"] == document["sequence"] == len(taken) == int(tensors["replay.added"])
    for name in ("observation", "next_observation"):
        expected = np.stack([getattr(transition, name) for transition in taken])
        np.testing.assert_array_equal(tensors[f"replay.{name}"], expected)
    assert [t.sequence for t in taken] == list(range(len(taken)))
    # As in lock-step: updates begin with the last of the 100 random steps.
    assert int(tensors["learner.updates"]) == int((len(taken) - 99) * ratio)


def test_a_killed_learner_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[Transition]
) -> None:
    with training(tmp_path / "run", "steps=1400") as (made, link):
        first: list[int] = []

        def kill() -> None:
            assert link.pid is not None
            first.append(link.pid)
            os.kill(link.pid, signal.SIGKILL)

        at_step(monkeypatch, {950: kill})
        made.train()
        assert link.pid != first[0]
    check_whole(tmp_path / "run", taken)
    assert made.policy_version > 0


def test_a_hung_learner_delays_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[Transition]
) -> None:
    with training(tmp_path / "run", "steps=1000", "sac.updates_per_step=0.3") as (made, link):

        def send(number: int) -> Callable[[], None]:
            def act() -> None:
                assert link.pid is not None
                os.kill(link.pid, number)

            return act

        # The whole rest of an episode is acted while the learner is stopped.
        at_step(monkeypatch, {405: send(signal.SIGSTOP), 599: send(signal.SIGCONT)})
        with rescue_after(PATIENCE_S, send(signal.SIGCONT)) as waited_for_it:
            made.train()
        assert not waited_for_it.is_set()
    check_whole(tmp_path / "run", taken, ratio=0.3)
    versions = {t.policy_version for t in taken if t.episode == 2}
    assert len(versions) == 1, "a policy changes between episodes alone"


def test_a_damaged_policy_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[Transition]
) -> None:
    with training(tmp_path / "run", "steps=1000") as (made, _):
        alive = AsyncTraining._take_policy

        def take(training: AsyncTraining) -> None:
            told = training.link.published
            if training.episode in (2, 3) and told is not None:
                file = tmp_path / "run" / FOLDER / told.file
                # A newer one may have taken its place just now; then it cannot be read either.
                with suppress(FileNotFoundError):
                    data = bytearray(file.read_bytes())
                    data[-1] ^= 1
                    file.write_bytes(data)
            alive(training)

        monkeypatch.setattr(AsyncTraining, "_take_policy", take)
        made.train()
        assert made.refused > 0
    acted = [next(t.policy_version for t in taken if t.episode == e) for e in range(5)]
    assert acted[1] == acted[2] == acted[3] < acted[4]


def test_a_learner_that_is_behind_ends_the_episode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[Transition]
) -> None:
    overrides = ("steps=700", "learner_process.behind_steps=50")
    with training(tmp_path / "run", *overrides) as (made, link):

        def stop() -> None:
            assert link.pid is not None
            os.kill(link.pid, signal.SIGSTOP)

        def go_on() -> None:
            assert link.pid is not None
            os.kill(link.pid, signal.SIGCONT)

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

    def __init__(self, run: RunFolder, lost_after: int) -> None:
        policy = CountingLearner(112, 8).policy()
        self.published: Published | None = PolicyFeed(run.path).publish(policy, 1)
        self.saved = -1
        self.next_sequence = 0
        self.progress = Acknowledged(sequence=-1, updates=0, owed=0.0, replay_bytes=0)
        self.sent: list[Transition] = []
        self._lost_after = lost_after

    @property
    def state(self) -> LinkState:
        lost_s = 601.0 if self.next_sequence >= self._lost_after else 0.0
        return LinkState(behind_steps=0.0, kept_bytes=0, lost_s=lost_s)

    def open(self) -> Ready:
        return Ready(sequence=-1, exploration=b"")

    def send(self, transition: Transition) -> None:
        self.sent.append(transition)
        self.next_sequence += 1

    def take_means(self) -> list[LearnerMeans]:
        return []

    def end_episode(self, ended: EpisodeEnded) -> None: ...
    def save(self, request: Save) -> None: ...
    def pump(self) -> None: ...
    def wait(self, seconds: float) -> None: ...
    def revive(self) -> None: ...
    def close(self) -> None: ...


def test_without_a_learner_for_too_long_torque_goes_off(
    tmp_path: Path, make_twin: Callable[..., Stage]
) -> None:
    overrides = ("task.episode_steps=30", "task.settle_s=0.05", "learner_process.used=true")
    stage = make_twin(*overrides)
    run = RunFolder.create(tmp_path / "run", load_preset("minitaur", overrides))
    link = ScriptedLink(run, lost_after=5)
    with run.metrics_writer() as metrics:
        made = AsyncTraining(run, stage, link, metrics, Progress(100, "test"))
        with pytest.raises(LearnerLost, match="without_learner_s"):
            made.train()
    assert stage.executor is not None
    assert stage.executor.safety is SafetyState.DISARMED
    assert [t.end for t in link.sent] == [None] * 5 + [EpisodeEnd.LEARNER_LOST]
    stage.env.close()


def test_what_must_not_be_learned_from_ends_the_run_by_name(
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
        pytest.raises(LearnerLost, match="transition 150"),
    ):
        made.train()


def test_an_interrupted_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: list[Transition]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with training(tmp_path / "run", "steps=900") as (made, _), monkeypatch.context() as patch:
        at_step(patch, {450: interrupt})
        with pytest.raises(KeyboardInterrupt):
            made.train()
    _, document = last_checkpoint(tmp_path / "run")
    assert document["step"] == 450
    with training(tmp_path / "run") as (made, _):
        assert made.actor.sequence == made.step == 450
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
