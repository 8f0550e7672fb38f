"""The virtual clock: waiting makes time, exactly as much as asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.clock import VirtualClock


def test_waiting_steps_the_world_up_to_the_deadline() -> None:
    seen: list[float] = []
    clock = VirtualClock(lambda: seen.append(clock.now()), 0.001)
    clock.wait_until(0.005)
    assert clock.now() == pytest.approx(0.005)
    assert seen == pytest.approx([0.001, 0.002, 0.003, 0.004, 0.005])


def test_a_deadline_in_the_past_does_nothing() -> None:
    clock = VirtualClock(lambda: None, 0.001)
    clock.wait_until(0.01)
    clock.wait_until(0.002)
    clock.wait_until(-5.0)
    assert clock.steps == 10


def test_a_deadline_between_steps_is_rounded_up() -> None:
    clock = VirtualClock(lambda: None, 0.001)
    clock.wait_until(0.0101)
    assert clock.steps == 11


def test_sums_of_periods_cost_no_extra_step() -> None:
    clock, deadline = VirtualClock(lambda: None, 0.001), 0.0
    for _ in range(20_000):
        deadline += 0.005
        clock.wait_until(deadline)
    assert clock.steps == 100_000


@given(st.lists(st.floats(0, 0.05), max_size=20))
def test_cutting_a_wait_up_changes_nothing(deadlines: list[float]) -> None:
    cut, whole = VirtualClock(lambda: None, 0.001), VirtualClock(lambda: None, 0.001)
    for deadline in deadlines:
        cut.wait_until(deadline)
    whole.wait_until(max(deadlines, default=0.0))
    assert cut.steps == whole.steps


@pytest.mark.parametrize("dt", [0.0, -0.001, float("nan")])
def test_a_step_that_is_not_positive_is_refused(dt: float) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        VirtualClock(lambda: None, dt)
