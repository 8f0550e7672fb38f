"""`robosac store`: look through the files in which experience is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robosac.cli_guard import FAILED, OK, JsonFlag, guarded

store_app = typer.Typer(
    help="Look through an outbox or an inbox, or save what is sound of a damaged one.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
StoreArgument = Annotated[Path, typer.Argument(help="An outbox or inbox that is not in use.")]


@store_app.command()
def verify(path: StoreArgument, json: JsonFlag = False) -> None:
    """Check structure, every row's checksum, that no number is missing, and the cursors.

    The file is not changed. Exits with 0 where everything is sound, with 1 where something is not.

    Example: `robosac store verify outbox.sqlite`
    """
    from robosac import store_commands

    sound: list[bool] = []
    guarded(lambda: sound.append(store_commands.verify(path, json)))
    raise typer.Exit(OK if sound == [True] else FAILED)


@store_app.command()
def stats(path: StoreArgument, json: JsonFlag = False) -> None:
    """Tell what is in a store: streams, rows, bytes, first and last, and what is saved elsewhere.

    Example: `robosac store stats inbox.sqlite --json`
    """
    from robosac import store_commands

    guarded(lambda: store_commands.stats(path, json))


@store_app.command()
def repair(path: StoreArgument, json: JsonFlag = False) -> None:
    """Copy every sound row up to the first damage into PATH.repaired; tell what is lost.

    The damaged file stays as it is. A repaired outbox hands out its rows, but takes no new ones.

    Example: `robosac store repair outbox.sqlite`
    """
    from robosac import store_commands

    guarded(lambda: store_commands.repair(path, json))
