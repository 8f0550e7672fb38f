"""A comparison as a picture: a bar for each contender, a row for each size."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robosac.peers.catalogue import OURS
from robosac.peers.comparison import Figures, Report
from robosac.plot_style import LIGHT, Theme, new_figure, render

BAR_IN = 0.3
"""Height that a bar has to itself, inches."""
ROOM = 1.45
"""Width of a panel by its longest bar: the rest is for the bars' own figures."""


def picture(report: Report) -> bytes:
    """The whole comparison, PNG."""
    return render(lambda theme: draw(report, theme), LIGHT)


def draw(report: Report, theme: Theme) -> Figure:
    """The figure: speeds at the left, memory at the right, a row for each size."""
    rows = report.updates + report.replays
    heights = [0.75 + BAR_IN * len(row.contenders) for row in rows]
    figure = new_figure(0.5 + sum(heights), width=10.5)
    panels = figure.subplots(
        len(rows), 2, squeeze=False, height_ratios=heights, width_ratios=(3, 2)
    )
    for index, (row, (left, right)) in enumerate(zip(rows, panels, strict=True)):
        shown = row.contenders
        if index < len(report.updates):
            left.set_title(f"Updates a second: {row.case.name}")
            _bars(left, theme, shown, _rate, lambda x: f"{_rate(x):,.0f}   {_times(x)}")
            right.set_title("Resident memory, MB")
            _bars(right, theme, shown, _memory, _memory_text)
        else:
            left.set_title(f"Drawing a batch of {row.case.batch}: {row.case.name}")
            _bars(left, theme, shown, _us, lambda x: f"{_us(x):,.0f} us   {_times(x)}")
            right.set_title("Bytes a transition")
            _bars(right, theme, shown, _bytes, lambda x: f"{_bytes(x):,.0f}")
        right.set_yticklabels([])
    figure.supxlabel(_caption(report), fontsize=8.5, color=theme.muted)
    return figure


def _bars(
    axes: Axes,
    theme: Theme,
    shown: Mapping[str, Figures],
    length: Callable[[Figures], float],
    text: Callable[[Figures], str],
) -> None:
    names = list(shown)
    lengths = [length(found) for found in shown.values()]
    # Every one of ours begins with that name.
    colours = [theme.blue if name.startswith(OURS) else theme.muted for name in names]
    faint = [1.0 if name.startswith(OURS) else 0.55 for name in names]
    for bar, alpha in zip(
        axes.barh(range(len(names)), lengths, color=colours, height=0.62), faint, strict=True
    ):
        bar.set_alpha(alpha)
    for index, found in enumerate(shown.values()):
        axes.annotate(
            text(found), (lengths[index], index), xytext=(5, 0), textcoords="offset points",
            va="center", fontsize=9, color=theme.ink,
        )  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, max(lengths) * ROOM or 1.0)
    axes.grid(visible=False, axis="y")


def _rate(found: Figures) -> float:
    return found.rate.median


def _us(found: Figures) -> float:
    return 1e6 / found.rate.median


def _memory(found: Figures) -> float:
    return found.resident_mb or 0.0


def _memory_text(found: Figures) -> str:
    return "not known" if found.resident_mb is None else f"{found.resident_mb:,.0f}"


def _bytes(found: Figures) -> float:
    return float(found.transition_bytes)


def _times(found: Figures) -> str:
    return f"({found.times_reference:.2f}x)"


def _caption(report: Report) -> str:
    machine = report.machine
    units = ", ".join(machine["units"])
    reference = report.updates[0].reference if report.updates else report.replays[0].reference
    return (
        f"{machine['processor']} ({units or 'no vector units known'}), {machine['cores']} cores;"
        f" threads: {report.threads}; medians of {report.rounds} interleaved turns;"
        f" (x): speed by that of {reference} in the same round"
    )
