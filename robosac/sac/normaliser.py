"""Running mean and deviation of what is observed, by which it is brought to one scale.

Joint angles of 2 rad that move by 0.3 and tilts of 0.05 rad are one to a network that has to learn
from a few minutes of them (SimBa, arXiv 2410.09754, ablates it). The statistics come from the
batches themselves, so they depend on nothing but the learner's own seed and what it was given.
"""

from __future__ import annotations

import torch
from torch import Tensor

from robosac.sac.policy import NORMALISED_BOUND

SHARE = 1e-3
"""Least share of the newest batch: the statistics forget what was a few thousand updates ago."""
VARIANCE_EPSILON = 1e-4
"""Added to the variance: what never changes is not blown up."""


class Normaliser:
    """Brings each number of an observation to mean 0 and deviation 1, bounded.

    Until it has learned anything it lets observations through, but for the bound.
    """

    def __init__(self, size: int, dtype: torch.dtype, device: torch.device) -> None:
        self.mean = torch.zeros(size, dtype=dtype, device=device)
        self.scale = torch.ones(size, dtype=dtype, device=device)
        """One over the deviation."""
        self._variance = torch.ones(size, dtype=dtype, device=device)
        self._batches = torch.zeros((), dtype=dtype, device=device)

    def learn(self, rows: Tensor) -> None:
        """Take a batch (rows, n) into the statistics: the mean of all, or of the newest ones."""
        self._batches.add_(1)
        share = self._batches.reciprocal().clamp_(min=SHARE)
        variance, mean = torch.var_mean(rows, dim=0, correction=0)
        # Of two groups joined: their own variances, and that of their means.
        between = (1 - share) * (mean - self.mean).square()
        self._variance.lerp_(variance + between, share)
        self.mean.lerp_(mean, share)
        torch.rsqrt(self._variance + VARIANCE_EPSILON, out=self.scale)

    def __call__(self, rows: Tensor) -> Tensor:
        """Normalised `rows` (rows, n)."""
        return ((rows - self.mean) * self.scale).clamp_(-NORMALISED_BOUND, NORMALISED_BOUND)

    def state(self) -> dict[str, Tensor]:
        """The live tensors that determine what it does."""
        return {
            "mean": self.mean,
            "scale": self.scale,
            "variance": self._variance,
            "batches": self._batches,
        }
