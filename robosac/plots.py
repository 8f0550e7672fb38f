"""Plots of a run's metrics: learning, temperature, limiter activity, loop timing, ages."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robosac.plot_style import Theme, legend, new_figure, reference_line
from robosac.published import PUBLISHED
from robosac.rows import MEAN_EPISODES, Rows, numbers, running_mean
from robosac.tasks.ends import EpisodeEnd

HEAT_COLUMNS = 80


def learning_curve(rows: Rows, theme: Theme) -> Figure:
    """Return, and forward speed where there is one, of episodes and evaluations."""
    figure = new_figure(6.2 if rows.has_speed else 3.6)
    panels = figure.subplots(2 if rows.has_speed else 1, 1, sharex=True, squeeze=False)[:, 0]
    _curve(panels[0], rows, theme, "return")
    panels[0].set_title("Return of an episode")
    if rows.has_speed:
        _curve(panels[1], rows, theme, "speed")
        panels[1].set_title("Forward speed [m/s]")
        low, high = panels[1].get_ylim()
        panels[1].set_ylim(min(low, 0.0), max(high, PUBLISHED[0].speed_m_s * 1.12))
        for machine in PUBLISHED:
            if machine.speed_m_s < panels[1].get_ylim()[1]:
                text = f"published {machine.gait}, {machine.speed_m_s:.2f} m/s"
                reference_line(panels[1], machine.speed_m_s, text, theme)
    legend(panels[0])
    panels[-1].set_xlabel(rows.axis_label)
    return figure


def _curve(axes: Axes, rows: Rows, theme: Theme, what: str) -> None:
    """Dots for episodes, their running mean, crosses for falls, points for evaluations."""
    episodes, evaluations = rows.episodes, rows.evaluations
    is_return = what == "return"
    values = numbers([row.return_ if is_return else row.speed_m_s for row in episodes])
    x = rows.axis(episodes)
    ended = np.array([row.end != EpisodeEnd.TRUNCATED for row in episodes], dtype=bool)
    axes.plot(
        x[~ended], values[~ended], ".", color=theme.blue, alpha=0.35, ms=5, label="episode", mew=0
    )
    axes.plot(
        x[ended], values[ended], "x", color=theme.red, alpha=0.6, ms=4, label="ended early", mew=1.1
    )
    axes.plot(x, running_mean(values), color=theme.blue, label=f"mean of {MEAN_EPISODES}")
    if evaluations:
        mean = numbers([row.return_mean if is_return else row.speed_m_s for row in evaluations])
        low = mean - numbers(
            [row.return_std if is_return else row.speed_min_m_s for row in evaluations]
        )
        spread = mean - low if is_return else low
        below = np.nan_to_num(np.maximum(spread, 0.0))
        axes.errorbar(
            rows.axis(evaluations), mean, yerr=np.stack([below, below if is_return else 0 * below]),
            fmt="o-", color=theme.orange, ms=5.5, lw=1.3, elinewidth=1.3, capsize=2.5,
            label="evaluation", zorder=4,
        )  # fmt: skip
    axes.margins(x=0.015)


def temperature(rows: Rows, theme: Theme) -> Figure:
    """The temperature, and the entropy beside the target it steers to."""
    figure = new_figure(4.6)
    upper, lower = figure.subplots(2, 1, sharex=True)
    x = rows.axis(rows.learner)
    alpha = numbers([row.alpha for row in rows.learner])
    upper.plot(x, alpha, color=theme.orange)
    if np.nanmin(alpha, initial=np.inf) > 0:
        upper.set_yscale("log")
    upper.set_title("Temperature α")
    lower.plot(x, numbers([row.entropy for row in rows.learner]), color=theme.blue)
    target = numbers([row.target_entropy for row in rows.learner])
    label = f"target {target[-1]:.1f}" if np.isfinite(target[-1]) else "target"
    lower.plot(x, target, color=theme.muted, lw=1.2, ls=(0, (4, 3)), label=label)
    legend(lower)
    lower.set_title("Entropy of the policy [nats]")
    lower.set_xlabel(rows.axis_label)
    upper.margins(x=0.015)
    return figure


def limiter_activity(rows: Rows, theme: Theme) -> Figure:
    """Share of executor ticks each reason was given in, over training."""
    means = {
        name: float(np.mean([row.limited.get(name, 0.0) for row in rows.episodes]))
        for name in {name for row in rows.episodes for name in row.limited}
    }
    names = sorted(means, key=lambda name: (-means[name], name))
    edges = np.array_split(np.arange(len(rows.episodes)), min(HEAT_COLUMNS, len(rows.episodes)))
    heat = np.array(
        [
            [
                100 * np.mean([rows.episodes[i].limited.get(name, 0.0) for i in part])
                for part in edges
            ]
            for name in names
        ]
    )
    figure = new_figure(1.3 + 0.36 * len(names))
    axes = figure.subplots()
    x = rows.axis(rows.episodes)
    image = axes.imshow(
        heat, aspect="auto", cmap=theme.ramp, vmin=0, vmax=max(float(heat.max()), 1.0),
        extent=(0.0, float(x.max()), len(names) - 0.5, -0.5), interpolation="nearest",
    )  # fmt: skip
    axes.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
    for index, name in enumerate(names):
        axes.annotate(
            f"{100 * means[name]:.1f} %", (1.0, index), xycoords=("axes fraction", "data"),
            xytext=(6, 0), textcoords="offset points", va="center", fontsize=9,
        )  # fmt: skip
    axes.grid(visible=False)
    axes.set_title("Ticks in which the limiter changed the command; mean at the right")
    axes.set_xlabel(rows.axis_label)
    figure.colorbar(image, ax=axes, label="% of ticks", pad=0.09, fraction=0.04)
    return figure


def loop_timing(rows: Rows, period_s: float | None, theme: Theme) -> Figure:
    """Lateness of the control ticks, and what a step's time goes into."""
    figure = new_figure(3.4)
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    x = rows.axis(rows.timing)
    for values, label, colour in (
        ([row.lateness_max_ms for row in rows.timing], "max", theme.red),
        ([row.lateness_p99_ms for row in rows.timing], "99 %", theme.orange),
        ([row.lateness_p50_ms for row in rows.timing], "median", theme.blue),
    ):
        left.plot(x, numbers(values), color=colour, label=label)
    if period_s is not None:
        reference_line(left, period_s * 1000, f"period {period_s * 1000:g} ms", theme)
    # Linear below 1 us: in virtual time every wake-up is exactly on time.
    left.set_yscale("symlog", linthresh=1e-3)
    left.set_ylim(0, max(left.get_ylim()[1], 4000 * (period_s or 0.0)))
    left.set_title("Lateness of ticks [ms]")
    left.set_xlabel(rows.axis_label)
    left.margins(x=0.015)
    legend(left)
    _phases(right, rows, theme)
    return figure


def _phases(axes: Axes, rows: Rows, theme: Theme) -> None:
    phases = {
        "policy": [row.policy_us for row in rows.timing],
        "executor tick": [row.executor_us for row in rows.timing],
        "update": [row.update_us for row in rows.timing],
    }
    known = {
        name: float(np.nanmean(numbers(values)))
        for name, values in phases.items()
        if any(value is not None for value in values)
    }
    axes.barh(list(known), list(known.values()), color=theme.blue, height=0.55)
    axes.invert_yaxis()
    for index, value in enumerate(known.values()):
        text = f"{value:.0f} µs" if value < 1000 else f"{value / 1000:.1f} ms"
        axes.annotate(
            text, (value, index), xytext=(5, 0), textcoords="offset points", va="center", fontsize=9
        )
    axes.margins(x=0.28)
    axes.set_title("Mean time of one")
    axes.grid(visible=False)
    axes.tick_params(bottom=False, labelbottom=False)


def ages(rows: Rows, theme: Theme) -> Figure:
    """How old the camera's pictures and the joints' values were when the policy saw them."""
    figure = new_figure(2.8)
    axes = figure.subplots()
    x = rows.axis(rows.episodes)
    for values, label, colour in (
        ([row.frame_age_max_s for row in rows.episodes], "picture, most", theme.red),
        ([row.frame_age_mean_s for row in rows.episodes], "picture, mean", theme.blue),
        ([row.joint_age_max_s for row in rows.episodes], "joints, most", theme.orange),
    ):
        if any(value is not None for value in values):
            axes.plot(x, 1e3 * numbers(values), color=colour, label=label, lw=1.3)
    axes.set_ylim(bottom=0.0)
    axes.margins(x=0.015)
    axes.set_title("Age in an episode [ms]")
    axes.set_xlabel(rows.axis_label)
    legend(axes)
    return figure
