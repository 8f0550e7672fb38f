"""Actions before there is a policy worth following: uniform in [-1, 1], smooth if wanted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


class RandomActions:
    """Each number of each action is uniform in [-1, 1]; successive ones may be correlated.

    A direct-drive leg that is sent somewhere else 50 times a second shakes more than it moves. The
    numbers follow a Gaussian autoregression of first order, through its distribution function, so
    that what is visited stays uniform: u = 2 Phi(z) - 1, z' = c z + sqrt(1 - c^2) e.

    Args:
        rng: drawn from.
        size: numbers in an action.
        correlation: c, of one action with the next; 0: none.
    """

    def __init__(self, rng: np.random.Generator, size: int, correlation: float) -> None:
        if not 0.0 <= correlation < 1.0:
            raise ValueError(f"the correlation must lie in [0, 1), got {correlation}")
        self._rng, self._size, self._correlation = rng, size, correlation
        self._last: NDArray[Any] | None = None

    def begin(self) -> None:
        """Forget the last action: an episode begins."""
        self._last = None

    def next(self) -> NDArray[np.float32]:
        """The next action, shape (size,)."""
        if not self._correlation:
            return self._rng.uniform(-1.0, 1.0, self._size).astype(np.float32)
        fresh = self._rng.standard_normal(self._size)
        if self._last is not None:
            kept = self._correlation
            fresh = kept * self._last + math.sqrt(1.0 - kept * kept) * fresh
        self._last = fresh
        # 2 Phi(z) - 1 = erf(z / sqrt 2)
        return np.array([math.erf(z / math.sqrt(2.0)) for z in fresh], np.float32)
