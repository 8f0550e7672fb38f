"""What decides and learns in a rehearsal: the learner's own process, and the policies it sends."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robosac import checkpoint
from robosac.errors import PolicyRefused
from robosac.generators import generator_state
from robosac.learner_link import LocalLearner
from robosac.messages import VERSION, Begin, Counters, EpisodeEnded, Save
from robosac.observation import Observation
from robosac.policy_feed import PolicyFeed, check_fits
from robosac.rehearsal.actor import MindCounts
from robosac.sac import PixelPolicy, Policy
from robosac.settings import TrainConfig
from robosac.transition import Transition

EXPLORATION_STREAM: Final = 2
SAVED_EPISODES: Final = 3
"""Episodes between checkpoints: what an actor that is killed has not saved is lost with it."""


class LearningMind:
    """Acts by the newest policy, at first at random; sends everything to the learner.

    Args:
        learner: open already.
        feed: where its policies lie.
        config: the settings.
        env: whose actions are wanted.
    """

    def __init__(
        self,
        learner: LocalLearner,
        feed: PolicyFeed,
        config: TrainConfig,
        env: gymnasium.Env[Any, Any],
    ) -> None:
        self._learner, self._feed, self._config = learner, feed, config
        assert env.action_space.shape is not None
        self._size = env.action_space.shape[0]
        self._rng = np.random.default_rng((config.seed, EXPLORATION_STREAM))
        self._policy: Policy | PixelPolicy | None = None
        self._taken = 0
        self._episodes = 0
        self.version = 0
        """Of the policy that acts."""

    @property
    def sequence(self) -> int:
        """Number of the next transition."""
        return self._learner.next_sequence

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """An action in [-1, 1]."""
        if self._policy is None or self.sequence < self._config.sac.random_steps:
            return self._rng.uniform(-1.0, 1.0, self._size).astype(np.float32)
        return self._policy.sample_action(observation, self._rng)  # type: ignore[arg-type]

    def add(self, transition: Transition) -> None:
        """Send it; at an episode's end look for a newer policy, and after a dead learner."""
        learner = self._learner
        learner.send(transition)
        learner.pump()
        if transition.end is None:
            return
        self._episodes += 1
        learner.end_episode(EpisodeEnded(episode=transition.episode, end=transition.end))
        if self._episodes % SAVED_EPISODES == 0:
            self._save()
        learner.revive()
        self._take(transition)

    def counts(self) -> MindCounts:
        """How learning goes."""
        learner = self._learner
        learner.pump()
        progress = learner.progress
        return MindCounts(
            policies=self._taken,
            updates=progress.updates,
            stored=progress.sequence + 1,
            learner=learner.state.lost_s == 0.0 and learner.ready is not None,
            learner_pid=learner.pid or 0,
        )

    def close(self) -> None:
        """Let the learner save and leave."""
        self._learner.close()

    def _save(self) -> None:
        step = self.sequence
        counters = Counters(
            step=step, episode=self._episodes, robot_s=0.0, wall_s=0.0, falls=0, clock_steps=None
        )
        state = generator_state(self._rng).tobytes()
        self._learner.save(Save(counters=counters, exploration=state))

    def _take(self, transition: Transition) -> None:
        """Take over a newer policy, if there is one that fits; else the old one stays."""
        told = self._learner.published
        if told is None or told.version <= self.version:
            return
        try:
            policy = self._feed.take(told, self._policy)
            check_fits(policy, transition.observation, self._size)
        except PolicyRefused:
            return
        self._policy, self.version = policy, told.version
        self._taken += 1


def start_learning(config: TrainConfig, env: gymnasium.Env[Any, Any], folder: Path) -> LearningMind:
    """Start the learner's process for the run in `folder`, and wait until it is ready.

    Raises:
        LearnerLost: it does not start.
    """
    newest = checkpoint.latest(folder)
    begin = Begin(version=VERSION, observation=_shape(env.observation_space),
                  action=_shape(env.action_space))  # fmt: skip
    learner = LocalLearner(
        folder, begin, config.sac.updates_per_step, 0 if newest is None else int(newest.name)
    )
    learner.open()
    return LearningMind(learner, PolicyFeed(folder), config, env)


def _shape(space: gymnasium.Space[Any]) -> Any:
    """Of a box, or of each part of a dictionary of them."""
    if isinstance(space, gymnasium.spaces.Dict):
        return {name: _shape(part) for name, part in space.spaces.items()}
    return space.shape
