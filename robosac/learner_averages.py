"""What the newest updates saw, averaged for a metrics row."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable
from typing import Protocol

from robosac.messages import LearnerMeans
from robosac.sac.settings import Core

LEARNER_ROW_STEPS = 1000
"""Environment steps between learner rows, and between timing rows."""
AVERAGED_UPDATES = 100
"""The newest updates that a learner row averages over."""


class Losses(Protocol):
    """What of one update is averaged."""

    def floats(self) -> dict[str, float]:
        """Losses, temperature, entropy and values, by name."""
        ...


class LearnerAverages:
    """Remembers the newest updates; `clock` gives seconds, for their rate."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._recent: deque[Losses] = deque(maxlen=AVERAGED_UPDATES)
        self._since = (clock(), 0)

    def begin(self, updates: int) -> None:
        """Count the rate from now, when so many updates were made."""
        self._since = (self._clock(), updates)

    def add(self, losses: Losses) -> None:
        """Take what one update saw."""
        self._recent.append(losses)

    def take(
        self,
        step: int,
        updates: int,
        target_entropy: float,
        update_us: float | None,
        core: Core = "torch",
    ) -> LearnerMeans | None:
        """The averages since they were last taken; None: there was no update."""
        if not self._recent:
            return None
        names = ("critic_loss", "actor_loss", "alpha", "entropy", "q_mean")
        values = [losses.floats() for losses in self._recent]
        means = {name: statistics.fmean(value[name] for value in values) for name in names}
        now, (since, before) = self._clock(), self._since
        self._recent.clear()
        self._since = (now, updates)
        return LearnerMeans(
            step=step,
            updates=updates,
            target_entropy=target_entropy,
            updates_per_s=(updates - before) / max(now - since, 1e-9),
            update_us=update_us,
            core=core,
            **means,
        )
