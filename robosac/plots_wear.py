"""Plots of wear: how far a robot stands off its stance, and how its joints lag, over a run."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robosac.plot_style import Theme, new_figure
from robosac.rows import FloatArray, Rows, numbers, running_median
from robosac.wear import NEWEST, by_its_likes


def wear(rows: Rows, theme: Theme) -> Figure:
    """Each joint's number in each episode's running median; the joints are told at their ends."""
    figure = new_figure(3.6)
    left, right = figure.subplots(1, 2)
    told = [row for row in rows.episodes if row.standing_rad or row.lag_s]
    x = rows.axis(told)
    likes = [by_its_likes(row.standing_rad) for row in told]
    stance = {name: None for row in likes for name in row}
    lags = {name: None for row in told for name in row.lag_s}
    _lines(
        left, theme, x,
        {name: 1e3 * numbers([row.get(name) for row in likes]) for name in stance},
    )  # fmt: skip
    _lines(
        right, theme, x,
        {name: 1e3 * numbers([row.lag_s.get(name) for row in told]) for name in lags},
    )  # fmt: skip
    left.set_title("Off its stance, less its likes' [mrad]")
    right.set_title("Lag of the joints [ms]")
    for axes in (left, right):
        axes.set_xlabel(rows.axis_label)
        axes.margins(x=0.015)
    return figure


def _lines(axes: Axes, theme: Theme, x: FloatArray, columns: dict[str, FloatArray]) -> None:
    """The joint that ends farthest from where it began is named; the rest is grey."""
    medians = {name: running_median(values, NEWEST) for name, values in columns.items()}
    if not medians:
        return

    def moved(name: str) -> float:
        known = medians[name][np.isfinite(medians[name])]
        return float(abs(known[-1] - known[min(NEWEST, len(known)) - 1])) if len(known) else 0.0

    most = max(medians, key=moved)
    for name, median in medians.items():
        colour, width = (theme.orange, 1.8) if name == most else (theme.muted, 0.8)
        label = f"{name.replace('_', ' ')}, changed most" if name == most else None
        axes.plot(x, median, color=colour, lw=width, label=label)
    axes.legend(loc="best")
