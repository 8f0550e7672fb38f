"""`robosac check`: what must hold before a robot is armed, as a table or as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robosac.cli_guard import FAILED, OK, JsonFlag, guarded, overrides_of

KeysOption = Annotated[
    Path | None, typer.Option(help="Keys of the link to a learner: look at them too.")
]

KeepOption = Annotated[
    Path | None, typer.Option(help="Write what the camera shows now: what is compared with later.")
]


def check(
    context: typer.Context,
    preset: Annotated[str, typer.Argument(help="`minitaur`, `claw`, `claw-pixels`, or a file.")],
    keys: KeysOption = None,
    keep_picture: KeepOption = None,
    json: JsonFlag = False,
) -> None:
    """Look at everything that must hold before a robot is armed; torque stays off.

    Ports, motors, supply, calibration, sensors, this computer and its rights: a row each, green,
    amber or red, with its remedy. Exits with 0 only if no row is red; a red row refuses arming.
    Any setting is a flag, by its dotted name.

    Example: `robosac check minitaur --robot.address serial --robot.file my_robot.yaml
    --robot.calibration my_calibration.yaml`

    `--keep-picture FILE` writes down what the camera of a hand shows now; with `--robot.picture
    FILE` later pictures are compared with it, and a change of light or exposure refuses arming.
    """
    overrides = list(overrides_of(context.args))
    found: list[bool] = []
    guarded(lambda: found.append(_check(preset, overrides, keys, keep_picture, json)))
    raise typer.Exit(OK if found == [True] else FAILED)


def _check(
    preset: str, overrides: list[str], keys: Path | None, picture: Path | None, as_json: bool
) -> bool:
    """Whether no row is red."""
    from rich.console import Console

    from robosac.check.examination import examine, keep_picture
    from robosac.check.report import document, table, verdict
    from robosac.check.row import Level
    from robosac.commands import LOG_COLUMNS
    from robosac.config import load_preset
    from robosac.errors import ConfigError
    from robosac.settings import RobotConfig

    config = load_preset(preset, overrides)
    if not isinstance(config, RobotConfig):
        raise ConfigError(f"{preset} is no robot; valid are minitaur, claw, claw-pixels")
    if picture is not None:
        keep_picture(config, picture)
        typer.echo(f"{picture}: compare with it by --robot.picture {picture}", err=True)
    console = Console(stderr=as_json)
    with console.status("looking"):
        report = examine(config, keys)
    if as_json:
        typer.echo(document(report))
        return report.verdict is not Level.RED
    if not console.is_terminal:
        console = Console(width=LOG_COLUMNS)
    console.print(table(report))
    console.print(verdict(report), highlight=False)
    return report.verdict is not Level.RED
