"""A learner process with everything real but the arithmetic: no torch, so it starts fast.

Run as a program it is what `robosac.learner_process` is, with `CountingLearner` inside.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from robosac.actor_link import OwnLearner
from robosac.assembly import make_stage
from robosac.async_training import AsyncTraining
from robosac.config import load_preset
from robosac.learner_process import main
from robosac.observation import Spaces, shape_of
from robosac.progress import Progress
from robosac.replay import Batch
from robosac.runs import RunFolder
from robosac.sac import Policy
from robosac.sac.settings import Core
from robosac.schema import Schema, schema_of
from robosac.settings import TrainConfig

COMMAND = (sys.executable, "-P", __file__)
SMALL = (
    "learner_process.used=true",
    "sac.batch_size=16",
    "sac.hidden_units=[16, 16]",
    "sac.replay_capacity=5000",
    "sac.random_steps=100",
    "checkpoint_every_episodes=2",
    "evaluation.every_steps=100000",
    "evaluation.episodes=1",
)


@cache
def pendulum_schema() -> Schema:
    """What `gym:Pendulum-v1` shows and takes."""
    config = load_preset("gym:Pendulum-v1", SMALL)
    return schema_of(config, make_stage(config).env)


class Counted:
    """What one update of `CountingLearner` saw."""

    def floats(self) -> dict[str, float]:
        return dict.fromkeys(("critic_loss", "actor_loss", "alpha", "entropy", "q_mean"), 0.5)


class CountingLearner:
    """Its policy's head has the number of updates made, in thousands, as bias."""

    target_entropy = -1.0
    updates_per_call = 1
    core: Core = "torch"

    def go_on_with(self, core: Core) -> bool:
        return core == self.core

    def __init__(self, observations: int, actions: int) -> None:
        self.updates = 0
        self._shape = observations, actions

    def update_many(self, batches: Sequence[Batch[Any]]) -> list[Counted]:
        assert all(np.isfinite(batch.reward).all() for batch in batches)
        self.updates += len(batches)
        return [Counted() for _ in batches]

    def policy(self) -> Policy:
        observations, actions = self._shape
        bias = np.full(2 * actions, self.updates / 1000, np.float32)
        return Policy({"weight0": np.zeros((observations, 2 * actions), np.float32), "bias0": bias})

    def state(self) -> dict[str, Any]:
        return {"updates": np.array(self.updates)}

    def load(self, state: Mapping[str, Any]) -> None:
        self.updates = int(state["updates"])


def make_counting(_: TrainConfig, spaces: Spaces) -> CountingLearner:
    return CountingLearner(shape_of(spaces.observation_space)[0], shape_of(spaces.action_space)[0])


@contextmanager
def training(
    folder: Path, *overrides: str, command: tuple[str, ...] = COMMAND
) -> Iterator[tuple[AsyncTraining, OwnLearner]]:
    """Asynchronous training of a pendulum; a folder that is a run is resumed."""
    resumed = folder.exists()
    if resumed:
        run = RunFolder.open(folder)
    else:
        run = RunFolder.create(folder, load_preset("gym:Pendulum-v1", [*SMALL, *overrides]))
    stage = make_stage(run.config)
    own = OwnLearner(run, stage.env, command)
    with run.metrics_writer() as metrics:
        made = AsyncTraining(run, stage, own.link, metrics, Progress(run.config.steps, "test"))
        if resumed:
            made.resume()
        try:
            yield made, own
        finally:
            stage.env.close()
            own.close()


@contextmanager
def rescue_after(seconds: float, act: Callable[[], None]) -> Iterator[threading.Event]:
    """Do `act` unless the block ends in time; the event says whether it came to that."""
    late, done = threading.Event(), threading.Event()

    def watch() -> None:
        if not done.wait(seconds):
            late.set()
            act()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield late
    finally:
        done.set()
        watcher.join()


if __name__ == "__main__":
    sys.exit(main(make_counting, Path(sys.argv[1]), sys.argv[2]))
