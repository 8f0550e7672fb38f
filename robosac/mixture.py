"""Batches of which a stated share are demonstrations.

Ball et al. 2023 (RLPD, arXiv 2302.02948): half of each batch from a buffer of demonstrations, half
from what the robot gathers, without any pretraining. Luo et al. 2024 (HIL-SERL, arXiv 2410.21845):
what a person did in an intervention goes into both buffers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from robosac.replay import Array, Batch

Observation = TypeVar("Observation")
Stored = TypeVar("Stored", contravariant=True)
Join = Callable[[tuple[Any, Any]], Any]
PARTS = ("online", "demonstrations")


class Buffer(Protocol[Stored]):
    """What Replay and FrameReplay have in common."""

    @property
    def capacity(self) -> int: ...
    @property
    def added(self) -> int: ...
    def __len__(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def transition_bytes(self) -> int: ...
    def add(
        self,
        observation: Stored,
        action: Array,
        reward: float,
        next_observation: Stored,
        terminated: bool,
    ) -> None: ...
    def sample(self, rng: np.random.Generator, size: int) -> Batch[Any]: ...
    def state(self) -> dict[str, Array]: ...
    def load(self, state: Mapping[str, Array]) -> None: ...


class Mixture(Generic[Observation]):
    """Two buffers that are sampled as one.

    Length, capacity and position are those of the online buffer, which the robot fills.

    Args:
        online: what the robot gathers.
        demonstrations: what it was shown, of the same shapes.
        share: of each batch that comes from the demonstrations, above 0 and below 1.
        join: puts what both buffers gave for one array end to end.
    """

    def __init__(
        self,
        online: Buffer[Observation],
        demonstrations: Buffer[Observation],
        share: float,
        join: Join = np.concatenate,
    ) -> None:
        if not 0.0 < share < 1.0:
            raise ValueError(f"the share of demonstrations must be between 0 and 1, got {share}")
        self.online, self.demonstrations, self.share = online, demonstrations, share
        self._join = join

    def __len__(self) -> int:
        return len(self.online)

    @property
    def capacity(self) -> int:
        """Transitions that the online buffer takes."""
        return self.online.capacity

    @property
    def added(self) -> int:
        """Transitions ever added to the online buffer."""
        return self.online.added

    @property
    def memory_bytes(self) -> int:
        """Bytes of the filled parts of both."""
        return self.online.memory_bytes + self.demonstrations.memory_bytes

    @property
    def transition_bytes(self) -> int:
        """Bytes of one transition; times `capacity`, what both take when full."""
        demonstrations = self.demonstrations.transition_bytes * self.demonstrations.capacity
        return self.online.transition_bytes + -(-demonstrations // self.capacity)

    def parts(self, size: int) -> tuple[int, int]:
        """How many of a batch of `size` come from the robot, and from the demonstrations."""
        shown = round(self.share * size)
        return size - shown, shown

    def ready(self, size: int) -> bool:
        """Whether both buffers hold what a batch of `size` takes from them."""
        return not self._missing(size)

    def add(
        self,
        observation: Observation,
        action: Array,
        reward: float,
        next_observation: Observation,
        terminated: bool,
        *,
        demonstrated: bool = False,
    ) -> None:
        """Store a transition that the robot made; a demonstrated one in both buffers.

        Raises:
            ValueError: a shape is wrong, or a value is not finite.
        """
        self.online.add(observation, action, reward, next_observation, terminated)
        if demonstrated:
            self.demonstrations.add(observation, action, reward, next_observation, terminated)

    def sample(self, rng: np.random.Generator, size: int) -> Batch[Any]:
        """Draw a batch: first the robot's transitions, then the demonstrations.

        Raises:
            ValueError: a buffer holds too little for its part.
        """
        missing = self._missing(size)
        if missing:
            raise ValueError(missing)
        gathered, shown = self.parts(size)
        if not shown:
            return self.online.sample(rng, gathered)
        if not gathered:
            return self.demonstrations.sample(rng, shown)
        one, other = self.online.sample(rng, gathered), self.demonstrations.sample(rng, shown)
        return _joined(one, other, self._join)

    def state(self) -> dict[str, Array]:
        """The states of both; views, to be written before the next `add`."""
        states = {part: getattr(self, part).state() for part in PARTS}
        return {f"{part}.{name}": v for part, state in states.items() for name, v in state.items()}

    def load(self, state: Mapping[str, Array]) -> None:
        """Take over what `state()` returned from buffers of the same shapes.

        Raises:
            ValueError: an array is missing, unknown, or differs in shape, dtype or capacity.
        """
        unknown = [name for name in state if name.partition(".")[0] not in PARTS]
        if unknown:
            raise ValueError(f"replay state holds {unknown}; expected names within {PARTS}")
        for part in PARTS:
            prefix = part + "."
            getattr(self, part).load(
                {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            )

    def _missing(self, size: int) -> str:
        """What keeps a batch of `size` from being drawn; empty: nothing."""
        gathered, shown = self.parts(size)
        if len(self.online) < gathered:
            return (
                f"the online buffer holds {len(self.online)} transitions and must give {gathered} "
                f"of {size}; gather {gathered - len(self.online)} more first"
            )
        if shown and not len(self.demonstrations):
            return (
                f"the buffer of demonstrations is empty and must give {shown} of {size}; "
                "load a set of demonstrations first"
            )
        return ""


def _joined(one: Batch[Any], other: Batch[Any], join: Join) -> Batch[Any]:
    """Both batches' rows in one."""
    return Batch(**{f.name: _stacked(getattr(one, f.name), getattr(other, f.name), join)
                    for f in fields(Batch)})  # fmt: skip


def _stacked(one: Any, other: Any, join: Join) -> Any:
    if isinstance(one, Mapping):
        return {name: join((value, other[name])) for name, value in one.items()}
    return join((one, other))
