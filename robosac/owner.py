"""Who owns a robot: the record that lies in the run folder while it does, and longer if it died.

A record that is still there after its process has gone is a robot of which nobody has said that its
motors are off.
"""

from __future__ import annotations

import getpass
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from robosac.fault_journal import file_name, utc_label
from robosac.files import write_whole

RECORD: Final = ".owner.json"
MAX_RECORD_BYTES: Final = 65536


class MotorPort(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a robot's motors are reached without its owner."""

    protocol: Literal["moteus", "dynamixel"]
    path: str
    baud: Annotated[int, Meta(gt=0)]
    """bit/s"""
    ids: tuple[int, ...]


class Owner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One process that owns a robot."""

    robot: str
    pid: Annotated[int, Meta(gt=1)]
    born: int
    """When the process began, in clock ticks since the computer did: numbers of dead are reused."""
    user: str
    host: str
    command: str
    started: str
    """UTC, a label."""
    epoch: int
    motors: MotorPort
    robot_file: str | None = None

    def __str__(self) -> str:
        return (
            f"{self.user}@{self.host}, process {self.pid} ({self.command}),"
            f" since {self.started}, epoch {self.epoch}"
        )


@dataclass(frozen=True)
class Places:
    """The files of one robot in a run folder."""

    folder: Path
    robot: str

    @property
    def record(self) -> Path:
        return self.folder / (file_name(self.robot) + RECORD)

    @property
    def socket(self) -> Path:
        return self.folder / (file_name(self.robot) + ".sock")

    @property
    def lock(self) -> Path:
        return self.folder / (file_name(self.robot) + ".lock")

    @property
    def epoch(self) -> Path:
        return self.folder / (file_name(self.robot) + ".epoch")


def this_process(robot: str, epoch: int, motors: MotorPort, robot_file: str | None = None) -> Owner:
    """The record of the process that asks."""
    pid = os.getpid()
    born = birth(pid)
    assert born is not None
    return Owner(
        robot,
        pid,
        born,
        who().partition("@")[0],
        socket.gethostname(),
        command_line(),
        utc_label(),
        epoch,
        motors,
        robot_file,
    )


def who() -> str:
    """user@host of this process, for records."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def command_line(arguments: Sequence[str] | None = None) -> str:
    """This process's command, short."""
    words = list(sys.argv if arguments is None else arguments)
    return " ".join([Path(words[0]).name if words else "python", *words[1:]])[:200]


def read_owner(path: Path) -> Owner | None:
    """The record at `path`; None while there is none, or none that can be read."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RECORD_BYTES)
        return msgspec.json.decode(data, type=Owner)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def write_owner(places: Places, owner: Owner) -> None:
    """Leave the record, whole or not at all. Raises OSError."""
    write_whole(places.record, msgspec.json.encode(owner))


def owners(folder: Path) -> tuple[list[tuple[Places, Owner]], list[Path]]:
    """Everybody whose record lies in `folder`, living and dead, and the records nobody can read."""
    found: list[tuple[Places, Owner]] = []
    unreadable: list[Path] = []
    for path in sorted(folder.glob("*" + RECORD)):
        owner = read_owner(path)
        if owner is not None:
            found.append((Places(folder, owner.robot), owner))
        elif path.exists():
            unreadable.append(path)
    return found, unreadable


def birth(pid: int) -> int | None:
    """When process `pid` began (proc(5), field 22 of stat); None: there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The name in brackets may hold anything, so count from behind it; its first field is the third.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def alive(owner: Owner) -> bool:
    """Whether the process of that record still runs; a stopped one does."""
    return birth(owner.pid) == owner.born


def kill(owner: Owner, number: signal.Signals, wait_s: float) -> bool:
    """Send a signal to exactly that process; True once it has gone, within `wait_s` (s)."""
    try:
        handle = os.pidfd_open(owner.pid)
    except ProcessLookupError:
        return True
    try:
        # The handle names one process for good, so what is checked now is what is killed.
        if not alive(owner):
            return True
        signal.pidfd_send_signal(handle, number)
        ready, _, _ = select.select([handle], [], [], wait_s)
        return bool(ready)
    except ProcessLookupError:
        return True
    finally:
        os.close(handle)
