"""The command that makes learning curves: short runs, gone on with, judged and drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

from robosac.runs import RunFolder
from tests.sweeps import learning_curves
from tests.sweeps.learning_curves import Kind, learn, main, train

SHORT = Kind("claw", 60, 40, 1, "short", "recipe fast")


def test_seeds_are_trained_once_judged_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(learning_curves.KINDS, ("claw", "fast"), SHORT)
    monkeypatch.setitem(learning_curves.FRESH, "claw", 1)
    place, out = tmp_path / "runs", tmp_path / "out"
    written = learn("claw", "fast", [3], place, out, 1)
    assert sorted(path.name for path in written) == [
        "learning-claw.png",
        "short-seed-3.csv",
        "short.png",
    ]
    folder = place / "short-3"
    run = RunFolder.open(folder)
    assert (run.config.recipe, run.config.seed) == ("fast", 3)
    assert max(row.step for row in run.rows()) >= SHORT.steps
    trained = (place / "short-3.log").stat().st_size
    assert train(SHORT, "fast", 3, place) == folder
    assert (place / "short-3.log").stat().st_size == trained, "it was not trained again"


def test_a_command_that_fails_is_told(tmp_path: Path) -> None:
    wrong = Kind("no-such-preset", 60, 40, 1, "wrong", "x")
    with pytest.raises(RuntimeError, match="no-such-preset"):
        train(wrong, "fast", 1, tmp_path)


def test_a_recipe_that_a_task_has_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["walk", "--recipe", "demonstrations"])
    assert "walk is learned with --recipe paper fast" in capsys.readouterr().err
