"""Numbers in another order, and images that are a group, or they are refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.symmetry import Image, Reordering, Symmetry

SIZE = 5


@st.composite
def reorderings(draw: st.DrawFn) -> Reordering:
    """Any order of five numbers, with any signs."""
    order = draw(st.permutations(range(SIZE)))
    sign = draw(st.lists(st.sampled_from([1, -1]), min_size=SIZE, max_size=SIZE))
    return Reordering(tuple(order), tuple(sign))


def image(*order: int) -> Image:
    return Image(Reordering(order, (1,) * len(order)), Reordering((0,), (1,)))


@given(reorderings(), reorderings(), st.integers(0, 2**32 - 1))
def test_both_in_one_are_one_after_the_other(
    first: Reordering, then: Reordering, seed: int
) -> None:
    rows = np.random.default_rng(seed).standard_normal((3, SIZE))
    np.testing.assert_array_equal(then.after(first)(rows), then(first(rows)))
    np.testing.assert_array_equal(first(rows[0]), first(rows)[0])


def test_number_i_is_the_signed_number_that_order_names() -> None:
    there = Reordering((2, 0, 1), (1, -1, 1))
    np.testing.assert_array_equal(there(np.array([10.0, 20.0, 30.0])), [30.0, -10.0, 20.0])


@pytest.mark.parametrize(
    ("order", "sign"),
    [
        ((0, 0), (1, 1)),
        ((0, 2), (1, 1)),
        ((0, -1), (1, 1)),
        ((0, 1), (1,)),
        ((0, 1), (1, 0)),
    ],
)
def test_what_is_no_reordering_is_refused(order: tuple[int, ...], sign: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"once|signs"):
        Reordering(order, sign)


def test_groups_are_symmetries() -> None:
    assert len(Symmetry((image(1, 0, 2),)).images) == 1
    assert len(Symmetry((image(1, 2, 0), image(2, 0, 1))).images) == 2
    every = [image(*order) for order in itertools.permutations(range(3))][1:]
    assert len(Symmetry(tuple(every)).images) == 5


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ((), "without an image"),
        ((image(0, 1, 2),), "as it is"),
        ((image(1, 0, 2), image(1, 0, 2)), "twice"),
        ((image(1, 2, 0),), "one is missing"),
        ((image(1, 0, 2), image(0, 2, 1)), "one is missing"),
        ((image(1, 0), image(1, 0, 2)), "several sizes"),
    ],
)
def test_what_is_no_group_is_refused(images: tuple[Image, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Symmetry(images)


def test_an_image_that_is_not_its_own_inverse_needs_its_inverse() -> None:
    """A sign that is carried along: twice is not itself."""
    quarter = Image(Reordering((1, 0), (-1, 1)), Reordering((0,), (1,)))
    with pytest.raises(ValueError, match="one is missing"):
        Symmetry((quarter,))
    half, back = quarter.after(quarter), quarter.after(quarter).after(quarter)
    assert Symmetry((quarter, half, back)).images[1] == half
