"""What a task looks like in a mirror: an order and a sign for each number seen and done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reflection:
    """A mirrored row of numbers: number i is `sign[i]` times number `order[i]` of the row itself.

    Raises:
        ValueError: mirrored twice, a row would not be itself again.
    """

    order: tuple[int, ...]
    sign: tuple[int, ...]
    """1 or -1 each."""

    def __post_init__(self) -> None:
        size = len(self.order)
        if len(self.sign) != size or not set(self.sign) <= {-1, 1}:
            raise ValueError(f"{size} numbers need as many signs of 1 or -1; got {self.sign}")
        back = all(
            0 <= there < size and self.order[there] == here and self.sign[there] == self.sign[here]
            for here, there in enumerate(self.order)
        )
        if not back:
            raise ValueError(f"mirrored twice, {self.order} with {self.sign} is not the row itself")

    def __call__(self, rows: NDArray[np.floating]) -> NDArray[np.floating]:
        """Mirrored `rows`, shape (..., n)."""
        return rows[..., list(self.order)] * np.array(self.sign, rows.dtype)


@dataclass(frozen=True, slots=True)
class Mirror:
    """How a robot of two like sides looks and acts in a mirror.

    What happens in the mirror is as true as what happened: rewards and ends are the same.
    """

    observation: Reflection
    action: Reflection
