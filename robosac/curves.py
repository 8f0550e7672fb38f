"""Learning curves of several runs of a task: a CSV file each, and one picture of all.

Example: `python -m robosac.curves runs/claw-0 runs/claw-1 --out docs/results/claw` writes
claw-seed-0.csv, claw-seed-1.csv and claw.png into docs/results.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from robosac.errors import RobosacError, RunFolderError
from robosac.files import write_whole
from robosac.metrics import EvaluationRow
from robosac.plot_style import LIGHT, render
from robosac.rows import FloatArray, Rows, numbers
from robosac.runs import RunFolder
from robosac.turn_plots import FLOOR_RAD

COMMON = ("step", "robot_min", "wall_s", "episodes", "return_mean")
TURNING = (
    *COMMON,
    "angle_error_median_rad",
    "angle_error_rad",
    "angle_error_p90_rad",
    "within_0_1_rad",
    "within_0_2_rad",
    "success",
    "training_angle_error_median_rad",
)
"""One line an evaluation. The last: median over the training rollouts since the one before."""
WALKING = (
    *COMMON,
    "return_std",
    "speed_m_s",
    "speed_min_m_s",
    "falls",
    "upright",
    "power_w",
    "mechanical_power_w",
    "seconds_above_continuous_torque",
    "overheats",
)
"""`upright`: the share of the episodes that ended without a fall."""
GRID_POINTS = 400


@dataclass(frozen=True, slots=True)
class Curve:
    """A run's evaluations, rising by step."""

    label: str
    columns: dict[str, FloatArray]
    """Each of `TURNING` or of `WALKING`; NaN where unknown."""

    @property
    def turning(self) -> bool:
        """Whether it is of a turning task."""
        return "angle_error_rad" in self.columns


def curve(run: RunFolder, label: str) -> Curve:
    """The learning curve of a run; of evaluations at the same step the newest counts.

    Raises:
        RunFolderError: the metrics are damaged, or no evaluation measured an angle or a speed.
    """
    rows = Rows(run.rows())
    turned = {row.step: row for row in rows.evaluations if row.within_0_1_rad is not None}
    walked = {row.step: row for row in rows.evaluations if row.speed_m_s is not None}
    newest = turned or walked
    evaluations = [newest[step] for step in sorted(newest)]
    if not evaluations:
        raise RunFolderError(
            f"{run.path} has no evaluation of a turning or walking task yet; train longer"
        )
    names = TURNING if turned else WALKING
    columns = {
        name: numbers([getattr(row, name) for row in evaluations])
        for name in names
        if name in EvaluationRow.__struct_fields__
    }
    columns["robot_min"] = numbers([row.robot_s / 60 for row in evaluations])
    if turned:
        columns["training_angle_error_median_rad"] = _training(rows, columns["step"])
    else:
        columns["upright"] = 1.0 - columns["falls"] / columns["episodes"]
    return Curve(label, {name: columns[name] for name in names})


def _training(rows: Rows, steps: FloatArray) -> FloatArray:
    """Median over the training rollouts that ended after one evaluation and by the next."""
    ended = numbers([row.step for row in rows.episodes])
    errors = numbers([row.angle_error_median_rad for row in rows.episodes])
    found = np.full(len(steps), np.nan)
    for index, (low, high) in enumerate(zip([0.0, *steps[:-1]], steps, strict=True)):
        between = errors[(ended > low) & (ended <= high) & np.isfinite(errors)]
        if len(between):
            found[index] = np.median(between)
    return found


def to_csv(found: Curve) -> str:
    """The curve as CSV with a head line; an unknown figure is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(found.columns)
    for line in zip(*found.columns.values(), strict=True):
        writer.writerow(["" if np.isnan(value) else f"{value:.10g}" for value in line])
    return text.getvalue()


def from_csv(text: str, label: str) -> Curve:
    """The curve that `to_csv` wrote.

    Raises:
        RunFolderError: it has other columns, a line of another length, or a cell that is no number.
    """
    lines = [line for line in csv.reader(io.StringIO(text)) if line]
    names = tuple(lines[0]) if lines else ()
    if names not in (TURNING, WALKING):
        raise RunFolderError(f"{label} is no learning curve: its first line is {','.join(names)}")
    try:
        table = [[float(cell) if cell else np.nan for cell in line] for line in lines[1:]]
        columns = dict(
            zip(names, np.array(table, np.float64).reshape(-1, len(names)).T, strict=True)
        )
    except ValueError as error:
        raise RunFolderError(f"{label} is damaged: {error}") from error
    return Curve(label, columns)


def band(
    curves: Sequence[Curve], x: str, y: str
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray] | None:
    """Where several curves overlap: x, and the least, middle and greatest of y.

    None for a single curve, or where they do not overlap. Between its evaluations a curve is taken
    to be straight: an error in its logarithm, for so it is drawn.
    """
    whole = [part for part in (known(found, x, y) for found in curves) if len(part[0])]
    if len(whole) < 2:
        return None
    low = max(float(places[0]) for places, _ in whole)
    high = min(float(places[-1]) for places, _ in whole)
    if low >= high:
        return None
    grid = np.linspace(low, high, GRID_POINTS)
    if not is_error(y):
        table = np.array([np.interp(grid, *part) for part in whole])
    else:
        logs = [(places, np.log(np.maximum(values, FLOOR_RAD))) for places, values in whole]
        table = np.exp([np.interp(grid, *part) for part in logs])
    return grid, table.min(axis=0), np.median(table, axis=0), table.max(axis=0)


def is_error(column: str) -> bool:
    """Whether a column is an angle's error, which is drawn and joined in its logarithm."""
    return column.endswith("_rad") and "within" not in column


def known(found: Curve, x: str, y: str) -> tuple[FloatArray, FloatArray]:
    """The points of a curve where y is known."""
    known = np.isfinite(found.columns[y])
    return found.columns[x][known], found.columns[y][known]


def write(folders: Sequence[Path], out: Path) -> list[Path]:
    """Write <out>-<run>.csv for each run folder and <out>.png; return the paths.

    A run is called by its seed where the seeds differ, and by its folder's name otherwise.

    Raises:
        RunFolderError: a folder is not a run with evaluations of a turning task.
        OSError: the disk refuses.
    """
    from robosac.curve_plots import draw

    runs = [RunFolder.open(folder) for folder in folders]
    seeds = [run.config.seed for run in runs]
    unlike = len(set(seeds)) == len(seeds)
    curves = [curve(run, f"seed-{run.config.seed}" if unlike else run.path.name) for run in runs]
    out.parent.mkdir(parents=True, exist_ok=True)
    written = [out.with_name(f"{out.name}-{found.label}.csv") for found in curves]
    for path, found in zip(written, curves, strict=True):
        write_whole(path, to_csv(found).encode())
    picture = out.with_name(f"{out.name}.png")
    write_whole(picture, render(partial(draw, curves), LIGHT))
    return [*written, picture]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the curves that the command line asks for; 0 done, 2 a folder is wrong."""
    parser = argparse.ArgumentParser("python -m robosac.curves", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, as a rule several seeds")
    parser.add_argument("--out", type=Path, required=True, help="beginning of the files' names")
    wanted = parser.parse_args(arguments)
    try:
        paths = write(wanted.runs, wanted.out)
    except RobosacError as error:
        sys.stderr.write(f"robosac.curves: {error}\n")
        return 2
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    return 0


if __name__ == "__main__":
    sys.exit(main())
