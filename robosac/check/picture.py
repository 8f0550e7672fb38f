"""How bright and how coloured a camera's pictures are, beside a reference that was kept.

A policy that learned from pixels sees another world under another exposure or white balance. The
histograms of each colour are compared by the way their values would have to move (the earth mover's
distance in one dimension): what fingers and valve do moves few of them far, the camera's settings
and the room's light move all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from robosac.check.row import Level, Row, judged, on_a_twin
from robosac.errors import ConfigError
from robosac.files import write_whole

ROW: Final = "camera picture"
BINS: Final = 64
COLOURS: Final = ("red", "green", "blue")
AMBER, RED = 0.06, 0.12
"""Of full scale, by which a colour's values moved on the average."""
FORMAT: Final = 1
LARGEST: Final = 100_000
"""Of the file, bytes."""
_KEEP: Final = "robosac check PRESET --keep-picture FILE, and name FILE as robot.picture"

Shares = Annotated[tuple[float, ...], msgspec.Meta(min_length=BINS, max_length=BINS)]


class PictureReference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What pictures are like, as a file keeps it."""

    format: int
    robot: str
    red: Shares
    """Share of the pixels in each of `BINS` bins from 0 to full scale."""
    green: Shares
    blue: Shares

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ValueError(f"format {self.format}; valid is {FORMAT}")
        for name in COLOURS:
            shares = np.array(getattr(self, name))
            if not (np.isfinite(shares).all() and (shares >= 0.0).all()):
                raise ValueError(f"{name}: shares must be 0 to 1")
            if not math.isclose(float(shares.sum()), 1.0, abs_tol=1e-6):
                raise ValueError(f"{name}: the shares add up to {shares.sum():.6f}; valid is 1")

    @property
    def shares(self) -> NDArray[np.float64]:
        """Shape (3, BINS)."""
        return np.array([self.red, self.green, self.blue])


@dataclass(frozen=True, slots=True)
class Shift:
    """How pictures differ from the reference; shares of full scale, red, green and blue."""

    distance: tuple[float, float, float]
    """By how much values would have to move, on the average."""
    mean: tuple[float, float, float]
    """By how much their mean moved; positive is brighter."""

    @property
    def worst(self) -> float:
        """The largest distance."""
        return max(self.distance)


def histogram(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """Shares of the pixels by colour and bin, shape (3, BINS).

    Args:
        pictures: each (height, width, 3), at least one.

    Raises:
        ValueError: there is none, or one is no colour picture.
    """
    if not pictures:
        raise ValueError("no picture")
    counts = np.zeros((3, BINS))
    for picture in pictures:
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
            raise ValueError(f"a picture is (height, width, 3) of uint8, got {picture.shape}")
        bins = (picture.reshape(-1, 3) // (256 // BINS)).T
        counts += [np.bincount(row, minlength=BINS) for row in bins]
    return counts / counts.sum(axis=1, keepdims=True)


def compare(seen: NDArray[np.float64], reference: NDArray[np.float64]) -> Shift:
    """Two results of `histogram`, the newer one first."""
    moved = np.abs(np.cumsum(seen - reference, axis=1)).sum(axis=1) / BINS
    middles = (np.arange(BINS) + 0.5) / BINS
    mean = (seen - reference) @ middles
    return Shift(_three(moved), _three(mean))


def _three(values: NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = values.tolist()
    return red, green, blue


def picture_row(
    seen: NDArray[np.float64] | None, reference: PictureReference | None, twin: bool = False
) -> Row:
    """The row.

    Args:
        seen: of the newest pictures; None: there is none.
        reference: what was kept; None: nothing was.
        twin: it is the camera of a twin in this process, which needs no reference.
    """
    valid = f"within {AMBER:.0%} of full scale of the reference, red at {RED:.0%}"
    if seen is None:
        return judged(ROW, Level.RED, "no picture", valid, "take off its cap")
    if reference is None and twin:
        return on_a_twin(ROW, "no reference is named", valid)
    if reference is None:
        return judged(ROW, Level.AMBER, "no reference was kept", valid, _KEEP)
    shift = compare(seen, reference.shares)
    level = Level.GREEN if shift.worst <= AMBER else Level.AMBER
    if not shift.worst <= RED:
        level = Level.RED
    told = ", ".join(f"{colour} {by:+.1%}" for colour, by in zip(COLOURS, shift.mean, strict=True))
    remedy = "put back the light, exposure, gain and white balance; or " + _KEEP
    return judged(ROW, level, f"moved by {shift.worst:.1%}; mean {told}", valid, remedy)


def keep(path: Path, robot: str, seen: NDArray[np.float64]) -> PictureReference:
    """Write a reference. Raises ConfigError: it cannot be written."""
    red, green, blue = (tuple(row) for row in seen.tolist())
    reference = PictureReference(format=FORMAT, robot=robot, red=red, green=green, blue=blue)
    try:
        write_whole(path, msgspec.json.encode(reference) + b"\n")
    except OSError as error:
        raise ConfigError(f"picture reference {path} cannot be written: {error}") from error
    return reference


def load(path: Path, robot: str) -> PictureReference:
    """Read what `keep` wrote.

    Raises:
        ConfigError: it cannot be read, is damaged, or is of another robot; in one line.
    """
    try:
        data = path.read_bytes()
        if len(data) > LARGEST:
            raise ConfigError(f"picture reference {path}: {len(data)} bytes; at most {LARGEST}")
        found = msgspec.json.decode(data, type=PictureReference)
    except OSError as error:
        raise ConfigError(f"picture reference {path} cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ConfigError(f"picture reference {path}: {error}") from error
    if found.robot != robot:
        raise ConfigError(f"picture reference {path} is of {found.robot!r}, not of {robot!r}")
    return found
