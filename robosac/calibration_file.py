"""Writes calibration files, whole, and takes the last writing back."""

from __future__ import annotations

from pathlib import Path

from calibration import Calibration
from calibration.file import PREVIOUS, dump, parse
from robosac.files import write_whole


def save(path: Path | str, calibration: Calibration) -> None:
    """Write a calibration file, whole or not at all; what stood there stays beside it for `undo`.

    What was written is read back and compared.

    Raises:
        ValueError: as `dump`. OSError: it cannot be written, or does not read back.
    """
    path = Path(path)
    data = dump(calibration)
    if parse(data, str(path)) != calibration:
        raise ValueError("this calibration cannot be written: it does not survive its own format")
    if path.exists():
        write_whole(_previous(path), path.read_bytes())
    write_whole(path, data)
    if path.read_bytes() != data:
        raise OSError(f"{path} does not read back as it was written")


def undo(path: Path | str) -> Calibration:
    """Take back the last `save`: the two files change places, so that a second undo redoes it.

    Raises:
        ValueError: the previous file is no calibration; nothing was changed.
        OSError: there is none, or it cannot be moved.
    """
    path = Path(path)
    found, data = _before(path)
    if path.exists():
        write_whole(_previous(path), path.read_bytes())
    write_whole(path, data)
    return found


def before(path: Path | str) -> Calibration:
    """What `undo` would bring back; raises as it does."""
    found, _ = _before(Path(path))
    return found


def _before(path: Path) -> tuple[Calibration, bytes]:
    previous = _previous(path)
    data = previous.read_bytes()
    return parse(data, str(previous)), data


def _previous(path: Path) -> Path:
    return path.with_name(path.name + PREVIOUS)
