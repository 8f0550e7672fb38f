"""SQLite's own writes and syncs, seen and made to fail: a VFS around the one that it uses.

It is registered, as the default, with the very library that Python's `sqlite3` is linked to, so
that the product's code is watched as it is. For Linux and macOS.
"""

from __future__ import annotations

import _sqlite3
import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_int64, c_void_p
from typing import Any, Final, Protocol

OK: Final = 0
FULL: Final = 13
IOERR_READ: Final = 10 | 1 << 8
IOERR_WRITE: Final = 10 | 3 << 8
IOERR_FSYNC: Final = 10 | 4 << 8
NAME: Final = b"robosac-watched"


class Watcher(Protocol):
    """Told before each step; what it returns other than OK is what SQLite gets for an answer."""

    def opened(self, path: str) -> int: ...
    def write(self, path: str, offset: int, data: bytes) -> int: ...
    def truncate(self, path: str, size: int) -> int: ...
    def sync(self, path: str) -> int: ...
    def delete(self, path: str, synced: bool) -> int: ...


class Passing:
    """A watcher that lets everything pass; override what is of interest."""

    def opened(self, path: str) -> int:
        return OK

    def write(self, path: str, offset: int, data: bytes) -> int:
        return OK

    def truncate(self, path: str, size: int) -> int:
        return OK

    def sync(self, path: str) -> int:
        return OK

    def delete(self, path: str, synced: bool) -> int:
        return OK


# The name as an address: SQLite keeps it, and looks behind its end.
_OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_DELETE = CFUNCTYPE(c_int, c_void_p, c_char_p, c_int)
_CLOSE = CFUNCTYPE(c_int, c_void_p)
_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)


class _Vfs(ctypes.Structure):
    """sqlite3_vfs of sqlite3.h, version 3."""

    _fields_ = (
        ("iVersion", c_int),
        ("szOsFile", c_int),
        ("mxPathname", c_int),
        ("pNext", c_void_p),
        ("zName", c_char_p),
        ("pAppData", c_void_p),
        ("xOpen", _OPEN),
        ("xDelete", _DELETE),
        ("others", c_void_p * 14),
    )


class _Methods(ctypes.Structure):
    """sqlite3_io_methods of sqlite3.h, version 3."""

    _fields_ = (
        ("iVersion", c_int),
        ("xClose", _CLOSE),
        ("xRead", c_void_p),
        ("xWrite", _WRITE),
        ("xTruncate", _TRUNCATE),
        ("xSync", _SYNC),
        ("others", c_void_p * 13),
    )


def _library() -> Any:
    library = ctypes.CDLL(_sqlite3.__file__)
    library.sqlite3_vfs_find.restype = POINTER(_Vfs)
    library.sqlite3_vfs_find.argtypes = (c_char_p,)
    library.sqlite3_vfs_register.argtypes = (c_void_p, c_int)
    library.sqlite3_vfs_unregister.argtypes = (c_void_p,)
    return library


class _Shim:
    """Our VFS, and the tables of methods that its files get."""

    def __init__(self, watcher: Watcher, base: Any) -> None:
        self._watcher, self._base = watcher, base
        self._paths: dict[int, str] = {}
        self._tables: dict[int, tuple[_Methods, _Methods]] = {}
        self._of_file: dict[int, _Methods] = {}
        self.broken: BaseException | None = None
        self.vfs = _Vfs()
        ctypes.memmove(ctypes.byref(self.vfs), base, ctypes.sizeof(_Vfs))
        self.vfs.zName = NAME
        self.vfs.xOpen, self.vfs.xDelete = _OPEN(self._open), _DELETE(self._delete)

    @property
    def open_files(self) -> int:
        return len(self._paths)

    def _ask(self, question: Callable[[], int]) -> int:
        """An exception in a callback would be printed and lost; here it fails SQLite's step."""
        try:
            return question()
        except BaseException as error:  # noqa: BLE001 (raised when the watch ends)
            self.broken = self.broken or error
            return IOERR_WRITE

    def _open(self, vfs: int, name: int | None, file: int, flags: int, out: int) -> int:
        path = ctypes.string_at(name).decode() if name else ""
        code = self._ask(lambda: self._watcher.opened(path)) if name else OK
        code = code or self._base.contents.xOpen(vfs, name, file, flags, out)
        table = c_void_p.from_address(file)
        if code == OK and table.value and name:
            self._paths[file] = path
            base, ours = self._table(table.value)
            self._of_file[file] = base
            table.value = ctypes.addressof(ours)
        return code

    def _delete(self, vfs: int, name: bytes, sync: int) -> int:
        code = self._ask(lambda: self._watcher.delete(name.decode(), bool(sync)))
        return code or self._base.contents.xDelete(vfs, name, sync)

    def _table(self, address: int) -> tuple[_Methods, _Methods]:
        if address not in self._tables:
            ours = _Methods()
            ctypes.memmove(ctypes.byref(ours), address, ctypes.sizeof(_Methods))
            ours.xClose, ours.xWrite = _CLOSE(self._close), _WRITE(self._write)
            ours.xTruncate, ours.xSync = _TRUNCATE(self._truncate), _SYNC(self._sync)
            self._tables[address] = (_Methods.from_address(address), ours)
        return self._tables[address]

    def _close(self, file: int) -> int:
        del self._paths[file]
        return self._of_file.pop(file).xClose(file)

    def _write(self, file: int, data: int, size: int, offset: int) -> int:
        copied, path = ctypes.string_at(data, size), self._paths[file]
        code = self._ask(lambda: self._watcher.write(path, offset, copied))
        return code or self._of_file[file].xWrite(file, data, size, offset)

    def _truncate(self, file: int, size: int) -> int:
        code = self._ask(lambda: self._watcher.truncate(self._paths[file], size))
        return code or self._of_file[file].xTruncate(file, size)

    def _sync(self, file: int, flags: int) -> int:
        code = self._ask(lambda: self._watcher.sync(self._paths[file]))
        return code or self._of_file[file].xSync(file, flags)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Every database that this process opens meanwhile is watched; close them before the end."""
    library = _library()
    base = library.sqlite3_vfs_find(None)
    shim = _Shim(watcher, base)
    if library.sqlite3_vfs_register(ctypes.byref(shim.vfs), 1) != OK:
        raise RuntimeError("SQLite does not take the watching VFS")
    try:
        yield
        if shim.open_files:
            raise RuntimeError(f"{shim.open_files} files are still open, and watched by nobody")
    finally:
        library.sqlite3_vfs_unregister(ctypes.byref(shim.vfs))
        library.sqlite3_vfs_register(base, 1)
        if shim.open_files:
            _KEPT.append(shim)
    if shim.broken is not None:
        raise shim.broken


_KEPT: list[_Shim] = []
"""Files that a failed test left open still point at these."""
