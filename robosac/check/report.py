"""What a check found, as a document and as a table."""

from __future__ import annotations

from typing import Final

import msgspec
from rich.markup import escape
from rich.table import Table

from robosac.check.row import Level, Row, worst

FORMAT: Final = 1
_COLOURS: Final = {
    Level.TWIN: "dim",
    Level.GREEN: "green",
    Level.AMBER: "yellow",
    Level.RED: "bold red",
}


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A check; its JSON is stable: a change of it changes `format`."""

    format: int = FORMAT
    preset: str
    robot: str
    """Its name in the robot file."""
    address: str
    place: str
    """`twin`, `served twin` or `robot`."""
    verdict: Level
    """The worst of the rows; a red one refuses arming."""
    rows: tuple[Row, ...]


def report_of(preset: str, robot: str, address: str, place: str, rows: tuple[Row, ...]) -> Report:
    """The report on `rows`."""
    return Report(
        preset=preset, robot=robot, address=address, place=place, verdict=worst(rows), rows=rows
    )


def document(report: Report) -> str:
    """The report as JSON."""
    return msgspec.json.encode(report).decode()


def table(report: Report) -> Table:
    """The report for a person."""
    title = f"{report.preset}: {report.robot} ({report.place})"
    shown = Table(title=title)
    for column in ("row", "", "found", "valid", "remedy"):
        shown.add_column(column, overflow="fold")
    for row in report.rows:
        colour = _COLOURS[row.level]
        level = f"[{colour}]{row.level.value}[/{colour}]"
        cells = (row.found, row.valid, row.remedy)
        shown.add_row(escape(row.name), level, *map(escape, cells))
    return shown


def verdict(report: Report) -> str:
    """What it comes to, in one line."""
    counts = {level: sum(row.level is level for row in report.rows) for level in Level}
    parts = ", ".join(f"{counts[level]} {level.value}" for level in reversed(Level))
    end = "arming would be refused" if counts[Level.RED] else "nothing refuses arming"
    return f"{parts}: {end}"
