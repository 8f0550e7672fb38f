"""Batches drawn ahead, by a thread of their own, while the learner learns from those before.

A batch is what it would be without: the thread draws with a generator of its own that begins where
the learner's stands, and what it drew is given out only if that still stands there and the buffer
has not changed. So results do not depend on how fast either is, a checkpoint finds the learner's
generator where the batches learned from have left it, and what was drawn in vain costs time alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np

from robosac.replay import Array, Batch

THREAD: Final = "prefetch"
"""What the thread's name begins with."""
State = Mapping[str, Any]
"""Of a generator, as numpy tells it."""


class Buffer(Protocol):
    """What is drawn from: any of the replay buffers whose batches lie on the host."""

    def __len__(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    def ready(self, size: int) -> bool: ...
    def add(
        self,
        observation: Any,
        action: Array,
        reward: float,
        next_observation: Any,
        terminated: bool,
    ) -> None: ...
    def sample(self, rng: np.random.Generator, size: int) -> Batch[Any]: ...
    def state(self) -> dict[str, Array]: ...
    def load(self, state: Mapping[str, Array]) -> None: ...


@dataclass(frozen=True, slots=True)
class _Order:
    """Batches that are being drawn ahead, or are drawn."""

    size: int
    count: int
    before: State
    """Where the generator stood."""
    drawn: Future[tuple[list[Batch[Any]], State]]
    """The batches, and where it would stand after them."""


class Prefetch:
    """A replay buffer whose next batches may be drawn while the learner works on the last.

    Every call is for one thread, the learner's. From `draw_ahead` on the buffer is the worker's to
    read, and whatever changes it first waits until the worker is done: a sample is never half of an
    old and half of a new transition. What failed in the worker is raised by the next call here that
    draws, changes the buffer or closes.

    Args:
        replay: from now on changed and drawn from through this object alone.
    """

    def __init__(self, replay: Buffer) -> None:
        self._replay = replay
        self._own: np.random.Generator | None = None
        """The worker's generator."""
        self._pool: ThreadPoolExecutor | None = None
        self._order: _Order | None = None

    def __len__(self) -> int:
        return len(self._replay)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the filled part; batches are not counted."""
        return self._replay.memory_bytes

    def ready(self, size: int) -> bool:
        """Whether there is enough to draw batches of `size` from."""
        return self._replay.ready(size)

    def add(
        self,
        observation: Any,
        action: Array,
        reward: float,
        next_observation: Any,
        terminated: bool,
    ) -> None:
        """As the buffer's, once the worker is done; what was drawn ahead is dropped.

        Raises:
            ValueError: a shape is wrong, or a value is not finite.
        """
        self.settle()
        self._replay.add(observation, action, reward, next_observation, terminated)

    def sample(self, rng: np.random.Generator, size: int) -> Batch[Any]:
        """As the buffer's. Raises: as `sample_many`."""
        return self.sample_many(rng, size, 1)[0]

    def sample_many(self, rng: np.random.Generator, size: int, count: int) -> list[Batch[Any]]:
        """`count` batches of `size`: those that were drawn ahead, else drawn now.

        Raises:
            ValueError: there are too few transitions.
            MemoryError: there is none left.
        """
        order = self._order
        wanted = order is not None and (order.size, order.count) == (size, count)
        if order is None or not wanted or rng.bit_generator.state != order.before:
            self.settle()
            return [self._replay.sample(rng, size) for _ in range(count)]
        batches, rng.bit_generator.state = self._done(order)
        return batches

    def draw_ahead(self, rng: np.random.Generator, size: int, count: int) -> None:
        """Have the worker draw what `sample_many` is expected to be asked for next.

        The generator stays as it is. Raises: what an earlier order failed with.
        """
        self.settle()
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, THREAD)
        if self._own is None:
            self._own = np.random.Generator(type(rng.bit_generator)(0))
        own, before = self._own, rng.bit_generator.state

        def draw() -> tuple[list[Batch[Any]], State]:
            own.bit_generator.state = before
            batches = [self._replay.sample(own, size) for _ in range(count)]
            return batches, own.bit_generator.state

        self._order = _Order(size, count, before, self._pool.submit(draw))

    def settle(self) -> None:
        """Wait until the worker is done with the buffer, and drop what it drew.

        Raises: what the worker failed with.
        """
        if self._order is not None:
            self._done(self._order)

    def state(self) -> dict[str, Array]:
        """As the buffer's."""
        return self._replay.state()

    def load(self, state: Mapping[str, Array]) -> None:
        """As the buffer's, once the worker is done; what was drawn ahead is dropped.

        Raises:
            ValueError: it does not fit.
        """
        self.settle()
        self._replay.load(state)

    def close(self) -> None:
        """Wait for the thread's end; the next order begins another.

        Raises: what the worker failed with, unless that was raised before.
        """
        pool, self._pool = self._pool, None
        try:
            self.settle()
        finally:
            if pool is not None:
                pool.shutdown()

    def _done(self, order: _Order) -> tuple[list[Batch[Any]], State]:
        """What came of the order, once the worker is done."""
        # Only waits. An interrupt here leaves the order, for the worker may still be reading.
        order.drawn.exception()
        self._order = None
        return order.drawn.result()
