"""One process at a time: a lock beside the file, free the moment its holder has gone."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

from robosac.errors import StoreBusy, StoreError

SUFFIX = ".lock"


class FileLock:
    """An flock on PATH.lock, which tells who holds it and stays when it is released.

    SQLite's own locks would do between processes, but not within one, and do not tell who.

    Raises:
        StoreBusy: somebody holds it; the message names the process.
        StoreError: the lock cannot be made.
    """

    def __init__(self, path: Path) -> None:
        name = path.with_name(path.name + SUFFIX)
        try:
            self._handle = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{path} cannot be opened: {error}") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._handle, 256, 0).decode(errors="replace") or "a process"
            os.close(self._handle)
            if isinstance(error, BlockingIOError):
                raise StoreBusy(f"{path} is in use by {holder}; end that first") from None
            raise StoreError(f"{path} cannot be locked: {error}") from error
        self._sign(f"process {os.getpid()} ({Path(sys.argv[0]).name or 'python'})")

    def _sign(self, text: str) -> None:
        """Say who holds it. On a full disk it stays unsaid; the lock holds all the same."""
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, text.encode(), 0)
        except OSError as error:
            sys.stderr.write(f"robosac: a store's lock does not tell its holder: {error}\n")

    def release(self) -> None:
        """Let others have the file."""
        os.close(self._handle)
