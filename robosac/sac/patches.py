"""Pictures cut into patches of patches, so that a convolution over them is one matrix product."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

GREY = 127.5
"""Half of a pixel's range, taken off before anything is learned from it."""
PIXEL_SCALE = 1 / 255


def to_patches(images: NDArray[np.uint8], sides: Sequence[int]) -> NDArray[np.uint8]:
    """Cut images (rows, height, width, channels) into (rows * patches, side * side * channels).

    `sides[0]` is a patch's side in pixels, `sides[1]` that of a patch of patches, and so on. The
    patches that make up a larger one follow each other, so the next layer's input is a mere view of
    what this one put out. The sides' product must divide height and width.
    """
    rows, height, width, channels = images.shape
    whole, levels = math.prod(sides), tuple(reversed(sides))
    run = levels[-1] * channels
    split = np.ascontiguousarray(images).reshape(
        rows, height // whole, *levels, width // whole, *levels[:-1], run
    )
    # A run of pixels moves as one element: several times faster than byte by byte.
    runs = split.view(np.dtype((np.void, run)))[..., 0]
    depth = len(levels)
    pairs = zip(range(1, depth + 2), range(depth + 2, 2 * depth + 2), strict=False)
    axes = [0, *(axis for pair in pairs for axis in pair), depth + 1]
    patches = np.ascontiguousarray(runs.transpose(axes))
    return patches.view(np.uint8).reshape(-1, levels[-1] * run)


def patch_shapes(
    image_shape: tuple[int, ...], sides: Sequence[int], filters: Sequence[int]
) -> list[tuple[int, int]]:
    """(in, out) of each layer's matrix: a patch of the layer below, and its filters."""
    below = (image_shape[-1], *filters)
    return [
        (side * side * depth, count)
        for side, depth, count in zip(sides, below, filters, strict=False)
    ]
