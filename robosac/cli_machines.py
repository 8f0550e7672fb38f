"""`robosac actor`, `learner` and `pause`: training on two machines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from robosac.cli_guard import PRESETS, RunArgument, TakeOver, guarded, overrides_of, usage

LINK = "127.0.0.1:47820"
KeysOption = Annotated[
    Path | None, typer.Option(help="Folder that `robosac keys issue` made; see docs/link.md.")
]


def actor(
    context: typer.Context,
    preset: Annotated[str | None, typer.Argument(help=f"{PRESETS}.")] = None,
    learner: Annotated[
        str, typer.Option(help="Where the learner listens: HOST:PORT or unix:/PATH.")
    ] = LINK,
    keys: KeysOption = None,
    name: Annotated[
        str | None, typer.Option(help="Names this robot; with keys, their certificate does.")
    ] = None,
    run: Annotated[Path | None, typer.Option(help="Folder of the new run.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run.")] = None,
    take_over: TakeOver = False,
) -> None:
    """The robot's half of training: act, and send everything to a learner on another machine.

    What the robot sees and does is on this computer's disk before it is sent, and stays there until
    a checkpoint of the learner holds it. Without the link the robot goes on with its last policy.

    Example: `robosac actor minitaur --learner 192.168.7.1:47820 --keys keys/minitaur-1`

    Example: `robosac actor --resume runs/minitaur-20260101-120000-actor --keys keys/minitaur-1`
    """
    from robosac import actor_commands

    overrides = list(overrides_of(context.args))
    _one_of(preset, resume, overrides, run, "actor")
    guarded(
        lambda: actor_commands.actor(preset, overrides, run, resume, learner, keys, name, take_over)
    )


def learner(
    context: typer.Context,
    preset: Annotated[str | None, typer.Argument(help=f"{PRESETS}.")] = None,
    listen: Annotated[
        str, typer.Option(help="HOST:PORT or unix:/PATH; off this computer only with keys.")
    ] = LINK,
    keys: KeysOption = None,
    run: Annotated[Path | None, typer.Option(help="Folder of the new run.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run.")] = None,
    warm_start: Annotated[
        Path | None, typer.Option(help="Begin with what another run has learned.")
    ] = None,
) -> None:
    """The workstation's half of training: learn from every robot that comes, and offer policies.

    It commands nothing: a robot takes a policy between two episodes, or not at all.

    Example: `robosac learner minitaur --listen 192.168.7.1:47820 --keys keys/workstation`
    """
    from robosac import actor_commands

    overrides = list(overrides_of(context.args))
    _one_of(preset, resume, overrides, run, "learner")
    guarded(
        lambda: actor_commands.learner(preset, overrides, run, resume, listen, keys, warm_start)
    )


def pause(
    run: RunArgument,
    off: Annotated[bool, typer.Option("--off", help="Go on.")] = False,
) -> None:
    """Let a run's robot rest, torque off, before its next episode; learning goes on.

    For runs with a learner of their own process: `train --async` and `actor`.

    Example: `robosac pause runs/minitaur-20260101-120000`
    """
    from robosac import actor_commands

    guarded(lambda: actor_commands.pause(run, off))


def _one_of(
    preset: str | None, resume: Path | None, overrides: list[str], run: Path | None, what: str
) -> None:
    """Either a new run or an old one."""
    if resume is not None and (preset is not None or overrides or run is not None):
        usage("--resume RUN goes on as the run was configured; give no preset and no settings")
    if resume is None and preset is None:
        usage(f"{what} needs a preset: {PRESETS} (or --resume RUN)")
