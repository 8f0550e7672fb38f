"""Delays are drawn as they were measured."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.delays import Delays


def test_quantiles_and_mean_come_out() -> None:
    delays, rng = Delays(0.0152, 0.015, 0.020, 0.024), np.random.default_rng(0)
    drawn = np.array([delays.draw(rng) for _ in range(20_000)])
    assert drawn.mean() == pytest.approx(0.0152, abs=5e-5)
    assert np.percentile(drawn, 50.0) == pytest.approx(0.015, abs=5e-5)
    assert np.percentile(drawn, 99.0) == pytest.approx(0.020, abs=6e-4)
    assert drawn.max() <= 0.024


@given(st.lists(st.floats(0.0, 0.1), min_size=3, max_size=3), st.floats(0.0, 1.0))
def test_no_delay_is_outside(numbers: list[float], share: float) -> None:
    p50, p99, most = sorted(numbers)
    delays = Delays(share * most, p50, p99, most)
    assert 0.0 <= delays.least_s <= p50
    assert 0.0 <= delays.draw(np.random.default_rng(1)) <= most


def test_later_ones_keep_their_spread() -> None:
    delays = Delays(0.02, 0.02, 0.03, 0.04)
    assert delays.later(0.002) == Delays(0.022, 0.022, 0.032, 0.042)
    assert delays.later(-1.0) == Delays(0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "numbers", [(0.01, 0.02, 0.01, 0.03), (0.01, -0.01, 0.01, 0.03), (0.04, 0.01, 0.02, 0.03)]
)
def test_what_cannot_be_is_refused(numbers: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="valid is 0"):
        Delays(*numbers)
