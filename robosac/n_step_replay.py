"""Returns of several steps, told as transitions of one: what an n-step target needs of a replay.

The target of a row is the sum of gamma^k r over up to n steps of the same episode, and after m of
them gamma^m times the soft value of where they led, unless the task ended it (Sutton and Barto,
section 7.1). The steps between have no entropy bonus, and no correction for an older policy, as in
Rainbow (arXiv 1710.02298) and DrQ-v2 (arXiv 2107.09645).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from robosac.replay import Array, Batch, Replay, Take, drawn

NOBODY: Final = -1
WAITING: Final = 64
"""Rows whose follower may still come: one for each robot that is learned from, and then some."""


class NStepReplay(Replay):
    """A replay of vectors whose rows are drawn with what followed them.

    A row is followed by one that began, to the bit, with what it had led to: robots may come in
    between, but a reset, a termination or a transition that was left out ends a return.

    Args:
        capacity: transitions.
        observation_shape: of vectors.
        action_dim: of actions.
        steps: of a return, n, at least one.
        discount: gamma, which the learner applies once by itself; 0 to 1.

    Raises:
        ValueError: the capacity or the steps are below one.
    """

    def __init__(
        self,
        capacity: int,
        observation_shape: tuple[int, ...],
        action_dim: int,
        steps: int,
        discount: float,
    ) -> None:
        super().__init__(capacity, observation_shape, action_dim)
        if steps < 1:
            raise ValueError(f"a return is of 1 or more steps, got {steps}")
        self.steps, self.discount = steps, discount
        self._following = np.full(capacity, NOBODY, np.int64)
        self._waiting: dict[bytes, int] = {}
        """By what they led to, rows ever added before, oldest first."""

    def add(
        self,
        observation: Array,
        action: Array,
        reward: float,
        next_observation: Array,
        terminated: bool,
    ) -> None:
        """As the replay's. Raises: ValueError."""
        super().add(observation, action, reward, next_observation, terminated)
        self._link(self.added - 1)

    def sample(self, rng: np.random.Generator, size: int) -> Batch[Array]:
        """Draw `size` rows uniformly with their returns.

        `terminated` is what the learner's own discount must be cut by: 1 - gamma^(m - 1) after m
        steps, and 1 where the task ended the episode.

        Raises:
            ValueError: the buffer is empty.
        """
        first = drawn(rng, size, len(self))
        columns = self._columns
        reward, kept, last = columns["reward"][first], np.ones(size, np.float32), first
        for _ in range(self.steps - 1):
            following = self._following[last]
            going = following != NOBODY
            last = np.where(going, following, last)
            kept = np.where(going, kept * np.float32(self.discount), kept)
            reward = reward + np.where(going, kept * columns["reward"][last], np.float32(0))
        return Batch(
            observation=columns["observation"].take(first, axis=0),
            action=columns["action"].take(first, axis=0),
            reward=reward,
            next_observation=columns["next_observation"].take(last, axis=0),
            terminated=1 - kept * (1 - columns["terminated"][last]),
        )

    def gather(self, rng: np.random.Generator, size: int, take: Take) -> Batch[Any]:
        """Not from a copy elsewhere: rewards are added up here.

        Raises:
            ValueError: always.
        """
        raise ValueError("returns of several steps are drawn on the host alone, by `sample`")

    def load(self, state: Mapping[str, Array]) -> None:
        """As the replay's; who follows whom is found again, but for whom is still waited.

        A resumed run begins with a reset. Raises: ValueError.
        """
        super().load(state)
        self._following.fill(NOBODY)
        self._waiting.clear()
        for index in range(self.added - len(self), self.added):
            self._link(index)
        self._waiting.clear()

    def _link(self, index: int) -> None:
        """Note whom the newest row follows; it waits for its own follower.

        A follower is younger, so that it is never written over first.

        Args:
            index: rows ever added before it.
        """
        row = index % self.capacity
        self._following[row] = NOBODY
        before = self._waiting.pop(self._columns["observation"][row].tobytes(), None)
        if before is not None and index - before < self.capacity:
            self._following[before % self.capacity] = row
        if not self._columns["terminated"][row]:
            self._waiting[self._columns["next_observation"][row].tobytes()] = index
        if len(self._waiting) > WAITING:
            del self._waiting[next(iter(self._waiting))]
