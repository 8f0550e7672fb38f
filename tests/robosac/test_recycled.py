"""Arrays come again only when nobody else holds them."""

from __future__ import annotations

import numpy as np
import torch

from robosac.recycled import Recycled

SHAPE = (4, 3)


def test_what_nobody_holds_comes_again() -> None:
    arrays = Recycled(limit=2)
    address = arrays.empty(SHAPE, np.uint8).ctypes.data
    assert all(arrays.empty(SHAPE, np.uint8).ctypes.data == address for _ in range(5))


def test_what_is_held_does_not() -> None:
    arrays = Recycled(limit=3)
    held = [arrays.empty(SHAPE, np.uint8) for _ in range(5)]
    assert len({array.ctypes.data for array in held}) == 5
    for value, array in enumerate(held):
        array[:] = value
    arrays.empty(SHAPE, np.uint8)[:] = 99
    assert [array.min() for array in held] == [array.max() for array in held] == list(range(5))


def test_a_view_or_a_tensor_over_it_holds_it() -> None:
    arrays = Recycled(limit=4)
    view = arrays.empty(SHAPE, np.uint8)[1:]
    tensor = torch.from_numpy(arrays.empty(SHAPE, np.uint8))
    part = tensor[0]
    del tensor
    view[:], part[:] = 1, 2
    arrays.empty(SHAPE, np.uint8)[:] = 99
    assert view.max() == 1
    assert part.max() == 2


def test_another_shape_or_type_is_a_new_array() -> None:
    arrays = Recycled(limit=2)
    arrays.empty(SHAPE, np.uint8)
    assert arrays.empty((5, 3), np.uint8).shape == (5, 3)
    assert arrays.empty((5, 3), np.float32).dtype == np.float32
    assert arrays.empty(SHAPE, np.uint8).shape == SHAPE
