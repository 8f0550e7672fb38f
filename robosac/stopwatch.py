"""Mean time of named phases, for the timing rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up how long phases take; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._spent: dict[str, float] = {}
        self._times: dict[str, int] = {}

    @contextmanager
    def phase(self, name: str, times: int = 1) -> Iterator[None]:
        """Time the block as `times` runs of phase `name`."""
        started = self._clock()
        yield
        self._spent[name] = self._spent.get(name, 0.0) + self._clock() - started
        self._times[name] = self._times.get(name, 0) + times

    def take_us(self, name: str) -> float | None:
        """Mean time of one run of phase `name` since it was last taken, us; None: it never ran."""
        spent, times = self._spent.pop(name, 0.0), self._times.pop(name, 0)
        return spent / times * 1e6 if times else None
