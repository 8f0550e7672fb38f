"""Learning curves of several runs of a turning task: a CSV file each, and one picture of all.

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
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robosac.errors import RobosacError, RunFolderError
from robosac.files import write_whole
from robosac.metrics import EvaluationRow
from robosac.plot_style import LIGHT, Theme, legend, new_figure, render
from robosac.rows import FloatArray, Rows, numbers
from robosac.runs import RunFolder
from robosac.turn_plots import FLOOR_RAD, error_axis

COLUMNS = (
    "step",
    "robot_min",
    "wall_s",
    "episodes",
    "return_mean",
    "angle_error_median_rad",
    "angle_error_rad",
    "angle_error_p90_rad",
    "within_0_1_rad",
    "within_0_2_rad",
    "success",
    "training_angle_error_median_rad",
)
"""One line an evaluation. The last: median over the training rollouts since the one before."""
GRID_POINTS = 400
_AXES = {"step": "environment steps", "robot_min": "robot time [min]"}
_PANELS = {
    "angle_error_median_rad": "|Angle error|, median over a rollout [rad]",
    "angle_error_rad": "|Angle error| at the end, median [rad]",
    "within_0_1_rad": "Episodes that end below 0.1 rad [%]",
    "within_0_2_rad": "Episodes that end below 0.2 rad [%]",
}
_SHARES = ("within_0_1_rad", "within_0_2_rad")


@dataclass(frozen=True, slots=True)
class Curve:
    """A run's evaluations, rising by step."""

    label: str
    columns: dict[str, FloatArray]
    """Each of `COLUMNS`; NaN where unknown."""


def curve(run: RunFolder, label: str) -> Curve:
    """The learning curve of a run; of evaluations at the same step the newest counts.

    Raises:
        RunFolderError: the metrics are damaged, or no evaluation measured an angle error.
    """
    rows = Rows(run.rows())
    newest = {row.step: row for row in rows.evaluations if row.within_0_1_rad is not None}
    evaluations = [newest[step] for step in sorted(newest)]
    if not evaluations:
        raise RunFolderError(f"{run.path} has no evaluation of a turning task yet; train longer")
    columns = {
        name: numbers([getattr(row, name) for row in evaluations])
        for name in COLUMNS
        if name in EvaluationRow.__struct_fields__
    }
    columns["robot_min"] = numbers([row.robot_s / 60 for row in evaluations])
    columns["training_angle_error_median_rad"] = _training(rows, columns["step"])
    return Curve(label, {name: columns[name] for name in COLUMNS})


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
    writer.writerow(COLUMNS)
    for line in zip(*found.columns.values(), strict=True):
        writer.writerow(["" if np.isnan(value) else f"{value:.10g}" for value in line])
    return text.getvalue()


def band(
    curves: Sequence[Curve], x: str, y: str
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray] | None:
    """Where several curves overlap: x, and the least, middle and greatest of y.

    None for a single curve, or where they do not overlap. Between its evaluations a curve is taken
    to be straight: an error in its logarithm, for so it is drawn.
    """
    whole = [part for part in (_known(found, x, y) for found in curves) if len(part[0])]
    if len(whole) < 2:
        return None
    low = max(float(places[0]) for places, _ in whole)
    high = min(float(places[-1]) for places, _ in whole)
    if low >= high:
        return None
    grid = np.linspace(low, high, GRID_POINTS)
    if y in _SHARES:
        table = np.array([np.interp(grid, *part) for part in whole])
    else:
        logs = [(places, np.log(np.maximum(values, FLOOR_RAD))) for places, values in whole]
        table = np.exp([np.interp(grid, *part) for part in logs])
    return grid, table.min(axis=0), np.median(table, axis=0), table.max(axis=0)


def _known(found: Curve, x: str, y: str) -> tuple[FloatArray, FloatArray]:
    """The points of a curve where y is known."""
    known = np.isfinite(found.columns[y])
    return found.columns[x][known], found.columns[y][known]


def draw(curves: Sequence[Curve], theme: Theme) -> Figure:
    """Errors and shares over steps and over robot time: a thin line a run, their middle and band.

    The band reaches from the least to the greatest of the runs.
    """
    figure = new_figure(11.0, 10.5)
    grid = figure.subplots(len(_PANELS), len(_AXES), sharex="col", sharey="row")
    for panels, (y, title) in zip(grid, _PANELS.items(), strict=True):
        colour = {"within_0_1_rad": theme.green, "within_0_2_rad": theme.orange}.get(y, theme.blue)
        for axes, x in zip(panels, _AXES, strict=True):
            _panel(axes, curves, x, y, colour)
            if y in _SHARES:
                axes.set_ylim(-3, 103)
            else:
                error_axis(axes, theme)
        panels[0].set_title(title)
    for axes, label in zip(grid[-1], _AXES.values(), strict=True):
        axes.set_xlabel(label)
    legend(grid[0, 1])
    return figure


def _panel(axes: Axes, curves: Sequence[Curve], x: str, y: str, colour: str) -> None:
    def shown(values: FloatArray) -> FloatArray:
        return 100 * values if y in _SHARES else np.maximum(values, FLOOR_RAD)

    found = band(curves, x, y)
    if found is not None:
        places, low, middle, high = found
        axes.fill_between(
            places, shown(low), shown(high), color=colour, alpha=0.18, lw=0, label="all runs"
        )
        label = f"median of {len(curves)} runs"
        axes.plot(places, shown(middle), color=colour, lw=2.2, label=label)
    width, name = (0.8, "one run") if found is not None else (1.8, curves[0].label)
    for index, one in enumerate(curves):
        places, values = _known(one, x, y)
        axes.plot(
            places, shown(values), ".-", color=colour, lw=width, ms=4, alpha=0.6,
            label="" if index else name,
        )  # fmt: skip
    axes.margins(x=0.015)


def write(folders: Sequence[Path], out: Path) -> list[Path]:
    """Write <out>-<run>.csv for each run folder and <out>.png; return the paths.

    A run is called by its seed where the seeds differ, and by its folder's name otherwise.

    Raises:
        RunFolderError: a folder is not a run with evaluations of a turning task.
        OSError: the disk refuses.
    """
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
