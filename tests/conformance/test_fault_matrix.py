"""The fault matrix, a few of its cells; the whole is `make fault-matrix`."""

from __future__ import annotations

import pytest

from tests.sweeps.fault_matrix import run
from tests.sweeps.fault_rows import ROWS, Level, Phase, Row


def row(name: str) -> Row:
    return next(row for row in ROWS if row.name == name)


@pytest.mark.parametrize(
    ("name", "phase"),
    [
        ("supply sags to 10.5 V", Phase.ACTING),
        ("position jumps by 1.2 rad", Phase.CALIBRATING),
        ("motor silent", Phase.RESET),
        ("emergency stop", Phase.RESET),
        ("unsaved options lost", Phase.IDLE),
    ],
)
def test_a_cell_holds(name: str, phase: Phase) -> None:
    result = run(row(name), "minitaur", phase)
    assert result.passed, result


def test_a_reaction_that_does_not_come_fails() -> None:
    harmless = Row(0, "nothing", lambda scene: None, Level.CUT, lambda scene: 0.1)
    result = run(harmless, "minitaur", Phase.ACTING)
    assert not result.passed
    assert result.why == "only NONE was reached"


def test_a_reaction_that_comes_late_fails() -> None:
    hasty = Row(0, "silent", row("motor silent").inject, Level.HOLD, lambda scene: 0.004)
    result = run(hasty, "minitaur", Phase.CALIBRATING)
    assert not result.passed
    assert result.why == "too late"


def test_the_wrong_fault_fails() -> None:
    stop = row("emergency stop")
    other = Row(0, "stop", stop.inject, Level.CUT, stop.budget_s, ("overspeed",))
    result = run(other, "minitaur", Phase.CALIBRATING)
    assert not result.passed
    assert "estop" in result.why
