"""What a rehearsal found: a document, a table on the console, and a page."""

from __future__ import annotations

import html
from importlib import resources
from pathlib import Path
from string import Template

import msgspec
from rich.table import Table

from robosac.errors import ConfigError
from robosac.files import write_whole
from robosac.rehearsal.verdict import Outcome
from robosac.report_html import note, section, table

FORMAT = 2
JSON_NAME, PAGE_NAME = "dry_run.json", "dry_run.html"
DASH = "–"
HEAD = ("fault", "row", "while", "told after", "reacted after", "budget", "late", "motors at rest",
        "level", "result")  # fmt: skip


class Loop(msgspec.Struct, frozen=True, kw_only=True):
    """How the executor kept time, over all its processes."""

    ticks: int
    """While nothing was broken and the robot was driven; the lateness is theirs."""
    skipped: int
    """Ticks of the grid that were missed altogether, whatever was broken."""
    lateness_p50_ms: float | None
    lateness_p99_ms: float | None
    lateness_p99_9_ms: float | None
    lateness_max_ms: float | None
    watchdog_trips: int
    """Times a motor's own watchdog stopped it although no case meant it to."""


class Learning(msgspec.Struct, frozen=True, kw_only=True):
    """What was learned meanwhile."""

    steps: int
    """Control steps of the actor."""
    episodes: int
    updates: int
    """Gradient updates of the learner."""
    stored: int
    """Transitions that the learner has."""
    policies: int
    """Policies that the actor took over."""


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one rehearsal found; dry_run.json."""

    format: int
    preset: str
    seed: int
    started: str
    """Date and time, UTC, as a label."""
    wall_s: float
    held: bool
    """Whether every check held."""
    preflight: tuple[tuple[str, str], ...]
    """What was checked before anything moved, and what was found."""
    outcomes: tuple[Outcome, ...]
    left_out: dict[int, str]
    """Rows of the hazard table that were not enacted, and why."""
    not_enacted: dict[str, str]
    """Cases that this computer did not allow, and why."""
    unseen: tuple[str, ...]
    """Cases that were chosen and not come to, for the rehearsal ended before."""
    loop: Loop
    learning: Learning
    real_time_factor: float
    """Of the twin, over the whole rehearsal; below 1 this computer is too slow."""
    warnings: tuple[str, ...]
    failures: tuple[str, ...]
    """What did not hold beside the cases."""
    interrupted: bool
    """Whether somebody ended it before its time; what was seen until then is kept."""


def write(folder: Path, found: Rehearsal) -> tuple[Path, Path]:
    """Write dry_run.json and dry_run.html into `folder`; their paths. Raises OSError."""
    document, page = folder / JSON_NAME, folder / PAGE_NAME
    write_whole(document, msgspec.json.format(msgspec.json.encode(found), indent=1))
    write_whole(page, page_text(found).encode())
    return document, page


def read(path: Path) -> Rehearsal:
    """A rehearsal that `write` has written.

    Raises:
        ValueError: it is none. OSError: it cannot be read.
    """
    found = msgspec.json.decode(path.read_bytes(), type=Rehearsal)
    if found.format != FORMAT:
        raise ValueError(f"{path} has format {found.format}; valid is {FORMAT}")
    return found


def not_held(folder: Path, preset: str) -> str:
    """The faults that did not hold in a rehearsal or were not come to, as they are written.

    `none`: all held.

    Raises:
        ConfigError: there is no rehearsal of that preset in the folder.
    """
    path = folder / JSON_NAME
    try:
        found = read(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{folder} holds no rehearsal: {error}") from error
    if found.preset != preset:
        raise ConfigError(f"{folder} is a rehearsal of {found.preset}; {preset} is asked for")
    failed = [outcome.name for outcome in found.outcomes if not outcome.held]
    return ",".join([*failed, *found.unseen]) or "none"


def cells(outcome: Outcome) -> tuple[str, ...]:
    """One row of the table, in the order of `HEAD`."""
    return (
        outcome.fault,
        str(outcome.hazard),
        outcome.phase,
        milliseconds(outcome.detection_s),
        milliseconds(outcome.reaction_s),
        milliseconds(outcome.budget_s),
        milliseconds(outcome.machine_s),
        milliseconds(outcome.stopped_s),
        f"{outcome.reached} of {outcome.required}",
        _result(outcome),
    )


def _result(outcome: Outcome) -> str:
    text = "held" if outcome.held else f"FAILED: {outcome.why}"
    return f"{text} (enacted anew {outcome.anew}x)" if outcome.anew else text


def milliseconds(seconds: float | None) -> str:
    """A time in ms; a dash: none."""
    if seconds is None:
        return DASH
    return f"{1e3 * seconds:.1f} ms" if abs(seconds) < 0.1 else f"{1e3 * seconds:.0f} ms"


def console_table(found: Rehearsal) -> Table:
    """The outcomes for a terminal."""
    shown = Table(title=f"rehearsal of {found.preset}: {summary(found)}")
    for index, name in enumerate(HEAD):
        shown.add_column(name, justify="left" if index in (0, 2, 9) else "right", overflow="fold")
    for outcome in found.outcomes:
        shown.add_row(*cells(outcome), style=None if outcome.held else "red")
    return shown


def summary(found: Rehearsal) -> str:
    """One line: how many cases held."""
    held = sum(outcome.held for outcome in found.outcomes)
    text = f"{held} of {len(found.outcomes)} faults held"
    if found.unseen:
        text += f", {len(found.unseen)} not come to"
    if found.failures:
        text += f", {len(found.failures)} other checks failed"
    return text


def remarks(found: Rehearsal) -> list[str]:
    """Everything beside the table, one line each."""
    loop, learning = found.loop, found.learning
    late = ", ".join(
        f"{name} {_number(value)} ms"
        for name, value in (
            ("p50", loop.lateness_p50_ms),
            ("p99", loop.lateness_p99_ms),
            ("p99.9", loop.lateness_p99_9_ms),
            ("max", loop.lateness_max_ms),
        )
    )
    lines = [
        f"loop: {loop.ticks} undisturbed ticks, lateness {late}; {loop.skipped} skipped in all, "
        f"{loop.watchdog_trips} watchdog trips",
        f"learning: {learning.steps} steps in {learning.episodes} episodes, {learning.stored} "
        f"stored, {learning.updates} updates, {learning.policies} policies taken over",
        f"twin: {found.real_time_factor:.2f} of real time",
    ]
    lines += [f"warning: {text}" for text in found.warnings]
    lines += [f"not enacted: {name}: {why}" for name, why in found.not_enacted.items()]
    lines += [f"FAILED: {text}" for text in found.failures]
    if found.unseen:
        lines.append(f"FAILED: not come to: {', '.join(found.unseen)}")
    return lines


def page_text(found: Rehearsal) -> str:
    """The page: self-contained, for light and for dark displays."""
    template = resources.files("robosac") / "dry_run.html"
    rows = [tuple(html.escape(cell) for cell in cells(outcome)) for outcome in found.outcomes]
    marked = [
        (*row[:-1], f'<span class="{"good" if outcome.held else "bad"}">{row[-1]}</span>')
        for row, outcome in zip(rows, found.outcomes, strict=True)
    ]
    left = [(str(row), html.escape(why)) for row, why in found.left_out.items()]
    checks = [(html.escape(what), html.escape(seen)) for what, seen in found.preflight]
    explained = (
        "Told and reacted: by the executor's own clock. Late: the largest lateness of a tick until"
        " then; the budget holds all the same, and a row that missed it for that alone says so."
        " Motors at rest: when one was last driven, by the twin's own clock."
    )
    sections = [
        section("Faults", note(explained), table(HEAD, marked)),
        section("Beside them", *(note(text) for text in remarks(found))),
        section("Preflight", table(("check", "found"), checks)),
        section("Rows of the hazard table that were not enacted", table(("row", "why"), left)),
    ]
    return Template(template.read_text(encoding="utf-8")).substitute(
        title=html.escape(f"Rehearsal of {found.preset}"),
        lead=html.escape(f"{summary(found)}; seed {found.seed}, {found.wall_s:.0f} s."),
        verdict="every check held" if found.held else "not every check held",
        kind="good" if found.held else "bad",
        sections="\n".join(sections),
        footer=html.escape(f"Rehearsed {found.started} UTC, written by robosac."),
    )


def _number(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f}"
