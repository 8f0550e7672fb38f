"""Half of each batch as a mirror shows it."""

from __future__ import annotations

import torch
from torch import Tensor

from robosac.mirror import Mirror, Reflection


class Reflect:
    """Mirrors rows by a task's mirror.

    A robot of two like sides learns as much from the mirror image of a step. Half of a batch costs
    no more than the batch did, and since rows are drawn at random it matters not which half.
    """

    def __init__(self, mirror: Mirror, dtype: torch.dtype, device: torch.device) -> None:
        def tensors(reflection: Reflection) -> tuple[Tensor, Tensor]:
            order = torch.tensor(reflection.order, device=device)
            return order, torch.tensor(reflection.sign, dtype=dtype, device=device)

        self._observation, self._action = tensors(mirror.observation), tensors(mirror.action)

    def half(
        self, state: Tensor, action: Tensor, next_state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """States and actions (rows, n), the second half of the rows mirrored; copies."""
        observation = self._observation
        return (
            _half(state, *observation),
            _half(action, *self._action),
            _half(next_state, *observation),
        )


def _half(rows: Tensor, order: Tensor, sign: Tensor) -> Tensor:
    kept, other = rows.tensor_split(2)
    return torch.cat([kept, other.index_select(1, order) * sign])
