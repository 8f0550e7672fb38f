"""Taking turns: the fair way to compare speeds on a computer whose own speed wanders.

Everybody works for a moment in every round and the others wait. A ratio is taken within each round,
where the computer was as fast for the one as for the other, and then the median over the rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

T = TypeVar("T")
Seconds = Callable[[], float]


class Turn(msgspec.Struct, frozen=True):
    """What one turn took."""

    count: int
    """Updates or samples that were made."""
    seconds: float
    cpu_seconds: float
    """Of all threads of the process; more than `seconds` where several were busy."""

    @property
    def rate(self) -> float:
        """Made a second."""
        return self.count / self.seconds


class Spread(msgspec.Struct, frozen=True):
    """The middle of some figures and how far they lie apart."""

    median: float
    lower_quartile: float
    upper_quartile: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one or more figures."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, lower, upper)


def interleave(
    players: Mapping[str, Callable[[int], T]],
    rounds: int,
    count: int,
    warm_ups: int = 1,
    after_round: Callable[[int], None] = lambda number: None,
) -> dict[str, list[T]]:
    """What each player's turns gave, one in every round; who begins changes from round to round.

    Args:
        players: does so many and tells what it took.
        rounds: turns of each that are kept.
        count: updates in one turn.
        warm_ups: rounds before these that are not kept.
        after_round: is told how many of the rounds are done.
    """
    names = list(players)
    kept: dict[str, list[T]] = {name: [] for name in names}
    for number in range(-warm_ups, rounds):
        first = number % len(names) if names else 0
        for name in names[first:] + names[:first]:
            told = players[name](count)
            if number >= 0:
                kept[name].append(told)
        after_round(max(number + 1, 0))
    return kept


def timed(
    run: Callable[[int], object],
    clock: Seconds = time.perf_counter,
    cpu_clock: Seconds = time.process_time,
) -> Callable[[int], Turn]:
    """A player in this process: `run` makes so many, and returns once they are made."""

    def play(count: int) -> Turn:
        cpu, start = cpu_clock(), clock()
        run(count)
        return Turn(count, clock() - start, cpu_clock() - cpu)

    return play


def median_rates(turns: Mapping[str, Sequence[Turn]]) -> dict[str, float]:
    """Each player's median rate, 1/s."""
    return {name: statistics.median(turn.rate for turn in of) for name, of in turns.items()}


def paired_ratio(one: Sequence[Turn], other: Sequence[Turn]) -> float:
    """How many times as fast `one` was as `other`: the median over rounds of their rates' ratio."""
    pairs = zip(one, other, strict=True)
    return statistics.median(first.rate / second.rate for first, second in pairs)
