"""Replay buffer: a ring of transitions in plain arrays, sampled uniformly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Transitions drawn from the buffer; fresh arrays, free to change."""

    observation: Array
    """(batch, *observation_shape)"""
    action: Array
    """What the robot executed, (batch, a), in [-1, 1]."""
    reward: Array
    """(batch,)"""
    next_observation: Array
    """(batch, *observation_shape)"""
    terminated: Array
    """1 where the task ended the episode, else 0, (batch,); only this cuts the bootstrap."""


class Replay:
    """The last `capacity` transitions.

    Memory is reserved at once and touched as it fills: an empty buffer of a million transitions
    costs next to nothing.
    """

    def __init__(
        self,
        capacity: int,
        observation_shape: tuple[int, ...],
        action_dim: int,
        observation_dtype: DTypeLike = np.float32,
    ) -> None:
        if capacity < 1:
            raise ValueError(f"capacity must be 1 or more, got {capacity}")
        self.capacity = capacity
        self.added = 0
        """Transitions ever added; the ring's position is `added % capacity`."""
        # np.empty of this size is mapped, not written: the kernel hands out pages on first touch.
        self._columns: dict[str, Array] = {
            "observation": np.empty((capacity, *observation_shape), observation_dtype),
            "action": np.empty((capacity, action_dim), np.float32),
            "reward": np.empty(capacity, np.float32),
            "next_observation": np.empty((capacity, *observation_shape), observation_dtype),
            "terminated": np.empty(capacity, np.float32),
        }

    def __len__(self) -> int:
        return min(self.added, self.capacity)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the filled part."""
        return len(self) * self.transition_bytes

    @property
    def transition_bytes(self) -> int:
        """Bytes of one transition; times `capacity` is what a full buffer takes."""
        return sum(column[:1].nbytes for column in self._columns.values())

    def add(
        self,
        observation: Array,
        action: Array,
        reward: float,
        next_observation: Array,
        terminated: bool,
    ) -> None:
        """Store one transition over the oldest.

        `terminated` is the task's own end. A time limit, a safety stop or a lost link is not: store
        False and the true last observation.

        Raises:
            ValueError: a shape is wrong, or the action or reward is not finite.
        """
        # Checked here because numpy would broadcast a wrong shape silently, and one NaN in the
        # buffer poisons the critics long after its cause is gone.
        for name, value in (
            ("observation", observation),
            ("action", action),
            ("next_observation", next_observation),
        ):
            if np.shape(value) != self._columns[name].shape[1:]:
                raise ValueError(
                    f"{name} has shape {np.shape(value)}; expected {self._columns[name].shape[1:]}"
                )
            if not np.isfinite(value).all():
                raise ValueError(f"{name} holds a value that is not finite: {value}")
        if not np.isfinite(reward):
            raise ValueError(f"reward must be finite, got {reward}")
        row = self.added % self.capacity
        self._columns["observation"][row] = observation
        self._columns["action"][row] = action
        self._columns["reward"][row] = reward
        self._columns["next_observation"][row] = next_observation
        self._columns["terminated"][row] = terminated
        self.added += 1

    def sample(self, rng: np.random.Generator, size: int) -> Batch:
        """Draw `size` transitions uniformly with replacement.

        Raises:
            ValueError: the buffer is empty.
        """
        if not self.added:
            raise ValueError("cannot sample from an empty replay buffer; add transitions first")
        rows = rng.integers(len(self), size=size)
        return Batch(**{name: column.take(rows, axis=0) for name, column in self._columns.items()})

    def state(self) -> dict[str, Array]:
        """The filled part and the position; views, to be written before the next `add`."""
        filled = len(self)
        state = {name: column[:filled] for name, column in self._columns.items()}
        return state | {"added": np.array(self.added, np.int64)}

    def load(self, state: Mapping[str, Array]) -> None:
        """Take over what `state()` returned from a buffer of the same shape.

        Raises:
            ValueError: a column is missing, or differs in shape, dtype or capacity.
        """
        expected = {*self._columns, "added"}
        if set(state) != expected:
            raise ValueError(f"replay state holds {sorted(state)}; expected {sorted(expected)}")
        added = int(state["added"])
        filled = min(added, self.capacity)
        for name, column in self._columns.items():
            value = state[name]
            if value.shape != (filled, *column.shape[1:]) or value.dtype != column.dtype:
                raise ValueError(
                    f"replay state {name} is {value.dtype}{value.shape}; this buffer (capacity "
                    f"{self.capacity}) expects {column.dtype}{(filled, *column.shape[1:])}"
                )
        for name, column in self._columns.items():
            column[:filled] = state[name]
        self.added = added
