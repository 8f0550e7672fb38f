"""What decides and learns in a rehearsal: the learner's own process, and the policies it sends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import gymnasium
import numpy as np
from numpy.typing import NDArray

from robosac.actor_link import OWN_ACTOR, OwnLearner
from robosac.actor_state import ActorState
from robosac.envelope import Sealed
from robosac.exploration import RandomActions, SmoothNormals
from robosac.observation import Observation
from robosac.rehearsal.actor import MindCounts
from robosac.runs import RunFolder
from robosac.settings import TrainConfig
from robosac.transition import Transition

EXPLORATION_STREAM: Final = 2
SAVED_EPISODES: Final = 3
"""Episodes between checkpoints that are asked for."""


class LearningMind:
    """Acts by the newest policy, at first at random; sends everything to the learner.

    Args:
        own: the learner, open already.
        config: the settings.
        actions: numbers in an action.
    """

    actor_id = OWN_ACTOR

    def __init__(self, own: OwnLearner, config: TrainConfig, actions: int) -> None:
        self._own, self._link, self._config = own, own.link, config
        rng = np.random.default_rng((config.seed, EXPLORATION_STREAM, self.sequence))
        self._normals = SmoothNormals(rng, config.sac.noise_correlation)
        self._random = RandomActions(rng, actions, config.sac.random_correlation)
        self._acting: Sealed | None = None
        self._taken = 0
        self._episodes = 0

    @property
    def version(self) -> int:
        """Of the policy that acts."""
        return 0 if self._acting is None else self._acting.version

    @property
    def sequence(self) -> int:
        """Number of the next transition."""
        return self._link.next_sequence

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """An action in [-1, 1]."""
        if self._acting is None or self.sequence < self._config.sac.random_steps:
            return self._random.next()
        return self._acting.policy.sample_action(observation, self._normals)  # type: ignore[arg-type]

    def add(self, transition: Transition) -> None:
        """Send it; at an episode's end look for a newer policy, and after a dead learner."""
        link = self._link
        learned = -1 if self._acting is None else link.learned_from(self._acting)
        transition = replace(transition, policy_lag=max(0, transition.sequence - 1 - learned))
        if transition.end is None:
            link.send(transition)
            return
        self._normals.begin()
        self._random.begin()
        self._episodes += 1
        step = transition.sequence + 1
        link.send(transition, ActorState(step=step, episode=transition.episode + 1))
        if self._episodes % SAVED_EPISODES == 0:
            link.save()
        link.revive()
        newest = link.newest
        if newest is not None and newest.version > self.version:
            self._acting = newest
            self._taken += 1

    def counts(self) -> MindCounts:
        """How learning goes."""
        progress = self._link.progress
        return MindCounts(
            policies=self._taken,
            updates=progress.updates,
            stored=progress.stored + 1,
            learner=self._link.state.lost_s == 0.0,
            learner_pid=self._own.child.pid or 0,
        )

    def close(self) -> None:
        """Let the learner save and leave."""
        self._own.close()


def start_learning(config: TrainConfig, env: gymnasium.Env[Any, Any], folder: Path) -> LearningMind:
    """Start the learner's process for the run in `folder`, and wait until it is ready.

    Raises:
        LearnerLost: it does not start.
    """
    own = OwnLearner(RunFolder.open(folder), env)
    try:
        own.link.open(may_act_alone=False)
    except BaseException:
        own.close()
        raise
    assert env.action_space.shape is not None
    return LearningMind(own, config, env.action_space.shape[0])
