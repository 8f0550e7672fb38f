"""Asynchronous training: the actor in this process, the learner in another, or on another machine.

The actor never waits for the learner within an episode, and imports no torch. Between episodes,
torque off, it takes the newest policy and lets a learner that is behind catch up. Not repeatable to
the bit, because which policy acts depends on how fast the learner is; but with
`learner_process.lockstep` they take turns by the episode, and on a twin a run then depends on its
seed alone, whoever is killed when.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robosac.actor import Actor, episode_seed
from robosac.actor_state import ActorState
from robosac.backpressure import LinkState, Verdict, judge, may_begin, must_save
from robosac.envelope import Sealed
from robosac.errors import LearnerLost
from robosac.evaluation import recorder_for
from robosac.exploration import RandomActions, SmoothNormals
from robosac.learner_averages import LEARNER_ROW_STEPS
from robosac.messages import Acknowledged, LearnerMeans
from robosac.metrics import MetricsWriter
from robosac.observation import shape_of
from robosac.progress import Progress
from robosac.recorder import EpisodeRecorder
from robosac.runs import RunFolder
from robosac.settings import TrainConfig
from robosac.stage import Stage
from robosac.tasks.ends import EpisodeEnd
from robosac.training_log import TrainingLog
from robosac.transition import Transition

TRAINING_STREAM, EXPLORATION_STREAM = 0, 2
"""As in lock-step within one process."""
WAIT_S = 0.05
PAUSED = "paused"
"""A file in the run folder: while it is there, no episode begins."""


class Link(Protocol):
    """A learner, wherever it is; only `open`, `wait`, `revive` and `close` take time."""

    refused: list[str]
    stream: str

    @property
    def actor_state(self) -> ActorState: ...
    @property
    def last_episode(self) -> int: ...
    @property
    def progress(self) -> Acknowledged: ...
    @property
    def next_sequence(self) -> int: ...
    @property
    def state(self) -> LinkState: ...
    @property
    def newest(self) -> Sealed | None: ...
    def policy_after(self, sequence: int) -> Sealed | None: ...
    def learned_from(self, sealed: Sealed) -> int: ...
    def open(self, *, may_act_alone: bool) -> None: ...
    def send(self, transition: Transition, state: ActorState | None = None) -> None: ...
    def save(self) -> None: ...
    def take_means(self) -> list[LearnerMeans]: ...
    def wait(self, seconds: float) -> None: ...
    def revive(self) -> None: ...
    def close(self) -> None: ...


class AsyncTraining:
    """One run's actor, and the traces of both.

    Args:
        run: its folder; holds the configuration.
        stage: where to act.
        link: to the learner, not yet open.
        metrics: where rows go.
        progress: what the user sees.
        actor_id: names this actor among those of its learner.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        run: RunFolder,
        stage: Stage,
        link: Link,
        metrics: MetricsWriter,
        progress: Progress,
        actor_id: str = "actor",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config: TrainConfig = run.config
        self.run, self.stage, self.link = run, stage, link
        self._settings = run.config.learner_process
        self._progress = progress
        self._log = TrainingLog(run, stage, metrics, progress, clock)
        self._real_time = stage.executor is not None and stage.clock_state is None
        self._lockstep = self._settings.lockstep
        self._ticks_per_step = stage.ticks_per_step
        self.actor = Actor(stage.env, actor_id)
        self._actions = shape_of(stage.env.action_space)[0]
        self._exploration, self._random = self._explorers(0)
        self.acting: Sealed | None = None
        """The policy that acts."""
        self._taken_at: float | None = None
        """When it was taken, on the robot's clock, s."""
        self.lag = run.policy_lag()
        self.episode = self.falls = 0
        self.robot_s = 0.0
        self._before = 0
        self._row_step = -1
        self._update_us: float | None = None

    @property
    def step(self) -> int:
        """Environment steps so far."""
        return self.actor.sequence

    @property
    def policy_version(self) -> int:
        """Updates that the acting policy has seen."""
        return 0 if self.acting is None else self.acting.version

    def resume(self) -> None:
        """Go on after the newest transition that is on the disk; the learner takes the rest itself.

        An episode that was broken off stays as it is, and the next one begins. In lock-step it is
        repeated from its start, to the bit.

        Raises:
            RunFolderError: the state is damaged.
        """
        state = self.link.actor_state
        self.robot_s, self.falls = state.robot_s, state.falls
        self._before, self.episode = state.before, state.episode
        self._log.wall_before = state.wall_s
        self.actor.sequence = state.step
        if not self._lockstep and self.link.next_sequence > state.step:
            self.actor.sequence = self.link.next_sequence
            self.robot_s += (self.actor.sequence - state.step) * self.stage.seconds_per_step
            self.episode = self.link.last_episode + 1
        self._row_step = self.step
        if self.stage.clock_state is not None and state.clock_steps is not None:
            self.stage.clock_state.steps = state.clock_steps

    def train(self) -> None:
        """Train to the end of the episode in which the configured steps are reached.

        Raises:
            LearnerLost: the learner failed, or was gone for longer than is allowed.
            PolicyRefused: its first policy cannot act here.
        """
        self._progress.start(self.step)
        self._progress.update(note="waiting for the learner")
        self.link.open(may_act_alone=self._real_time)
        try:
            if self.step:
                self._edge()
            while self.step < self.config.steps:
                self._await_room()
                self._run_episode()
                self._edge()
            last = self.link.next_sequence - 1
            self._await(
                lambda: (
                    self.link.progress.learned == last
                    and self.link.state.behind_steps < 1.0 / self._ratio
                ),
                "last updates",
            )
            self.link.save()
            self._await(lambda: self.link.progress.saved == last, "saving")
            self._write_means()
        except KeyboardInterrupt:
            # The robot first; every transition is in the store, or is put there at the end.
            self.stage.env.close()
            raise

    @property
    def _ratio(self) -> float:
        return self.config.sac.updates_per_step

    def _run_episode(self) -> None:
        """One episode: act, record, send; nothing in it waits for the learner."""
        self._before = self.step
        self.actor.begin(
            self.episode, episode_seed(self.config.seed, TRAINING_STREAM, self.episode)
        )
        # After the reset, which may have taken long: the newest.
        self._take_policy()
        self._exploration, self._random = self._explorers(self.episode)
        random = self.step < self.config.sac.random_steps
        self._progress.update(note="random actions" if random else "")
        recorder = recorder_for(self.stage)
        recorder.begin(self.actor.info)
        while recorder.end is None:
            with self._log.stopwatch.phase("policy"):
                action = self._action()
            with self._log.stopwatch.phase("tick", self._ticks_per_step):
                transition = self._with_age(self.actor.step(action, self.policy_version))
            self.robot_s += self.stage.seconds_per_step
            self._hand_on(transition, recorder)
            self._progress.update(step=self.step, robot_s=self.robot_s)
            if self.step % LEARNER_ROW_STEPS == 0:
                self._log.timing(self.step, self.robot_s, self._update_us)
        self.episode += 1
        self.falls += recorder.fell
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

    def _with_age(self, transition: Transition) -> Transition:
        """The transition with the age of its policy: in steps, and in the robot's own time."""
        acting, now = self.acting, transition.observed_at
        assert acting is not None, "every episode begins by taking the newest"
        if self._taken_at is None:
            self._taken_at = now
        lag = max(0, transition.sequence - 1 - self.link.learned_from(acting))
        age_s = max(0.0, now - self._taken_at)
        self.lag.add(lag, age_s)
        return replace(transition, policy_lag=lag, policy_age_s=age_s)

    def _hand_on(self, transition: Transition, recorder: EpisodeRecorder) -> None:
        """Send a transition and count it; end the episode where the learner leaves no choice."""
        state = replace(self.link.state, policy_age_s=transition.policy_age_s)
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
            recorder.add(transition, self.actor.info)
            over = transition.end is not None
            self.link.send(transition, self._state(recorder) if over else None)
        finally:
            if cut and self.stage.executor is not None:
                self.stage.executor.disarm()

    def _state(self, recorder: EpisodeRecorder) -> ActorState:
        """Where this actor stands after the episode that `recorder` has seen the end of."""
        clock = self.stage.clock_state
        return ActorState(
            step=self.step,
            before=self._before,
            episode=self.episode + 1,
            robot_s=self.robot_s,
            wall_s=self._log.wall_s,
            falls=self.falls + recorder.fell,
            clock_steps=None if clock is None else clock.steps,
        )

    def _edge(self) -> None:
        """What is due after an episode; the robot is at rest."""
        refused = len(self.link.refused)
        self.run.save_policy_lag(self.lag)
        self._require_learner()
        self._take_policy()
        if len(self.link.refused) > refused:
            why = self.link.refused[-1]
            self._progress.update(note=f"policy {self.policy_version} stays: {why}")
        self._write_means()
        every = self.config.evaluation.every_steps
        over = self.step >= self.config.steps
        if self._before // every != self.step // every or over:
            assert self.acting is not None
            # The learner goes on meanwhile; what it says is heard between episodes.
            self._log.evaluate(self.acting.policy, self.step, self.robot_s)

    def _explorers(self, episode: int) -> tuple[SmoothNormals, RandomActions]:
        """Of one episode, so that it is the same whatever happened before it."""
        name = int.from_bytes(self.actor.actor_id.encode(), "big")
        rng = np.random.default_rng((self.config.seed, EXPLORATION_STREAM, episode, name))
        sac = self.config.sac
        normals = SmoothNormals(rng, sac.noise_correlation)
        return normals, RandomActions(rng, self._actions, sac.random_correlation)

    def _action(self) -> NDArray[np.floating]:
        if self.step < self.config.sac.random_steps:
            return self._random.next()
        observation: Any = self.actor.observation
        assert self.acting is not None, "every episode begins by taking the newest"
        return self.acting.policy.sample_action(observation, self._exploration)

    def _take_policy(self) -> None:
        """Take the newest policy; in lock-step wait for the one that belongs here."""
        if self._lockstep:
            last = self.step - 1
            self._await(lambda: self.link.policy_after(last) is not None, "waiting for the learner")
            found = self.link.policy_after(last)
        else:
            found = self.link.newest
        assert found is not None, "none is opened without a policy"
        if self.acting is None or found.sha256 != self.acting.sha256:
            self.acting, self._taken_at = found, None

    def _await_room(self) -> None:
        """Wait, torque off, until another episode may begin."""
        self.link.revive()
        self._await(lambda: not (self.run.path / PAUSED).exists(), "paused")
        if self._lockstep:
            self._take_policy()
            return
        if must_save(self.link.state, self._settings):
            self.link.save()
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

    def _write_means(self) -> None:
        """Record what the learner told; once, though a restarted one tells it again."""
        for means in self.link.take_means():
            self._update_us = means.update_us
            if means.step > self._row_step:
                self._row_step = means.step
                self._log.learner(means, self.robot_s)
