"""Delays with jitter, drawn as they were measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Delays:
    """A distribution told by a few of its numbers, s; between them it is taken to be even.

    Its lower end is not told: it is where the mean comes out right, but at least 0.

    Raises:
        ValueError: the numbers do not rise, or are negative or not finite.
    """

    mean_s: float
    p50_s: float
    p99_s: float
    max_s: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.p50_s <= self.p99_s <= self.max_s < math.inf:
            raise ValueError(
                f"delays {self.p50_s}, {self.p99_s}, {self.max_s} s; valid is 0 <= median <= 99th"
                " percentile <= longest"
            )
        if not 0.0 <= self.mean_s <= self.max_s:
            raise ValueError(f"mean delay {self.mean_s} s; valid is 0 to {self.max_s} s")

    @property
    def least_s(self) -> float:
        """The lower end."""
        # mean = (least + p50) / 4 + 0.49 (p50 + p99) / 2 + 0.01 (p99 + max) / 2
        upper = 0.245 * (self.p50_s + self.p99_s) + 0.005 * (self.p99_s + self.max_s)
        return min(max(0.0, 4.0 * (self.mean_s - upper) - self.p50_s), self.p50_s)

    def later(self, by_s: float) -> Delays:
        """All of them longer by `by_s` (s), which may be negative; none becomes less than 0."""
        parts = (self.mean_s, self.p50_s, self.p99_s, self.max_s)
        return Delays(*(max(0.0, part + by_s) for part in parts))

    def draw(self, rng: np.random.Generator) -> float:
        """One delay, s."""
        quantiles = (self.least_s, self.p50_s, self.p99_s, self.max_s)
        return float(np.interp(rng.random(), (0.0, 0.5, 0.99, 1.0), quantiles))
