"""A reflection is its own inverse, or it is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.mirror import Reflection


@st.composite
def reflections(draw: st.DrawFn) -> Reflection:
    """Any pairing of any numbers, each pair of one sign."""
    size = draw(st.integers(1, 12))
    places = draw(st.permutations(range(size)))
    pairs = draw(st.integers(0, size // 2))
    order, sign = list(range(size)), [draw(st.sampled_from([1, -1])) for _ in range(size)]
    for pair in range(pairs):
        one, other = places[2 * pair], places[2 * pair + 1]
        order[one], order[other], sign[other] = other, one, sign[one]
    return Reflection(tuple(order), tuple(sign))


@given(reflections(), st.integers(0, 2**32 - 1))
def test_mirrored_twice_it_is_itself(reflection: Reflection, seed: int) -> None:
    rows = np.random.default_rng(seed).standard_normal((3, len(reflection.order)))
    np.testing.assert_array_equal(reflection(reflection(rows)), rows)
    np.testing.assert_array_equal(reflection(rows[0]), reflection(rows)[0])


@pytest.mark.parametrize(
    ("order", "sign"),
    [
        ((1, 2, 0), (1, 1, 1)),
        ((0, 0), (1, 1)),
        ((1, 0), (1, -1)),
        ((0, 2), (1, 1)),
        ((0, -1), (1, 1)),
        ((0, 1), (1,)),
        ((0, 1), (1, 0)),
    ],
)
def test_what_is_no_reflection_is_refused(order: tuple[int, ...], sign: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"mirrored twice|signs"):
        Reflection(order, sign)
