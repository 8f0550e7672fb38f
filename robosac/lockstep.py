"""Algorithm 1 of the paper in lock-step: one environment step, then its gradient updates.

The robot and the learner take turns, so under a virtual clock a run depends on its seed alone.
Checkpoints are taken at episode edges, where the environment begins anew from a seed: a run that
was killed and resumed equals the run that was never killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robosac import checkpoint
from robosac.actor import Actor, episode_seed
from robosac.assembly import Stage
from robosac.evaluation import recorder_for
from robosac.experience import make_replay
from robosac.exploration import RandomActions
from robosac.generators import generator_state
from robosac.learners import Learner
from robosac.learning import Learning
from robosac.metrics import EvaluationRow, MetricsWriter
from robosac.progress import Progress
from robosac.run_state import EXPLORATION
from robosac.runs import RunFolder
from robosac.settings import TrainConfig
from robosac.training_log import TrainingLog

TRAINING_STREAM, EXPLORATION_STREAM = 0, 2


class LockstepTraining:
    """One run: the actor, the replay buffer and the learner, and where their traces go.

    Args:
        run: its folder; holds the configuration.
        stage: where to act.
        learner: critics, policy and temperature.
        metrics: where rows go.
        progress: what the user sees.
        wall_clock: monotonic seconds, for rates and labels only.
    """

    def __init__(
        self,
        run: RunFolder,
        stage: Stage,
        learner: Learner,
        metrics: MetricsWriter,
        progress: Progress,
        wall_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config: TrainConfig = run.config
        self.run, self.stage, self.learner = run, stage, learner
        self._progress = progress
        replay = make_replay(self.config, stage.env)
        self.learning = Learning(self.config, learner, replay, wall_clock)
        self.actor = Actor(stage.env, "lockstep")
        self._ticks_per_step = stage.ticks_per_step
        self._exploration = np.random.default_rng((self.config.seed, EXPLORATION_STREAM))
        self._random = RandomActions(
            self._exploration, learner.action_dim, self.config.sac.random_correlation
        )
        self.episode = 0
        self.robot_s = 0.0
        self.falls = 0
        self._log = TrainingLog(run, stage, metrics, progress, wall_clock)

    @property
    def step(self) -> int:
        """Environment steps so far; all of them are learned from."""
        return self.learning.step

    def train(self) -> None:
        """Train to the end of the episode in which the configured steps are reached."""
        self._progress.start(self.step)
        self.learning.begin()
        try:
            self._run_episodes()
        finally:
            self.learning.close()

    def _run_episodes(self) -> None:
        """Episodes, and what is due between them."""
        while self.step < self.config.steps:
            before = self.step
            self._run_episode()
            if self._due(before, self.config.evaluation.every_steps):
                self.evaluate()
            if self.episode % self.config.checkpoint_every_episodes == 0:
                self.save()
        if checkpoint.folder_for(self.run.path, self.step) not in checkpoint.checkpoints(
            self.run.path
        ):
            self.save()

    def evaluate(self) -> EvaluationRow:
        """Run the configured evaluation and record it."""
        return self._log.evaluate(self.learner.policy(), self.step, self.robot_s)

    def _run_episode(self) -> None:
        """One episode: act, record, learn; Algorithm 1's two inner loops."""
        self.actor.begin(
            self.episode, episode_seed(self.config.seed, TRAINING_STREAM, self.episode)
        )
        self._random.begin()
        self.learner.begin_episode()
        recorder = recorder_for(self.stage)
        recorder.begin(self.actor.info)
        while recorder.end is None:
            with self._log.stopwatch.phase("policy"):
                action = self._action()
            with self._log.stopwatch.phase("tick", self._ticks_per_step):
                transition = self.actor.step(action, self.learner.updates)
            self.learning.take(transition)
            recorder.add(transition, self.actor.info)
            self.robot_s += self.stage.seconds_per_step
            while self.learning.may_update:
                self.learning.update()
            self._progress.update(step=self.step, robot_s=self.robot_s)
            if self.learning.means_are_due:
                self._write_rows()
        self.episode += 1
        self.falls += recorder.fell
        self._log.episode(
            recorder,
            episode=self.episode - 1,
            step=self.step,
            robot_s=self.robot_s,
            falls=self.falls,
            replay_bytes=self.learning.replay.memory_bytes,
            operator_calls=self.actor.info.get("operator_calls"),
            get_ups=self.actor.info.get("get_ups"),
        )

    def _action(self) -> NDArray[np.float32]:
        if self.step < self.config.sac.random_steps:
            return self._random.next()
        return self.learner.act(self.actor.observation, deterministic=False)

    def _due(self, before: int, every: int) -> bool:
        """True when a multiple of `every` steps was passed since `before`, or training is over."""
        return before // every != self.step // every or self.step >= self.config.steps

    def _write_rows(self) -> None:
        means, update_us = self.learning.take_means()
        if means is None:
            self._progress.update(note="random actions")
        else:
            self._log.learner(means, self.robot_s)
        self._log.timing(self.step, self.robot_s, update_us)

    def save(self) -> None:
        """Write a checkpoint: everything that the rest of the run depends on."""
        clock = self.stage.clock_state
        document: dict[str, Any] = {
            "step": self.step,
            "episode": self.episode,
            "sequence": self.actor.sequence,
            "robot_s": self.robot_s,
            "wall_s": self._log.wall_s,
            "falls": self.falls,
            "clock_steps": None if clock is None else clock.steps,
        }
        exploration = {EXPLORATION: generator_state(self._exploration)}
        self.learning.save(self.run.path, document, exploration, with_replay=True)

    def resume(self) -> None:
        """Take over the newest checkpoint; a run without one begins anew.

        Raises:
            RunFolderError: the checkpoint is damaged or does not fit the configuration.
        """
        folder = checkpoint.latest(self.run.path)
        if folder is None:
            return
        exploration = {EXPLORATION: self._exploration}
        document = self.learning.load(folder, exploration, with_replay=True)
        self.episode, self.robot_s = document["episode"], document["robot_s"]
        self.actor.sequence, self.falls = document["sequence"], document["falls"]
        self._log.wall_before = document["wall_s"]
        if self.stage.clock_state is not None:
            self.stage.clock_state.steps = document["clock_steps"]
