"""A part of each batch as the task's symmetry shows it."""

from __future__ import annotations

import torch
from torch import Tensor

from robosac.symmetry import Reordering, Symmetry


class Images:
    """Shows equal parts of a batch as a task's symmetry does, the first part as it was.

    A robot of like sides learns as much from the image of a step. A part of a batch costs no more
    than the batch did, and since rows are drawn at random it matters not which.
    """

    def __init__(self, symmetry: Symmetry, dtype: torch.dtype, device: torch.device) -> None:
        def tensors(reordering: Reordering) -> tuple[Tensor, Tensor]:
            order = torch.tensor(reordering.order, device=device)
            return order, torch.tensor(reordering.sign, dtype=dtype, device=device)

        self._observation = [tensors(image.observation) for image in symmetry.images]
        self._action = [tensors(image.action) for image in symmetry.images]

    def shown(
        self, state: Tensor, action: Tensor, next_state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """States and actions (rows, n); copies."""
        return (
            _shown(state, self._observation),
            _shown(action, self._action),
            _shown(next_state, self._observation),
        )


def _shown(rows: Tensor, images: list[tuple[Tensor, Tensor]]) -> Tensor:
    kept, *others = rows.tensor_split(len(images) + 1)
    pairs = zip(others, images, strict=True)
    return torch.cat([kept, *(part.index_select(1, order) * sign for part, (order, sign) in pairs)])
