"""When a store writes and when it is full."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.store.limits import Fill, StoreLimits, Waiting, commit_in, why_full

LIMITS = StoreLimits(
    window_s=0.05,
    most_waiting_bytes=1000,
    most_kept_bytes=10_000,
    reserve_bytes=100,
    most_group_bytes=400,
)


@pytest.mark.parametrize(
    ("waiting", "now", "retry_at", "closing", "expected"),
    [
        (None, 9.0, 0.0, False, None),
        (Waiting(9.0, 1), 9.0, 0.0, False, 0.05),
        (Waiting(9.0, 1), 9.04, 0.0, False, 0.01),
        (Waiting(9.0, 1), 9.06, 0.0, False, 0.0),
        (Waiting(9.0, 400), 9.0, 0.0, False, 0.0),
        (Waiting(9.0, 400), 9.0, 9.5, False, 0.5),
        (Waiting(9.0, 1), 9.0, 99.0, True, 0.0),
        (None, 9.0, 99.0, True, None),
    ],
)
def test_rows_wait_for_the_window_unless_it_is_full(
    waiting: Waiting | None, now: float, retry_at: float, closing: bool, expected: float | None
) -> None:
    due = commit_in(waiting, now, retry_at, closing, LIMITS)
    assert due == (None if expected is None else pytest.approx(expected))


@given(
    since=st.floats(0, 1e6),
    later=st.floats(0, 10),
    size=st.integers(0, 1000),
)
def test_no_row_waits_longer_than_the_window(since: float, later: float, size: int) -> None:
    due = commit_in(Waiting(since, size), since + later, 0.0, False, LIMITS)
    assert due is not None
    assert 0.0 <= due <= LIMITS.window_s + 1e-9


@pytest.mark.parametrize(
    ("fill", "says"),
    [
        (Fill(499, 0, 101), None),
        (Fill(500, 0, 101), "500 bytes wait"),
        (Fill(0, 9_999, 101), None),
        (Fill(1, 9_999, 101), "9999 bytes are kept"),
        (Fill(0, 0, 100), "100 bytes are free"),
    ],
)
def test_it_is_full_at_each_bound_and_says_which(fill: Fill, says: str | None) -> None:
    why = why_full(fill, LIMITS)
    assert why is None if says is None else says in (why or "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window_s", 0.0),
        ("window_s", 0.11),
        ("most_waiting_bytes", 0),
        ("most_kept_bytes", -1),
        ("most_group_bytes", 0),
        ("retry_s", 0.0),
        ("reserve_bytes", -1),
    ],
)
def test_limits_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        StoreLimits(**{name: value})  # type: ignore[arg-type]
