"""The lateness histogram tells quantiles from above, and the largest exactly."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.lateness import BINS, EDGES_S, LatenessHistogram

WIDTH = EDGES_S[1] / EDGES_S[0]


@settings(deadline=None)
@given(
    st.lists(st.floats(min_value=1e-6, max_value=9.0), min_size=1, max_size=200),
    st.floats(min_value=0.01, max_value=1.0),
)
def test_a_quantile_is_at_most_a_bin_too_large(values: list[float], share: float) -> None:
    histogram = LatenessHistogram()
    for value in values:
        histogram.add(value)
    exact = float(np.quantile(values, share, method="inverted_cdf"))
    told = histogram.quantile_s(share)
    assert exact * (1 - 1e-12) <= told <= exact * WIDTH * (1 + 1e-12)
    assert histogram.longest_s == max(values)
    assert histogram.total == len(values)
    again = LatenessHistogram(histogram.counts, histogram.longest_s)
    assert again.quantile_s(share) == told


def test_what_no_bin_holds_is_told_as_the_longest() -> None:
    histogram = LatenessHistogram()
    assert math.isnan(histogram.quantile_s(0.5))
    histogram.add(-1.0)
    histogram.add(50.0)
    assert histogram.counts[0] == histogram.counts[-1] == 1
    assert histogram.quantile_s(1.0) == 50.0
    with pytest.raises(ValueError, match="must be a number"):
        histogram.add(math.nan)
    with pytest.raises(ValueError, match=f"has {BINS} bins, got 2"):
        LatenessHistogram([0, 1])
