"""What a task looks like mirrored or turned: an order and a sign for each number seen and done."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Reordering:
    """Another order of a row of numbers: number i is `sign[i]` times number `order[i]` of the row.

    Raises:
        ValueError: a number is left out or taken twice, or a sign is neither 1 nor -1.
    """

    order: tuple[int, ...]
    sign: tuple[int, ...]
    """1 or -1 each."""

    def __post_init__(self) -> None:
        size = len(self.order)
        if len(self.sign) != size or not set(self.sign) <= {-1, 1}:
            raise ValueError(f"{size} numbers need as many signs of 1 or -1; got {self.sign}")
        if sorted(self.order) != list(range(size)):
            raise ValueError(f"{self.order} does not take each of {size} numbers once")

    def __call__(self, rows: NDArray[np.floating]) -> NDArray[np.floating]:
        """Reordered `rows`, shape (..., n)."""
        return rows[..., list(self.order)] * np.array(self.sign, rows.dtype)

    def after(self, first: Reordering) -> Reordering:
        """Both in one: `first`, then this."""
        order = tuple(first.order[place] for place in self.order)
        sign = tuple(
            own * first.sign[place] for own, place in zip(self.sign, self.order, strict=True)
        )
        return Reordering(order, sign)


@dataclass(frozen=True, slots=True)
class Image:
    """How a robot looks and acts in one mirror, or turned in one way."""

    observation: Reordering
    action: Reordering

    def after(self, first: Image) -> Image:
        """Both in one: `first`, then this."""
        return Image(self.observation.after(first.observation), self.action.after(first.action))


@dataclass(frozen=True, slots=True)
class Symmetry:
    """All images in which a task is the same task.

    What happens in an image is as true as what happened: rewards and ends are the same.

    Attributes:
        images: besides the robot as it is.

    Raises:
        ValueError: they are no group: an image of an image is another one, so one is missing or
            wrong.
    """

    images: tuple[Image, ...]

    def __post_init__(self) -> None:
        if not self.images:
            raise ValueError("a symmetry without an image; a task that has none has no symmetry")
        sizes = {(len(one.observation.order), len(one.action.order)) for one in self.images}
        if len(sizes) != 1:
            raise ValueError(f"images of several sizes: {sorted(sizes)}")
        seen, done = sizes.pop()
        itself = Image(_unchanged(seen), _unchanged(done))
        known = {itself, *self.images}
        if len(known) != len(self.images) + 1:
            raise ValueError("an image is told twice, or is the robot as it is")
        if any(one.after(other) not in known for one in self.images for other in self.images):
            raise ValueError("an image of an image is none of them: one is missing or wrong")


def _unchanged(size: int) -> Reordering:
    return Reordering(tuple(range(size)), (1,) * size)
