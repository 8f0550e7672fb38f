"""The native core by several threads: the same bits as by one, and nobody left behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.sac import FastPixels, FastVectors, PaperPixels, PaperVectors, SacSettings
from robosac.sac.native.agent import NativeSac
from robosac.sac.native.interface import Library
from robosac.sac.native.pixel_agent import NativePixelSac
from robosac.sac.settings import Products
from tests.robosac.native_pixel_rig import Shape, make_pixel_batch
from tests.robosac.native_rig import library_or_skip, make_batch
from tests.robosac.sac_rig import same

THREADS = (2, 3, 7)
UPDATES = 3
sizes = st.integers(1, 70)


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def library(request: pytest.FixtureRequest) -> Library:
    products: Products = request.param
    return library_or_skip(products)


def assert_all_alike(made: Callable[[int], Any], batch: Callable[[int], Any]) -> None:
    """Learners by one and by more threads, over the same batches."""
    one = made(1)
    for seed in range(UPDATES):
        one.update(batch(seed))
    for threads in THREADS:
        other = made(threads)
        for seed in range(UPDATES):
            other.update(batch(seed))
        assert same(one.state(), other.state())


@settings(deadline=None, max_examples=15)
@given(
    rows=sizes,
    observation=sizes,
    action=st.integers(1, 40),
    hidden=st.lists(sizes, min_size=1, max_size=3),
    vectors=st.sampled_from([PaperVectors(), FastVectors(), FastVectors(policy_average=0.1)]),
)
def test_vectors_are_learned_to_the_bit(
    library: Library,
    rows: int,
    observation: int,
    action: int,
    hidden: list[int],
    vectors: PaperVectors | FastVectors,
) -> None:
    chosen = SacSettings(hidden_units=tuple(hidden), batch_size=rows)
    assert_all_alike(
        lambda threads: NativeSac(library, chosen, observation, action, 0, vectors, threads),
        lambda seed: make_batch(seed, rows, observation, action),
    )


@settings(deadline=None, max_examples=15)
@given(
    rows=st.integers(1, 40),
    shape=st.sampled_from([(12, 18, 3), (6, 12, 1), (18, 6, 4), (32, 32, 3)]),
    pixels=st.sampled_from(
        [
            FastPixels(patches=(2, 3), filters=(11, 37), units=9, shift_px=3),
            FastPixels(patches=(1, 2), filters=(70, 5), units=40),
            PaperPixels(filters=(5, 33)),
            PaperPixels(filters=(17,)),
        ]
    ),
)
def test_pixels_are_learned_to_the_bit(
    library: Library, rows: int, shape: Shape, pixels: FastPixels | PaperPixels
) -> None:
    if isinstance(pixels, FastPixels) and pixels.patches == (2, 3) and shape == (32, 32, 3):
        pixels = FastPixels()
    chosen = SacSettings(hidden_units=(31, 7), batch_size=rows)
    assert_all_alike(
        lambda threads: NativePixelSac(library, chosen, pixels, shape, 5, 3, 0, threads),
        lambda seed: make_pixel_batch(seed, rows, shape, 5, 3),
    )


def test_at_full_size_and_after_a_rest(library: Library) -> None:
    """Helpers that went to sleep between updates are woken."""
    chosen = SacSettings()
    one, other = (NativeSac(library, chosen, 112, 8, 0, FastVectors(), n) for n in (1, 4))
    for seed in range(4):
        batch = make_batch(seed, chosen.batch_size, 112, 8)
        one.update(batch)
        other.update(batch)
        time.sleep(0.02 * (seed % 2))
    assert same(one.state(), other.state())


def test_threads_end_with_their_learner(library: Library) -> None:
    def running() -> int:
        return len(os.listdir("/proc/self/task"))

    if not os.path.exists("/proc/self/task"):
        pytest.skip("no /proc to count threads in")
    # Torch starts its own at its first product.
    NativeSac(library, SacSettings(batch_size=32), 9, 3, 0).update(make_batch(0, 32, 9, 3))
    before = running()
    for updates in (0, 1):
        learner = NativeSac(library, SacSettings(batch_size=32), 9, 3, 0, threads=5)
        for seed in range(updates):
            learner.update(make_batch(seed, 32, 9, 3))
            assert running() == before + 4
        del learner
        assert running() == before


@pytest.mark.parametrize("threads", [0, -1, 257])
def test_a_number_of_threads_that_cannot_be_is_refused(library: Library, threads: int) -> None:
    learner = NativeSac(library, SacSettings(batch_size=32), 9, 3, 0, threads=threads)
    with pytest.raises(MemoryError, match=f"no {threads} threads"):
        learner.update(make_batch(0, 32, 9, 3))
