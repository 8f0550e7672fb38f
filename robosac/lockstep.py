"""Algorithm 1 of the paper in lock-step: one environment step, then its gradient updates.

The robot and the learner take turns, so under a virtual clock a run depends on its seed alone.
Checkpoints are taken at episode edges, where the environment begins anew from a seed: a run that
was killed and resumed equals the run that was never killed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.statistics import BusStatistics
from robosac import checkpoint
from robosac.actor import Actor, episode_seed
from robosac.assembly import Stage
from robosac.errors import RunFolderError
from robosac.evaluation import evaluate, recorder_for
from robosac.evaluation_table import describe
from robosac.experience import make_replay
from robosac.generators import generator_state, restore_generator
from robosac.learners import Learner
from robosac.metrics import EvaluationRow, LearnerRow, MetricsWriter, TimingRow, summarise
from robosac.policies import save_policy
from robosac.progress import Progress
from robosac.recorder import EpisodeRecorder
from robosac.runs import RunFolder
from robosac.sac import Losses
from robosac.settings import TrainConfig
from robosac.stopwatch import Stopwatch

TRAINING_STREAM, EXPLORATION_STREAM, REPLAY_STREAM = 0, 2, 3
LEARNER_ROW_STEPS = 1000
AVERAGED_UPDATES = 100
"""The newest updates that a learner row averages over."""
KEPT_CHECKPOINTS = 2


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
        self._metrics, self._progress, self._wall_clock = metrics, progress, wall_clock
        self.replay = make_replay(self.config, stage.env)
        self.actor = Actor(stage.env, "lockstep")
        period = stage.executor.period if stage.executor else stage.seconds_per_step
        self._ticks_per_step = round(stage.seconds_per_step / period) if period else 1
        self._exploration = np.random.default_rng((self.config.seed, EXPLORATION_STREAM))
        self._sampling = np.random.default_rng((self.config.seed, REPLAY_STREAM))
        self.step = 0
        self.episode = 0
        self.robot_s = 0.0
        self.falls = 0
        self._owed = 0.0
        """Updates the ratio still asks for; less than one between steps."""
        self._wall_before = 0.0
        self._started = wall_clock()
        self._recent: deque[Losses] = deque(maxlen=AVERAGED_UPDATES)
        self._recent_since = (0.0, 0)
        self._stopwatch = Stopwatch(wall_clock)
        self._ticks_before = self._replies_before = (0, 0)

    @property
    def wall_s(self) -> float:
        """Wall time of this run, earlier sittings included, s."""
        return self._wall_before + self._wall_clock() - self._started

    def train(self) -> None:
        """Train to the end of the episode in which the configured steps are reached."""
        self._progress.start(self.step)
        self._recent_since = (self._wall_clock(), self.learner.updates)
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
        self._progress.update(note="evaluating")
        section = self.config.evaluation
        policy = self.learner.policy()
        found = evaluate(self.stage, policy, section.episodes, self.config.seed)
        row = summarise(found.episodes, step=self.step, wall_s=self.wall_s, robot_s=self.robot_s)
        found.keep(self.run, self.step)
        save_policy(self.run.evaluation_folder(self.step), policy)
        self._metrics.write(row)
        self._progress.update(evaluation=describe(row), note="")
        return row

    def _run_episode(self) -> None:
        """One episode: act, record, learn; Algorithm 1's two inner loops."""
        settings = self.config.sac
        self.actor.begin(
            self.episode, episode_seed(self.config.seed, TRAINING_STREAM, self.episode)
        )
        recorder = recorder_for(self.stage)
        recorder.begin(self.actor.info)
        while recorder.end is None:
            with self._stopwatch.phase("policy"):
                action = self._action()
            with self._stopwatch.phase("tick", self._ticks_per_step):
                transition = self.actor.step(action, self.learner.updates)
            if transition.rewarded:
                self.replay.add(
                    transition.observation,
                    transition.executed_action,
                    transition.reward,
                    transition.next_observation,
                    transition.terminated,
                )
            recorder.add(transition, self.actor.info)
            self.step += 1
            self.robot_s += self.stage.seconds_per_step
            if self.step >= settings.random_steps and self.replay.ready(settings.batch_size):
                with self._stopwatch.phase("update"):
                    self._learn()
            self._progress.update(step=self.step, robot_s=self.robot_s)
            if self.step % LEARNER_ROW_STEPS == 0:
                self._write_learner_row()
                self._write_timing_row()
        self.episode += 1
        self.falls += recorder.fell
        self._write_episode_row(recorder)

    def _action(self) -> NDArray[np.float32]:
        if self.step < self.config.sac.random_steps:
            uniform = self._exploration.uniform(-1.0, 1.0, self.learner.action_dim)
            return uniform.astype(np.float32)
        return self.learner.act(self.actor.observation, deterministic=False)

    def _learn(self) -> None:
        """Make the updates that the step just taken pays for."""
        self._owed += self.config.sac.updates_per_step
        while self._owed >= 1.0:
            batch = self.replay.sample(self._sampling, self.config.sac.batch_size)
            self._recent.append(self.learner.update(batch))
            self._owed -= 1.0

    def _due(self, before: int, every: int) -> bool:
        """True when a multiple of `every` steps was passed since `before`, or training is over."""
        return before // every != self.step // every or self.step >= self.config.steps

    def _write_learner_row(self) -> None:
        if not self._recent:
            self._progress.update(note="random actions")
            return
        names = ("critic_loss", "actor_loss", "alpha", "entropy", "q_mean")
        values = [losses.floats() for losses in self._recent]
        means = {name: float(np.mean([value[name] for value in values])) for name in names}
        now, (since, updates) = self._wall_clock(), self._recent_since
        rate = (self.learner.updates - updates) / max(now - since, 1e-9)
        self._recent.clear()
        self._recent_since = (now, self.learner.updates)
        target = self.learner.target_entropy
        self._metrics.write(
            LearnerRow(
                step=self.step,
                wall_s=self.wall_s,
                robot_s=self.robot_s,
                updates=self.learner.updates,
                target_entropy=target,
                updates_per_s=rate,
                **means,
            )
        )
        self._progress.update(
            alpha=means["alpha"],
            entropy=means["entropy"],
            target_entropy=target,
            updates_per_s=rate,
            note="",
        )

    def _write_timing_row(self) -> None:
        """How the executor kept time; only where there is one."""
        executor = self.stage.executor
        if executor is None:
            return
        counts = executor.statistics()
        ticks, skipped = self._ticks_before
        self._ticks_before = (counts.ticks, counts.skipped)
        bus = self.stage.bus_statistics() if self.stage.bus_statistics else BusStatistics()
        lost, bad = self._replies_before
        self._replies_before = (bus.lost, _bad(bus))
        self._metrics.write(
            TimingRow(
                step=self.step,
                wall_s=self.wall_s,
                robot_s=self.robot_s,
                lateness_p50_ms=counts.lateness_p50 * 1e3,
                lateness_p99_ms=counts.lateness_p99 * 1e3,
                lateness_max_ms=counts.lateness_max * 1e3,
                ticks=counts.ticks - ticks,
                skipped=counts.skipped - skipped,
                replies_lost=bus.lost - lost,
                replies_bad=_bad(bus) - bad,
                exchange_max_ms=bus.longest_s * 1e3,
                policy_us=self._stopwatch.take_us("policy"),
                executor_us=self._stopwatch.take_us("tick"),
                update_us=self._stopwatch.take_us("update"),
            )
        )

    def _write_episode_row(self, recorder: EpisodeRecorder) -> None:
        self._metrics.write(
            recorder.row(
                step=self.step,
                wall_s=self.wall_s,
                robot_s=self.robot_s,
                episode=self.episode - 1,
                operator_calls=self.actor.info.get("operator_calls"),
                get_ups=self.actor.info.get("get_ups"),
            )
        )
        self._progress.update(
            episode_return=recorder.total_reward,
            speed_m_s=recorder.speed,
            falls=None if recorder.speed is None else self.falls,
            angle_error_rad=recorder.angle_error,
            angle_error_median_rad=recorder.median_angle_error,
            operator_calls=self.actor.info.get("operator_calls"),
            get_ups=self.actor.info.get("get_ups"),
            success=recorder.success,
            replay_bytes=self.replay.memory_bytes,
        )

    def save(self) -> None:
        """Write a checkpoint: everything that the rest of the run depends on."""
        learner = {f"learner.{name}": value for name, value in self.learner.state().items()}
        replay = {f"replay.{name}": value for name, value in self.replay.state().items()}
        clock = self.stage.clock_state
        tensors = {
            **learner,
            **replay,
            "random.exploration": generator_state(self._exploration),
            "random.sampling": generator_state(self._sampling),
        }
        document: dict[str, Any] = {
            "step": self.step,
            "episode": self.episode,
            "sequence": self.actor.sequence,
            "robot_s": self.robot_s,
            "wall_s": self.wall_s,
            "falls": self.falls,
            "owed": self._owed,
            "clock_steps": None if clock is None else clock.steps,
            "seed": self.config.seed,
        }
        checkpoint.save(checkpoint.folder_for(self.run.path, self.step), tensors, document)
        checkpoint.prune(self.run.path, KEPT_CHECKPOINTS)

    def resume(self) -> None:
        """Take over the newest checkpoint; a run without one begins anew.

        Raises:
            RunFolderError: the checkpoint is damaged or does not fit the configuration.
        """
        folder = checkpoint.latest(self.run.path)
        if folder is None:
            return
        tensors, document = checkpoint.load(folder)
        if document["seed"] != self.config.seed:
            raise RunFolderError(f"{folder} has seed {document['seed']}, not {self.config.seed}")
        try:
            self.learner.load(_part(tensors, "learner."))
            self.replay.load(_part(tensors, "replay."))
            restore_generator(self._exploration, tensors["random.exploration"])
            restore_generator(self._sampling, tensors["random.sampling"])
        except (KeyError, ValueError) as error:
            raise RunFolderError(f"{folder} does not fit this run: {error}") from error
        self.step, self.episode = document["step"], document["episode"]
        self.actor.sequence, self.falls = document["sequence"], document["falls"]
        self.robot_s, self._owed = document["robot_s"], document["owed"]
        self._wall_before = document["wall_s"]
        if self.stage.clock_state is not None:
            self.stage.clock_state.steps = document["clock_steps"]


def _bad(bus: BusStatistics) -> int:
    """Messages on the motors' bus that could not be used."""
    return bus.late + bus.corrupt + bus.implausible + bus.refused


def _part(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
