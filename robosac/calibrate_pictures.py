"""Pictures of what was calibrated: a PNG and a page beside the calibration file."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from calibration.actuators import PARAMETERS, ActuatorResult
from calibration.record import Delay
from robosac.calibration_page import page, table
from robosac.hal import FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from robosac.plot_style import Theme


@dataclass(frozen=True)
class Seen:
    """A held-out motion, as it was and as two twins would have told it; arrays (count, n), rad."""

    names: tuple[str, ...]
    time_s: FloatArray
    told_rad: FloatArray
    nominal_rad: FloatArray
    identified_rad: FloatArray


def latency_page(
    out: Path,
    each_s: FloatArray,
    bus: Delay,
    ages: Mapping[str, Delay],
    remark: str,
    pictures_s: FloatArray | None = None,
) -> Path:
    """Write OUT.latency.png and .html; the page's path.

    Args:
        out: the file that they lie beside.
        each_s: of every step, from command to motion.
        bus: round trips.
        ages: of other values when they are used, by name.
        remark: what is wrong; empty: nothing.
        pictures_s: of every picture, from exposure to use; None: no camera was timed.

    Raises:
        ConfigError: they cannot be written.
    """
    rows = [_delay_row("bus", bus), *(_delay_row(name, age) for name, age in ages.items())]
    rows.append(_row("command to motion", each_s))
    head = ("ms", "count", "mean", "median", "99 %", "longest")
    return page(
        out,
        "latency",
        "Latency",
        partial(latency_figure, each_s, pictures_s),
        table(head, rows) + (f"<p>{html.escape(remark)}.</p>" if remark else ""),
    )


def actuators_page(out: Path, seen: Seen, found: ActuatorResult) -> Path:
    """Write OUT.actuators.png and .html; the page's path. Raises ConfigError: they cannot be."""
    rows = [
        (
            name,
            *(
                f"{value:.4g} &plusmn; {error:.1g}"
                for value, error in zip(values, errors, strict=True)
            ),
            f"{1e3 * before:.2f}",
            f"{1e3 * after:.2f}",
        )
        for name, values, errors, before, after in zip(
            seen.names,
            found.table.tolist(),
            found.error.tolist(),
            found.before_rad.tolist(),
            found.after_rad.tolist(),
            strict=True,
        )
    ]
    head = ("joint", *PARAMETERS, "nominal, mrad", "identified, mrad")
    text = (
        f"<p>Error of a motion that nothing was learned from, root mean square:"
        f" {1e3 * found.before_all_rad:.2f} mrad with the drawings' numbers,"
        f" {1e3 * found.after_all_rad:.2f} mrad with the identified ones, of which"
        f" {1e3 * found.noise_rad:.2f} mrad are the readings' noise.</p>"
    )
    draw = partial(actuators_figure, seen)
    return page(out, "actuators", "Actuators", draw, text + table(head, rows))


def latency_figure(each_s: FloatArray, pictures_s: FloatArray | None, theme: Theme) -> Figure:
    """Histograms of the steps' delays, and of the pictures' where there is a camera."""
    from robosac.plot_style import new_figure

    shown = [("From command to motion seen", "steps", each_s)]
    if pictures_s is not None:
        shown.append(("From exposure to a picture that can be used", "pictures", pictures_s))
    figure = new_figure(3.4 * len(shown))
    for row, (title, what, values_s) in enumerate(shown):
        axes = figure.add_subplot(len(shown), 1, row + 1)
        axes.hist(1e3 * values_s, bins=20, color=theme.blue)
        axes.axvline(1e3 * float(values_s.mean()), color=theme.orange)
        axes.set_title(title)
        axes.set_xlabel("ms")
        axes.set_ylabel(what)
    return figure


def actuators_figure(seen: Seen, theme: Theme) -> Figure:
    """A held-out motion: where the nominal twin misses most, and the errors of every joint."""
    from robosac.plot_style import legend, new_figure

    missed = 1e3 * (seen.nominal_rad - seen.told_rad), 1e3 * (seen.identified_rad - seen.told_rad)
    worst = int(np.argmax(np.nanmean(missed[0] ** 2, axis=0)))
    rows = (len(seen.names) + 1) // 2
    figure = new_figure(1.3 * rows + 3.0)
    grid = figure.add_gridspec(rows + 1, 2, height_ratios=[2.4, *[1.0] * rows])
    since = seen.time_s - seen.time_s[0]
    top = figure.add_subplot(grid[0, :])
    top.plot(since, seen.told_rad[:, worst], color=theme.muted, lw=2.8, label="measured")
    top.plot(since, seen.nominal_rad[:, worst], color=theme.orange, lw=1.1, label="nominal")
    top.plot(since, seen.identified_rad[:, worst], color=theme.blue, lw=1.1, label="identified")
    top.set_title(f"{seen.names[worst]}, rad")
    legend(top)
    for index, name in enumerate(seen.names):
        axes = figure.add_subplot(grid[1 + index // 2, index % 2])
        axes.plot(since, missed[0][:, index], color=theme.orange, lw=0.9)
        axes.plot(since, missed[1][:, index], color=theme.blue, lw=0.9)
        axes.set_title(f"{name}, error in mrad", fontsize=9)
    return figure


def _row(name: str, each_s: FloatArray) -> tuple[str, ...]:
    values = (each_s.mean(), *np.percentile(each_s, (50.0, 99.0)), each_s.max())
    return (name, str(len(each_s)), *(f"{1e3 * value:.2f}" for value in values))


def _delay_row(name: str, delay: Delay) -> tuple[str, ...]:
    values = (delay.mean_s, delay.p50_s, delay.p99_s, delay.max_s)
    return (name, str(delay.count), *(f"{1e3 * value:.2f}" for value in values))
