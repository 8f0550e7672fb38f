"""The virtual clock: waiting makes time, exactly as much as asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.clock import RealTimePacer, VirtualClock


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


class Pace:
    """A virtual clock kept level with a real one that is turned by hand."""

    def __init__(self, bound_s: float = 0.05) -> None:
        self.real = 7.0
        self.clock = VirtualClock(lambda: None, 0.001)
        self.pacer = RealTimePacer(self.clock, lambda: self.real, bound_s)

    def after(self, seconds: float, most_s: float = 1.0) -> float:
        self.real += seconds
        self.pacer.advance(most_s)
        return self.clock.now()


def test_steps_follow_real_time_on_an_absolute_grid() -> None:
    pace = Pace()
    assert pace.after(0.0005) == 0.0
    assert pace.pacer.until_due() == pytest.approx(0.0005)
    assert pace.after(0.0006) == pytest.approx(0.001)
    for _ in range(3000):
        pace.after(0.00037)
    assert pace.clock.now() == pytest.approx(pace.real - 7.0, abs=0.001)
    assert pace.pacer.skipped_s == 0.0


def test_a_stall_is_caught_up_piece_by_piece() -> None:
    pace = Pace()
    assert pace.after(0.04, most_s=0.004) == pytest.approx(0.004)
    assert pace.pacer.until_due() == 0.0
    for _ in range(9):
        pace.after(0.0, most_s=0.004)
    assert pace.clock.now() == pytest.approx(0.04)
    assert pace.pacer.skipped_s == 0.0


def test_a_longer_stall_than_the_bound_is_skipped_and_told() -> None:
    pace = Pace()
    assert pace.after(2.0) == pytest.approx(0.05)
    assert pace.pacer.skipped_s == pytest.approx(1.95)
    assert pace.after(0.01) == pytest.approx(0.06)


@pytest.mark.parametrize("bound", [0.001, 0.0, float("nan")])
def test_a_bound_of_less_than_two_steps_is_refused(bound: float) -> None:
    with pytest.raises(ValueError, match="two steps"):
        Pace(bound)
