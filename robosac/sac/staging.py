"""Where batches wait for a recorded update: fixed memory, filled by one transfer.

A recorded update reads the addresses it was recorded with, so each batch must come to lie where the
one before it lay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robosac.sac.learner import PARTS, Batch

ALIGNMENT = 256
"""Bytes; where each array begins. Any type may be read there, by a GPU's widest loads too."""
TURNS = 2
"""Blocks of host memory: one is filled while the other is on its way."""


class Memory(Protocol):
    """The host memory that a device reads from."""

    def host_block(self, size: int) -> Tensor:
        """Uninitialised bytes, (size,), which the device can read while the CPU goes on."""
        ...

    def mark(self) -> Callable[[], None]:
        """What waits until the device has done all that was asked of it so far."""
        ...


@dataclass(frozen=True, slots=True)
class StagedBatch:
    """A batch in fixed memory on the device."""

    observation: Any
    action: Tensor
    reward: Tensor
    next_observation: Any
    terminated: Tensor


class Staging:
    """Fixed memory for `slots` batches like one given.

    Args:
        like: decides shapes. Pictures stay uint8, all else becomes `dtype`.
        slots: batches that are put at once at most.
        dtype: of the learner.
        device: of the learner.
        memory: of the host, as the device wants it.
    """

    def __init__(
        self, like: Batch, slots: int, dtype: torch.dtype, device: torch.device, memory: Memory
    ) -> None:
        self.shapes = shapes_of(like)
        """Of each array, by its place in the batch."""
        self.slots = slots
        self._types = {
            place: torch.uint8 if _is_bytes(value) else dtype for place, value in _arrays(like)
        }
        self._slot_bytes = sum(self._sizes().values())
        size = slots * self._slot_bytes
        self._device = torch.empty(size, dtype=torch.uint8, device=device)
        self._hosts = [memory.host_block(size) for _ in range(TURNS)]
        self._placed = [self._views(self._device, slot) for slot in range(slots)]
        self._written = [
            [self._arrays_of(host, slot) for slot in range(slots)] for host in self._hosts
        ]
        self._memory = memory
        self._sent: list[Callable[[], None]] = [lambda: None] * TURNS
        self._turn = 0

    def put(self, batches: Sequence[Batch]) -> None:
        """Copy batches into the first slots; arrays by one transfer, tensors within the device.

        Raises:
            ValueError: too many, or one has other shapes.
        """
        if len(batches) > self.slots:
            raise ValueError(f"{len(batches)} batches; there is room for {self.slots}")
        for batch in batches:
            if shapes_of(batch) != self.shapes:
                raise ValueError(f"a batch of {shapes_of(batch)}; expected {self.shapes}")
        if any(isinstance(value, Tensor) for _, value in _arrays(batches[0])):
            for batch, placed in zip(batches, self._placed, strict=False):
                for place, value in _arrays(batch):
                    placed[place].copy_(torch.as_tensor(value))
            return
        turn = self._turn = (self._turn + 1) % TURNS
        self._sent[turn]()
        for batch, written in zip(batches, self._written[turn], strict=False):
            for place, value in _arrays(batch):
                np.copyto(written[place], value, casting="same_kind")
        size = len(batches) * self._slot_bytes
        self._device[:size].copy_(self._hosts[turn][:size], non_blocking=True)
        self._sent[turn] = self._memory.mark()

    def batch(self, slot: int) -> StagedBatch:
        """The batch of a slot, as fixed memory: what is put there later shows in it."""
        parts: dict[str, Any] = {}
        for (part, name), tensor in self._placed[slot].items():
            if name is None:
                parts[part] = tensor
            else:
                parts.setdefault(part, {})[name] = tensor
        return StagedBatch(**parts)

    def _sizes(self) -> dict[Place, int]:
        """Bytes of each array, padding included."""
        sizes: dict[Place, int] = {}
        for place, shape in self.shapes.items():
            count = int(np.prod(shape)) * self._types[place].itemsize
            sizes[place] = -(-count // ALIGNMENT) * ALIGNMENT
        return sizes

    def _views(self, block: Tensor, slot: int) -> dict[Place, Tensor]:
        """The arrays of one slot of a block."""
        views: dict[Place, Tensor] = {}
        offset = slot * self._slot_bytes
        for place, size in self._sizes().items():
            shape, dtype = self.shapes[place], self._types[place]
            used = int(np.prod(shape)) * dtype.itemsize
            views[place] = block[offset : offset + used].view(dtype).view(shape)
            offset += size
        return views

    def _arrays_of(self, host: Tensor, slot: int) -> dict[Place, NDArray[Any]]:
        return {place: view.numpy() for place, view in self._views(host, slot).items()}


Place = tuple[str, str | None]
"""Field of a batch, and the part of an observation that has several."""


def shapes_of(batch: Batch) -> dict[Place, tuple[int, ...]]:
    """Shape of each array of a batch."""
    return {place: tuple(value.shape) for place, value in _arrays(batch)}


def _arrays(batch: Batch) -> Iterator[tuple[Place, Any]]:
    for part in PARTS:
        value = getattr(batch, part)
        if isinstance(value, Mapping):
            for name, array in value.items():
                yield (part, str(name)), array
        else:
            yield (part, None), value


def _is_bytes(value: Any) -> bool:
    return value.dtype == (torch.uint8 if isinstance(value, Tensor) else np.uint8)
