"""However a program ends, and whatever the cable loses, its motors are off behind `powered`."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.sweeps.ended_processes import end_processes
from tests.sweeps.torque_off import LOSSES, Way, end_many, interrupted
from tests.sweeps.torque_rows import ROWS


@pytest.fixture(autouse=True)
def _terminate_raises() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, interrupted)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("kind", ROWS)
def test_every_way_out(kind: str, loss: float) -> None:
    told: list[str] = []
    counts = end_many(kind, loss, 40, seed=5, say=told.append)
    for way in Way:
        assert counts[way].exits == 10
        assert counts[way].driven >= 3
        assert counts[way].left_driving == counts[way].unconfirmed == 0
        assert counts[way].interrupted == (10 if way is Way.INTERRUPT else 0)


@pytest.mark.realtime
@pytest.mark.parametrize("kind", ROWS)
def test_processes_ended_by_signals(kind: str) -> None:
    told: list[str] = []
    ended = end_processes(kind, 2, seed=5, say=told.append)
    assert (ended.processes, ended.driven) == (2, 2)
    assert ended.left_driving == ended.not_clean == 0
