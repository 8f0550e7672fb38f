"""Transitions in, updates out: the inner loop of Algorithm 1, wherever the transitions come from.

Knows no torch: learner and replay are handed in.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robosac.errors import TransitionRefused
from robosac.experience import Experience
from robosac.generators import generator_state
from robosac.governor import RatioGovernor
from robosac.learner_averages import LEARNER_ROW_STEPS, LearnerAverages, Losses
from robosac.messages import LearnerMeans
from robosac.prefetch import Prefetch
from robosac.replay import Batch
from robosac.run_state import SAMPLING, load_state, save_state
from robosac.sac import PixelPolicy, Policy
from robosac.sac.settings import Core
from robosac.settings import TrainConfig
from robosac.stopwatch import Stopwatch
from robosac.transition import Transition

REPLAY_STREAM = 3
"""The seed's stream that batches are drawn with."""


def _say(words: str) -> None:
    sys.stderr.write(f"robosac: warning: {words}\n")


class Learner(Protocol):
    """What is needed of a learner; `robosac.learners.Learner` is one."""

    target_entropy: float
    updates_per_call: int

    @property
    def core(self) -> Core: ...
    def go_on_with(self, core: Core) -> bool: ...

    @property
    def updates(self) -> int: ...
    def update_many(self, batches: Sequence[Batch[Any]]) -> Sequence[Losses]: ...
    def policy(self) -> Policy | PixelPolicy: ...
    def state(self) -> dict[str, NDArray[Any]]: ...
    def load(self, state: Mapping[str, NDArray[Any]]) -> None: ...


class Learning:
    """A learner, what it draws from, and how many updates the transitions have paid for.

    Args:
        config: the run's settings.
        learner: critics, policy and temperature.
        replay: empty, of the run's shapes; this object's alone from now on.
        clock: monotonic seconds, for rates only.
        warn: tells a person; on standard error by default.
    """

    def __init__(
        self,
        config: TrainConfig,
        learner: Learner,
        replay: Experience,
        clock: Callable[[], float] = time.monotonic,
        warn: Callable[[str], object] = _say,
    ) -> None:
        self._settings, self._seed, self._warn = config.sac, config.seed, warn
        self._prefetch = Prefetch(replay) if config.learner_prefetch else None
        self.learner, self.replay = learner, replay if self._prefetch is None else self._prefetch
        self.governor = RatioGovernor(config.sac.updates_per_step)
        self.step = 0
        """Transitions that were taken."""
        self._sampling = np.random.default_rng((config.seed, REPLAY_STREAM))
        self._averages, self._stopwatch = LearnerAverages(clock), Stopwatch(clock)

    def close(self) -> None:
        """Leave no thread behind. Raises: what drawing a batch ahead failed with."""
        if self._prefetch is not None:
            self._prefetch.close()

    def begin(self) -> None:
        """Count the rate of updates from now."""
        self._averages.begin(self.learner.updates)

    def keep(self, transition: Transition) -> None:
        """Put a transition into the replay that was paid for before: after a restart.

        Raises:
            TransitionRefused: its shape is wrong, or a value is not finite.
            ValueError, MemoryError: drawing a batch ahead failed.
        """
        if transition.rewarded:
            if self._prefetch is not None:
                # Outside, so that a batch that cannot be drawn is not taken for a wrong transition.
                self._prefetch.settle()
            try:
                self.replay.add(
                    transition.observation,
                    transition.executed_action,
                    transition.reward,
                    transition.next_observation,
                    transition.terminated,
                )
            except ValueError as error:
                raise TransitionRefused(f"transition {transition.sequence}: {error}") from error

    def take(self, transition: Transition) -> None:
        """Put a new transition into the replay; it pays for updates. Raises: see `keep`."""
        self.keep(transition)
        self.step += 1
        settings = self._settings
        if self.step >= settings.random_steps and self.replay.ready(settings.batch_size):
            self.governor.step()

    @property
    def may_update(self) -> bool:
        """Whether the transitions have paid for another update."""
        return self.governor.may_update and self.replay.ready(self._settings.batch_size)

    def update(self) -> None:
        """Make an update that is owed, or as many of them as the learner likes to make at once.

        Raises:
            ValueError: none is owed, or a batch cannot be drawn.
            MemoryError: there is none left.
        """
        # What is owed in part is not made yet, and one is owed whenever this is called.
        count = max(1, min(int(self.governor.owed), self.learner.updates_per_call))
        with self._stopwatch.phase("update", count):
            for losses in self.learner.update_many(self._batches(count)):
                self._averages.add(losses)
        for _ in range(count):
            self.governor.updated()

    def _batches(self, count: int) -> list[Batch[Any]]:
        """Batches for so many updates; those of the next call are drawn meanwhile, if it is owed.

        Ahead of what is owed there would be newer transitions to draw from.
        """
        size, prefetch = self._settings.batch_size, self._prefetch
        if prefetch is None:
            return [self.replay.sample(self._sampling, size) for _ in range(count)]
        batches = prefetch.sample_many(self._sampling, size, count)
        following = min(int(self.governor.owed - count), self.learner.updates_per_call)
        if following > 0:
            prefetch.draw_ahead(self._sampling, size, following)
        return batches

    @property
    def means_are_due(self) -> bool:
        """Whether this step ends a row of the metrics."""
        return self.step % LEARNER_ROW_STEPS == 0

    def take_means(self) -> tuple[LearnerMeans | None, float | None]:
        """What the newest updates saw, and the mean time of one in us; None: there was none."""
        update_us = self._stopwatch.take_us("update")
        learner = self.learner
        means = self._averages.take(
            self.step, learner.updates, learner.target_entropy, update_us, learner.core
        )
        return means, update_us

    def save(
        self,
        run: Path,
        document: Mapping[str, Any],
        generators: Mapping[str, NDArray[np.uint8]],
        *,
        with_replay: bool,
    ) -> None:
        """Write the checkpoint of `document["step"]`, with `owed` and the seed beside it.

        Args:
            run: the run's folder.
            document: the caller's counters.
            generators: states of the caller's generators, by name.
            with_replay: False: the transitions are kept elsewhere, in order.

        Raises:
            FileExistsError: this step has a checkpoint.
            OSError: the disk refuses; no checkpoint appears.
        """
        save_state(
            run,
            self.learner,
            self.replay if with_replay else None,
            {**generators, SAMPLING: generator_state(self._sampling)},
            {
                **document,
                "owed": self.governor.owed,
                "seed": self._seed,
                "core": self.learner.core,
            },
        )

    def load(
        self,
        folder: Path,
        generators: Mapping[str, np.random.Generator],
        *,
        with_replay: bool,
    ) -> dict[str, Any]:
        """Take over a checkpoint but for the replay, unless that is in it; return its document.

        Raises:
            RunFolderError: it is damaged, or does not fit this run.
        """
        document = load_state(
            folder,
            self.learner,
            self.replay if with_replay else None,
            {**generators, SAMPLING: self._sampling},
            self._seed,
        )
        # Runs of before there was another had torch's.
        core = document.get("core", "torch")
        if not self.learner.go_on_with(core):
            self._warn(
                f"{folder} was learned with the {core} core, which is not to be had here: it goes"
                f" on with {self.learner.core}'s, equal but for rounding, not to the bit"
            )
        self.step = document["step"]
        self.governor = RatioGovernor(self._settings.updates_per_step, document["owed"])
        return document
