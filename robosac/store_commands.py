"""What `robosac store` does, once its arguments are known."""

from __future__ import annotations

from pathlib import Path

import msgspec
import typer

from robosac.store import check
from robosac.store import repair as repairing


def verify(path: Path, as_json: bool) -> bool:
    """Look through a store; whether all of it is sound."""
    findings = check.verify(path)
    if as_json:
        typer.echo(msgspec.json.encode(findings).decode())
    else:
        for problem in findings.problems:
            typer.echo(problem)
        verdict = (
            f"{findings.rows} sound rows up to the first problem; see robosac store repair"
            if findings.problems
            else f"{findings.rows} rows, all sound"
        )
        typer.echo(f"{path}: {findings.kind}, {verdict}")
    return not findings.problems


def stats(path: Path, as_json: bool) -> None:
    """Tell what is in a store."""
    figures = check.figures(path)
    if as_json:
        typer.echo(msgspec.json.encode(figures).decode())
        return
    ended = "closed cleanly" if figures.ended_cleanly else "not closed cleanly"
    typer.echo(
        f"{path}: {figures.kind} of version {figures.version}, {figures.file_bytes} bytes and a log"
        f" of {figures.log_bytes}, {ended}; SQLite {figures.sqlite}"
    )
    for stream in figures.streams:
        actor = f" of {stream.actor_id}" if stream.actor_id else ""
        where = "no rows" if stream.first is None else f"rows {stream.first} to {stream.last}"
        typer.echo(
            f"stream {stream.stream_id}{actor}: {where}; {stream.rows} here with {stream.bytes}"
            f" bytes, a checkpoint holds up to {stream.saved}"
        )


def repair(path: Path, as_json: bool) -> None:
    """Save what is sound of a store into a new file."""
    repaired = repairing.repair(path)
    if as_json:
        typer.echo(msgspec.json.encode(repaired).decode())
        return
    typer.echo(f"{repaired.path}: {repaired.kept} rows")
    for lost in repaired.lost or ("nothing",):
        typer.echo(f"lost: {lost}")
