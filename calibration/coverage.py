"""Which parts of a picture and which tilts a set of board views covers, and what is wanted next.

A lens is known only where corners were seen, and its focal length only from boards that are tilted:
one that faces the camera looks the same nearer and with a shorter lens (Zhang 2000, section 3.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import BoardSpec, View

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

COLUMNS, ROWS = 5, 4
"""The picture's cells."""
CELL_VIEWS: Final = 2
"""In how many views each cell must hold a corner."""
TILT_VIEWS: Final = 3
"""How many views must be tilted each way."""
TILTS: Final = ("right edge away", "lower edge away", "left edge away", "upper edge away")
"""By what a person sees who stands behind the camera, in the order of `tilt_of`."""
LEAST_TILT_RAD: Final = math.radians(15.0)
MOST_TILT_RAD: Final = math.radians(65.0)
"""Corners of a board more askew are found badly."""
GUESSED_FOCAL: Final = 1.2
"""Of the picture's height: a webcam's, 45 degrees high; good enough to tell tilts by."""


@dataclass(frozen=True, slots=True, eq=False)
class Coverage:
    """How often each part was seen."""

    size: tuple[int, int]
    """(width, height) of the pictures, px."""
    cells: IntArray
    """Views with a corner in each cell, shape (ROWS, COLUMNS)."""
    tilts: IntArray
    """Views tilted each way, shape (4,), as `TILTS`."""
    views: int

    @property
    def missing_cells(self) -> list[tuple[int, int]]:
        """(row, column) of the cells seen too seldom, the emptiest first."""
        found = np.argwhere(self.cells < CELL_VIEWS).tolist()
        return sorted(((r, c) for r, c in found), key=lambda at: int(self.cells[at]))

    @property
    def missing_tilts(self) -> list[int]:
        """The tilts seen too seldom, the rarest first."""
        found = np.flatnonzero(self.tilts < TILT_VIEWS).tolist()
        return sorted(found, key=lambda at: int(self.tilts[at]))

    @property
    def full(self) -> bool:
        """Whether nothing is missing."""
        return not self.missing_cells and not self.missing_tilts

    def gain(self, view: View, tilt: int | None) -> int:
        """How many missing cells and tilts a view would add to."""
        seen = cells_of(view, self.size)
        gained = sum(bool(seen[at]) for at in self.missing_cells)
        return gained + int(tilt is not None and tilt in self.missing_tilts)

    def wanted(self) -> str:
        """What to show next, in words; empty: nothing."""
        parts: list[str] = []
        if self.missing_cells:
            parts.append(f"the board at the {place_name(*self.missing_cells[0])} of the picture")
        if self.missing_tilts:
            parts.append(f"its {TILTS[self.missing_tilts[0]]}")
        return ", ".join(parts)


def coverage_of(
    views: Sequence[View], tilts: Sequence[int | None], size: tuple[int, int]
) -> Coverage:
    """The coverage of views, with the way each is tilted (see `tilt_of`)."""
    cells = np.zeros((ROWS, COLUMNS), np.int64)
    for view in views:
        cells += cells_of(view, size)
    counts = np.zeros(len(TILTS), np.int64)
    for tilt in tilts:
        if tilt is not None:
            counts[tilt] += 1
    return Coverage(size, cells, counts, len(views))


def cells_of(view: View, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The cells in which a view has a corner, shape (ROWS, COLUMNS)."""
    width, height = size
    column = np.clip(view.pixels[:, 0] / width * COLUMNS, 0, COLUMNS - 1).astype(int)
    row = np.clip(view.pixels[:, 1] / height * ROWS, 0, ROWS - 1).astype(int)
    found = np.zeros((ROWS, COLUMNS), np.bool_)
    found[row, column] = True
    return found


def tilt_of(rotation: FloatArray) -> int | None:
    """Which way a board is tilted whose axes are the columns of `rotation` in the camera's frame.

    By the edge that is farther away, as the camera sees it: 0 right, 1 lower, 2 left, 3 upper.
    None: it nearly faces the camera, or is too far askew.
    """
    normal = rotation[:, 2]
    angle = math.acos(min(1.0, abs(float(normal[2]))))
    if not LEAST_TILT_RAD <= angle <= MOST_TILT_RAD:
        return None
    # Out of the paper, which faces the camera; a surface that looks to the right of the picture has
    # its right edge farther away.
    outward = normal if normal[2] < 0.0 else -normal
    lean = math.atan2(float(outward[1]), float(outward[0]))
    return round(lean / (math.pi / 2.0)) % len(TILTS)


def guessed_tilt(view: View, spec: BoardSpec, size: tuple[int, int]) -> int | None:
    """As `tilt_of`, before the lens is known."""
    width, height = size
    focal = GUESSED_FOCAL * height
    matrix = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]])
    points = spec.points(view.ids)
    # Not IPPE: OpenCV 5.0's puts some boards that are turned about one axis alone elsewhere.
    good, vector, _ = cv2.solvePnP(points, view.pixels, matrix, None, flags=cv2.SOLVEPNP_SQPNP)
    if not good:
        return None
    rotation, _ = cv2.Rodrigues(cast("FloatArray", vector))
    return tilt_of(np.asarray(rotation, np.float64))


def place_name(row: int, column: int) -> str:
    """A cell in words."""
    vertical = ("upper edge", "upper half", "lower half", "lower edge")[row]
    return f"{vertical}, {('far left', 'left', 'middle', 'right', 'far right')[column]}"
