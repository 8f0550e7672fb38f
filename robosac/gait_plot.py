"""Plots of one recorded episode: how the joints followed and the legs stepped, what came of it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from robosac.plot_style import Theme, legend, new_figure
from robosac.tasks.legs import LEGS
from robosac.trace import Trace

FloatArray = NDArray[np.float64]
WINDOW_S, WINDOW_STEPS = 2.0, 100
"""The joints are shown for this long, and for this many policy steps at least."""
_NOTE = """Path: swing to the right,
extension downward.
Bars: leg longer than its
middle, which is mostly
the time on the ground."""


def window(trace: Trace, seconds: float = WINDOW_S) -> slice:
    """The middle `seconds` of the trace, or all of a shorter one."""
    time = trace.time_s
    middle = (time[0] + time[-1]) / 2
    begin = int(np.searchsorted(time, middle - seconds / 2))
    end = int(np.searchsorted(time, middle + seconds / 2, side="right"))
    return slice(begin, end)


def gait(trace: Trace, theme: Theme) -> Figure:
    """A stretch of every joint, and for a quadruped each leg's path and step pattern."""
    period = float(np.median(np.diff(trace.time_s))) if len(trace.time_s) > 1 else 0.0
    part = window(trace, max(WINDOW_S, WINDOW_STEPS * period))
    if is_quadruped(trace):
        return _quadruped(trace, part, theme)
    return _joints(trace, part, theme)


def is_quadruped(trace: Trace) -> bool:
    """True for a robot whose joints are two motors a leg."""
    return len(trace.joint_names) == 2 * len(LEGS)


def episode(trace: Trace, theme: Theme) -> Figure:
    """What the task and the body told over the whole recorded episode, and the power drawn."""
    drawn = [
        (title, curves)
        for title, curves in _panels(trace, theme)
        if any(np.isfinite(values).any() for values, _, _ in curves)
    ]
    figure = new_figure(0.5 + 1.5 * len(drawn))
    column = figure.subplots(max(len(drawn), 1), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, curves) in zip(column, drawn, strict=False):
        for values, label, colour in curves:
            axes.plot(trace.time_s, values, color=colour, lw=1.4, label=label)
            if not label:
                mean = float(np.nanmean(values))
                text = f"mean {mean:.3g}"
                axes.axhline(mean, color=theme.muted, lw=1.0, ls=(0, (4, 3)), label=text)
        axes.set_title(title)
        legend(axes)
        axes.margins(x=0.0)
    column[-1].set_xlabel("time [s]")
    return figure


_Curve = tuple[FloatArray, str, str]
"""Values over time, label (empty: the mean is drawn too), colour."""


def _panels(trace: Trace, theme: Theme) -> list[tuple[str, list[_Curve]]]:
    """Everything that may be worth a panel; what this robot does not have has no curves."""
    blue, orange = theme.blue, theme.orange
    signals = trace.signals

    def curves(*wanted: tuple[str, str, str], scale: float = 1.0) -> list[_Curve]:
        return [
            (scale * signals[name], label, colour)
            for name, label, colour in wanted
            if name in signals
        ]

    degrees = 180 / np.pi
    return [
        ("Forward speed [m/s]", curves(("forward_velocity", "", blue))),
        (
            "Tilt of the body [°]",
            curves(("roll", "roll", blue), ("pitch", "pitch", orange), scale=degrees),
        ),
        ("Angle error [rad]", curves(("angle_error", "error", blue))),
        ("Reward", [(trace.reward, "reward", theme.green)]),
        (
            "Age of what was seen [ms]",
            curves(("frame_age_s", "picture", blue), ("joint_age_s", "joints", orange), scale=1e3),
        ),
        ("Electrical power [W]", [(trace.power_w, "", orange)]),
    ]


def _joints(trace: Trace, part: slice, theme: Theme) -> Figure:
    """A panel a joint, in rows of three where there are many."""
    count = len(trace.joint_names)
    across = 3 if count > 4 else 1
    down = -(-count // across)
    figure = new_figure(0.8 + (1.5 if across > 1 else 1.1) * down)
    grid = figure.subplots(down, across, sharex=True, squeeze=False).ravel()
    for joint, axes in enumerate(grid[:count]):
        _follow(axes, trace, part, (joint,), theme)
        axes.set_title(f"{trace.joint_names[joint].replace('_', ' ')} [rad]", fontsize=9)
    for axes in grid[count:]:
        axes.axis("off")
    for axes in grid[max(count - across, 0) : count]:
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("time [s]")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def _quadruped(trace: Trace, part: slice, theme: Theme) -> Figure:
    figure = new_figure(9.0)
    grid = figure.add_gridspec(
        len(LEGS) + 1, 2, width_ratios=(4, 1.25), height_ratios=[1] * 4 + [0.8]
    )
    extension, swing = _legs(trace.joint_position[part])
    first: Axes | None = None
    for leg, name in enumerate(LEGS):
        axes = figure.add_subplot(grid[leg, 0], sharex=first, sharey=first)
        _follow(axes, trace, part, (2 * leg, 2 * leg + 1), theme)
        axes.set_title(f"{name.replace('_', ' ')}: motor angles [rad]", fontsize=9.5)
        axes.tick_params(labelbottom=False)
        path = figure.add_subplot(grid[leg, 1])
        _path(path, swing[:, leg], extension[:, leg], theme)
        if leg == 0:
            figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=4)
            path.set_title("path of the leg [rad]", fontsize=9.5)
        first = first or axes
    steps = figure.add_subplot(grid[len(LEGS), 0], sharex=first)
    _step_pattern(steps, trace.time_s[part], extension, theme)
    note = figure.add_subplot(grid[len(LEGS), 1])
    note.axis("off")
    note.text(0.0, 0.9, _NOTE, fontsize=8.5, va="top", color=theme.muted)
    return figure


def _follow(axes: Axes, trace: Trace, part: slice, joints: tuple[int, ...], theme: Theme) -> None:
    """Requested, executed and measured angle of one or two joints."""
    time = trace.time_s[part]
    for joint, colour in zip(joints, (theme.blue, theme.orange), strict=False):
        name = trace.joint_names[joint].rsplit("_", 1)[-1] if len(joints) > 1 else ""
        axes.plot(time, trace.requested[part, joint], color=theme.red, lw=1.0, ls=":")
        axes.plot(time, trace.executed[part, joint], color=colour, lw=1.1, alpha=0.75, ls="--")
        axes.plot(
            time, trace.joint_position[part, joint], color=colour, label=f"{name} measured".strip()
        )
    axes.plot([], [], color=theme.muted, ls="--", lw=1.1, label="executed")
    axes.plot([], [], color=theme.red, ls=":", lw=1.0, label="requested")
    axes.margins(x=0.0)


def _legs(joints: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Extension and swing, (T, 4) rad each, of (T, 8) joint angles; see `robosac.tasks.legs`."""
    front, rear = joints[:, 0::2], joints[:, 1::2]
    return (front + rear) / 2, (rear - front) / 2


def _path(axes: Axes, swing: FloatArray, extension: FloatArray, theme: Theme) -> None:
    axes.plot(swing, extension, color=theme.green, lw=1.2)
    axes.plot(swing[-1:], extension[-1:], "o", color=theme.green, ms=4)
    axes.invert_yaxis()
    axes.tick_params(labelsize=7.5)
    axes.margins(0.12)


def _step_pattern(axes: Axes, time: FloatArray, extension: FloatArray, theme: Theme) -> None:
    """Bars where a leg is longer than the middle of its own range."""
    middle = (extension.max(axis=0) + extension.min(axis=0)) / 2
    step = float(np.median(np.diff(time))) if len(time) > 1 else 0.0
    for leg in range(len(LEGS)):
        down = np.concatenate([[0], (extension[:, leg] > middle[leg]).astype(int), [0]])
        begins, ends = np.flatnonzero(np.diff(down) > 0), np.flatnonzero(np.diff(down) < 0)
        bars = [(time[b], time[e - 1] - time[b] + step) for b, e in zip(begins, ends, strict=True)]
        axes.broken_barh(bars, (leg - 0.36, 0.72), color=theme.green, lw=0)
    axes.set_yticks(range(len(LEGS)), [name.replace("_", " ") for name in LEGS])
    axes.set_xlim(time[0], time[-1])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.set_title("step pattern", fontsize=9.5)
    axes.set_xlabel("time [s]")
