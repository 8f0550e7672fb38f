"""The lag histogram keeps counts, never tells a quantile too low, and comes back equal."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.lag import LagHistogram

steps = st.lists(
    st.tuples(st.integers(0, 10**10), st.floats(0, 1e10, allow_nan=False)), min_size=1, max_size=60
)


def counted(pairs: list[tuple[int, float]]) -> LagHistogram:
    histogram = LagHistogram()
    for lag, age_s in pairs:
        histogram.add(lag, age_s)
    return histogram


@given(steps, st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_never_too_low_and_at_most_a_bin_too_high(
    pairs: list[tuple[int, float]], share: float
) -> None:
    found = counted(pairs)
    lags, ages = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    for values, told, open_from in (
        (lags, found.lag(share), 1.0),
        (ages, found.age_s(share), 1e-3),
    ):
        true = np.quantile(values, share, method="inverted_cdf")
        assert told >= true * (1 - 1e-12)
        assert told <= max(true * 1.26, open_from) or true > 1e9
    assert found.largest_lag == max(lag for lag, _ in pairs)
    assert found.largest_age_s == max(age_s for _, age_s in pairs)
    assert found.total == len(pairs)


@pytest.mark.parametrize("lag", [0, 1, 2, 3])
def test_small_lags_are_told_exactly(lag: int) -> None:
    found = counted([(lag, 0.0)] * 9 + [(1000, 0.0)])
    assert found.lag(0.5) == lag
    assert found.lag(1.0) == 1000


@given(steps, steps)
def test_merged_is_as_if_counted_together(
    one: list[tuple[int, float]], other: list[tuple[int, float]]
) -> None:
    merged = counted(one)
    merged.merge(counted(other))
    assert merged.to_dict() == counted(one + other).to_dict()


@given(steps)
def test_it_comes_back_from_json(pairs: list[tuple[int, float]]) -> None:
    found = counted(pairs)
    back = LagHistogram.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert back.to_dict() == found.to_dict()
    assert back.figures() == found.figures()
    assert back.text() == found.text()


def test_it_speaks_in_one_line() -> None:
    found = counted([(10, 0.5)] * 99 + [(2000, 30.0)])
    assert found.text() == (
        "policy lag p50 10, p99 10, max 2,000 transitions; age p50 0.501, p99 0.501, max 30 s;"
        " 100 steps"
    )
    assert found.figures()["lag_max"] == 2000
    assert set(found.figures()) == set(LagHistogram().figures())
    assert LagHistogram().text() == "policy lag: no steps"
    assert set(LagHistogram().figures().values()) == {None}
    assert math.isnan(LagHistogram().lag(0.5))
    assert math.isnan(LagHistogram().age_s(0.5))


@pytest.mark.parametrize(("lag", "age_s"), [(-1, 0.0), (0, -0.1), (0, math.nan), (0, math.inf)])
def test_what_cannot_be_is_not_counted(lag: int, age_s: float) -> None:
    found = LagHistogram()
    with pytest.raises(ValueError, match="no number of 0 or more"):
        found.add(lag, age_s)
    assert found.total == 0


GOOD = {"bins": {"3": 1}, "largest": 0.001}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"lag": GOOD},
        {"lag": GOOD, "age_s": {"bins": {"3": 2}, "largest": 0.001}},
        {"lag": GOOD, "age_s": {"bins": {"200": 1}, "largest": 0.001}},
        {"lag": GOOD, "age_s": {"bins": {"x": 1}, "largest": 0.001}},
        {"lag": GOOD, "age_s": {"bins": {"3": -1}, "largest": 0.001}},
        {"lag": GOOD, "age_s": {"bins": {"3": 1}, "largest": math.nan}},
        {"lag": GOOD, "age_s": GOOD, "more": 1},
    ],
)
def test_what_is_no_histogram_is_refused(document: dict[str, Any]) -> None:
    assert LagHistogram.from_dict({"lag": GOOD, "age_s": GOOD}).total == 1
    with pytest.raises(ValueError, match="no lag histogram"):
        LagHistogram.from_dict(document)
