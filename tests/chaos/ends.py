"""Actor and learner of a chaos run, each in a forked process; whoever is killed begins anew.

The product's own parts throughout. Only the arithmetic is small: a learner whose policy depends on
every transition and every batch, so that nothing can be lost, doubled or swapped unnoticed.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robosac.actor_link import open_link
from robosac.assembly import make_stage
from robosac.async_training import AsyncTraining
from robosac.learner_host import host
from robosac.learner_process import Silent
from robosac.link.addresses import Address
from robosac.link.key_folder import read_key_folder
from robosac.messages import encode, experience_of
from robosac.observation import Spaces, shape_of
from robosac.progress import Progress
from robosac.replay import Batch
from robosac.runs import RunFolder
from robosac.sac import Policy
from robosac.sac.settings import Core
from robosac.settings import TrainConfig
from robosac.transition import Transition
from tests.robosac.learner_rig import Counted

Make = Callable[[TrainConfig, Spaces], Any]


class SummingLearner:
    """Its policy is a function of every batch it saw, in their order."""

    target_entropy = -1.0
    updates_per_call = 1
    core: Core = "torch"

    def go_on_with(self, core: Core) -> bool:
        return core == self.core

    def __init__(self, observations: int, actions: int) -> None:
        self.updates = 0
        self._shape = observations, actions
        self._sum = np.zeros(1)

    def update_many(self, batches: Sequence[Batch[Any]]) -> list[Counted]:
        return [self._update(batch) for batch in batches]

    def _update(self, batch: Batch[Any]) -> Counted:
        assert np.isfinite(batch.reward).all()
        seen = float(np.asarray(batch.observation, np.float64).sum() + batch.reward.sum())
        self._sum = np.sin(1.7 * self._sum + seen)
        self.updates += 1
        return Counted()

    def policy(self) -> Policy:
        observations, actions = self._shape
        bias = np.full(2 * actions, self._sum[0], np.float32)
        return Policy({"weight0": np.zeros((observations, 2 * actions), np.float32), "bias0": bias})

    def state(self) -> dict[str, Any]:
        return {"updates": np.array(self.updates), "sum": self._sum}

    def load(self, state: Mapping[str, Any]) -> None:
        self.updates, self._sum = int(state["updates"]), np.array(state["sum"])


def make_summing(_: TrainConfig, spaces: Spaces) -> SummingLearner:
    return SummingLearner(shape_of(spaces.observation_space)[0], shape_of(spaces.action_space)[0])


def make_real(config: TrainConfig, spaces: Spaces) -> Any:
    """The product's learner; imports torch."""
    from robosac.learners import make_learner

    return make_learner(config, spaces)


@dataclass(frozen=True)
class Site:
    """Where one chaos run is."""

    actor: Path
    learner: Path
    """Run folders."""
    listens: Address
    calls: Address
    """Where the actor goes: the learner, or what stands between."""
    actor_keys: Path | None
    learner_keys: Path | None
    ledger: Path
    """What the actor saw committed, a line each: sequence number and checksum."""


class Ledger:
    """Writes down what is on the actor's disk, as soon as that is known."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._waiting: dict[int, int] = {}

    def put(self, transition: Transition) -> None:
        data = encode(experience_of(transition))
        self._waiting[transition.sequence] = zlib.crc32(data)

    def note(self, committed: int) -> None:
        done = sorted(sequence for sequence in self._waiting if sequence <= committed)
        lines = "".join(f"{sequence} {self._waiting.pop(sequence)}\n" for sequence in done)
        if lines:
            # One write: a kill leaves a whole line or none of it.
            os.write(self._file, lines.encode())


def act(site: Site) -> None:
    """Be the actor until the run's steps are made."""
    run = RunFolder.open(site.actor)
    stage = make_stage(run.config)
    keys = None if site.actor_keys is None else read_key_folder(site.actor_keys)
    name = "actor" if keys is None else keys.peer.name
    link = open_link(run, stage.env, name, site.calls, keys)
    ledger = Ledger(site.ledger)
    send = link.send
    # Of the product's store, which also says what is on the disk.
    store: Any = link.store

    def noted(transition: Transition, state: Any = None) -> None:
        fresh = transition.sequence >= link.next_sequence
        send(transition, state)
        if fresh:
            ledger.put(transition)
        ledger.note(store.committed)

    link.send = noted  # type: ignore[method-assign]
    run.truncate_after(link.actor_state.step, evaluated_again=True)
    try:
        with run.metrics_writer(link.actor_state.step) as metrics:
            training = AsyncTraining(
                run, stage, link, metrics, Progress(run.config.steps, ""), name
            )
            training.resume()
            training.train()
    finally:
        stage.close()
        link.close()
        ledger.note(store.committed)


def learn(site: Site, make: Make) -> None:
    """Be the learner until SIGTERM."""
    told = False

    def stop(*_: object) -> None:
        nonlocal told
        told = True

    signal.signal(signal.SIGTERM, stop)
    run = RunFolder.open(site.learner)
    keys = None if site.learner_keys is None else read_key_folder(site.learner_keys)
    if site.listens.path:
        Path(site.listens.path).unlink(missing_ok=True)
    host(run, site.listens, keys, make, Silent(), lambda: told)


def forked(work: Callable[[], None], log: Path) -> int:
    """Do `work` in a process of its own, whose output goes to `log`; its number."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(out, 1)
        os.dup2(out, 2)
        work()
        code = 0
    except BaseException:  # noqa: BLE001 (a fork must not return into what forked it)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
