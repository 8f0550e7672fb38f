"""How plots look: one light and one dark theme, and the few parts every plot shares."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of one theme, as hexadecimal RGB."""

    name: str
    paper: str
    ink: str
    muted: str
    grid: str
    blue: str
    orange: str
    green: str
    red: str
    ramp: str
    """Name of matplotlib's sequential map that starts at the paper's brightness."""


LIGHT = Theme(
    "light", "#ffffff", "#1c2430", "#5f6b7a", "#e6eaef", "#2468b2", "#cf6a1a", "#23845a", "#c0323b",
    "Blues",
)  # fmt: skip
DARK = Theme(
    "dark", "#171c23", "#e7ebf0", "#98a4b3", "#2a323d", "#6ea8ee", "#f0a058", "#5ec795", "#f2757c",
    "Blues_r",
)  # fmt: skip
THEMES = (LIGHT, DARK)

Draw = Callable[[Theme], Figure]


@contextmanager
def themed(theme: Theme) -> Iterator[None]:
    """Matplotlib's defaults in this theme, put back afterwards."""
    with matplotlib.rc_context(
        {
            "figure.facecolor": theme.paper,
            "axes.facecolor": theme.paper,
            "savefig.facecolor": theme.paper,
            "text.color": theme.ink,
            "axes.labelcolor": theme.muted,
            "axes.edgecolor": theme.grid,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "axes.titlecolor": theme.ink,
            "axes.labelsize": 10,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": theme.grid,
            "grid.linewidth": 0.8,
            "xtick.color": theme.muted,
            "ytick.color": theme.muted,
            "xtick.labelsize": 9,
            "ytick.labelsize": 9,
            "lines.linewidth": 1.8,
            "lines.solid_capstyle": "round",
            "legend.frameon": False,
            "legend.fontsize": 9,
            "legend.handlelength": 1.6,
            "legend.columnspacing": 1.4,
            "legend.labelcolor": theme.ink,
            "font.family": "DejaVu Sans",
        }
    ):
        yield


def new_figure(height: float, width: float = 9.0) -> Figure:
    """An empty figure (inches) that lays itself out."""
    return Figure(figsize=(width, height), dpi=130, layout="constrained")


def render(draw: Draw, theme: Theme) -> bytes:
    """Draw in a theme and return the PNG."""
    with themed(theme):
        figure = draw(theme)
        FigureCanvasAgg(figure)
        buffer = io.BytesIO()
        # No date or version inside, so that equal runs give equal pictures.
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def legend(axes: Axes) -> None:
    """The legend above the plot, at the right, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        axes.legend(
            handles, labels, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(labels),
            borderaxespad=0.2,
        )  # fmt: skip


def figure_legend(figure: Figure, axes: Axes) -> None:
    """The legend of `axes` above the whole figure: titles have the width to themselves."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))


def reference_line(axes: Axes, value: float, text: str, theme: Theme) -> None:
    """A dashed level with its name on it."""
    axes.axhline(value, color=theme.muted, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate(
        text, (1.0, value), xycoords=("axes fraction", "data"), xytext=(-2, 3),
        textcoords="offset points", ha="right", va="bottom", fontsize=8.5, color=theme.muted,
    )  # fmt: skip
