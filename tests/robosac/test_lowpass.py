"""The low-pass: Butterworth's response, no jump, and nothing in its memory but numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac.course import Course
from robosac.lowpass import FilterMemory, smooth
from robosac.reasons import Reason
from robosac.safety import Envelope, LimiterSettings
from robosac.thermal import ThermalSettings
from tests.robosac.fake_robot import make_limits

PERIOD, CUTOFF = 0.005, 5.0


@pytest.mark.parametrize("frequency", [0.5, 5.0, 20.0, 40.0])
def test_gain_is_that_of_the_second_order_butterworth(frequency: float) -> None:
    """1 / sqrt(1 + (f / fc)^4), frequencies warped by the bilinear transform."""
    ratio = math.tan(math.pi * frequency * PERIOD) / math.tan(math.pi * CUTOFF * PERIOD)
    memory, outputs = FilterMemory.anchored(np.zeros(1)), []
    for step in range(800):
        wave = np.array([math.sin(math.tau * frequency * step * PERIOD + 0.3)])
        output, memory = smooth(wave, memory, CUTOFF, PERIOD)
        outputs.append(output[0])
    size = math.sqrt(2.0) * float(np.std(outputs[400:]))
    assert size == pytest.approx(1.0 / math.sqrt(1.0 + ratio**4), rel=0.01)


def test_a_resting_input_passes_as_it_is() -> None:
    here = np.array([0.3, -1.7])
    memory = FilterMemory.anchored(here)
    for _ in range(50):
        output, memory = smooth(here, memory, CUTOFF, PERIOD)
        assert output.tolist() == here.tolist()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_varying_periods_stay_bounded_and_settle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    memory, output = FilterMemory.anchored(np.zeros(2)), np.zeros(2)
    for dt in rng.uniform(PERIOD / 2, PERIOD * 2, 400):
        output, memory = smooth(np.array([1.0, -1.0]), memory, 40.0, float(dt))
        assert (np.abs(output) < 1.5).all()
    assert output == pytest.approx([1.0, -1.0], abs=1e-6)


@pytest.mark.parametrize("wild", [math.nan, math.inf, -math.inf, 1.7e308, -1.7e308])
def test_what_is_no_number_or_too_large_never_enters(wild: float) -> None:
    memory = FilterMemory(np.array([1e-3, 0.0]), np.array([0.2, 1.0e308]))
    output, after = smooth(np.array([0.1, wild]), memory, 40.0, PERIOD)
    assert np.isfinite(after.slope).all()
    assert np.isfinite(after.level).all()
    if not math.isfinite(wild):
        assert after is memory
        assert output.tobytes() == np.array([0.1, wild]).tobytes()


@pytest.mark.parametrize("dt", [0.0, -1.0, math.nan, math.inf, 0.0125, 0.0126])
def test_a_period_without_a_filter_changes_nothing(dt: float) -> None:
    memory, request = FilterMemory.anchored(np.zeros(2)), np.ones(2)
    output, after = smooth(request, memory, 40.0, dt)
    assert output is request
    assert after is memory


def test_an_integrator_that_would_overflow_stays() -> None:
    """The slope of joint 0 doubles beyond what a number holds; its level does not."""
    memory = FilterMemory(np.array([1.5e308, 0.0]), np.zeros(2))
    output, after = smooth(np.zeros(2), memory, CUTOFF, PERIOD)
    assert after is memory
    assert output.tolist() == [0.0, 0.0]


def test_memory_is_of_doubles() -> None:
    single: Any = np.array([0.25], dtype=np.float32)
    memory = FilterMemory.anchored(single)
    assert memory.level.dtype == memory.slope.dtype == np.float64


def make_course(low_pass: float | None) -> Course:
    limits = make_limits(3, velocity=5.0, acceleration=500.0)
    return Course(Envelope(limits, LimiterSettings(PERIOD)), ThermalSettings(), None, low_pass)


def test_course_begins_and_resumes_without_a_jump() -> None:
    course = make_course(CUTOFF)
    course.begin(np.array([0.2, -0.3, 0.5]))
    first = course.follow(course.position, course.position, PERIOD)
    assert first.position.tolist() == [0.2, -0.3, 0.5]
    for _ in range(10):
        course.follow(np.full(3, 0.9), course.position, PERIOD)
    for _ in range(10):
        course.hold(course.position, PERIOD)
    held = course.position
    resumed = course.follow(held, held, PERIOD)
    assert resumed.position == pytest.approx(held, abs=1e-12)


def test_course_smooths_a_step_and_arrives() -> None:
    plain, smoothed = make_course(None), make_course(1.0)
    goal, way = np.full(3, 0.5), []
    for _ in range(600):
        plain.follow(goal, plain.position, PERIOD)
        way.append(smoothed.follow(goal, smoothed.position, PERIOD))
        if len(way) == 12:
            assert smoothed.position[0] < 0.6 * plain.position[0]
    assert smoothed.position == pytest.approx(goal, abs=1e-4)
    assert all(limited.reasons is Reason.NONE for limited in way), "a smooth step breaks no bound"


def test_a_bad_request_is_rejected_behind_the_filter_too() -> None:
    course = make_course(CUTOFF)
    course.begin(np.zeros(3))
    for bad in (np.array([0.1, np.nan, 0.0]), np.zeros(2), None, np.zeros(3, dtype=np.int64)):
        limited = course.follow(bad, course.position, PERIOD)
        assert limited.reasons in (Reason.NON_FINITE, Reason.SHAPE)
        assert limited.position.tolist() == [0.0] * 3


def test_a_joint_taken_hold_of_again_does_not_jump() -> None:
    course = make_course(CUTOFF)
    course.begin(np.zeros(3))
    course.let_go(np.array([False, True, False]))
    course.follow(np.zeros(3), np.array([0.0, 0.4, 0.0]), PERIOD)
    course.let_go(np.zeros(3, dtype=np.bool_))
    limited = course.follow(course.position, course.position, PERIOD)
    assert limited.position == pytest.approx([0.0, 0.4, 0.0], abs=1e-12)


@pytest.mark.parametrize("cutoff", [0.0, -1.0, 50.0, math.nan, math.inf])
def test_a_cutoff_beyond_the_period_is_refused(cutoff: float) -> None:
    with pytest.raises(ValueError, match="cut-off must lie in"):
        make_course(cutoff)
