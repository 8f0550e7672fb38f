"""On a bad cable our bus neither raises nor hangs, and nothing stale or wrong passes for good."""

import pytest

from tests.sweeps.bus_faults import run

pytestmark = pytest.mark.realtime

TRANSACTIONS = 3000


def test_a_short_sweep() -> None:
    told: list[str] = []
    tally = run("ours", TRANSACTIONS, probability=0.1, seed=3, say=told.append)
    assert tally.clean, tally.document()
    assert tally.exchanges == TRANSACTIONS
    assert tally.true > TRANSACTIONS, "most readings come through"
    assert tally.lost > TRANSACTIONS / 10, "and the cable is bad"
