"""`robosac keys`: the certificates of the link. Heavy packages are imported inside."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from robosac.cli_guard import FAILED, JsonFlag, guarded

keys_app = typer.Typer(
    help="Make the certificates of robots, learners and viewers.", no_args_is_help=True
)
LaboratoryArgument = Annotated[
    Path, typer.Argument(help="The laboratory's folder; keep it away from robots.")
]


@keys_app.command()
def init(laboratory: LaboratoryArgument) -> None:
    """Make a laboratory's certificate authority; once.

    Example: `robosac keys init laboratory`
    """

    def act() -> None:
        from robosac.link.keys import make_authority

        make_authority(laboratory)
        typer.echo(f"{laboratory} is made; whoever has {laboratory / 'ca.key'} can make robots")

    guarded(act)


@keys_app.command()
def issue(
    laboratory: LaboratoryArgument,
    role: Annotated[str, typer.Option(help="robot, learner or viewer.")],
    name: Annotated[str, typer.Option(help="Of the computer: a-z, 0-9 and -, such as minitaur-1.")],
    host: Annotated[
        list[str] | None,
        typer.Option(help="Name or IP address that robots reach a learner by; may be repeated."),
    ] = None,
    days: Annotated[int, typer.Option(help="For how long it is valid.")] = 365,
) -> None:
    """Make the key and certificate of one computer: a folder to be copied there.

    Example: `robosac keys issue laboratory --role learner --name desk --host 192.168.7.1`
    """

    def act() -> None:
        from robosac.link.keys import issue as make
        from robosac.link.peers import Peer, parse_role

        folder = make(laboratory, Peer(parse_role(role), name), host or (), days)
        typer.echo(f"{folder} is made, valid for {days} days; copy it to that computer alone")

    guarded(act)


@keys_app.command()
def show(
    folder: Annotated[Path, typer.Argument(help="A laboratory's folder, or one computer's.")],
    json: JsonFlag = False,
) -> None:
    """List certificates with their hosts and the days that are left; exits with 1 on a problem.

    Example: `robosac keys show laboratory`
    """
    fine: list[bool] = []
    guarded(lambda: fine.append(_show(folder, json)))
    if fine != [True]:
        raise typer.Exit(FAILED)


def _show(folder: Path, as_json: bool) -> bool:
    import msgspec

    from robosac.link.keys import show as look

    told = look(folder)
    if as_json:
        typer.echo(msgspec.json.encode([asdict(one) for one in told]).decode())
    for one in [] if as_json else told:
        hosts = f", hosts {', '.join(one.hosts)}" if one.hosts else ""
        text = one.problem or f"{one.days_left:.0f} days left, until {one.expires}{hosts}"
        typer.echo(f"{one.subject}: {text}")
    return not any(one.problem for one in told)
