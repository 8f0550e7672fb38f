"""What the learner's process does: take transitions, update as often as they pay for, publish.

Knows no torch: learner and replay are handed in. For one thread; nothing here acts on a robot.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from robosac import checkpoint
from robosac.errors import LinkError, RobosacError
from robosac.experience import Experience
from robosac.generators import generator_state
from robosac.governor import RatioGovernor
from robosac.learner_averages import LEARNER_ROW_STEPS, LearnerAverages, Losses
from robosac.messages import (
    Acknowledged,
    Busy,
    EpisodeEnded,
    Published,
    Ready,
    Save,
    Saved,
    Stop,
    ToActor,
    ToLearner,
    decode_to_learner,
    encode,
    transition_of,
)
from robosac.messages import Experience as ExperienceMessage
from robosac.policy_feed import PolicyFeed
from robosac.replay import Batch
from robosac.run_state import EXPLORATION, SAMPLING, load_state, save_state
from robosac.runs import RunFolder
from robosac.sac import PixelPolicy, Policy
from robosac.stopwatch import Stopwatch
from robosac.stream import Stream
from robosac.transition import Transition

HEARTBEAT_S = 0.5
"""Longest silence of a learner that is well and not in the middle of one update."""
SAVING_S = 120.0
"""Longest time a checkpoint may take to be written or read."""
PUBLISHED_UPDATES = 200
"""Updates between policies while the learner is behind."""
REPLAY_STREAM = 3
"""As in lock-step: the seed's stream that batches are drawn with."""


class Learner(Protocol):
    """What the loop needs of a learner; `robosac.learners.Learner` is one."""

    target_entropy: float
    updates: int

    def update(self, batch: Batch[Any]) -> Losses: ...
    def policy(self) -> Policy | PixelPolicy: ...
    def state(self) -> dict[str, Any]: ...
    def load(self, state: Any) -> None: ...


class TransitionRefused(RobosacError, ValueError):
    """A transition holds what must not be learned from."""


class LearnerLoop:
    """One learner at the end of a stream.

    Args:
        stream: to the actor.
        run: the run's folder: checkpoints, policies.
        learner: critics, policy and temperature.
        replay: empty, of the run's shapes.
        clock: monotonic seconds, for heartbeats and rates.
    """

    def __init__(
        self,
        stream: Stream,
        run: RunFolder,
        learner: Learner,
        replay: Experience,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream, self._run, self.learner, self.replay = stream, run, learner, replay
        self._clock, self._settings = clock, run.config.sac
        self._sampling = np.random.default_rng((run.config.seed, REPLAY_STREAM))
        self.governor = RatioGovernor(self._settings.updates_per_step)
        self._feed = PolicyFeed(run.path)
        self._averages, self._stopwatch = LearnerAverages(clock), Stopwatch(clock)
        self.sequence = -1
        """The last transition in the replay."""
        self._published: int | None = None
        """Version of the newest policy that was published."""
        self._policy_is_due = True
        self._told_at = clock()
        self._stopped = False

    def run(self) -> None:
        """Begin from the newest checkpoint, if there is one, and serve until told to stop.

        Also ends when the actor is gone: what it did not ask to be saved is not.

        Raises:
            RunFolderError: the checkpoint is damaged or of another run.
            LinkError: what came is no message of ours, or a transition is missing.
            TransitionRefused: a transition's shape is wrong, or a value is not finite.
            OSError: the disk refuses.
        """
        self._tell(Busy(doing="starting", seconds=SAVING_S))
        exploration = self._restore()
        self._tell(Ready(sequence=self.sequence, exploration=exploration))
        self._publish()
        self._averages.begin(self.learner.updates)
        while not self._stopped and not self._stream.closed:
            # Blocks when it is ahead of the actor; else only looks.
            may_update = self._may_update()
            if not may_update:
                self._stream.wait(max(0.0, self._told_at + HEARTBEAT_S - self._clock()))
            payloads = self._stream.receive()
            for payload in payloads:
                self._handle(decode_to_learner(payload))
            if may_update:
                self._update()
            # An actor that waits for the debt to be paid hears of it at once.
            even = may_update and not self._may_update()
            if payloads or even or self._clock() - self._told_at >= HEARTBEAT_S:
                self._acknowledge()
            self._stream.flush()

    def _restore(self) -> bytes:
        """Take over the newest checkpoint; the state of the actor's generator in it."""
        folder = checkpoint.latest(self._run.path)
        if folder is None:
            return b""
        generators = {SAMPLING: self._sampling}
        seed = self._run.config.seed
        document, tensors = load_state(folder, self.learner, self.replay, generators, seed)
        self.sequence = document["sequence"] - 1
        self.governor = RatioGovernor(self._settings.updates_per_step, document["owed"])
        return tensors[EXPLORATION].tobytes()

    def _handle(self, message: ToLearner) -> None:
        if isinstance(message, ExperienceMessage):
            self._take(message)
        elif isinstance(message, EpisodeEnded):
            self._policy_is_due = True
            self._publish()
        elif isinstance(message, Save):
            self._save(message)
        elif isinstance(message, Stop):
            self._stopped = True
        else:
            raise LinkError("the actor began twice")

    def _take(self, message: ExperienceMessage) -> None:
        """Put a transition into the replay, once; what was there already is left out."""
        if message.sequence <= self.sequence:
            return
        if message.sequence != self.sequence + 1:
            raise LinkError(f"transition {message.sequence} came after {self.sequence}")
        transition = transition_of(message)
        if transition.rewarded:
            self._add(transition)
        self.sequence = message.sequence
        step = self.sequence + 1
        settings = self._settings
        if step >= settings.random_steps and self.replay.ready(settings.batch_size):
            self.governor.step()
        if step % LEARNER_ROW_STEPS == 0:
            self._tell_means(step)

    def _add(self, transition: Transition) -> None:
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

    def _may_update(self) -> bool:
        return self.governor.may_update and self.replay.ready(self._settings.batch_size)

    def _update(self) -> None:
        with self._stopwatch.phase("update"):
            batch = self.replay.sample(self._sampling, self._settings.batch_size)
            self._averages.add(self.learner.update(batch))
        self.governor.updated()
        if self._policy_is_due and not self._may_update():
            self._publish()
            self._policy_is_due = False
        elif self.learner.updates - (self._published or 0) >= PUBLISHED_UPDATES:
            # Only one who is behind comes here without an episode's end in between.
            self._publish()

    def _publish(self) -> None:
        if self.learner.updates == self._published:
            return
        told: Published = self._feed.publish(self.learner.policy(), self.learner.updates)
        self._published = told.version
        self._tell(told)

    def _save(self, message: Save) -> None:
        """Write a checkpoint, unless this step has one: then nothing has happened since."""
        counters = message.counters
        if counters.step != self.sequence + 1:
            raise LinkError(
                f"step {counters.step} shall be saved; {self.sequence + 1} transitions are here"
            )
        if not checkpoint.folder_for(self._run.path, counters.step).exists():
            self._tell(Busy(doing="saving", seconds=SAVING_S))
            document = {
                "step": counters.step,
                "episode": counters.episode,
                "sequence": counters.step,
                "robot_s": counters.robot_s,
                "wall_s": counters.wall_s,
                "falls": counters.falls,
                "owed": self.governor.owed,
                "clock_steps": counters.clock_steps,
                "seed": self._run.config.seed,
            }
            generators = {
                EXPLORATION: np.frombuffer(message.exploration, np.uint8),
                SAMPLING: generator_state(self._sampling),
            }
            save_state(self._run.path, self.learner, self.replay, generators, document)
        self._tell(Saved(sequence=self.sequence))

    def _acknowledge(self) -> None:
        # A heartbeat that cannot go at once is not needed: the actor has not read the last ones.
        if not self._stream.waiting_bytes:
            self._tell(
                Acknowledged(
                    sequence=self.sequence,
                    updates=self.learner.updates,
                    owed=self.governor.owed,
                    replay_bytes=self.replay.memory_bytes,
                )
            )
        self._told_at = self._clock()

    def _tell_means(self, step: int) -> None:
        learner = self.learner
        update_us = self._stopwatch.take_us("update")
        means = self._averages.take(step, learner.updates, learner.target_entropy, update_us)
        if means is not None:
            self._tell(means)

    def _tell(self, message: ToActor) -> None:
        self._stream.send(encode(message))
