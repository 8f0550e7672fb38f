"""Returns of several steps, told as transitions of one: what an n-step target needs of a replay.

The target of a row is the sum of gamma^k r over up to n steps of the same episode, and after m of
them gamma^m times the soft value of where they led, unless the task ended it (Sutton and Barto,
section 7.1). The steps between have no entropy bonus, and no correction for an older policy, as in
Rainbow (arXiv 1710.02298) and DrQ-v2 (arXiv 2107.09645).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from robosac.replay import Array, Batch, Replay

CONTINUES = "continues"


class NStepReplay(Replay):
    """A replay whose rows are drawn with what followed them.

    A row is followed by the next one where that began with the very array this one ended with: not
    across a reset, whether the episode was terminated, truncated or stopped, nor across a
    transition that was left out.

    Args:
        capacity: transitions.
        observation_shape: of vectors.
        action_dim: of actions.
        returned: steps of a return, n, at least one.
        discount: gamma, which the learner applies once by itself; positive.
    """

    def __init__(
        self,
        capacity: int,
        observation_shape: tuple[int, ...],
        action_dim: int,
        returned: int,
        discount: float,
    ) -> None:
        super().__init__(capacity, observation_shape, action_dim)
        self.returned, self.discount = returned, discount
        self._continues = np.zeros(capacity, np.bool_)
        self._led_to: object = None

    def add(
        self,
        observation: Array,
        action: Array,
        reward: float,
        next_observation: Array,
        terminated: bool,
    ) -> None:
        """As the replay's. Raises: ValueError."""
        before, row = (self.added - 1) % self.capacity, self.added % self.capacity
        super().add(observation, action, reward, next_observation, terminated)
        if before != row:
            self._continues[before] = observation is self._led_to
        self._continues[row] = False
        self._led_to = None if terminated else next_observation

    def sample(self, rng: np.random.Generator, size: int) -> Batch[Array]:
        """Draw `size` rows with their returns.

        `terminated` is what the learner's own discount must be cut by: 1 - gamma^(m - 1) after m
        steps, and 1 where the task ended the episode.

        Raises:
            ValueError: the buffer is empty.
        """
        if not self.added:
            raise ValueError("cannot sample from an empty replay buffer; add transitions first")
        first = rng.integers(len(self), size=size)
        columns = self._columns
        reward, kept, last = columns["reward"][first], np.ones(size, np.float32), first.copy()
        for _ in range(self.returned - 1):
            going = self._continues[last]
            last = np.where(going, (last + 1) % self.capacity, last)
            kept = np.where(going, kept * np.float32(self.discount), kept)
            reward = reward + np.where(going, kept * columns["reward"][last], np.float32(0))
        return Batch(
            observation=columns["observation"][first],
            action=columns["action"][first],
            reward=reward,
            next_observation=columns["next_observation"][last],
            terminated=1 - kept * (1 - columns["terminated"][last]),
        )

    def state(self) -> dict[str, Array]:
        """The replay's, and which rows are followed; a resumed run begins with a reset."""
        return super().state() | {CONTINUES: self._continues[: len(self)]}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what `state()` returned. Raises: ValueError."""
        super().load({name: x for name, x in state.items() if name != CONTINUES})
        self._continues[: len(self)] = state[CONTINUES]
        self._led_to = None
