"""Delays from round trips and from steps: distributions with known answers."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.errors import Undetermined
from calibration.latency import (
    Step,
    dither,
    moved_to,
    needed_history,
    round_trips,
    shifted,
    step_response,
)

FREQUENCY, DECAY = 60.0, 36.0


def moved(since: np.ndarray) -> np.ndarray:
    """An underdamped second-order step response, written out."""
    late, ringing = np.maximum(since, 0.0), math.sqrt(FREQUENCY**2 - DECAY**2)
    swing = np.cos(ringing * late) + DECAY / ringing * np.sin(ringing * late)
    return 1.0 - np.exp(-DECAY * late) * swing


def steps(delays: np.ndarray, noise: float = 0.0, seed: int = 0) -> list[Step]:
    """Steps of 0.2 rad that are seen after `delays` (s)."""
    rng = np.random.default_rng(seed)
    made: list[Step] = []
    for delay in delays.tolist():
        after = dither(rng, 40, 0.005) + 1e-6
        time = np.concatenate((np.linspace(-0.04, 0.0, 9), after))
        place = 0.3 + 0.2 * moved(time - delay) + noise * rng.standard_normal(len(time))
        made.append(Step(5.0, 5.0 + time, place, 0.2))
    return made


def test_round_trips_are_a_distribution() -> None:
    # 0.001 to 0.100 s, one each: percentiles interpolate between them.
    found = round_trips(np.arange(1, 101) / 1000.0)
    assert found.count == 100
    assert found.mean_s == pytest.approx(0.0505)
    assert found.p50_s == pytest.approx(0.0505)
    assert found.p99_s == pytest.approx(0.09901)
    assert found.max_s == 0.1


@given(st.floats(1e-6, 1.0))
def test_times_that_are_all_alike(value: float) -> None:
    found = round_trips(np.full(101, value))
    assert found.p50_s == found.p99_s == found.max_s == value
    assert found.mean_s == pytest.approx(value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.ones(99), "99 times"),
        (np.append(np.ones(99), -1.0), "not negative"),
        (np.append(np.ones(99), math.nan), "finite"),
    ],
)
def test_times_that_are_none_are_refused(values: np.ndarray, says: str) -> None:
    with pytest.raises(Undetermined, match=says):
        round_trips(values)


def test_the_foot_of_a_known_motion() -> None:
    found = step_response(steps(np.full(30, 0.012)))
    assert found.delay.mean_s == pytest.approx(0.012, abs=2e-5)
    assert found.delay.max_s == pytest.approx(0.012, abs=5e-5)
    assert found.misfit < 1e-3


def test_each_step_has_its_own_delay() -> None:
    delays = 0.010 + 0.004 * (np.arange(40) % 5 == 0)
    found = step_response(steps(delays))
    np.testing.assert_allclose(found.each_s, delays, atol=2e-4)
    assert found.delay.p50_s == pytest.approx(0.010, abs=2e-4)
    assert found.delay.max_s == pytest.approx(0.014, abs=2e-4)


@settings(max_examples=6)
@given(st.floats(0.001, 0.05), st.integers(0, 2**32 - 1))
def test_noise_and_jitter_leave_the_mean_within_half_a_millisecond(delay: float, seed: int) -> None:
    delays = delay + 0.001 * np.random.default_rng(seed).random(40)
    found = step_response(steps(delays, noise=0.001, seed=seed))
    assert found.delay.mean_s == pytest.approx(float(delays.mean()), abs=5e-4)


GOOD = steps(np.full(20, 0.01))


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (GOOD[:19], "19 steps"),
        (
            [replace(GOOD[0], position_rad=np.full(49, 0.3)), *GOOD[1:]],
            r"step 1: it moved by 0\.00",
        ),
        ([replace(GOOD[0], size_rad=-0.2), *GOOD[1:]], r"step 1: it moved by -1\.00"),
        ([replace(GOOD[0], size_rad=0.0), *GOOD[1:]], "its size is zero"),
        ([replace(GOOD[0], position_rad=GOOD[0].position_rad[:-1]), *GOOD[1:]], "step 1: times"),
        ([replace(GOOD[0], time_s=GOOD[0].time_s[::-1].copy()), *GOOD[1:]], r"increase|before it"),
        ([replace(GOOD[0], commanded_s=4.9), *GOOD[1:]], "0 readings before it"),
        ([replace(GOOD[0], position_rad=GOOD[0].position_rad * math.nan), *GOOD[1:]], "finite"),
        ([replace(s, time_s=s.time_s - 0.025) for s in GOOD], r"before its command|noise"),
        (
            [
                replace(s, time_s=np.delete(s.time_s, k), position_rad=np.delete(s.position_rad, k))
                for s in GOOD
                for k in [slice(10, 16)]
            ],
            "readings while joints rise",
        ),
    ],
)
def test_steps_that_do_not_tell_are_refused(made: list[Step], says: str) -> None:
    with pytest.raises(Undetermined, match=says):
        step_response(made)


def test_reading_times_are_spread_over_each_period() -> None:
    times = dither(np.random.default_rng(0), 1000, 0.005)
    assert (np.diff(times) > 0.0).all()
    share = times / 0.005 - np.arange(1000)
    assert ((share >= 0.0) & (share < 1.0)).all()
    assert np.histogram(share, 4)[0].min() > 200


def test_the_history_that_a_policy_needs() -> None:
    delay = round_trips(np.append(np.full(99, 0.01), 0.041))
    assert needed_history(delay, 0.02) == 3
    assert needed_history(delay, 0.1) == 1
    with pytest.raises(ValueError, match="above 0"):
        needed_history(delay, 0.0)


def test_a_step_that_scatters_about_no_delay_counts_as_none() -> None:
    delays = np.where(np.arange(40) % 8 == 0, -0.001, 0.0005)
    found = step_response(steps(delays))
    assert (found.each_s >= 0.0).all()
    assert found.delay.p50_s == pytest.approx(0.0005, abs=2e-4)
    with pytest.raises(Undetermined, match="before its command"):
        step_response(steps(np.where(np.arange(40) % 8 == 0, -0.005, 0.001)))
    with pytest.raises(Undetermined, match="before its command"):
        step_response(steps(np.full(40, -0.002)))


@given(st.floats(0.0, 0.1), st.floats(0.0, 0.05), st.floats(0.0, 0.1))
def test_a_mean_found_otherwise_keeps_the_spread(base: float, spread: float, mean: float) -> None:
    delay = round_trips(base + spread * np.linspace(0.0, 1.0, 101))
    later = shifted(delay, mean)
    assert later.mean_s == mean
    if mean >= spread:
        assert later.max_s - later.p50_s == pytest.approx(delay.max_s - delay.p50_s, abs=1e-9)
    with pytest.raises(ValueError, match="valid is at least 0"):
        shifted(delay, -1e-3)


def test_steps_whose_mean_was_found_otherwise_keep_their_spread() -> None:
    found = step_response(steps(0.010 + 0.004 * (np.arange(40) % 5 == 0)))
    later = moved_to(found, found.delay.mean_s + 0.002)
    assert later.delay.mean_s == pytest.approx(found.delay.mean_s + 0.002)
    np.testing.assert_allclose(later.each_s, found.each_s + 0.002)
    assert later.misfit == found.misfit
    assert (moved_to(found, 0.0).each_s >= 0.0).all()
