"""Old readings are known by the servos' clocks, whatever these show and however they drift."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.dynamixel.servo_clocks import AGREE, ServoClocks

PERIOD, LATENCY = 0.01, 0.002


class Servos:
    """Two servos whose clocks start at `ahead_ms` and run at `rate`, asked once a period."""

    def __init__(self, ahead_ms: float = 0.0, rate: float = 1.0) -> None:
        self.clocks = ServoClocks(2)
        self.ahead_ms = np.array([ahead_ms, ahead_ms + 12345.6])
        self.rate = rate
        self.time = 1000.0

    def ask(
        self, age_s: float = 0.0, nothing_old: bool = False, missing: bool = False
    ) -> list[bool]:
        """The first servo's reading is `age_s` older than its request, or missing."""
        self.time += PERIOD
        taken = np.array([self.time - age_s, self.time]) + LATENCY / 2
        ticks = np.floor(taken * 1e3 * self.rate + self.ahead_ms) % 32768
        arrived = np.full(2, self.time + LATENCY)
        if missing:
            ticks[0] = arrived[0] = math.nan
        return self.clocks.fresh(ticks, self.time, arrived, nothing_old).tolist()


@given(st.floats(0, 32768), st.floats(0.985, 1.015))
def test_prompt_readings_are_fresh_whatever_the_clocks_show(ahead_ms: float, rate: float) -> None:
    servos = Servos(ahead_ms, rate)
    assert servos.ask(nothing_old=True) == [True, True]
    for _ in range(300):
        assert servos.ask() == [True, True]


@given(st.floats(0, 32768), st.floats(0.004, 10.0))
def test_an_old_reading_is_not(ahead_ms: float, age_s: float) -> None:
    servos = Servos(ahead_ms)
    servos.ask(nothing_old=True)
    for _ in range(20):
        servos.ask()
    assert servos.ask(age_s) == [False, True]
    assert servos.ask() == [True, True], "and does not spoil what follows"


def test_clocks_are_set_only_when_nothing_old_can_be_there() -> None:
    servos = Servos()
    assert servos.ask() == [False, False]
    assert servos.ask(nothing_old=True) == [True, True]
    assert servos.ask() == [True, True]


@given(st.floats(0, 32768), st.floats(0.004, 0.5))
def test_a_servo_that_begins_to_tell_old_values_is_not_believed_for_the_quiet_of_the_line(
    ahead_ms: float, age_s: float
) -> None:
    servos = Servos(ahead_ms)
    for _ in range(20):
        assert servos.ask(nothing_old=True) == [True, True]
    assert servos.ask(age_s, nothing_old=True) == [False, True]
    assert servos.ask(age_s + PERIOD, nothing_old=True) == [False, True]


def test_a_clock_is_set_anew_once_it_is_forgotten() -> None:
    servos = Servos()
    servos.ask(nothing_old=True)
    servos.ahead_ms[0] += 5000.0
    assert servos.ask(nothing_old=True) == [False, True]
    servos.clocks.forget(0)
    assert servos.ask(nothing_old=True) == [True, True]
    assert servos.ask() == [True, True]


def test_what_was_not_heard_is_not_fresh() -> None:
    servos = Servos()
    assert servos.ask(nothing_old=True, missing=True) == [False, True]
    assert servos.ask(missing=True) == [False, True]
    assert servos.ask(nothing_old=True) == [True, True]
    assert servos.ask() == [True, True]


@pytest.mark.parametrize("silence_s", [0.0, 5.0, 40.0])
def test_a_restarted_servo_is_believed_once_it_agrees_with_itself(silence_s: float) -> None:
    servos = Servos()
    servos.ask(nothing_old=True)
    servos.time += silence_s
    servos.ahead_ms[0] = -silence_s * 1e3 - servos.time * 1e3 % 32768 + 500.0
    seen = [servos.ask() for _ in range(AGREE + 5)]
    assert [first for first, _ in seen] == [False] * (AGREE - 1) + [True] * 6
    assert all(second for _, second in seen)


def test_old_readings_of_different_ages_do_not_agree() -> None:
    servos = Servos()
    servos.ask(nothing_old=True)
    servos.ask()
    rng = np.random.default_rng(1)
    seen = [servos.ask(float(age)) for age in rng.uniform(0.03, 0.2, 60)]
    assert not any(first for first, _ in seen)


def test_a_long_silence_widens_what_is_believed() -> None:
    servos = Servos(rate=1.015)
    servos.ask(nothing_old=True)
    servos.time += 10.0
    assert servos.ask() == [True, True]
