"""How recipes learn, in robot minutes: one picture of a task, a band over the seeds of each recipe.

Example: `python -m robosac.recipe_curves walk --series "recipe fast" docs/results/walk-fast-*.csv
--series "recipe paper" docs/results/walk-seed-*.csv --out docs/results/learning-walk.png`
draws what `python -m robosac.curves` has written.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from robosac.curve_plots import TURNING_PANELS, WALKING_PANELS, Bar, Panel, Series, draw_recipes
from robosac.curves import from_csv
from robosac.errors import RobosacError, RunFolderError
from robosac.files import write_whole
from robosac.plot_style import LIGHT, render

_SPEED, _UPRIGHT = WALKING_PANELS[:2]
_TENTH, _FIFTH = TURNING_PANELS[2:]
TASKS: Final[Mapping[str, tuple[tuple[Panel, ...], tuple[Bar, ...]]]] = {
    "walk": ((_SPEED, _UPRIGHT), (Bar(0.4, 5.0, "0.4 m/s within 5 minutes"),)),
    "claw": ((_TENTH, _FIFTH), (Bar(90.0, 20.0, "90 % within 20 minutes"),)),
    "claw-pixels": (
        (_FIFTH, _TENTH),
        (
            Bar(80.0, 45.0, "80 %: with demonstrations within 45 minutes, without within 180"),
            Bar(80.0, 180.0, ""),
        ),
    ),
}
"""What is shown of a task, and what it should reach."""


def picture(task: str, series: Mapping[str, Sequence[Path]]) -> bytes:
    """The picture as a PNG.

    Args:
        task: of `TASKS`.
        series: the CSV files of the seeds, by what they have in common.

    Raises:
        RunFolderError: a file is no learning curve, or that of another kind of task.
        OSError: a file cannot be read.
    """
    panels, bars = TASKS[task]
    found: list[Series] = []
    for label, files in series.items():
        curves = tuple(from_csv(file.read_text(encoding="utf-8"), str(file)) for file in files)
        for one in curves:
            if panels[0].column not in one.columns:
                raise RunFolderError(f"{one.label} is not of task {task}: no {panels[0].column}")
        plural = "" if len(curves) == 1 else "s"
        found.append(Series(f"{label}, {len(curves)} seed{plural}", curves))
    return render(partial(draw_recipes, found, panels, bars), LIGHT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw what the command line asks for; 0 done, 2 a file is wrong."""
    parser = argparse.ArgumentParser("python -m robosac.recipe_curves", description=__doc__)
    parser.add_argument("task", choices=sorted(TASKS))
    parser.add_argument(
        "--series", nargs="+", action="append", required=True, metavar=("LABEL", "FILE"),
        help="what its files have in common, then a CSV file for each seed",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, help="the picture, PNG")
    wanted = parser.parse_args(arguments)
    try:
        if any(len(one) < 2 for one in wanted.series):
            raise RunFolderError("--series needs a label and at least one file")
        series = {label: [Path(file) for file in files] for label, *files in wanted.series}
        write_whole(wanted.out, picture(wanted.task, series))
    except (RobosacError, OSError) as error:
        sys.stderr.write(f"robosac.recipe_curves: {error}\n")
        return 2
    sys.stdout.write(f"{wanted.out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
