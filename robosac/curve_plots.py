"""Pictures of learning curves: one run beside another of the same kind, one recipe beside another.

A run is a thin line; where several overlap, their median is a thick one, and a band reaches from
the least to the greatest of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from robosac.curves import Curve, band, is_error, known
from robosac.plot_style import Theme, figure_legend, legend, new_figure, reference_line
from robosac.rows import FloatArray
from robosac.turn_plots import FLOOR_RAD, error_axis

AXES: Final = {"step": "environment steps", "robot_min": "robot time [min]"}


@dataclass(frozen=True, slots=True)
class Panel:
    """What one plot shows."""

    column: str
    title: str
    colour: str
    """Of a theme."""
    share: bool = False
    """Told in percent."""


TURNING_PANELS: Final = (
    Panel("angle_error_median_rad", "|Angle error|, median over a rollout [rad]", "blue"),
    Panel("angle_error_rad", "|Angle error| at the end, median [rad]", "blue"),
    Panel("within_0_1_rad", "Episodes that end below 0.1 rad [%]", "green", share=True),
    Panel("within_0_2_rad", "Episodes that end below 0.2 rad [%]", "orange", share=True),
)
WALKING_PANELS: Final = (
    Panel("speed_m_s", "Forward speed [m/s]", "blue"),
    Panel("upright", "Episodes without a fall [%]", "green", share=True),
    Panel("power_w", "Electrical power [W]", "orange"),
)


@dataclass(frozen=True, slots=True)
class Series:
    """The runs of one recipe."""

    label: str
    curves: tuple[Curve, ...]
    """At least one."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What is to be reached, and by when."""

    value: float
    minutes: float
    text: str


def draw(curves: Sequence[Curve], theme: Theme) -> Figure:
    """Runs of one kind over steps and over robot time: errors and shares, or speeds and falls."""
    panels = TURNING_PANELS if curves[0].turning else WALKING_PANELS
    figure = new_figure(11.0, 10.5)
    grid = figure.subplots(len(panels), len(AXES), sharex="col", sharey="row")
    for row, panel in zip(grid, panels, strict=True):
        for axes, x in zip(row, AXES, strict=True):
            several = f"median of {len(curves)} runs"
            colour = getattr(theme, panel.colour)
            _draw_runs(axes, Series(several, tuple(curves)), x, panel, colour)
            _scale(axes, panel, theme)
        row[0].set_title(panel.title)
    for axes, label in zip(grid[-1], AXES.values(), strict=True):
        axes.set_xlabel(label)
    legend(grid[0, 1])
    return figure


def draw_recipes(
    series: Sequence[Series], panels: Sequence[Panel], bars: Sequence[Bar], theme: Theme
) -> Figure:
    """Recipes beside each other over robot minutes, on a logarithmic axis, with their bars.

    Args:
        series: at least one, each of its own colour; more than four are hard to tell apart.
        panels: one below the other.
        bars: of the first panel, in its unit.
    """
    figure = new_figure(3.3 * len(panels) + 0.4)
    column = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
    colours = (theme.blue, theme.orange, theme.green, theme.red)
    for axes, panel in zip(column, panels, strict=True):
        for index, one in enumerate(series):
            _draw_runs(axes, one, "robot_min", panel, colours[index % len(colours)])
        _scale(axes, panel, theme)
        axes.set_title(panel.title)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    for bar in bars:
        reference_line(column[0], bar.value, bar.text, theme)
        column[0].plot([bar.minutes], [bar.value], "v", color=theme.muted, ms=7, zorder=3)
    column[-1].set_xlabel(AXES["robot_min"])
    figure_legend(figure, column[0])
    return figure


def _draw_runs(axes: Axes, one: Series, x: str, panel: Panel, colour: str) -> None:
    def shown(values: FloatArray) -> FloatArray:
        if panel.share:
            return 100 * values
        return np.maximum(values, FLOOR_RAD) if is_error(panel.column) else values

    found = band(one.curves, x, panel.column)
    if found is not None:
        places, low, middle, high = found
        axes.fill_between(places, shown(low), shown(high), color=colour, alpha=0.18, lw=0)
        axes.plot(places, shown(middle), color=colour, lw=2.2, label=one.label)
    width, name = (0.8, "") if found is not None else (1.8, one.label)
    for index, run in enumerate(one.curves):
        places, values = known(run, x, panel.column)
        axes.plot(
            places, shown(values), ".-", color=colour, lw=width, ms=4, alpha=0.6,
            label="" if index else name,
        )  # fmt: skip
    axes.margins(x=0.015)


def _scale(axes: Axes, panel: Panel, theme: Theme) -> None:
    if panel.share:
        axes.set_ylim(-3, 103)
    elif is_error(panel.column):
        error_axis(axes, theme)
