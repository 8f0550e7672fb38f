"""Delay lines: the past, interpolated, and nothing but the past."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.latency import DelayLine


def ramp(line: DelayLine, count: int) -> None:
    for step in range(count):
        line.push(np.array([float(step), -2.0 * step]))


@pytest.mark.parametrize("delay", [0, 1, 3, 8])
def test_whole_delays_return_past_samples_exactly(delay: int) -> None:
    line = DelayLine(2, 8)
    ramp(line, 100)
    assert line.read(delay).tolist() == [99.0 - delay, -2.0 * (99 - delay)]


def test_between_samples_it_interpolates_linearly() -> None:
    line = DelayLine(1, 4)
    for value in (10.0, 20.0, 50.0):
        line.push(np.array([value]))
    assert line.read(0.5).tolist() == [35.0]
    assert line.read(1.25).tolist() == [17.5]


@given(st.floats(0, 20), st.integers(40, 90))
def test_a_ramp_is_delayed_by_exactly_the_delay(delay: float, count: int) -> None:
    line = DelayLine(2, 20)
    ramp(line, count)
    np.testing.assert_allclose(line.read(delay), [count - 1 - delay, -2 * (count - 1 - delay)])


def test_before_anything_was_pushed_it_holds_what_it_was_filled_with() -> None:
    line = DelayLine(2, 5)
    line.fill(np.array([3.0, 4.0]))
    line.push(np.array([7.0, 8.0]))
    assert line.read(0).tolist() == [7.0, 8.0]
    assert line.read(5).tolist() == [3.0, 4.0]


def test_a_refilled_line_repeats_to_the_bit_whatever_came_before() -> None:
    fresh, used = DelayLine(1, 7), DelayLine(1, 7)
    for value in np.random.default_rng(1).random(23):
        used.push(np.array([value]))
    for line in (fresh, used):
        line.fill(0.25)
    for value in np.random.default_rng(2).random(50):
        for line in (fresh, used):
            line.push(np.array([value]))
        assert fresh.read(2.7).tobytes() == used.read(2.7).tobytes()


def test_what_it_returns_and_what_it_took_are_not_shared() -> None:
    line, sample = DelayLine(1, 2), np.array([1.0])
    line.push(sample)
    sample[0] = 9.0
    line.read(0)[0] = 5.0
    assert line.read(0).tolist() == [1.0]


@pytest.mark.parametrize("delay", [-0.1, 5.01, float("nan")])
def test_a_delay_it_does_not_hold_is_refused(delay: float) -> None:
    with pytest.raises(ValueError, match="holds 0 to 5"):
        DelayLine(1, 5).read(delay)


def test_an_impossible_line_is_refused() -> None:
    with pytest.raises(ValueError, match="channels >= 1"):
        DelayLine(0, 5)
