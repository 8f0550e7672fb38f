"""The random shift of pictures, against the plain way to write it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.sac.augmentation import shift


@given(
    st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 3),
    st.integers(0, 99),
)  # fmt: skip
def test_a_shift_is_a_crop_of_the_padded_picture(
    rows: int, height: int, width: int, channels: int, pixels: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (rows, height, width, channels), dtype=np.uint8)
    before = images.copy()
    offsets = rng.integers(0, 2 * pixels + 1, (2, rows))
    found = shift(images, offsets, pixels)
    assert found.shape == images.shape
    assert found.dtype == np.uint8
    for image, down, right, moved in zip(images, *offsets, found, strict=True):
        edge = ((pixels, pixels), (pixels, pixels), (0, 0))
        padded = np.pad(image, edge, mode="edge")
        assert (moved == padded[down : down + height, right : right + width]).all()
    assert (images == before).all()


def test_the_middle_offset_leaves_the_picture_where_it_was() -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    assert (shift(images, np.full((2, 4), 2), 2) == images).all()
    with pytest.raises(ValueError, match="unpack"):
        shift(images[0], np.full((2, 4), 2), 2)
