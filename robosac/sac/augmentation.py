"""Random shift (DrQ, arXiv 2004.13649): the one augmentation that pixels need here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shift(
    images: NDArray[np.uint8], offsets: NDArray[np.integer], pixels: int
) -> NDArray[np.uint8]:
    """Move each image (rows, height, width, channels) by whole pixels, its edges repeated.

    `offsets` (2, rows), each in [0, 2 pixels]: the upper left corner of the crop from the image
    padded by `pixels` on all sides; `pixels` leaves it where it was. Bytes are moved, not floats.
    """
    rows, height, width, channels = images.shape
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), mode="edge")
    # Each line of a crop is one run of bytes; it moves as one element.
    run = width * channels
    lines = np.ndarray(
        padded.size // channels - width + 1, np.dtype((np.void, run)), padded, strides=(channels,)
    )
    down, right = offsets
    top = np.arange(rows) * (height + 2 * pixels) + down
    line = top[:, None] + np.arange(height)
    first = line * (width + 2 * pixels) + right[:, None]
    return lines[first].view(np.uint8).reshape(images.shape)
