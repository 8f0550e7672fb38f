"""Plots of a turning task: how near to the goal episodes end, and how they get there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from robosac.error_traces import ErrorTraces
from robosac.metrics import EpisodeResult
from robosac.plot_style import Theme, legend, new_figure, reference_line
from robosac.rows import FloatArray, Rows, numbers, running_median

BOUNDS_RAD = (0.1, 0.2)
MEDIAN_EPISODES = 20
BIN_RAD = 0.05
FLOOR_RAD, CEILING_RAD = 0.01, 3.6
"""Ends of the error axis; smaller errors are drawn at its floor."""
_TICKS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


def turn_curve(rows: Rows, theme: Theme) -> Figure:
    """Final and rollout error of episodes and evaluations, and the evaluations' shares."""
    judged = any(row.within_0_1_rad is not None for row in rows.evaluations)
    figure = new_figure(8.4 if judged else 6.0)
    panels = figure.subplots(3 if judged else 2, 1, sharex=True)
    final, rollout = panels[0], panels[1]
    _errors(final, rows, theme, final_error=True)
    final.set_title("|Angle error| at the end of an episode [rad]", pad=22)
    legend(final)
    _errors(rollout, rows, theme, final_error=False)
    rollout.set_title("|Angle error|, median over a rollout [rad]")
    if judged:
        _shares(panels[2], rows, theme)
    panels[-1].set_xlabel(rows.axis_label)
    return figure


def _errors(axes: Axes, rows: Rows, theme: Theme, *, final_error: bool) -> None:
    """Dots for episodes, their running median, points for evaluations."""
    episodes, evaluations = rows.episodes, rows.evaluations
    values = numbers(
        [r.angle_error_rad if final_error else r.angle_error_median_rad for r in episodes]
    )
    x = rows.axis(episodes)
    shown = np.maximum(values, FLOOR_RAD)
    axes.plot(x, shown, ".", color=theme.blue, alpha=0.3, ms=4, mew=0, label="episode")
    middle = np.maximum(running_median(values, MEDIAN_EPISODES), FLOOR_RAD)
    axes.plot(x, middle, color=theme.blue, label=f"median of {MEDIAN_EPISODES}")
    if evaluations:
        error = numbers(
            [r.angle_error_rad if final_error else r.angle_error_median_rad for r in evaluations]
        )
        worst = numbers([r.angle_error_p90_rad if final_error else None for r in evaluations])
        above = np.nan_to_num(np.maximum(worst - error, 0.0))
        axes.errorbar(
            rows.axis(evaluations), np.maximum(error, FLOOR_RAD), yerr=[0 * above, above],
            fmt="o-", color=theme.orange, ms=5.0, lw=1.3, elinewidth=1.3, capsize=2.5, zorder=4,
            label="evaluation, median to 90 %" if final_error else "evaluation",
        )  # fmt: skip
    error_axis(axes, theme)
    axes.margins(x=0.015)


def _shares(axes: Axes, rows: Rows, theme: Theme) -> None:
    """Of an evaluation's episodes, how many end below each bound."""
    x = rows.axis(rows.evaluations)
    for values, label, colour in (
        ([row.within_0_1_rad for row in rows.evaluations], "below 0.1 rad", theme.green),
        ([row.within_0_2_rad for row in rows.evaluations], "below 0.2 rad", theme.orange),
    ):
        axes.plot(x, 100 * numbers(values), "o-", ms=4.5, lw=1.5, color=colour, label=label)
    axes.set_ylim(-3, 103)
    axes.set_title("Evaluation episodes that end near the goal [%]")
    legend(axes)


def error_axis(axes: Axes, theme: Theme) -> None:
    """A logarithmic y axis for |angle error|, with the bounds that count."""
    axes.set_yscale("log")
    axes.set_ylim(FLOOR_RAD * 0.9, CEILING_RAD)
    axes.yaxis.set_major_locator(FixedLocator(_TICKS))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    for bound in BOUNDS_RAD:
        reference_line(axes, bound, f"{bound:g} rad", theme)


def last_episodes(episodes: Sequence[EpisodeResult], theme: Theme) -> Figure:
    """How one evaluation's episodes ended, and where each had started."""
    figure = new_figure(3.6)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    final = numbers([episode.angle_error_rad for episode in episodes])
    _histogram(left, final, theme)
    start = numbers([episode.start_error_rad for episode in episodes])
    whole = np.array([episode.ran_its_course for episode in episodes], dtype=bool)
    shown = np.maximum(final, FLOOR_RAD)
    right.plot(start[whole], shown[whole], "o", color=theme.blue, ms=5, mew=0, alpha=0.75)
    right.plot(start[~whole], shown[~whole], "x", color=theme.red, ms=6, mew=1.5, label="cut short")
    error_axis(right, theme)
    right.set_xlim(-0.05, math.pi + 0.05)
    right.set_xlabel("|angle error| at the start [rad]")
    right.set_title("Each episode")
    if not whole.all():
        legend(right)
    return figure


def _histogram(axes: Axes, final: FloatArray, theme: Theme) -> None:
    known = final[np.isfinite(final)]
    top = max(0.4, math.ceil(float(known.max(initial=0.0)) / BIN_RAD + 1e-9) * BIN_RAD)
    counts, edges = np.histogram(known, bins=round(top / BIN_RAD), range=(0.0, top))
    colours = [
        theme.green if edge < BOUNDS_RAD[0] - 1e-9
        else theme.orange if edge < BOUNDS_RAD[1] - 1e-9
        else theme.red
        for edge in edges[:-1]
    ]  # fmt: skip
    axes.bar(edges[:-1], counts, width=0.92 * BIN_RAD, align="edge", color=colours)
    unknown = len(final) - len(known)
    text = f"Episodes by final |angle error|, {len(final)} in all"
    axes.set_title(f"{text}, {unknown} unknown" if unknown else text)
    axes.set_xlabel("|angle error| at the end [rad]")
    axes.set_xlim(0.0, top)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=False, axis="x")


def error_traces(traces: ErrorTraces, theme: Theme) -> Figure:
    """|Angle error| of every episode over time, and their median."""
    figure = new_figure(3.4)
    axes = figure.subplots()
    size = np.maximum(np.abs(traces.error_rad), FLOOR_RAD)
    faint = max(0.15, min(0.6, 12 / len(size)))
    for row in size:
        axes.plot(traces.time_s, row, color=theme.blue, lw=0.9, alpha=faint)
    known = np.isfinite(size).any(axis=0)
    middle = np.nanmedian(size[:, known], axis=0)
    axes.plot([], [], color=theme.blue, lw=0.9, alpha=0.6, label="episode")
    axes.plot(traces.time_s[known], middle, color=theme.orange, lw=2.2, label="median")
    error_axis(axes, theme)
    axes.margins(x=0.0)
    axes.set_title(f"|Angle error| of {len(size)} episodes [rad]")
    axes.set_xlabel("time since the reset [s]")
    legend(axes)
    return figure
