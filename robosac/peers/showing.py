"""A comparison as tables for a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.table import Table

from robosac.peers.catalogue import INSTALL
from robosac.peers.comparison import Figures, Report, Row

Cell = Callable[[Figures], str]
SHARED: dict[str, Cell] = {
    "x reference": lambda found: f"{found.times_reference:.2f}",
    "robosac x": lambda found: f"{found.robosac_times:.2f}",
    "cores": lambda found: f"{found.busy_cores:.2f}",
    "resident, MB": lambda found: _whole(found.resident_mb),
    "bytes a transition": lambda found: f"{found.transition_bytes:,}",
}
UPDATES: dict[str, Cell] = {
    "updates/s (quartiles)": lambda found: (
        f"{found.rate.median:,.1f} ({found.rate.lower_quartile:,.1f} to"
        f" {found.rate.upper_quartile:,.1f})"
    ),
    "by CPU second": lambda found: f"{found.rate_of_cpu:,.1f}",
    **SHARED,
}
REPLAYS: dict[str, Cell] = {
    "us a batch (quartiles)": lambda found: (
        f"{1e6 / found.rate.median:,.0f} ({1e6 / found.rate.upper_quartile:,.0f} to"
        f" {1e6 / found.rate.lower_quartile:,.0f})"
    ),
    **SHARED,
}


def tables(report: Report) -> Iterator[Table]:
    """One table for each size: learners first, then replays."""
    for row in report.updates:
        yield _table(row, f"updates, {row.case.name}, batch {row.case.batch}", UPDATES)
    for row in report.replays:
        yield _table(row, f"replay, {row.case.name}, batches of {row.case.batch}", REPLAYS)


def remarks(report: Report) -> Iterator[str]:
    """Who did not take part and why, a line each."""
    for row in report.updates + report.replays:
        yield from (f"{row.case.name}: {words}" for words in row.failed.values())
    if report.missing:
        yield (
            f"not installed: {', '.join(report.missing)}. In an environment of its own that holds"
            f" robosac too: {INSTALL}; from a checkout: make peers"
        )


def _table(row: Row, title: str, cells: dict[str, Cell]) -> Table:
    table = Table(title=f"{title}; reference {row.reference}")
    table.add_column("")
    for heading in cells:
        table.add_column(heading, justify="right")
    for name, found in row.contenders.items():
        table.add_row(name, *(cell(found) for cell in cells.values()))
    return table


def _whole(value: float | None) -> str:
    return "not told" if value is None else f"{value:,.0f}"
