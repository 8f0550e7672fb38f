"""Serial ports and camera devices: there, of the right kind, ours to open, held by nobody else."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from robosac.check.place import is_pseudo
from robosac.check.row import Level, Row, judged

UNIX: Final = "unix:"
"""A camera whose pictures another process sends over a Unix socket."""
PORT_VALID: Final = "a character device of ours, held by nobody else"
DEVICE_REMEDY: Final = "plug it in, or correct its name in the robot file: ls -l /dev/serial/by-id"
GROUP_REMEDY: Final = "sudo usermod -aG dialout,video $USER, then log in anew"


@dataclass(frozen=True, slots=True)
class PortFacts:
    """What the system tells of a path."""

    path: str
    missing: str = ""
    """Why it is not there; empty: it is."""
    kind: str = "character device"
    """Or socket, or anything else."""
    openable: bool = True
    """By this user, to read and to write."""
    holders: tuple[str, ...] = ()
    """Other processes that have it open, as far as this user may see."""
    pseudo: bool = False
    """A pseudo-terminal: its twin holds it too."""


def port_row(name: str, facts: PortFacts) -> Row:
    """A serial port, by its name in the robot file."""
    row = f"port {name}"
    if facts.missing:
        return _red(row, f"{facts.path} is not there: {facts.missing}", DEVICE_REMEDY)
    if facts.kind != "character device":
        return _red(row, f"{facts.path} is a {facts.kind}, no serial device", DEVICE_REMEDY)
    if not facts.openable:
        return _red(row, f"{facts.path} may not be opened by this user", GROUP_REMEDY)
    if facts.holders and not facts.pseudo:
        who = ", ".join(facts.holders)
        return _red(row, f"{facts.path} is held by {who}", "end that process first")
    what = "pseudo-terminal" if facts.pseudo else "character device"
    return judged(row, Level.GREEN, f"{facts.path}, a {what}", PORT_VALID, "")


def camera_device_row(name: str, facts: PortFacts) -> Row:
    """A camera's device, or the socket its pictures come over."""
    row = f"camera device {name}"
    socket = facts.path.startswith(UNIX)
    valid = "a socket of ours" if socket else "a video device of ours"
    remedy = "plug it in, or correct its name in the robot file: ls -l /dev/v4l/by-id"
    wanted = "socket" if socket else "character device"
    if facts.missing:
        found = f"{facts.path} is not there: {facts.missing}"
        return judged(row, Level.RED, found, valid, remedy)
    if facts.kind != wanted:
        found = f"{facts.path} is a {facts.kind}, no {wanted}"
        return judged(row, Level.RED, found, valid, remedy)
    if not facts.openable:
        found = f"{facts.path} may not be opened by this user"
        return judged(row, Level.RED, found, valid, GROUP_REMEDY)
    return judged(row, Level.GREEN, facts.path, valid, "")


def probe_port(path: str, proc: Path, pid: int) -> PortFacts:
    """Look at a port or camera; it is not opened.

    Args:
        path: as in the robot file; `unix:` and a path is a socket.
        proc: the root of /proc.
        pid: our own, which may hold it.
    """
    place = path.removeprefix(UNIX)
    try:
        found = os.stat(place)
    except OSError as error:
        return PortFacts(path, missing=error.strerror or str(error))
    kind = _kind(found.st_mode)
    pseudo = is_pseudo(place)
    holders = (
        () if pseudo or kind == "socket" else tuple(_holders(os.path.realpath(place), proc, pid))
    )
    openable = os.access(place, os.R_OK | os.W_OK)
    return PortFacts(path, "", kind, openable, holders, pseudo)


def _kind(mode: int) -> str:
    if stat.S_ISCHR(mode):
        return "character device"
    if stat.S_ISSOCK(mode):
        return "socket"
    return "folder" if stat.S_ISDIR(mode) else "file"


def _holders(device: str, proc: Path, pid: int) -> Iterator[str]:
    """Processes other than `pid` that have `device` open; another user's cannot be seen."""
    for folder in sorted(proc.glob("[0-9]*")):
        if int(folder.name) == pid:
            continue
        try:
            names = os.listdir(folder / "fd")
        except OSError:
            # It has ended, or is another user's.
            continue
        if any(_points_to(folder / "fd" / name) == device for name in names):
            yield f"process {folder.name} ({_name(folder)})"


def _points_to(handle: Path) -> str:
    """What an open file is called; the file itself is not touched, which may be far away."""
    try:
        return os.readlink(handle)
    except OSError:
        return ""


def _name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text(errors="replace").strip()
    except OSError:
        return "unknown"


def _red(name: str, found: str, remedy: str) -> Row:
    return judged(name, Level.RED, found, PORT_VALID, remedy)
