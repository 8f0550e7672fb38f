"""Taking turns, on a clock that only moves when it is told to."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.peers.turns import (
    Spread,
    Turn,
    interleave,
    median_rates,
    paired_ratio,
    timed,
)


class FakeClock:
    """Seconds that pass only where somebody works."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """The present time, s."""
        return self.now


def test_everybody_has_one_turn_a_round_and_who_begins_changes() -> None:
    order: list[str] = []

    def player(name: str) -> Callable[[int], int]:
        def play(count: int) -> int:
            order.append(f"{name}{count}")
            return len(order)

        return play

    players = {name: player(name) for name in "abc"}
    kept = interleave(players, rounds=3, count=2, warm_ups=0)
    assert order == ["a2", "b2", "c2", "b2", "c2", "a2", "c2", "a2", "b2"]
    assert kept == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


def test_warm_ups_are_made_and_not_kept() -> None:
    made: list[int] = []
    done: list[int] = []
    kept = interleave({"a": made.append}, 2, 5, warm_ups=3, after_round=done.append)
    assert made == [5] * 5
    assert done == [0, 0, 0, 1, 2]
    assert len(kept["a"]) == 2


def test_nobody_is_no_turn() -> None:
    assert interleave({}, rounds=3, count=1) == {}


def test_a_turn_is_timed_from_before_it_to_after_it() -> None:
    clock, cpu = FakeClock(), FakeClock()

    def work(count: int) -> None:
        clock.now += 0.5 * count
        cpu.now += 0.25 * count

    clock.now = 100.0
    turn = timed(work, clock, cpu)(4)
    assert turn == Turn(4, 2.0, 1.0)
    assert turn.rate == 2.0
    assert median_rates({"a": [turn, Turn(4, 1.0, 1.0), Turn(4, 8.0, 1.0)]}) == {"a": 2.0}


def test_the_ratio_is_taken_within_rounds() -> None:
    # The computer slows down by a factor of a thousand; the one stays twice as fast.
    one = [Turn(10, seconds, seconds) for seconds in (1.0, 30.0, 1000.0)]
    other = [Turn(10, 2 * turn.seconds, turn.seconds) for turn in one]
    assert paired_ratio(one, other) == 2.0
    assert paired_ratio(other, one) == 0.5


def test_a_ratio_needs_as_many_turns_of_both() -> None:
    turn = Turn(1, 1.0, 1.0)
    with pytest.raises(ValueError, match="shorter"):
        paired_ratio([turn, turn], [turn])


@given(st.lists(st.floats(0.1, 1e6), min_size=1, max_size=30))
def test_quartiles_lie_around_the_median_and_within_the_figures(values: list[float]) -> None:
    spread = Spread.of(values)
    inside = (min(values), spread.lower_quartile, spread.median, spread.upper_quartile, max(values))
    assert all(a <= b * (1 + 1e-12) for a, b in pairwise(inside))


def test_quartiles_of_few() -> None:
    assert Spread.of([3.0]) == Spread(3.0, 3.0, 3.0)
    assert Spread.of([1.0, 2.0, 3.0, 4.0, 5.0]) == Spread(3.0, 2.0, 4.0)
