"""Back-off: attempts become rarer, bounded and spread; a success begins anew."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.link.backoff import Backoff, BackoffSettings


def waits(settings: BackoffSettings, uniform: float, attempts: int) -> list[float]:
    backoff, found = Backoff(settings, lambda: uniform), list[float]()
    for _ in range(attempts):
        backoff.begin(100.0)
        found.append(backoff.waits_s(100.0))
    return found


def test_it_doubles_up_to_the_longest() -> None:
    found = waits(BackoffSettings(0.1, 2.0, 1.0, 0.0), 0.3, 6)
    assert found == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0, 1.0])


def test_jitter_spreads_both_ways() -> None:
    settings = BackoffSettings(1.0, 1.0, 1.0, 0.25)
    assert waits(settings, 0.0, 1) == pytest.approx([0.75])
    assert waits(settings, 0.5, 1) == pytest.approx([1.0])


def test_the_first_attempt_waits_for_nothing_and_time_passes() -> None:
    backoff = Backoff(BackoffSettings(1.0, 2.0, 8.0, 0.0), lambda: 0.0)
    assert backoff.waits_s(5.0) == 0.0
    backoff.begin(5.0)
    assert backoff.waits_s(5.25) == pytest.approx(0.75)
    assert backoff.waits_s(6.5) == 0.0


def test_a_success_begins_anew() -> None:
    backoff = Backoff(BackoffSettings(0.1, 2.0, 10.0, 0.0), lambda: 0.0)
    for _ in range(5):
        backoff.begin(0.0)
    backoff.succeed()
    backoff.begin(0.0)
    assert backoff.waits_s(0.0) == pytest.approx(0.1)


@given(st.integers(1, 3000), st.floats(0, 1, exclude_max=True))
def test_it_is_always_bounded(attempts: int, uniform: float) -> None:
    assert 0 < waits(BackoffSettings(), uniform, attempts)[-1] <= 5.0 * 1.3


@pytest.mark.parametrize(
    "wrong", [{"first_s": 0.0}, {"first_s": 6.0}, {"factor": 0.5}, {"jitter": 1.0}]
)
def test_settings_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="back-off"):
        BackoffSettings(**wrong)
