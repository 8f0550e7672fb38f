"""A SQLite file that survives kills, power cuts and full disks: one connection, one thread.

WAL with synchronous=FULL: a commit has returned only once it is on the disk. One connection to a
file, no memory map and one writer keep clear of the corruption of SQLite 3.7.0 to 3.51.2, where two
connections write and checkpoint at once. See docs/store.md.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from robosac.errors import StoreBusy, StoreDamaged, StoreError, StoreFormatError, StoreFull
from robosac.files import sync_folder
from robosac.store.file_lock import FileLock

WAL_SUFFIX: Final = "-wal"
_SETTINGS: Final = (
    ("page_size", 16384, None),
    ("locking_mode", "EXCLUSIVE", "exclusive"),
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    # F_FULLFSYNC where there is one (macOS): plain fsync does not reach the disk there.
    ("fullfsync", 1, 1),
    ("checkpoint_fullfsync", 1, 1),
    ("mmap_size", 0, None),
    ("secure_delete", 0, 0),
    ("cell_size_check", 1, 1),
    ("trusted_schema", 0, 0),
    # 4 MB of log: an opening after a kill is soon done with it.
    ("wal_autocheckpoint", 256, 256),
    ("journal_size_limit", 64 << 20, None),
)
"""Pragma, value, and what it must read back as (None: SQLite may not answer)."""
_KINDS: Final = {
    sqlite3.SQLITE_FULL: StoreFull,
    sqlite3.SQLITE_CORRUPT: StoreDamaged,
    sqlite3.SQLITE_NOTADB: StoreDamaged,
    # The schema allows nothing that our code does not write.
    sqlite3.SQLITE_CONSTRAINT: StoreDamaged,
    sqlite3.SQLITE_BUSY: StoreBusy,
    sqlite3.SQLITE_LOCKED: StoreBusy,
}


_ADVICE: Final = "; see robosac store verify, and repair"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file is, in which version, and the statements that make an empty one."""

    name: str
    version: int
    schema: tuple[str, ...]


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ours.

    Raises:
        StoreError: or one of its kinds, by SQLite's result code.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        # SQLite quotes names of a damaged schema in what it complains of.
        raise StoreDamaged(f"{path}: names in it are no text{_ADVICE}") from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            # Python's own complaint, about how it was called.
            raise
        kind = _KINDS.get(code & 0xFF, StoreError)
        name = getattr(error, "sqlite_errorname", "")
        advice = _ADVICE if kind is StoreDamaged else ""
        raise kind(f"{path}: {error} ({name}){advice}") from error


class Database:
    """An open file of one kind; for the thread that opened it.

    Args:
        path: the file; made when missing.
        kind: what it must be.

    Raises:
        StoreBusy: another process has it open; the message names it.
        StoreFormatError: it is something else, or of another version.
        StoreDamaged: it did not end cleanly, and is not whole.
        StoreError: it cannot be opened.
    """

    def __init__(self, path: Path, kind: Kind) -> None:
        self.path, self._thread = path, threading.get_ident()
        if not path.parent.is_dir():
            raise StoreError(f"{path} cannot be opened: there is no folder {path.parent}")
        with contextlib.ExitStack() as opened:
            opened.callback(FileLock(path).release)
            unclean = not ended_cleanly(path)
            with translated(path):
                self._connection = sqlite3.connect(path, timeout=0, isolation_level=None)
                opened.callback(self._connection.close)
                self._connection.text_factory = readable
                self._set_up()
                self._identify(kind)
                if unclean:
                    self._recover()
            self._opened = opened.pop_all()

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement. Raises StoreError."""
        self._own()
        with translated(self.path):
            return self._connection.execute(statement, parameters)

    def execute_many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each of `rows`. Raises StoreError."""
        self._own()
        with translated(self.path):
            self._connection.executemany(statement, rows)

    def select(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises StoreError."""
        self._own()
        with translated(self.path):
            return self._connection.execute(statement, parameters).fetchall()

    def each(
        self, statement: str, parameters: Sequence[Any] = ()
    ) -> Generator[tuple[Any, ...], None, None]:
        """The rows of a query, one after the other; close it before the next change.

        Raises StoreError.
        """
        self._own()
        with translated(self.path), contextlib.closing(self._connection.cursor()) as cursor:
            yield from cursor.execute(statement, parameters)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is done within, on the disk when it is left, or nothing of it.

        Raises StoreError: it was rolled back.
        """
        self._own()
        with translated(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # A failed commit may have rolled back by itself; what made it fail is told.
                if self._connection.in_transaction:
                    with contextlib.suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
                raise

    def checkpoint(self) -> None:
        """Bring the write-ahead log into the file and empty it. Raises StoreError."""
        self._own()
        with translated(self.path):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def free_bytes(self) -> int:
        """Room on the disk that is left for this user, bytes. Raises StoreError."""
        try:
            disk = os.statvfs(self.path.parent)
        except OSError as error:
            raise StoreError(f"{self.path}: {error}") from error
        return disk.f_bavail * disk.f_frsize

    def close(self) -> None:
        """Bring everything into the file and close it. Raises StoreError. Safe to call twice."""
        self._own()
        with translated(self.path):
            self._opened.close()

    def _own(self) -> None:
        """One thread owns the connection; see the top of this file."""
        if threading.get_ident() != self._thread:
            raise RuntimeError(f"{self.path} is used by another thread than the one that opened it")

    def _set_up(self) -> None:
        for name, value, expected in _SETTINGS:
            answer = self._connection.execute(f"PRAGMA {name}={value}").fetchone()
            if expected is None:
                continue
            if answer is None:
                answer = self._connection.execute(f"PRAGMA {name}").fetchone()
            if answer is None or answer[0] != expected:
                raise StoreError(
                    f"{self.path}: SQLite has {name}={answer}, and {expected!r} was asked for;"
                    " the disk must be a local one"
                )

    def _identify(self, kind: Kind) -> None:
        tables = {row[0] for row in self._connection.execute("SELECT name FROM sqlite_master")}
        if not tables:
            self._create(kind)
            return
        if "about" not in tables:
            raise StoreFormatError(f"{self.path} is a SQLite file, but no store of robosac")
        about = self._connection.execute("SELECT kind, version FROM about").fetchone()
        if about is None:
            raise StoreDamaged(f"{self.path} does not tell what it is: its table about is empty")
        name, version = about
        if name != kind.name:
            raise StoreFormatError(f"{self.path} is an {name}; an {kind.name} is needed here")
        if version != kind.version:
            raise StoreFormatError(
                f"{self.path} is an {name} of version {version};"
                f" this version of robosac reads {kind.version}"
            )

    def _create(self, kind: Kind) -> None:
        with self.transaction():
            self._connection.execute("CREATE TABLE about (kind TEXT NOT NULL, version INTEGER)")
            self._connection.execute("INSERT INTO about VALUES (?, ?)", (kind.name, kind.version))
            for statement in kind.schema:
                self._connection.execute(statement)
        sync_folder(self.path.parent)

    def _recover(self) -> None:
        """After a kill or a power cut: is it whole? Then bring the log into the file.

        The second half writes those pages anew. Where a failed fsync came before the kill, the
        system may take pages for written that are not (docs/store.md).
        """
        problems = structure_problems(self._connection, "quick_check", 1)
        if problems:
            raise StoreDamaged(f"{self.path} is damaged: {problems[0]}{_ADVICE}")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def readable(text: bytes) -> str:
    """Text of a file that may be damaged; what is no UTF-8 is shown as such."""
    return text.decode(errors="replace")


def structure_problems(
    connection: sqlite3.Connection, check: Literal["quick_check", "integrity_check"], most: int
) -> list[str]:
    """What SQLite finds wrong with a file's structure, at most so many; empty: nothing."""
    found: list[str] = []
    try:
        found += [str(row[0]) for row in connection.execute(f"PRAGMA {check}({most})")]
    except sqlite3.DatabaseError as error:
        # It may find a page that it cannot even go on from.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        found.append(str(error))
    return [problem for problem in found if problem != "ok"]


def ended_cleanly(path: Path) -> bool:
    """Whether whoever had the file open last closed it: no log is left beside it."""
    return not any(
        beside.exists() and beside.stat().st_size > 0
        for beside in (path.with_name(path.name + end) for end in (WAL_SUFFIX, "-journal"))
    )
