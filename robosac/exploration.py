"""Chance in actions, smooth if wanted: before there is a policy to follow, and a policy's own.

A direct-drive leg that is sent somewhere else 50 times a second shakes more than it moves.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


class SmoothNormals:
    """Standard normal numbers; each array's may be correlated with the one's before it.

    A Gaussian autoregression of first order: z' = c z + sqrt(1 - c^2) e. Each z by itself is
    standard normal, so a policy that adds it is, step by step, the policy that is learned.

    Args:
        rng: drawn from.
        correlation: c, of one array with the next; 0: none.
    """

    def __init__(self, rng: np.random.Generator, correlation: float) -> None:
        if not 0.0 <= correlation < 1.0:
            raise ValueError(f"the correlation must lie in [0, 1), got {correlation}")
        self._rng, self._correlation = rng, correlation
        self._last: NDArray[np.float64] | None = None

    def begin(self) -> None:
        """Forget the last numbers: an episode begins."""
        self._last = None

    def standard_normal(self, shape: int | tuple[int, ...], /) -> NDArray[np.float64]:
        """The next numbers; an array of another shape than the last begins anew."""
        fresh = np.asarray(self._rng.standard_normal(shape))
        last, kept = self._last, self._correlation
        if not kept:
            return fresh
        if last is not None and last.shape == fresh.shape:
            fresh = kept * last + math.sqrt(1.0 - kept * kept) * fresh
        self._last = fresh
        return fresh


class RandomActions:
    """Each number of each action is uniform in [-1, 1]; successive ones may be correlated.

    They are `SmoothNormals` through their distribution function, so that what is visited stays
    uniform: u = 2 Phi(z) - 1.

    Args:
        rng: drawn from.
        size: numbers in an action.
        correlation: c, of one action with the next; 0: none.
    """

    def __init__(self, rng: np.random.Generator, size: int, correlation: float) -> None:
        self._rng, self._size, self._smooth = rng, size, correlation > 0.0
        self._normals = SmoothNormals(rng, correlation)

    def begin(self) -> None:
        """Forget the last action: an episode begins."""
        self._normals.begin()

    def next(self) -> NDArray[np.float32]:
        """The next action, shape (size,)."""
        if not self._smooth:
            return self._rng.uniform(-1.0, 1.0, self._size).astype(np.float32)
        numbers = self._normals.standard_normal(self._size)
        # 2 Phi(z) - 1 = erf(z / sqrt 2)
        return np.array([math.erf(z / math.sqrt(2.0)) for z in numbers], np.float32)
