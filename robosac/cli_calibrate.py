"""`robosac calibrate`: measure a robot, with a person beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robosac import cli_calibrate_camera
from robosac.cli_guard import OVERRIDES, TakeOver, guarded, overrides_of

calibrate_app = typer.Typer(
    help="Measure a robot with torque off, guided by a person; write its calibration file.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
cli_calibrate_camera.add_to(calibrate_app)
Preset = Annotated[str, typer.Argument(help="minitaur or claw; on serial ports.")]
Out = Annotated[Path, typer.Option("--out", help="The calibration file; its other parts are kept.")]


@calibrate_app.command(context_settings=OVERRIDES)
def joints(
    context: typer.Context,
    preset: Preset,
    out: Out,
    fixture: Annotated[
        Path, typer.Option(help="YAML: each joint's stops and jig; see docs/calibration.md.")
    ],
    take_over: TakeOver = False,
) -> None:
    """Sign, zero and range of every joint: guide each from stop to stop, and push it.

    Torque stays off. Any setting is a flag, by its dotted name.

    Example: `robosac calibrate joints minitaur --robot.address serial --robot.file my_robot.yaml
    --fixture stops.yaml --out my_calibration.yaml`
    """
    from robosac import calibrate_robot

    overrides = list(overrides_of(context.args))
    guarded(lambda: calibrate_robot.joints(preset, overrides, out, fixture, take_over))


@calibrate_app.command(context_settings=OVERRIDES)
def imu(context: typer.Context, preset: Preset, out: Out, take_over: TakeOver = False) -> None:
    """Mounting, bias and noise of the inertial sensor: hold the body six ways, turn it thrice.

    Torque stays off. Any setting is a flag, by its dotted name.

    Example: `robosac calibrate imu minitaur --robot.address serial --robot.file my_robot.yaml
    --out my_calibration.yaml`
    """
    from robosac import calibrate_robot

    overrides = list(overrides_of(context.args))
    guarded(lambda: calibrate_robot.imu(preset, overrides, out, take_over))


@calibrate_app.command()
def undo(out: Annotated[Path, typer.Argument(help="A calibration file.")]) -> None:
    """Take back the last writing of a calibration file; once more brings it back.

    Example: `robosac calibrate undo my_calibration.yaml`
    """
    from robosac import calibrate_robot

    def act() -> None:
        found = calibrate_robot.undo(out)
        typer.echo(f"{out} is again that of {found.date}, of {found.robot}")

    guarded(act)
