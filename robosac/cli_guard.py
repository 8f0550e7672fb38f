"""How commands are called and how they end: settings as flags, errors in one line, exit codes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from robosac.errors import ConfigError, RobosacError, RunFolderError, StoreFormatError

OK, FAILED, USAGE = 0, 1, 2
INTERRUPTED = 130
PRESETS = "minitaur, claw, claw-pixels, a YAML file, or gym:ENV_ID"
OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}
RunArgument = Annotated[Path, typer.Argument(help="A run folder, as `robosac train` made it.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document for a machine.")]
TakeOver = Annotated[
    bool, typer.Option("--take-over", help="Stop and end whoever owns the robot now.")
]


def guarded(command: Callable[[], Any]) -> None:
    """Run a command: known errors become one line, Ctrl-C and SIGTERM an orderly end."""
    with _terminate_like_interrupt():
        try:
            command()
        except (ConfigError, RunFolderError, StoreFormatError) as error:
            usage(str(error))
        except RobosacError as error:
            typer.echo(f"robosac: {error}", err=True)
            raise typer.Exit(FAILED) from error
        except KeyboardInterrupt:
            typer.echo("robosac: interrupted; the robot is stopped and the run is whole", err=True)
            raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _terminate_like_interrupt() -> Iterator[None]:
    """SIGTERM unwinds the stack as Ctrl-C does, so that `finally` stops the robot.

    Only the first does: who ends a group of processes often tells each twice, and the second one
    must not cut the orderly end short.
    """

    def interrupt(*_: object) -> NoReturn:
        signal.signal(signal.SIGTERM, lambda *_: None)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def usage(message: str) -> NoReturn:
    """Say in one line what is wrong with how a command was called, and leave."""
    typer.echo(f"robosac: {message}", err=True)
    sys.exit(USAGE)


def overrides_of(arguments: list[str]) -> Iterator[str]:
    """`--a.b 1` and `--a.b=1` as `a.b=1`."""
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("--"):
            usage(f"unexpected argument {argument!r}; settings look like --sac.batch-size 128")
        key, found, value = argument.removeprefix("--").partition("=")
        if not found:
            value = next(rest, None)
            if value is None:
                usage(f"{argument} needs a value, as every setting; the command has no such switch")
        yield f"{key}={value}"
