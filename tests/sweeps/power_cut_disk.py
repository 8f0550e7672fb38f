"""What a disk may hold after the power was cut: every write and sync of SQLite, recorded.

What was synced is there. What was written since may be there, or not, or in part, sector by sector
of 512 bytes and in any order; where it made a file longer, lost sectors are zeros or noise. A file
that was made or deleted may be so or not until its folder was synced; SQLite does that with the
first sync of a journal or log that it opened (os_unix.c, UNIXFILE_DIRSYNC).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.sweeps.sqlite_vfs import IOERR_FSYNC, OK

SECTOR: Final = 512
JOURNALS: Final = ("-wal", "-journal")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened to the disk, or (`mark`) to whom it was promised."""

    kind: str
    path: str = ""
    offset: int = 0
    """Of a write; or the size that a file is cut to; or whether a deletion was synced."""
    data: bytes = b""
    mark: Any = None


class Recorder:
    """A watcher (`tests.sweeps.sqlite_vfs`) that keeps everything and lets it pass.

    Args:
        fails: whether the sync of a file shall fail; what was to be synced is then lost, though
            whoever reads the file still sees it, as Linux has it.
    """

    def __init__(self, fails: Callable[[], bool] = lambda: False) -> None:
        self.steps: list[Step] = []
        self._fails = fails

    def mark(self, mark: Any) -> None:
        self.steps.append(Step("mark", mark=mark))

    def opened(self, path: str) -> int:
        self.steps.append(Step("open", Path(path).name))
        return OK

    def write(self, path: str, offset: int, data: bytes) -> int:
        self.steps.append(Step("write", Path(path).name, offset, data))
        return OK

    def truncate(self, path: str, size: int) -> int:
        self.steps.append(Step("truncate", Path(path).name, size))
        return OK

    def sync(self, path: str) -> int:
        if self._fails():
            self.steps.append(Step("lost", Path(path).name))
            return IOERR_FSYNC
        self.steps.append(Step("sync", Path(path).name))
        return OK

    def delete(self, path: str, synced: bool) -> int:
        self.steps.append(Step("delete", Path(path).name, int(synced)))
        return OK


@dataclass
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Step] = field(default_factory=list[Step])
    dir_synced: bool = False


class Disk:
    """The files of one folder, step after step.

    Args:
        images: what lies there at the beginning, by name.
    """

    def __init__(self, images: dict[str, bytes]) -> None:
        self._now = {name: _File(bytearray(data)) for name, data in images.items()}
        self._durable = dict(self._now)
        """Names as the folder on the disk has them."""
        self._last: Step | None = None

    def take(self, step: Step) -> None:
        """Let one more step happen; the one before it has then come to its end."""
        before, self._last = self._last, step
        if before is not None and before.kind == "sync":
            self._synced(before.path)
        if before is not None and before.kind == "delete" and before.offset:
            self._durable = dict(self._now)
        if step.kind == "open":
            file = self._now.setdefault(step.path, _File())
            file.dir_synced = False
        elif step.kind in ("write", "truncate"):
            self._now[step.path].pending.append(step)
        elif step.kind == "lost":
            self._now[step.path].pending.clear()
        elif step.kind == "delete":
            self._now.pop(step.path, None)

    def _synced(self, path: str) -> None:
        file = self._now.get(path)
        if file is None:
            return
        for step in file.pending:
            _apply(file.durable, step)
        file.pending.clear()
        if path.endswith(JOURNALS) and not file.dir_synced:
            file.dir_synced = True
            self._durable = dict(self._now)

    def cut(self, rng: random.Random) -> dict[str, bytes]:
        """The files as they may be when the power comes back."""
        whole = rng.random() < 0.2
        images: dict[str, bytes] = {}
        for name in sorted(self._now.keys() | self._durable.keys()):
            choices = [self._durable.get(name), self._now.get(name)]
            file = choices[1] if whole else rng.choice(choices)
            if file is not None:
                images[name] = _after_cut(file, rng, whole)
        return images


def _apply(image: bytearray, step: Step) -> None:
    if step.kind == "truncate":
        if step.offset <= len(image):
            del image[step.offset :]
        else:
            image.extend(bytes(step.offset - len(image)))
        return
    _put(image, step.offset, step.data)


def _put(image: bytearray, offset: int, data: bytes | memoryview) -> None:
    if offset > len(image):
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(data)] = data


def _after_cut(file: _File, rng: random.Random, whole: bool) -> bytes:
    image = bytearray(file.durable)
    if not file.pending:
        return bytes(image)
    end = max((s.offset + len(s.data) for s in file.pending if s.kind == "write"), default=0)
    lost = rng.choice(("short", "zeros", "noise"))
    if end > len(image) and not whole and lost != "short":
        more = end - len(image)
        image.extend(bytes(more) if lost == "zeros" else rng.randbytes(more))
    for step, kept in zip(file.pending, _kept(len(file.pending), rng, whole), strict=True):
        if kept >= 1.0:
            _apply(image, step)
        elif step.kind == "truncate":
            if rng.random() < kept:
                _apply(image, step)
        else:
            for offset, part in _sectors(step):
                if rng.random() < kept:
                    _put(image, offset, part)
    return bytes(image)


def _kept(count: int, rng: random.Random, whole: bool) -> list[float]:
    """For each write since the last sync, the share of its sectors that reached the disk."""
    how = "all" if whole else rng.choice(("none", "prefix", "some", "some", "one missing"))
    if how == "all":
        return [1.0] * count
    if how == "none":
        return [0.0] * count
    if how == "prefix":
        until = rng.randrange(count)
        return [1.0] * until + [rng.random()] + [0.0] * (count - until - 1)
    if how == "some":
        share = rng.choice((0.1, 0.5, 0.9, 0.99))
        return [share] * count
    missing = rng.randrange(count)
    return [rng.choice((0.0, 0.5)) if i == missing else 1.0 for i in range(count)]


def _sectors(step: Step) -> Iterator[tuple[int, memoryview]]:
    """A write in pieces that do not cross a sector's edge."""
    view, offset = memoryview(step.data), step.offset
    while view:
        size = min(len(view), SECTOR - offset % SECTOR)
        yield offset, view[:size]
        view, offset = view[size:], offset + size
