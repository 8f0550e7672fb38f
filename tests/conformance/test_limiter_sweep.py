"""The sweep of `make sweep`, small: it holds, and it would notice what does not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from robosac.safety import Memory, brake
from tests.sweeps.limiter_blocks import Count, note
from tests.sweeps.limiter_requests import hand_envelope, make_envelope
from tests.sweeps.limiter_sweep import main
from tests.sweeps.packed_registers import DynamixelCounts, MoteusFloats, Packed


def test_a_small_sweep_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sweep.json"
    assert main(["--actions", "10000", "--legal", "2000", "--json", str(path)]) == 0
    figures = json.loads(path.read_text())
    assert sum(row["actions"] for row in figures["passes"]) >= 12_000
    assert "0 violations" in capsys.readouterr().out


def found(path: Path) -> list[dict[str, object]]:
    return [
        {key: value for key, value in row.items() if key != "seconds"}
        for row in json.loads(path.read_text())["passes"]
    ]


def test_processes_and_interruptions_change_nothing(tmp_path: Path) -> None:
    whole, parts, state = (tmp_path / name for name in ("whole.json", "parts.json", "state.json"))
    size = ["--actions", "5000", "--legal", "1000"]
    assert main([*size, "--json", str(whole), "--resume", str(state)]) == 0
    kept = json.loads(state.read_text())
    assert len(kept["done"]) == 6
    dropped = kept["done"].pop()
    blank = {**kept["passes"][dropped[0]], "reasons": {}}
    blank.update({key: 0 for key, value in blank.items() if isinstance(value, (int, float))})
    kept["passes"][dropped[0]] = blank
    state.write_text(json.dumps(kept))
    again = ["--resume", str(state), "--processes", "2", "--json", str(parts)]
    assert main([*size, *again]) == 0
    assert found(parts) == found(whole)


def test_a_state_of_another_sweep_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    assert main(["--actions", "500", "--legal", "500", "--resume", str(state)]) == 0
    with pytest.raises(ValueError, match="begin anew"):
        main(["--actions", "1000", "--legal", "500", "--resume", str(state)])


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
