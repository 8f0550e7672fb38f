"""Replay buffer: a ring of transitions in plain arrays, sampled uniformly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]
Observation = TypeVar("Observation")
Take = Callable[[str, Array], Any]
"""Gives the rows of a column, by its name and their indices."""


@dataclass(frozen=True, slots=True)
class Batch(Generic[Observation]):
    """Transitions drawn from the buffer; fresh arrays, free to change, or tensors likewise."""

    observation: Observation
    """An array (batch, *observation_shape), or a dict of them."""
    action: Array
    """What the robot executed, (batch, a), in [-1, 1]."""
    reward: Array
    """(batch,)"""
    next_observation: Observation
    terminated: Array
    """1 where the task ended the episode, else 0, (batch,); only this cuts the bootstrap."""


@dataclass(frozen=True, slots=True)
class Ring:
    """Columns that are written together, row after row, over the oldest."""

    columns: Mapping[str, Array]
    written: int
    """Rows ever written; the next goes to `written` modulo the columns' length."""


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

    def ready(self, size: int) -> bool:
        """Whether there is enough to draw batches of `size` from."""
        return len(self) >= size

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
        given = {
            "observation": observation,
            "action": action,
            "reward": reward,
            "next_observation": next_observation,
        }
        for name, value in given.items():
            require(name, value, self._columns[name].shape[1:])
        row = self.added % self.capacity
        self._columns["observation"][row] = observation
        self._columns["action"][row] = action
        self._columns["reward"][row] = reward
        self._columns["next_observation"][row] = next_observation
        self._columns["terminated"][row] = terminated
        self.added += 1

    def sample(self, rng: np.random.Generator, size: int) -> Batch[Array]:
        """Draw `size` transitions uniformly with replacement.

        Raises:
            ValueError: the buffer is empty.
        """
        return self.gather(rng, size, lambda name, rows: self._columns[name].take(rows, axis=0))

    def gather(self, rng: np.random.Generator, size: int, take: Take) -> Batch[Any]:
        """As `sample`, but `take` fetches the rows: from a copy of the columns elsewhere.

        Raises:
            ValueError: the buffer is empty.
        """
        rows = drawn(rng, size, len(self))
        return Batch(**{name: take(name, rows) for name in self._columns})

    def rings(self) -> list[Ring]:
        """The columns themselves, not to be written to."""
        return [Ring(self._columns, self.added)]

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
        require_names(state, {*self._columns, "added"})
        added = int(state["added"])
        filled = min(added, self.capacity)
        for name, column in self._columns.items():
            require_part(name, state[name], column, filled)
        for name, column in self._columns.items():
            column[:filled] = state[name]
        self.added = added


def drawn(rng: np.random.Generator, size: int, held: int) -> Array:
    """`size` of the `held` rows of a buffer, uniformly with replacement.

    Raises:
        ValueError: the buffer is empty.
    """
    if not held:
        raise ValueError("cannot sample from an empty replay buffer; add transitions first")
    return rng.integers(held, size=size)


def require(name: str, value: Array | float, shape: tuple[int, ...]) -> None:
    """Refuse what may not enter a buffer.

    numpy would broadcast a wrong shape silently, and one value that is not finite poisons the
    critics long after its cause is gone.

    Raises:
        ValueError: the shape is another, or a value is not finite.
    """
    if np.shape(value) != shape:
        raise ValueError(f"{name} has shape {np.shape(value)}; expected {shape}")
    if not np.isfinite(value).all():
        raise ValueError(f"{name} holds a value that is not finite: {value}")


def require_names(state: Mapping[str, Array], expected: set[str]) -> None:
    """Raise ValueError unless a buffer's saved state holds exactly the expected arrays."""
    if set(state) != expected:
        raise ValueError(f"replay state holds {sorted(state)}; expected {sorted(expected)}")


def require_part(name: str, value: Array, column: Array, filled: int) -> None:
    """Raise ValueError unless `value` fits the first `filled` rows of a column of a buffer."""
    shape = (filled, *column.shape[1:])
    if value.shape != shape or value.dtype != column.dtype:
        raise ValueError(
            f"replay state {name} is {value.dtype}{value.shape}; this buffer (room for "
            f"{len(column)}) expects {column.dtype}{shape}"
        )
