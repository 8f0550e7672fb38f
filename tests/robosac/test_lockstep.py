"""Lock-step training: repeatable, resumable to the bit, and it learns from what was executed."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robosac import checkpoint, commands
from robosac.actor import Actor
from robosac.assembly import Stage, make_stage
from robosac.config import load_preset
from robosac.frame_replay import FrameReplay
from robosac.learners import make_learner
from robosac.lockstep import LockstepTraining
from robosac.metrics import EpisodeRow, LearnerRow
from robosac.prefetch import THREAD
from robosac.progress import Progress
from robosac.replay import Replay
from robosac.run_state import KEPT_CHECKPOINTS
from robosac.runs import RunFolder
from robosac.transition import Transition
from tests.robosac.turn_rig import quick

SMALL = (
    "sac.batch_size=16",
    "sac.hidden_units=[16, 16]",
    "sac.replay_capacity=1000",
    "checkpoint_every_episodes=1",
    "evaluation.every_steps=100000",
    "evaluation.episodes=1",
)
WALK = (*SMALL, "sac.random_steps=30", "task.episode_steps=20", "task.settle_s=0.05")
ALONE = (
    *(setting for setting in WALK if "episode_steps" not in setting),
    "task.episode_steps=12",
    "task.reset=self",
    "task.get_up_retries=0",
)
CLAW = (*SMALL, "sac.random_steps=10", "task.episode_steps=8", *quick())
AHEAD = ("learner_prefetch=true", "sac.updates_per_step=3")
PENDULUM = (*SMALL, "sac.random_steps=100")


class Killed(BaseException):
    """Nothing in the product may catch this."""


def dying_after(steps: int) -> Callable[..., Transition]:
    """An `Actor.step` that dies in the middle of an episode."""
    alive, count = Actor.step, 0

    def step(actor: Actor, *arguments: object) -> Transition:
        nonlocal count
        count += 1
        if count > steps:
            raise Killed
        return alive(actor, *arguments)  # type: ignore[arg-type]

    return step


def whole(folder: Path) -> tuple[dict[str, bytes], dict[str, object]]:
    """The newest checkpoint, comparable to the bit; wall time is not part of the result."""
    newest = checkpoint.latest(folder)
    assert newest is not None
    return bits(newest)


def bits(path: Path) -> tuple[dict[str, bytes], dict[str, object]]:
    """A checkpoint likewise."""
    tensors, document = checkpoint.load(path)
    document.pop("wall_s")
    return {name: value.tobytes() for name, value in tensors.items()}, document


@pytest.mark.parametrize(
    ("preset", "overrides", "steps", "killed_at"),
    [
        ("minitaur", WALK, 70, 47),
        ("minitaur", (*WALK, "recipe=fast"), 70, 47),
        ("minitaur", ALONE, 36, 20),
        ("claw", CLAW, 28, 21),
        ("claw-pixels", CLAW, 28, 21),
        ("claw-pixels", (*CLAW, *AHEAD), 28, 21),
        ("gym:Pendulum-v1", PENDULUM, 600, 450),
    ],
)
def test_killed_and_resumed_equals_never_killed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    preset: str,
    overrides: tuple[str, ...],
    steps: int,
    killed_at: int,
) -> None:
    settings = [*overrides, f"steps={steps}"]
    commands.train(preset, settings, tmp_path / "whole")
    killed = tmp_path / "killed"
    with monkeypatch.context() as patch:
        patch.setattr(Actor, "step", dying_after(killed_at))
        with pytest.raises(Killed):
            commands.train(preset, settings, killed)
    with (killed / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "torn')
    commands.resume(killed)
    assert whole(killed) == whole(tmp_path / "whole")
    returns = [
        [row.return_ for row in RunFolder.open(folder).rows() if isinstance(row, EpisodeRow)]
        for folder in (killed, tmp_path / "whole")
    ]
    assert returns[0] == returns[1]
    assert len(returns[0]) >= 3


@pytest.mark.parametrize(
    ("preset", "overrides", "ahead"),
    [
        ("minitaur", (*WALK, "recipe=fast", "steps=60"), 3 * 31),
        ("claw-pixels", (*CLAW, "sac.updates_per_step=2.5", "steps=24"), 13),
        ("gym:Pendulum-v1", (*PENDULUM, "sac.updates_per_step=3", "steps=400"), 2 * 301),
        ("gym:Pendulum-v1", (*PENDULUM, "steps=400"), 0),
    ],
)
def test_batches_drawn_ahead_change_nothing_to_the_bit(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    preset: str,
    overrides: tuple[str, ...],
    ahead: int,
) -> None:
    drawn: list[bool] = []

    def counted(cls: type[Any]) -> Callable[..., Any]:
        sample = cls.sample

        def counting(buffer: Any, *arguments: Any) -> Any:
            drawn.append(threading.current_thread().name.startswith(THREAD))
            return sample(buffer, *arguments)

        return counting

    for cls in (Replay, FrameReplay):
        monkeypatch.setattr(cls, "sample", counted(cls))
    found: list[dict[str, object]] = []
    for prefetch in ("false", "true"):
        folder = tmp_path / prefetch
        commands.train(preset, [*overrides, f"learner_prefetch={prefetch}"], folder)
        assert len(checkpoint.checkpoints(folder)) == KEPT_CHECKPOINTS
        # The one before the last is of the middle of the run.
        found.append({path.name: bits(path) for path in checkpoint.checkpoints(folder)})
        assert sum(drawn) == (ahead if prefetch == "true" else 0)
        drawn.clear()
    assert found[0] == found[1]
    assert not [t for t in threading.enumerate() if t.name.startswith(THREAD)]


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    commands.train("minitaur", [*WALK, "steps=40"], tmp_path / "run")
    before = whole(tmp_path / "run")
    commands.resume(tmp_path / "run")
    assert whole(tmp_path / "run") == before


def training(stage: Stage, folder: Path, *overrides: str) -> LockstepTraining:
    config = load_preset("minitaur", [*WALK, *overrides])
    run = RunFolder.create(folder, config)
    progress = Progress(config.steps, "test")
    return LockstepTraining(
        run, stage, make_learner(config, stage.env), run.metrics_writer(), progress
    )


def test_the_replay_holds_executed_actions_and_only_falls_cut(
    tmp_path: Path, make_twin: Callable[..., Stage]
) -> None:
    stage = make_stage(load_preset("minitaur", WALK))
    done = training(stage, tmp_path / "run", "steps=20")
    done.train()
    state = done.learning.replay.state()
    np.testing.assert_array_equal(state["observation"][1:, -8:], state["action"][:-1])
    assert not state["terminated"].any()


@pytest.mark.parametrize(("ratio", "updates"), [(1.0, 11), (0.5, 5), (2.0, 22)])
def test_updates_keep_their_ratio(tmp_path: Path, ratio: float, updates: int) -> None:
    stage = make_stage(load_preset("minitaur", WALK))
    done = training(stage, tmp_path / "run", "steps=40", f"sac.updates_per_step={ratio}")
    done.train()
    # Updates begin with the last of the 30 random steps.
    assert done.learner.updates == updates


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    commands.train("gym:Pendulum-v1", [*PENDULUM, "steps=200"], tmp_path / "run")
    newest = checkpoint.latest(tmp_path / "run")
    assert newest is not None
    file = newest / checkpoint.TENSORS
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        commands.resume(tmp_path / "run")


def test_a_run_without_a_checkpoint_begins_anew(tmp_path: Path) -> None:
    commands.train("gym:Pendulum-v1", [*PENDULUM, "steps=200"], tmp_path / "run")
    first = whole(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    (tmp_path / "run" / "checkpoints").mkdir()
    commands.resume(tmp_path / "run")
    assert whole(tmp_path / "run") == first


def test_rows_tell_temperature_and_entropy(tmp_path: Path) -> None:
    settings = [*PENDULUM, "steps=1000", "sac.updates_per_step=0.25"]
    commands.train("gym:Pendulum-v1", settings, tmp_path / "run")
    rows = [row for row in RunFolder.open(tmp_path / "run").rows() if isinstance(row, LearnerRow)]
    assert rows[-1].updates == 225
    assert rows[-1].target_entropy == -1.0
    assert rows[-1].alpha is not None
    assert 0 < rows[-1].alpha < 1
