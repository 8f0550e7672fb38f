"""Is the twin neither trivially easy nor hopeless: open-loop trots walk at the published speeds."""

from __future__ import annotations

import pytest

from tests.sim.trotting import Gait, trot

GAITS = [
    Gait(2.0, 0.25, 0.20, 2.0),
    Gait(2.0, 0.30, 0.30, 1.8),
    Gait(3.0, 0.25, 0.30, 1.8),
]


@pytest.mark.parametrize("gait", GAITS, ids=str)
def test_open_loop_trots_walk(gait: Gait) -> None:
    outcome = trot(gait, 12.0)
    assert 0.2 < outcome.speed < 0.45
    assert outcome.tilt < 0.3
    assert outcome.lowest > 0.15
    assert outcome.loop_error < 2e-4
    assert not outcome.overheated
    assert 0.05 < outcome.hot_share < 0.3
    assert 10 < outcome.mechanical_w < 60
