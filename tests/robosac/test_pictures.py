"""Pictures moved by a device's kernels are the bytes that numpy gives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robosac.sac.pictures import DevicePictures, HostPictures, pictures_on

ON_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
DEVICES = ("cpu", pytest.param("cuda", marks=ON_GPU))
CPU = torch.device("cpu")


def pictures(rows: int, height: int, width: int, channels: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, height, width, channels), dtype=np.uint8)


@given(
    st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 3),
    st.integers(0, 99),
)  # fmt: skip
def test_shifted_bytes_are_numpys(
    rows: int, height: int, width: int, channels: int, pixels: int, seed: int
) -> None:
    images = pictures(rows, height, width, channels, seed)
    offsets = torch.from_numpy(np.random.default_rng(seed).integers(0, 2 * pixels + 1, (2, rows)))
    expected = HostPictures().shift(images, offsets, pixels)
    device = DevicePictures(CPU)
    assert (device.shift(device.take(images), offsets, pixels).numpy() == expected).all()


@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 4),
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
)  # fmt: skip
def test_patches_are_numpys(
    rows: int, down: int, across: int, channels: int, sides: list[int]
) -> None:
    whole = int(np.prod(sides))
    images = pictures(rows, down * whole, across * whole, channels, seed=0)
    device = DevicePictures(CPU)
    found = device.patches(device.take(images), sides)
    expected = HostPictures().patches(images, sides)
    assert found.shape == expected.shape
    assert (found == expected).all()


@pytest.mark.parametrize("device", DEVICES)
def test_one_object_serves_pictures_of_several_sizes(device: str) -> None:
    there = DevicePictures(torch.device(device))
    for rows, side in ((3, 8), (5, 4), (3, 8)):
        images = pictures(rows, side, 2 * side, 3, seed=rows)
        offsets = torch.tensor([[0, 4, 2, 1, 3][:rows], [4, 0, 2, 3, 1][:rows]])
        moved = there.shift(there.take(images), offsets.to(device), 2)
        expected = HostPictures().shift(images, offsets, 2)
        assert (moved.cpu().numpy() == expected).all()
        patches = there.patches(there.take(images), (2, 2)).cpu()
        assert (patches == HostPictures().patches(images, (2, 2))).all()
        assert (there.tensor(there.take(images)).cpu().numpy() == images).all()


def test_each_device_has_its_way() -> None:
    assert isinstance(pictures_on(CPU), HostPictures)
    assert isinstance(pictures_on(torch.device("cuda")), DevicePictures)
