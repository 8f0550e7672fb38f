"""`robosac calibrate`: measure a robot, with a person beside it."""

from __future__ import annotations

import json as json_module
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from robosac import cli_calibrate_camera
from robosac.cli_calibrate_camera import DryRun, Out, Pictures
from robosac.cli_guard import OVERRIDES, JsonFlag, TakeOver, guarded, overrides_of

if TYPE_CHECKING:
    from robosac.calibrate_target import Target

calibrate_app = typer.Typer(
    help="Measure a robot, guided by hand or moving on its stand; write its calibration file.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)
cli_calibrate_camera.add_to(calibrate_app)
Preset = Annotated[str, typer.Argument(help="minitaur or claw.")]


@calibrate_app.command(context_settings=OVERRIDES)
def joints(
    context: typer.Context,
    preset: Preset,
    out: Out,
    fixture: Annotated[
        Path, typer.Option(help="YAML: each joint's stops and jig; see docs/calibration.md.")
    ],
    take_over: TakeOver = False,
    dry_run: DryRun = False,
    pictures: Pictures = None,
) -> None:
    """Sign, zero and range of every joint: guide each from stop to stop, and push it.

    Torque stays off. With --dry-run the twin's own hands do what a person is asked. Any setting is
    a flag, by its dotted name.

    Example: `robosac calibrate joints minitaur --robot.address serial --robot.file my_robot.yaml
    --fixture stops.yaml --out my_calibration.yaml`
    """
    from robosac import calibrate_robot

    def measure(overrides: list[str], target: Target) -> None:
        calibrate_robot.joints(preset, overrides, target, fixture, take_over)

    _run(measure, context, out, dry_run, pictures)


@calibrate_app.command(context_settings=OVERRIDES)
def imu(
    context: typer.Context,
    preset: Preset,
    out: Out,
    take_over: TakeOver = False,
    dry_run: DryRun = False,
    pictures: Pictures = None,
) -> None:
    """Mounting, bias and noise of the inertial sensor: hold the body six ways, turn it thrice.

    Torque stays off. With --dry-run the twin's own hands do what a person is asked. Any setting is
    a flag, by its dotted name.

    Example: `robosac calibrate imu minitaur --robot.address serial --robot.file my_robot.yaml
    --out my_calibration.yaml`
    """
    from robosac import calibrate_robot

    def measure(overrides: list[str], target: Target) -> None:
        calibrate_robot.imu(preset, overrides, target, take_over)

    _run(measure, context, out, dry_run, pictures)


@calibrate_app.command(context_settings=OVERRIDES)
def latency(
    context: typer.Context,
    preset: Preset,
    out: Out,
    json: JsonFlag = False,
    take_over: TakeOver = False,
    dry_run: DryRun = False,
    pictures: Pictures = None,
) -> None:
    """How late a command becomes motion that is seen: one joint makes 60 small steps.

    The robot hangs on its stand, is armed, and moves through its executor's limiter; Ctrl-C and
    every stop end with torque off and the file as it was. A picture and a page lie beside the file.
    Where there is a camera, the valve turns too (claw-pixels), or all legs swing (a robot file with
    a tracker), and that tells how late its pictures are. Any setting is a flag, by its dotted name.

    Example: `robosac calibrate latency minitaur --robot.address serial --robot.file my_robot.yaml
    --robot.calibration my_calibration.yaml --out my_calibration.yaml`
    """
    from robosac import calibrate_latency

    def measure(overrides: list[str], target: Target) -> None:
        _told(calibrate_latency.latency(preset, overrides, target, take_over), target, json)

    _run(measure, context, out, dry_run, pictures)


@calibrate_app.command(context_settings=OVERRIDES)
def actuators(
    context: typer.Context,
    preset: Preset,
    out: Out,
    json: JsonFlag = False,
    take_over: TakeOver = False,
    dry_run: DryRun = False,
    pictures: Pictures = None,
) -> None:
    """Friction, armature and torque of every joint: all joints move, and the twin learns to follow.

    The robot hangs on its stand, is armed, and makes two motions of some seconds through its
    executor's limiter: one to learn from, one to judge by. Ctrl-C and every stop end with torque
    off and the file as it was. Any setting is a flag, by its dotted name.

    Example: `robosac calibrate actuators minitaur --robot.address serial --robot.file my_robot.yaml
    --robot.calibration my_calibration.yaml --out my_calibration.yaml`
    """
    from robosac import calibrate_actuators

    def measure(overrides: list[str], target: Target) -> None:
        _told(calibrate_actuators.actuators(preset, overrides, target, take_over), target, json)

    _run(measure, context, out, dry_run, pictures)


def _run(
    measure: Callable[[list[str], Target], None],
    context: typer.Context,
    out: Path,
    dry_run: bool,
    pictures: Path | None,
) -> None:
    """Measure with the settings and into the target that the command line tells of."""
    from robosac.calibrate_target import target_of

    overrides = list(overrides_of(context.args))
    guarded(lambda: measure(overrides, target_of(out, dry_run, pictures)))


def _told(document: dict[str, object], target: Target, as_json: bool) -> None:
    """Print what was measured: a document, or its numbers a line each."""
    if as_json:
        typer.echo(json_module.dumps(document | {"dry_run": target.dry}, indent=2))
        return
    for name, value in document.items():
        if isinstance(value, dict):
            for part, numbers in value.items():
                typer.echo(f"{part}: {_numbers(numbers)}")
        elif value != "":
            typer.echo(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    typer.echo(target.closing)


def _numbers(numbers: object) -> str:
    """Names and numbers in one line."""
    if not isinstance(numbers, dict):
        return str(numbers)
    if set(numbers) == {"value", "error"}:
        return f"{numbers['value']:.4g} +- {numbers['error']:.1g}"
    parts = [
        f"{name} {value:.4g}" if isinstance(value, int | float) else f"{name} {_numbers(value)}"
        for name, value in numbers.items()
    ]
    return ", ".join(parts)


@calibrate_app.command()
def undo(
    out: Annotated[Path, typer.Argument(help="A calibration file.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what would stand in it.")
    ] = False,
) -> None:
    """Take back the last writing of a calibration file; once more brings it back.

    Example: `robosac calibrate undo my_calibration.yaml`
    """
    from robosac import calibrate_robot

    def act() -> None:
        found = calibrate_robot.undo(out, dry_run)
        told = "would again be" if dry_run else "is again"
        typer.echo(f"{out} {told} that of {found.date}, of {found.robot}")

    guarded(act)
