"""Asynchronous training: the actor in this process, the learner in another.

The actor never waits for the learner within an episode, and imports no torch. Between episodes,
torque off, it takes the newest policy and lets a learner that is behind catch up. Not repeatable to
the bit: which policy acts depends on how fast the learner is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robosac import checkpoint
from robosac.actor import Actor, episode_seed
from robosac.backpressure import LinkState, Verdict, judge, may_begin, must_save
from robosac.errors import LearnerLost, PolicyRefused
from robosac.evaluation import recorder_for
from robosac.generators import generator_state, restore_generator
from robosac.learner_averages import LEARNER_ROW_STEPS
from robosac.messages import (
    VERSION,
    Acknowledged,
    Begin,
    Counters,
    EpisodeEnded,
    LearnerMeans,
    Published,
    Ready,
    Save,
)
from robosac.metrics import MetricsWriter
from robosac.observation import IMAGE, STATE, Spaces, has_picture, shape_of
from robosac.policy_feed import PolicyFeed, check_fits
from robosac.progress import Progress
from robosac.recorder import EpisodeRecorder
from robosac.runs import RunFolder
from robosac.sac import PixelPolicy, Policy
from robosac.settings import TrainConfig
from robosac.stage import Stage
from robosac.tasks.ends import EpisodeEnd
from robosac.training_log import TrainingLog
from robosac.transition import Transition

TRAINING_STREAM, EXPLORATION_STREAM = 0, 2
"""As in lock-step."""
WAIT_S = 0.05
RESCUE_S = 20.0
"""Longest wait for a last checkpoint after an interrupt."""


class Link(Protocol):
    """A learner, wherever it is; only `wait`, `open` and `close` take time."""

    published: Published | None
    saved: int

    @property
    def progress(self) -> Acknowledged: ...
    @property
    def next_sequence(self) -> int: ...
    @property
    def state(self) -> LinkState: ...
    def open(self) -> Ready: ...
    def send(self, transition: Transition) -> None: ...
    def end_episode(self, ended: EpisodeEnded) -> None: ...
    def save(self, request: Save) -> None: ...
    def take_means(self) -> list[LearnerMeans]: ...
    def pump(self) -> None: ...
    def wait(self, seconds: float) -> None: ...
    def revive(self) -> None: ...
    def close(self) -> None: ...


def begin_of(spaces: Spaces) -> Begin:
    """What to tell a learner of an environment."""
    space = spaces.observation_space
    if has_picture(space):
        seen: Any = {part: shape_of(space, part) for part in (IMAGE, STATE)}
    else:
        seen = shape_of(space)
    return Begin(version=VERSION, observation=seen, action=shape_of(spaces.action_space))


class AsyncTraining:
    """One run's actor, and the traces of both.

    Args:
        run: its folder; holds the configuration.
        stage: where to act.
        link: to the learner, not yet open.
        metrics: where rows go.
        progress: what the user sees.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        run: RunFolder,
        stage: Stage,
        link: Link,
        metrics: MetricsWriter,
        progress: Progress,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config: TrainConfig = run.config
        self.run, self.stage, self.link = run, stage, link
        self._settings = run.config.learner_process
        self._progress, self._clock = progress, clock
        self._log = TrainingLog(run, stage, metrics, progress, clock)
        self._feed = PolicyFeed(run.path)
        self._real_time = stage.executor is not None and stage.clock_state is None
        self._ticks_per_step = stage.ticks_per_step
        self.actor = Actor(stage.env, "actor", link.next_sequence)
        self._actions = shape_of(stage.env.action_space)[0]
        self._exploration = np.random.default_rng((self.config.seed, EXPLORATION_STREAM))
        self.policy: Policy | PixelPolicy | None = None
        """The one that acts."""
        self.policy_version = 0
        self.refused = 0
        """Policies that were not taken."""
        self._tried: Published | None = None
        self.step = self.episode = self.falls = 0
        self.robot_s = 0.0
        self._row_step = -1
        self._update_us: float | None = None

    def resume(self) -> None:
        """Go on from the newest checkpoint's counters; the learner takes the rest by itself.

        Raises:
            RunFolderError: the checkpoint is damaged.
        """
        folder = checkpoint.latest(self.run.path)
        if folder is None:
            return
        document = checkpoint.read_document(folder)
        self.step, self.episode = document["step"], document["episode"]
        self.robot_s, self.falls = document["robot_s"], document["falls"]
        self._log.wall_before = document["wall_s"]
        self._row_step = self.step
        if self.stage.clock_state is not None:
            self.stage.clock_state.steps = document["clock_steps"]

    def train(self) -> None:
        """Train to the end of the episode in which the configured steps are reached.

        Raises:
            LearnerLost: the learner failed, or was gone for longer than is allowed.
            PolicyRefused: its first policy cannot act here.
        """
        self._progress.start(self.step)
        self._progress.update(note="starting the learner")
        ready = self.link.open()
        if ready.exploration:
            restore_generator(self._exploration, np.frombuffer(ready.exploration, np.uint8))
        try:
            while self.step < self.config.steps:
                before = self.step
                self._await_room()
                self._run_episode()
                self._end_of_episode(before)
            self._await(lambda: self.link.state.behind_steps < 1.0 / self._ratio, "last updates")
            self._save()
            self._await(lambda: self.link.saved == self.link.next_sequence - 1, "saving")
            self._write_means()
        except KeyboardInterrupt:
            self._rescue()
            raise

    @property
    def _ratio(self) -> float:
        return self.config.sac.updates_per_step

    def _run_episode(self) -> None:
        """One episode: act, record, send; nothing in it waits for the learner."""
        self.actor.begin(
            self.episode, episode_seed(self.config.seed, TRAINING_STREAM, self.episode)
        )
        # After the reset, which may have taken long: the newest.
        self.link.pump()
        self._take_policy()
        random = self.step < self.config.sac.random_steps
        self._progress.update(note="random actions" if random else "")
        recorder = recorder_for(self.stage)
        recorder.begin(self.actor.info)
        while recorder.end is None:
            with self._log.stopwatch.phase("policy"):
                action = self._action()
            with self._log.stopwatch.phase("tick", self._ticks_per_step):
                transition = self.actor.step(action, self.policy_version)
            self._hand_on(transition, recorder)
            self.step += 1
            self.robot_s += self.stage.seconds_per_step
            self._progress.update(step=self.step, robot_s=self.robot_s)
            if self.step % LEARNER_ROW_STEPS == 0:
                self._log.timing(self.step, self.robot_s, self._update_us)
        self.episode += 1
        self.falls += recorder.fell
        self.link.end_episode(EpisodeEnded(episode=self.episode - 1, end=recorder.end))
        self._log.episode(
            recorder,
            episode=self.episode - 1,
            step=self.step,
            robot_s=self.robot_s,
            falls=self.falls,
            replay_bytes=self.link.progress.replay_bytes,
            operator_calls=self.actor.info.get("operator_calls"),
            get_ups=self.actor.info.get("get_ups"),
        )

    def _hand_on(self, transition: Transition, recorder: EpisodeRecorder) -> None:
        """Send a transition and count it; end the episode where the learner leaves no choice."""
        self.link.pump()
        state = self.link.state
        verdict = judge(state, self._settings, self._real_time)
        cut = transition.end is None and verdict is not Verdict.GO_ON
        if cut:
            lost = verdict is Verdict.GIVE_UP
            end = EpisodeEnd.LEARNER_LOST if lost else EpisodeEnd.LEARNER_BEHIND
            transition = replace(transition, end=end)
        elif state.lost_s > 0.0:
            self._progress.update(
                note=f"no learner for {state.lost_s:.0f} s; policy {self.policy_version} acts on"
            )
        try:
            self.link.send(transition)
            recorder.add(transition, self.actor.info)
        finally:
            if cut and self.stage.executor is not None:
                self.stage.executor.disarm()

    def _end_of_episode(self, before: int) -> None:
        """What is due between episodes; the robot is at rest."""
        self.link.pump()
        self._require_learner()
        self._take_policy()
        self._write_means()
        every = self.config.evaluation.every_steps
        over = self.step >= self.config.steps
        if before // every != self.step // every or over:
            # The learner goes on meanwhile; what it says is heard between episodes.
            self._log.evaluate(
                self.policy, self.step, self.robot_s, on_episode=lambda _: self.link.pump()
            )
        due = self.episode % self.config.checkpoint_every_episodes == 0
        if (due or must_save(self.link.state, self._settings)) and not over:
            self._save()

    def _action(self) -> NDArray[np.floating]:
        if self.step < self.config.sac.random_steps:
            uniform = self._exploration.uniform(-1.0, 1.0, self._actions)
            return uniform.astype(np.float32)
        observation: Any = self.actor.observation
        assert self.policy is not None, "every episode begins by taking the newest"
        return self.policy.sample_action(observation, self._exploration)

    def _take_policy(self) -> None:
        """Take the newest policy, or keep the old one where the new one is not fit.

        Raises:
            PolicyRefused: there is no old one.
        """
        told = self.link.published
        if told is None or told == self._tried:
            return
        self._tried = told
        try:
            policy = self._feed.take(told, self.policy)
            if self.policy is None:
                check_fits(policy, self.actor.observation, self._actions)
        except PolicyRefused as error:
            self.refused += 1
            if self.policy is None:
                raise
            self._progress.update(note=f"policy {self.policy_version} stays: {error}")
            return
        self.policy, self.policy_version = policy, told.version

    def _await_room(self) -> None:
        """Wait, torque off, until another episode may begin."""
        self.link.pump()
        self.link.revive()
        if must_save(self.link.state, self._settings):
            self._save()
        self._await(
            lambda: may_begin(self.link.state, self._settings, self._real_time),
            "waiting for the learner",
        )

    def _await(self, done: Callable[[], bool], note: str) -> None:
        """Wait for the learner between episodes.

        Raises:
            LearnerLost: it failed, or was gone for longer than is allowed.
        """
        while True:
            self._require_learner()
            if done():
                return
            self._progress.update(note=note)
            self.link.wait(WAIT_S)
            self.link.revive()
            self._write_means()

    def _require_learner(self) -> None:
        state, allowed_s = self.link.state, self._settings.without_learner_s
        if state.failure is not None:
            raise LearnerLost(state.failure)
        if state.lost_s > allowed_s:
            raise LearnerLost(
                f"the learner did not answer for {state.lost_s:.0f} s; allowed are"
                f" {allowed_s:g} s (learner_process.without_learner_s)"
            )

    def _save(self) -> None:
        """Ask for a checkpoint of everything up to now; only between episodes."""
        clock = self.stage.clock_state
        counters = Counters(
            step=self.link.next_sequence,
            episode=self.episode,
            robot_s=self.robot_s,
            wall_s=self._log.wall_s,
            falls=self.falls,
            clock_steps=None if clock is None else clock.steps,
        )
        self.link.save(
            Save(counters=counters, exploration=generator_state(self._exploration).tobytes())
        )

    def _write_means(self) -> None:
        """Record what the learner told; once, though a restarted one tells it again."""
        for means in self.link.take_means():
            self._update_us = means.update_us
            if means.step > self._row_step:
                self._row_step = means.step
                self._log.learner(means, self.robot_s)

    def _rescue(self) -> None:
        """After an interrupt: the robot first, then a checkpoint if the learner answers."""
        self.stage.env.close()
        self._progress.update(note="interrupted; saving")
        self.episode += 1  # the one that was interrupted has used its seed
        self._save()
        end = self._clock() + RESCUE_S
        while self.link.saved < self.link.next_sequence - 1 and self._clock() < end:
            if self.link.state.lost_s > 0.0 or self.link.state.failure is not None:
                return
            self.link.wait(WAIT_S)
