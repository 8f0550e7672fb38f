"""A replay buffer with a copy on the learner's device, where batches are gathered.

A batch of pictures is megabytes, and gathering and sending it takes the CPU longer than the update
takes a GPU. With the copy there, only what is new goes over, once, and the numbers of the rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor

from robosac.errors import ConfigError
from robosac.replay import Array, Batch, Ring, Take

Stored = TypeVar("Stored", contravariant=True)
PINNED_BYTES = 1 << 20
"""Largest part that goes through page-locked memory, of which there is little."""


class Host(Protocol[Stored]):
    """The buffer that is copied: Replay or FrameReplay."""

    capacity: int
    added: int

    def __len__(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def transition_bytes(self) -> int: ...
    def ready(self, size: int) -> bool: ...
    def add(
        self,
        observation: Stored,
        action: Array,
        reward: float,
        next_observation: Stored,
        terminated: bool,
    ) -> None: ...
    def gather(self, rng: np.random.Generator, size: int, take: Take) -> Batch[Any]: ...
    def rings(self) -> list[Ring]: ...
    def state(self) -> dict[str, Array]: ...
    def load(self, state: Mapping[str, Array]) -> None: ...


class ResidentReplay(Generic[Stored]):
    """As the buffer it copies, but that batches are tensors on the device.

    The copy is as large as a full buffer and reserved at once: what does not fit is known at the
    start. The host's buffer stays whole, and checkpoints are its own.

    Args:
        host: the buffer; from now on added to through this object alone.
        device: of the learner.

    Raises:
        ConfigError: the device has too little memory.
    """

    def __init__(self, host: Host[Stored], device: str) -> None:
        self.host = host
        self._device = torch.device(device)
        try:
            self._columns = [
                {name: self._empty(column) for name, column in ring.columns.items()}
                for ring in host.rings()
            ]
        except torch.OutOfMemoryError as error:
            size = host.transition_bytes * host.capacity
            raise ConfigError(
                f"the replay's copy of {size / 1e9:.1f} GB does not fit on {device}; lower"
                " sac.replay_capacity, or set learner_replay to host"
            ) from error
        self._named = {name: x for columns in self._columns for name, x in columns.items()}
        self._copied = [0] * len(self._columns)
        """Of each ring, the rows ever written that the copy has."""

    def __len__(self) -> int:
        return len(self.host)

    @property
    def capacity(self) -> int:
        """Transitions that fit."""
        return self.host.capacity

    @property
    def added(self) -> int:
        """Transitions ever added."""
        return self.host.added

    @property
    def memory_bytes(self) -> int:
        """Bytes of the filled part, on the host."""
        return self.host.memory_bytes

    @property
    def transition_bytes(self) -> int:
        """Bytes of one transition, on the host and on the device each."""
        return self.host.transition_bytes

    def ready(self, size: int) -> bool:
        """Whether there is enough to draw batches of `size` from."""
        return self.host.ready(size)

    def add(
        self,
        observation: Stored,
        action: Array,
        reward: float,
        next_observation: Stored,
        terminated: bool,
    ) -> None:
        """As the host's; it goes to the device before the next batch is drawn.

        Raises:
            ValueError: a shape is wrong, or a value is not finite.
        """
        self.host.add(observation, action, reward, next_observation, terminated)

    def sample(self, rng: np.random.Generator, size: int) -> Batch[Any]:
        """The batch that the host's buffer would give, as tensors on the device.

        Raises:
            ValueError: the buffer is empty.
        """
        self._catch_up()
        sent: dict[int, tuple[Array, Tensor]] = {}

        def take(name: str, rows: Array) -> Tensor:
            # Several columns are read at the same rows: those go over once.
            if id(rows) not in sent:
                sent[id(rows)] = (rows, self._send(rows))
            return self._named[name].index_select(0, sent[id(rows)][1])

        return self.host.gather(rng, size, take)

    def state(self) -> dict[str, Array]:
        """As the host's."""
        return self.host.state()

    def load(self, state: Mapping[str, Array]) -> None:
        """As the host's; all of it goes to the device before the next batch is drawn.

        Raises:
            ValueError: it does not fit.
        """
        self._copied = [0] * len(self._columns)
        self.host.load(state)

    def _empty(self, column: Array) -> Tensor:
        dtype = torch.from_numpy(column[:0]).dtype
        return torch.empty(column.shape, dtype=dtype, device=self._device)

    def _catch_up(self) -> None:
        """Copy the rows that were written since."""
        for index, ring in enumerate(self.host.rings()):
            copies, done = self._columns[index], self._copied[index]
            for name, column in ring.columns.items():
                for part in _stretches(done, ring.written, len(column)):
                    copies[name][part].copy_(self._send(column[part]))
            self._copied[index] = ring.written

    def _send(self, rows: Array) -> Tensor:
        """The rows on their way to the device; they may be changed at once."""
        tensor = torch.from_numpy(rows)
        if self._device.type == "cpu":
            return tensor
        if rows.nbytes > PINNED_BYTES:
            return tensor.to(self._device)
        # Through page-locked memory the CPU need not wait until the device has done all before it.
        return tensor.pin_memory().to(self._device, non_blocking=True)


def _stretches(done: int, written: int, length: int) -> list[slice]:
    """Where rows `done` to `written` of a ring of that length lie: nowhere, or in one or two."""
    new = min(written - done, length)
    first = (written - new) % length
    parts = (slice(first, min(first + new, length)), slice(0, first + new - length))
    return [part for part in parts if part.stop > part.start]
