"""What the commands that stop robots do: estop, faults, keepalive."""

from __future__ import annotations

import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import typer

from robosac.console_key import StopKey
from robosac.errors import ConfigError, OwnershipError, RobotError
from robosac.estop import EStopGate
from robosac.fault_journal import (
    FaultJournal,
    journal_path,
    journals,
    read_journal,
    state_folder,
)
from robosac.keepalive import MAX_DATAGRAM, Beating, read_key
from robosac.keepalive import make_key as write_key
from robosac.latch import LatchedFault
from robosac.owner import Owner, Places, alive, owners, who
from robosac.run_folder import known_folders
from robosac.stop_now import stop_everything
from robosac.stop_socket import ask

CLEAR_WAIT_S: Final = 2.0
"""How long a running executor may take to clear a fault, s."""
BEATS_PER_TIMEOUT: Final = 5


def estop(wait_s: float, as_json: bool) -> bool:
    """Stop every robot; True only if there was one, and all were read back without torque."""
    from robosac.stop_port import stop_port

    stopped, unreadable = stop_everything(known_folders(), wait_s, stop_port)
    good = bool(stopped) and not unreadable and all(one.torque_off for one in stopped)
    if as_json:
        document = {
            "stopped": good,
            "robots": [asdict(one) for one in stopped],
            "unreadable": [str(path) for path in unreadable],
        }
        typer.echo(msgspec.json.encode(document).decode())
        return good
    for one in stopped:
        word = "stopped" if one.torque_off else "NOT CONFIRMED"
        typer.echo(
            f"{one.robot}: {word} after {one.seconds * 1e3:.0f} ms: {one.detail}; owner {one.owner}"
        )
    for path in unreadable:
        typer.echo(f"robosac: {path} cannot be read: a robot may be running; cut its supply")
    if not stopped and not unreadable:
        typer.echo("robosac: no executor on serial ports was found; nothing was stopped", err=True)
    return good


def reset(wait_s: float, as_json: bool) -> bool:
    """Open the gates of all running executors; True if there was one, and all did."""
    results: list[dict[str, Any]] = []
    for places, owner in _running():
        try:
            ask(places.socket, {"do": "reset", "epoch": owner.epoch}, wait_s)
            # A guard that still objects has tripped it again by now, if the executor ticks.
            status = ask(places.socket, {"do": "status"}, wait_s)
            results.append({"robot": owner.robot, "open": not status["tripped"], "detail": ""})
        except (OSError, ValueError) as error:
            results.append({"robot": owner.robot, "open": False, "detail": str(error)})
    if as_json:
        typer.echo(msgspec.json.encode({"robots": results}).decode())
    for one in [] if as_json else results:
        word = "gate open; clear the fault estop, then arm" if one["open"] else "gate still shut"
        typer.echo(f"{one['robot']}: {word} {one['detail']}".rstrip())
    if not results and not as_json:
        typer.echo("robosac: no running executor was found", err=True)
    return bool(results) and all(one["open"] for one in results)


@dataclass(frozen=True)
class _Latched:
    """A latched fault of a robot, as it is shown."""

    robot: str
    id: int
    name: str
    source: str
    detail: str
    latched_at: str
    """UTC, a label."""


def faults(robot: str | None, clear: str | None, folder: str | None, as_json: bool) -> None:
    """List latched faults, or clear those of one name.

    Raises:
        ConfigError: no such robot or fault, or it is not clear whose.
        RobotError: it could not be cleared, or a journal cannot be read.
    """
    place = state_folder(folder)
    known = journals(place)
    if robot is not None and robot not in known:
        names = ", ".join(known) or "none"
        raise ConfigError(f"no fault journal of {robot!r} in {place}; there are: {names}")
    chosen = [robot] if robot is not None else list(known)
    latched = [entry for name in chosen for entry in _latched(name, known[name])]
    if clear is not None:
        of = sorted({entry.robot for entry in latched if entry.name == clear})
        if len(of) != 1:
            what = f"robots {', '.join(of)} have it: name one" if of else "no robot has it latched"
            raise ConfigError(f"fault {clear!r}: {what}")
        _clear(of[0], clear, place)
        latched = [entry for entry in latched if (entry.robot, entry.name) != (of[0], clear)]
    if as_json:
        typer.echo(msgspec.json.encode({"latched": [asdict(one) for one in latched]}).decode())
        return
    for one in latched:
        typer.echo(
            f"{one.robot}: {one.name} ({one.source}): {one.detail}; id {one.id}, {one.latched_at}"
        )
    if not latched:
        typer.echo("no latched faults")


def _latched(robot: str, path: Path) -> list[_Latched]:
    text = read_journal(path)
    return [
        _Latched(
            robot,
            entry.id,
            entry.fault.name,
            entry.fault.source,
            entry.fault.detail,
            text.walls.get(entry.id, "time unknown"),
        )
        for entry in text.latched
    ]


def _clear(robot: str, name: str, folder: Path) -> None:
    """Clear by the running executor, or in the journal itself when none runs."""
    for places, owner in _running():
        if owner.robot == robot:
            _clear_in(places, owner, name)
            return
    try:
        journal = FaultJournal(journal_path(robot, folder), who())
    except OwnershipError as error:
        raise RobotError(f"{error}; it left no socket to ask it by") from error
    try:
        gone: list[LatchedFault] = [e for e in journal.latched if e.fault.name == name]
        journal.write_cleared(name, gone)
    except OSError as error:
        raise RobotError(f"the journal {journal.path} cannot be written: {error}") from error
    finally:
        journal.close()


def _clear_in(places: Places, owner: Owner, name: str) -> None:
    """Have a running executor clear `name`. Raises RobotError: it did not."""
    deadline = time.monotonic() + CLEAR_WAIT_S
    try:
        order = {"do": "clear", "name": name, "epoch": owner.epoch}
        status = ask(places.socket, order, CLEAR_WAIT_S)
        while any(fault["name"] == name for fault in status["faults"]):
            if time.monotonic() > deadline:
                why = "its gate is tripped" if status["tripped"] else "its cause may still be there"
                raise RobotError(
                    f"{owner.robot} keeps {name!r} latched: {why}, or it does not tick ({owner})"
                )
            time.sleep(0.01)
            status = ask(places.socket, {"do": "status"}, CLEAR_WAIT_S)
    except ValueError as error:
        raise RobotError(f"{owner.robot} refuses: {error}") from error
    except (TimeoutError, ConnectionError, FileNotFoundError) as error:
        raise RobotError(f"{owner.robot} does not answer ({owner})") from error


def _running() -> list[tuple[Places, Owner]]:
    """Everybody who owns a robot and lives."""
    return [
        (places, owner)
        for folder in known_folders()
        for places, owner in owners(folder)[0]
        if alive(owner)
    ]


def make_key(path: Path) -> None:
    """Make a key for `robosac keepalive` and the robot."""
    write_key(path)
    typer.echo(f"{path}: copy it to the robot, over a way that you trust")


def keepalive(name: str, key: Path, address: str, timeout_s: float) -> None:
    """Send beats until Ctrl-C; the stop key demands a stop.

    Raises:
        ConfigError: the key or the address cannot be used.
    """
    host, _, port = address.rpartition(":")
    beating = Beating(name, timeout_s, read_key(key))
    own = EStopGate()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line, StopKey(own):
        try:
            line.connect((host, int(port)))
        except (OSError, ValueError, OverflowError) as error:
            raise ConfigError(f"--address {address} cannot be used: {error}") from error
        heard = True
        while True:
            began = time.monotonic()
            answered = _beat(line, beating, own.tripped, timeout_s / BEATS_PER_TIMEOUT)
            if answered != heard:
                heard = answered
                typer.echo("the robot answers" if heard else "the robot does not answer", err=True)
            pause = timeout_s / BEATS_PER_TIMEOUT - (time.monotonic() - began)
            time.sleep(max(0.0, pause))


def _beat(line: socket.socket, beating: Beating, stop: bool, wait_s: float) -> bool:
    """One beat; whether the robot answered it within `wait_s` (s)."""
    deadline = time.monotonic() + wait_s
    try:
        line.send(beating.beat(stop))
        while (left := deadline - time.monotonic()) > 0:
            line.settimeout(left)
            reply = beating.hear(line.recv(MAX_DATAGRAM + 1))
            if reply is not None:
                return True
    except OSError:
        # Nobody listens there yet, or no answer came in time: the next beat tries again.
        return False
    return False
