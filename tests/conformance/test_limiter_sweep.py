"""The sweep of `make sweep`, small: it holds, and it would notice what does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from robosac.safety import Memory, brake
from tests.sweeps.limiter_sweep import Count, hand_envelope, main, make_envelope, note
from tests.sweeps.packed_registers import DynamixelCounts, MoteusFloats, Packed


def test_a_small_sweep_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sweep.json"
    assert main(["--actions", "10000", "--legal", "2000", "--json", str(path)]) == 0
    figures = json.loads(path.read_text())
    assert sum(row["actions"] for row in figures["passes"]) >= 12_000
    assert "0 violations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("packed", "envelope"),
    [(MoteusFloats, make_envelope(0.005)), (DynamixelCounts, hand_envelope())],
)
def test_a_register_out_of_range_is_noticed(packed: type[Packed], envelope: object) -> None:
    assert not isinstance(envelope, type)
    limits = envelope.limits  # type: ignore[attr-defined]
    robot, middle = packed(), (limits.lower + limits.upper) / 2
    rows = np.tile(middle, (20, 1))
    assert robot.violations(rows, limits) == 0
    for wrong in (limits.upper[0] + 0.01, limits.lower[0] - 0.01, np.inf, 1e300):
        spoilt = rows.copy()
        spoilt[3, 0] = wrong
        assert robot.violations(spoilt, limits) >= 1
    spoilt[3, 0] = np.nan
    assert robot.violations(spoilt, limits) >= 1


def test_every_broken_bound_is_noticed() -> None:
    envelope = make_envelope(0.005)
    before = Memory.anchored(np.zeros((1, 8)))
    after = brake(Memory(np.full((1, 8), 5.0), np.zeros((1, 8))), envelope, 0.005)
    count = Count()
    note(count, before, after, envelope, 0.005)
    assert count.position
    assert count.velocity
    assert count.acceleration
    assert count.broken == count.position + count.velocity + count.acceleration
