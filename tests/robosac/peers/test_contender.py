"""The transitions that everybody is filled with."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from robosac.peers.contender import CHUNK, Case, single_rows, transitions
from tests.robosac.peers.peers_rig import PICTURES, TINY


def test_everybody_gets_the_same_ones() -> None:
    for one, other in zip(transitions(TINY), transitions(TINY), strict=True):
        assert isinstance(one.observation, np.ndarray)
        np.testing.assert_array_equal(one.observation, other.observation)
        np.testing.assert_array_equal(one.action, other.action)
        np.testing.assert_array_equal(one.reward, other.reward)


def test_there_are_as_many_as_there_is_room_for_and_each_goes_on_from_the_last() -> None:
    case = Case("more than two chunks", 5, 2, rows=2 * CHUNK + 7)
    rows = list(single_rows(transitions(case)))
    assert len(rows) == case.rows
    for (_, _, _, ended), (began, _, _, _) in pairwise(rows):
        np.testing.assert_array_equal(ended, began)
    assert len({reward for _, _, reward, _ in rows}) == case.rows


def test_their_shapes_and_ranges() -> None:
    observation, action, _, following = next(single_rows(transitions(TINY)))
    assert observation.shape == following.shape == (TINY.observation,)
    assert observation.dtype == action.dtype == np.float32
    assert action.shape == (TINY.action,)
    assert np.abs(action).max() <= 1
    seen, _, _, after = next(single_rows(transitions(PICTURES)))
    assert seen["image"].shape == (6, 6, 3)
    assert seen["image"].dtype == np.uint8
    assert seen["state"].shape == (PICTURES.observation,)
    assert not np.array_equal(seen["image"], after["image"])
