"""Learning curves of several runs."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robosac.config import load_preset
from robosac.curves import TURNING, WALKING, Curve, band, curve, from_csv, main, to_csv
from robosac.errors import RunFolderError
from robosac.metrics import EpisodeResult, summarise
from robosac.runs import RunFolder
from robosac.tasks.ends import EpisodeEnd
from tests.robosac.synthetic_turn import write_turn_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("runs")
    return [write_turn_run(folder / f"r{n}", 48 + 8 * n, seed=n).path for n in range(2)]


def test_a_line_for_each_evaluation(runs: list[Path]) -> None:
    run = RunFolder.open(runs[0])
    found = curve(run, "seed-0")
    lines = list(csv.DictReader(io.StringIO(to_csv(found))))
    assert tuple(lines[0]) == TURNING
    assert [int(line["step"]) for line in lines] == run.evaluation_steps()
    last = run.episodes(run.evaluation_steps()[-1])
    median = np.median([e.angle_error_rad for e in last if e.angle_error_rad is not None])
    assert float(lines[-1]["angle_error_rad"]) == pytest.approx(median)
    assert float(lines[-1]["robot_min"]) == pytest.approx(int(lines[-1]["step"]) * 0.1 / 60)
    trained = found.columns["training_angle_error_median_rad"]
    assert np.isfinite(trained).all()
    assert trained[-1] < trained[0] / 2


def test_of_two_evaluations_at_a_step_the_newest_counts(runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(runs[0], tmp_path / "run")
    run = RunFolder.open(tmp_path / "run")
    step = run.evaluation_steps()[-1]
    fresh = EpisodeResult(
        length=40, return_=0.0, end=EpisodeEnd.TRUNCATED, angle_error_rad=0.7,
        angle_error_median_rad=0.9,
    )  # fmt: skip
    with run.metrics_writer() as metrics:
        metrics.write(summarise([fresh], step=step, wall_s=0.0, robot_s=60.0))
    found = curve(run, "x")
    assert len(found.columns["step"]) == len(run.evaluation_steps())
    assert found.columns["angle_error_rad"][-1] == 0.7


def made(steps: list[float], values: list[float], name: str) -> Curve:
    columns = {column: np.full(len(steps), np.nan) for column in TURNING}
    columns["step"], columns[name] = np.array(steps), np.array(values)
    return Curve("x", columns)


def test_the_band_covers_where_all_runs_have_been() -> None:
    name = "within_0_2_rad"
    several = [
        made([0, 10, 20], [0.0, 0.5, 1.0], name),
        made([5, 10, 30], [0.1, np.nan, 0.6], name),
        made([0, 40], [0.2, 0.2], name),
    ]
    found = band(several, "step", name)
    assert found is not None
    places, low, middle, high = found
    assert (places[0], places[-1]) == (5.0, 20.0)
    np.testing.assert_allclose([low[0], middle[0], high[0]], [0.1, 0.2, 0.25])
    np.testing.assert_allclose([low[-1], middle[-1], high[-1]], [0.2, 0.4, 1.0])
    assert (low <= middle).all()
    assert (middle <= high).all()


def test_errors_are_straight_in_their_logarithm() -> None:
    name = "angle_error_rad"
    found = band([made([0, 10], [1.0, 0.01], name), made([0, 10], [1.0, 0.01], name)], "step", name)
    assert found is not None
    np.testing.assert_allclose(np.interp(5.0, found[0], found[2]), 0.1, rtol=1e-3)


def test_one_run_or_runs_apart_have_no_band() -> None:
    name = "within_0_2_rad"
    early, late = made([0, 10], [0, 1], name), made([20, 30], [0, 1], name)
    assert band([early], "step", name) is None
    assert band([early, late], "step", name) is None


def test_files_are_named_by_seed(runs: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "results" / "claw"
    assert main([*map(str, runs), "--out", str(out)]) == 0
    names = sorted(file.name for file in out.parent.iterdir())
    assert names == ["claw-seed-0.csv", "claw-seed-1.csv", "claw.png"]
    with Image.open(out.parent / "claw.png") as image:
        assert image.width > 1000


def test_equal_seeds_are_named_by_folder(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("robosac.curves.render", lambda *_: b"")
    shutil.copytree(runs[0], tmp_path / "again")
    assert main([str(runs[0]), str(tmp_path / "again"), "--out", str(tmp_path / "c")]) == 0
    assert sorted(file.name for file in tmp_path.glob("c*")) == ["c-again.csv", "c-r0.csv", "c.png"]


def test_a_run_without_turning_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = RunFolder.create(tmp_path / "run", load_preset("gym:Pendulum-v1"))
    with pytest.raises(RunFolderError, match="no evaluation of a turning or walking task"):
        curve(run, "x")
    assert main([str(run.path), "--out", str(tmp_path / "c")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main([str(tmp_path / "none"), "--out", str(tmp_path / "c")]) == 2
    assert not list(tmp_path.glob("c*"))


def walked(folder: Path, seed: int) -> RunFolder:
    run = RunFolder.create(folder, load_preset("minitaur", [f"seed={seed}"]))
    with run.metrics_writer() as metrics:
        for step, speeds in ((5000, (0.1, 0.3)), (10_000, (0.4 + 0.1 * seed, 0.6))):
            ends = (EpisodeEnd.TERMINATED, EpisodeEnd.TRUNCATED)
            episodes = [
                EpisodeResult(length=500, return_=1.0, end=end, speed_m_s=speed, power_w=600.0)
                for end, speed in zip(ends, speeds, strict=True)
            ]
            metrics.write(summarise(episodes, step=step, wall_s=1.0, robot_s=step * 0.02))
    return run


def test_a_walk_has_speeds_and_falls(tmp_path: Path) -> None:
    runs = [walked(tmp_path / f"r{seed}", seed) for seed in (1, 2)]
    found = curve(runs[0], "x")
    assert tuple(found.columns) == WALKING
    np.testing.assert_allclose(found.columns["upright"], [0.5, 0.5])
    np.testing.assert_allclose(found.columns["speed_m_s"], [0.2, 0.55])
    np.testing.assert_allclose(found.columns["robot_min"], [5 / 3, 10 / 3])
    assert main([*(str(run.path) for run in runs), "--out", str(tmp_path / "walk")]) == 0
    with Image.open(tmp_path / "walk.png") as image:
        assert image.width > 1000


def test_what_was_written_is_read_again(runs: list[Path], tmp_path: Path) -> None:
    for run in (RunFolder.open(runs[0]), walked(tmp_path / "r", 1)):
        found = curve(run, "x")
        again = from_csv(to_csv(found), "x")
        assert tuple(again.columns) == tuple(found.columns)
        for name, values in found.columns.items():
            np.testing.assert_allclose(again.columns[name], values, rtol=1e-9)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "x is no learning curve"),
        ("step,return\n1,2\n", "x is no learning curve: its first line is step,return"),
        (",".join(WALKING) + "\n1,2\n", "x is damaged"),
        (",".join(WALKING) + "\n" + ",".join(["one"] * len(WALKING)), "x is damaged"),
    ],
)
def test_what_is_no_curve_is_refused(text: str, says: str) -> None:
    with pytest.raises(RunFolderError, match=says):
        from_csv(text, "x")
