"""How the critics' values of one action become one value, and its gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from robosac.sac.networks import CRITICS
from robosac.sac.settings import Reduction


def reduce(q: Tensor, reduction: Reduction) -> Tensor:
    """One value (batch,) of the critics' (CRITICS, batch)."""
    return q.amin(dim=0) if reduction == "min" else q.mean(dim=0)


def reduce_gradient(q: Tensor, reduction: Reduction) -> Tensor:
    """Derivative of `reduce` by `q`; of equal values the first is the smaller."""
    if reduction == "mean":
        return torch.full_like(q, 1 / CRITICS)
    return torch.zeros_like(q).scatter_(0, q.argmin(dim=0, keepdim=True), 1)
