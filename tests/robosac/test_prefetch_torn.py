"""No batch drawn ahead is torn, whatever is written meanwhile."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from robosac.prefetch import Prefetch
from robosac.replay import Batch
from tests.robosac.prefetch_rig import FEW, KINDS, add, halting, record, require_whole

ROUNDS = 400


class Careless(Prefetch):
    """Lets the buffer change while the worker reads it, and gives out what came of that."""

    def settle(self) -> None:
        pass


def race(made: type[Prefetch], kind: str, rounds: int) -> None:
    """Draw ahead and add at the same time; require every batch that was drawn to be whole."""
    make, observation = KINDS[kind]
    buffer = make(FEW)
    drawn = list[Batch[Any]]()
    begun = record(buffer, drawn)
    rng, pace = np.random.default_rng(0), np.random.default_rng(1)
    prefetch, number = made(buffer), 0
    for _ in range(FEW):
        add(prefetch, observation, number)
        number += 1
    try:
        for _ in range(rounds):
            begun.clear()
            prefetch.draw_ahead(rng, 64, 2)
            if pace.random() < 0.7:
                begun.wait(30.0)
            for _ in range(int(pace.integers(0, 5))):
                # Sometimes the next episode: both of its first frames are new.
                number += 1 + 2 * int(pace.random() < 0.2)
                add(prefetch, observation, number)
            drawn += prefetch.sample_many(rng, 64, 2)
            while drawn:
                require_whole(drawn.pop())
    finally:
        prefetch.close()


@pytest.mark.parametrize("kind", KINDS)
def test_no_sample_is_torn_by_a_transition_that_comes_meanwhile(kind: str) -> None:
    race(Prefetch, kind, ROUNDS)


def torn_in_the_middle(made: type[Prefetch], kind: str, patience_s: float) -> None:
    """Write the whole ring over while the worker stands in the middle of a batch."""
    make, observation = KINDS[kind]
    buffer, drawn = make(FEW), list[Batch[Any]]()
    prefetch, rng = made(buffer), np.random.default_rng(0)
    for number in range(FEW):
        add(prefetch, observation, number)
    half_way, go_on = halting(buffer, patience_s)
    record(buffer, drawn)
    prefetch.draw_ahead(rng, 16, 1)
    assert half_way.wait(30.0)
    for number in range(100, 100 + FEW):
        add(prefetch, observation, number)
    go_on.set()
    drawn += prefetch.sample_many(rng, 16, 1)
    prefetch.close()
    assert len(drawn) >= 2
    for batch in drawn:
        require_whole(batch)


@pytest.mark.parametrize("kind", KINDS)
def test_a_ring_is_not_written_over_under_a_worker_that_stands_still(kind: str) -> None:
    torn_in_the_middle(Prefetch, kind, patience_s=0.1)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_torn_is_found(kind: str) -> None:
    with pytest.raises(AssertionError, match="Arrays are not equal"):
        torn_in_the_middle(Careless, kind, patience_s=30.0)
