"""A policy on hidden robots, as a picture.

python -m tests.sweeps.transfer_picture transfer.json transfer.png
"""

from __future__ import annotations

import sys
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from robosac.plot_style import LIGHT, Theme, legend, new_figure, reference_line, render
from tests.sweeps.transfer_found import DRAWINGS, MEASURED, PARTS, Found, Robot, Walks

COLUMNS = (DRAWINGS, MEASURED, *PARTS)
NAMES = {
    DRAWINGS: "all hidden,\ndrawings'\nnumbers",
    MEASURED: "all hidden,\ncalibrated",
    "joints": "only joints",
    "imu": "only sensor",
    "actuators": "only actuators\nand latency",
}
REFUSED_AT = -0.06
"""Where a robot stands that was not armed, in shares of the nominal speed."""


def picture(found: Found) -> bytes:
    """The PNG."""

    def draw(theme: Theme) -> Figure:
        figure = new_figure(4.6, 11.0)
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        _pairs(left, found, theme)
        _parts(right, found, theme)
        return figure

    return render(draw, LIGHT)


def _pairs(axes: Axes, found: Found, theme: Theme) -> None:
    """Each robot without and with its calibration."""
    nominal = found.nominal.speed

    def order(robot: Robot) -> float:
        walks = robot.walks[DRAWINGS]
        return REFUSED_AT if walks.refused else walks.speed

    robots = sorted(found.robots, key=order)
    for at, robot in enumerate(robots, start=1):
        ends = [_height(robot.walks[way], nominal) for way in (DRAWINGS, MEASURED)]
        axes.plot([at, at], ends, color=theme.muted, linewidth=1.0, zorder=1)
        _mark(axes, at, robot.walks[DRAWINGS], nominal, theme.orange)
        _mark(axes, at, robot.walks[MEASURED], nominal, theme.blue)
    for colour, label in ((theme.orange, "drawings' numbers"), (theme.blue, "calibrated")):
        axes.plot([], [], "o", color=colour, label=label)
    axes.plot([], [], "o", color=theme.muted, markerfacecolor=theme.paper, label="fell")
    axes.plot([], [], "x", color=theme.red, label="not armed")
    reference_line(axes, 1.0, "nominal twin", theme)
    axes.set_xticks(range(1, len(robots) + 1))
    axes.set_xlim(0.5, len(robots) + 0.5)
    axes.set_xlabel("hidden robot, by its speed without calibration")
    axes.set_ylabel("speed while walking, by the nominal twin's")
    axes.set_title("Speed kept", pad=26)
    _scale(axes)
    legend(axes)


def _parts(axes: Axes, found: Found, theme: Theme) -> None:
    """Which part of what is hidden costs how much."""
    colours = {DRAWINGS: theme.orange, MEASURED: theme.blue}
    for at, way in enumerate(COLUMNS):
        walks = [robot.walks[way] for robot in found.robots if way in robot.walks]
        for number, walk in enumerate(walks):
            aside = 0.3 * ((number + 0.5) / len(walks) - 0.5)
            _mark(axes, at + aside, walk, found.nominal.speed, colours.get(way, theme.green))
        speeds = sorted(_height(walk, found.nominal.speed) for walk in walks)
        if speeds:
            middle = (speeds[(len(speeds) - 1) // 2] + speeds[len(speeds) // 2]) / 2
            axes.plot([at - 0.3, at + 0.3], [middle, middle], color=theme.ink, linewidth=1.6)
    reference_line(axes, 1.0, "", theme)
    axes.set_xticks(range(len(COLUMNS)), [NAMES[way] for way in COLUMNS], fontsize=7.5)
    axes.set_title("What costs it; the lines are medians", pad=26)
    _scale(axes)


def _scale(axes: Axes) -> None:
    axes.set_ylim(-0.12, max(1.2, axes.get_ylim()[1]))
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0))
    axes.grid(visible=False, axis="x")


def _height(walks: Walks, nominal: float) -> float:
    return REFUSED_AT if walks.refused else walks.speed / nominal


def _mark(axes: Axes, at: float, walks: Walks, nominal: float, colour: str) -> None:
    """One robot's point; hollow where an episode ended in a fall."""
    if walks.refused:
        axes.plot([at], [REFUSED_AT], "x", color=LIGHT.red, markersize=6)
        return
    face = LIGHT.paper if walks.falls else colour
    axes.plot([at], [walks.speed / nominal], "o", color=colour, markerfacecolor=face, markersize=6)


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(picture(Found.read(Path(sys.argv[1]))))
