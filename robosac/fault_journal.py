"""The fault journal: latched faults of one robot on disk, so that a restart does not forget them.

One JSON object a line, appended and forced to disk. A line that cannot be read counts as a fault of
its own, for it may have been one. One process writes; a lock beside the file sees to that.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from robosac.errors import OwnershipError, RobotError
from robosac.files import sync_folder
from robosac.hal import Fault
from robosac.latch import LatchedFault

SUFFIX: Final = ".faults.jsonl"
DAMAGED: Final = "fault_journal_damaged"
"""Name of the fault that stands for lines that cannot be read."""


class LatchLine(msgspec.Struct, frozen=True, tag="latch", tag_field="event"):
    """A fault was latched."""

    id: int
    name: str
    source: str
    detail: str
    wall: str
    """UTC, a label only: wall clocks jump."""
    monotonic_s: float
    """The executor's clock, s; comparable only within one start of the computer."""


class ClearLine(msgspec.Struct, frozen=True, tag="clear", tag_field="event"):
    """All faults of one name were cleared."""

    name: str
    ids: tuple[int, ...]
    by: str
    wall: str
    monotonic_s: float
    """`time.monotonic`, s."""


@dataclass
class JournalText:
    """What a journal says."""

    latched: list[LatchedFault] = field(default_factory=list[LatchedFault])
    """Latched and not cleared, oldest first."""
    walls: dict[int, str] = field(default_factory=dict[int, str])
    """When each of them was latched, UTC, by its number."""
    newest_id: int = 0


def state_folder(configured: str | None = None) -> Path:
    """What must outlive a restart goes here: `configured`, or the user's folder by XDG."""
    if configured is not None:
        return Path(configured)
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "robosac"


def file_name(robot: str) -> str:
    """A robot's name as a part of a file name; different names stay different."""
    return urllib.parse.quote(robot, safe="")


def journal_path(robot: str, folder: Path) -> Path:
    """Where the faults of `robot` are kept in `folder`."""
    return folder / (file_name(robot) + SUFFIX)


def journals(folder: Path) -> dict[str, Path]:
    """The journals in `folder` by the robots' names."""
    found = sorted(folder.glob("*" + SUFFIX))
    return {urllib.parse.unquote(path.name.removesuffix(SUFFIX)): path for path in found}


def read_journal(path: Path) -> JournalText:
    """Read a journal; one that does not exist is empty.

    Raises:
        RobotError: the file is there and cannot be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return JournalText()
    except OSError as error:
        raise RobotError(
            f"the fault journal {path} cannot be read: {error.strerror}; mend that first"
        ) from error
    text, damage = JournalText(), list[int]()
    decoder = msgspec.json.Decoder(LatchLine | ClearLine)
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line:
            continue
        try:
            entry = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            damage.append(number)
            continue
        if isinstance(entry, LatchLine):
            fault = Fault(entry.name, entry.source, entry.detail)
            text.latched.append(LatchedFault(fault, entry.monotonic_s, entry.id))
            text.walls[entry.id] = entry.wall
            text.newest_id = max(text.newest_id, entry.id)
        else:
            damage = [] if entry.name == DAMAGED else damage
            text.latched = [kept for kept in text.latched if kept.fault.name != entry.name]
    if damage:
        text.newest_id += 1
        detail = f"lines {damage} cannot be read and may have been faults; look, then clear"
        text.latched.append(LatchedFault(Fault(DAMAGED, str(path), detail), 0.0, text.newest_id))
    return text


def utc_label() -> str:
    """The wall clock's time, for people."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class FaultJournal:
    """The one writer of a robot's fault journal; keeps `robosac.latch.Journal`.

    Args:
        path: see `journal_path`; made when missing, with its folder.
        by: who clears faults, for the record.
        sync: forces an open file to disk.

    Raises:
        OwnershipError: another process writes it.
        RobotError: it cannot be read or made.
    """

    def __init__(self, path: Path, by: str, sync: Callable[[int], None] = os.fsync) -> None:
        self.path, self._by, self._sync = path, by, sync
        self._file: int | None = None
        self._lock = _locked(path)
        try:
            text = read_journal(path)
        except BaseException:
            os.close(self._lock)
            raise
        self.latched = tuple(text.latched)
        self.newest_id = text.newest_id
        self._closed = False

    def write_latched(self, entries: Sequence[LatchedFault]) -> None:
        """See `robosac.latch.Journal`."""
        wall = utc_label()
        self._append(
            LatchLine(
                entry.id,
                entry.fault.name,
                entry.fault.source,
                entry.fault.detail,
                wall,
                entry.time,
            )
            for entry in entries
        )

    def write_cleared(self, name: str, entries: Sequence[LatchedFault]) -> None:
        """See `robosac.latch.Journal`."""
        ids = tuple(entry.id for entry in entries)
        self._append([ClearLine(name, ids, self._by, utc_label(), time.monotonic())])

    def close(self) -> None:
        """Let go of the file; safe to call twice."""
        self._drop()
        if not self._closed:
            self._closed = True
            os.close(self._lock)

    def _append(self, lines: Iterable[LatchLine | ClearLine]) -> None:
        """One write, one force to disk. Raises OSError, and then begins with a new opening."""
        data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        if self._file is None:
            self._file = self._opened()
        try:
            # What a crash left of a line must not swallow this one.
            size = os.fstat(self._file).st_size
            torn = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"
            whole = b"\n" + data if torn else data
            written = os.write(self._file, whole)
            if written != len(whole):
                raise OSError(errno.ENOSPC, f"took {written} of {len(whole)} bytes")
            self._sync(self._file)
        except OSError:
            # A file whose fsync failed may have lost what it held, and says so only once.
            self._drop()
            raise

    def _opened(self) -> int:
        new = not self.path.exists()
        handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if new:
            try:
                sync_folder(self.path.parent)
            except OSError:
                os.close(handle)
                raise
        return handle

    def _drop(self) -> None:
        if self._file is not None:
            handle, self._file = self._file, None
            with contextlib.suppress(OSError):
                os.close(handle)


def _locked(path: Path) -> int:
    """The lock beside the journal at `path`, held as long as the handle is open."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RobotError(
            f"the fault journal {path} cannot be made: {error.strerror}; "
            "name another folder with --stop.state-folder"
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise OwnershipError(
            f"the fault journal {path} is being written by another process; "
            "a robot has one owner, and robots of one state folder have different names"
        ) from error
    return handle
