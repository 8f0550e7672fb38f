"""The printed board that cameras are calibrated with: where its corners are, and finding them.

A ChArUco board (Garrido-Jurado et al. 2014; OpenCV's `aruco`): a chessboard whose white squares
hold markers, so that a corner is known by its number also where only a part is seen. Below it lies
a grey patch for exposure and white balance.

Board frame: origin at the chessboard's lower left corner, x to the right, y up, z out of the paper
towards who looks at it. Pixels are OpenCV's: (0, 0) is the middle of the upper left pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

import cv2
import cv2.aruco
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]

DICTIONARY: Final = cv2.aruco.DICT_4X4_250
FIRST_ID: Final = 100
"""The tracker's own markers are 0 to 49."""
MARKERS: Final = 250
CELLS: Final = 8
"""Of a square along each side: six of the marker with its border, one of white on either side."""
LEAST_CORNERS: Final = 8
"""Of one view; fewer hardly tell a pose."""
LEAST_WIDTH: Final = 0.05
"""Of a view's corners across, as a share of their length: less is nearly a line."""
WINDOW_SQUARES: Final = 0.12
"""Half the window in which a corner is refined, of a square's side; bits begin at 0.25."""
WINDOW_PX: Final = (3, 9)
MOST_REFINED_PX: Final = 0.8
_REFINEMENT: Final = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-3)
PATCH: Final = (0.0, -0.85, 2.0, -0.25)
"""The grey patch: left, lower, right and upper edge in the board frame, squares."""
PATCH_SRGB: Final = 118
"""Its printed value; 18 % of the light in sRGB (IEC 61966-2-1)."""


@dataclass(frozen=True, slots=True)
class BoardSpec:
    """A board as it was printed.

    Raises:
        ValueError: a size that cannot be, or more markers than the dictionary has.
    """

    columns: int = 9
    """Squares across."""
    rows: int = 6
    """Squares up."""
    square_m: float = 0.027
    """Side of a square, measured on the print."""

    def __post_init__(self) -> None:
        if min(self.columns, self.rows) < 3 or not 0.001 <= self.square_m <= 1.0:
            raise ValueError(
                f"a board of {self.columns} by {self.rows} squares of {self.square_m} m; valid are"
                " at least 3 by 3, of 0.001 to 1 m"
            )
        if FIRST_ID + self.markers > MARKERS:
            raise ValueError(
                f"{self.columns} by {self.rows} squares need {self.markers} markers; valid are up"
                f" to {MARKERS - FIRST_ID}"
            )

    @property
    def markers(self) -> int:
        """How many squares hold a marker: every other one."""
        return self.columns * self.rows // 2

    @property
    def corners(self) -> int:
        """How many corners there are between four squares."""
        return (self.columns - 1) * (self.rows - 1)

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height of the chessboard."""
        return self.columns * self.square_m, self.rows * self.square_m

    def points(self, ids: NDArray[np.int64]) -> FloatArray:
        """Corners by number in the board frame, shape (n, 3), m; row by row from the upper left."""
        row, column = np.divmod(ids, self.columns - 1)
        up = self.rows - 1 - row
        flat = np.stack([column + 1, up, np.zeros_like(up)], axis=-1)
        return flat.astype(np.float64) * self.square_m

    def cells(self) -> Image:
        """The chessboard, a pixel for each cell: 0 is black, 255 white; upper row first."""
        size = (self.columns * CELLS, self.rows * CELLS)
        return np.asarray(_drawn(self).generateImage(size, marginSize=0, borderBits=1), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What one picture shows of the board."""

    ids: NDArray[np.int64]
    """Numbers of the corners, increasing, shape (n,)."""
    pixels: FloatArray
    """Where they are, px, shape (n, 2)."""

    def __post_init__(self) -> None:
        if self.ids.ndim != 1 or self.pixels.shape != (len(self.ids), 2):
            raise ValueError(
                f"{self.ids.shape} corners and {self.pixels.shape} pixels; valid are (n,) and"
                " (n, 2)"
            )
        if not np.isfinite(self.pixels).all() or not (np.diff(self.ids) > 0).all():
            raise ValueError("a view's pixels must be finite, and its corners stand there once")


class BoardFinder:
    """Finds a board in pictures.

    Args:
        spec: the board.
    """

    def __init__(self, spec: BoardSpec) -> None:
        self.spec = spec
        parameters = cv2.aruco.CharucoParameters()
        # Markers that were found but not read are taken where the board says that they must be.
        parameters.tryRefineMarkers = True
        self._detector = cv2.aruco.CharucoDetector(_drawn(spec), parameters)

    def find(self, image: Image) -> View | None:
        """The corners in a picture, RGB (height, width, 3) or grey (height, width).

        None: fewer than `LEAST_CORNERS`, or nearly along one line.
        """
        single = image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        grey: Image = np.ascontiguousarray(single, np.uint8)
        pixels, numbers, _, _ = self._detector.detectBoard(grey)
        found = cast("NDArray[np.int32] | None", numbers)
        if found is None or len(found) < LEAST_CORNERS:
            return None
        ids = found.reshape(-1).astype(np.int64)
        order = np.argsort(ids)
        coarse = View(ids[order], np.asarray(pixels, np.float64).reshape(-1, 2)[order])
        view = _refined(grey, coarse, self.spec)
        if len(view.ids) < LEAST_CORNERS:
            return None
        across = np.linalg.svd(view.pixels - view.pixels.mean(axis=0), compute_uv=False)
        return view if across[1] >= LEAST_WIDTH * across[0] else None


def _refined(grey: Image, coarse: View, spec: BoardSpec) -> View:
    """The corners once more, each in a window that keeps clear of the markers' bits.

    The detector's own windows are as large as the markers' distance lets them be, and on squares of
    20 px a corner in three is 0.2 px off by them. A corner that the two windows see apart is none.
    """
    limits = np.array(grey.shape[::-1]) - 1.0
    inside = ((coarse.pixels >= 0.0) & (coarse.pixels <= limits)).all(axis=1)
    coarse = View(coarse.ids[inside], coarse.pixels[inside])
    sides = _sides(coarse, spec)
    windows = np.clip(WINDOW_SQUARES * sides, *WINDOW_PX).astype(int)
    pixels = coarse.pixels.astype(np.float32)
    for window in np.unique(windows).tolist():
        chosen = windows == window
        start = np.ascontiguousarray(pixels[chosen]).reshape(-1, 1, 2)
        fine = cv2.cornerSubPix(grey, start, (window, window), (-1, -1), _REFINEMENT)
        pixels[chosen] = np.asarray(fine).reshape(-1, 2)
    refined = pixels.astype(np.float64)
    good = np.linalg.norm(refined - coarse.pixels, axis=1) <= MOST_REFINED_PX
    return View(coarse.ids[good], refined[good])


def _sides(view: View, spec: BoardSpec) -> FloatArray:
    """The shortest side of a square at each corner, px; where no neighbour was seen, the median.

    0 if no corner has one, for which the smallest window is right.
    """
    across = spec.columns - 1
    grid = np.full((spec.rows - 1, across, 2), np.nan)
    grid[view.ids // across, view.ids % across] = view.pixels
    padded = np.pad(grid, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    middle = padded[1:-1, 1:-1]
    around = (padded[1:-1, 2:], padded[1:-1, :-2], padded[2:, 1:-1], padded[:-2, 1:-1])
    sides = np.stack([np.linalg.norm(one - middle, axis=2) for one in around])
    found = np.where(np.isnan(sides), np.inf, sides).min(axis=0)
    found = found[view.ids // across, view.ids % across]
    known = found[np.isfinite(found)]
    return np.where(np.isfinite(found), found, np.median(known) if len(known) else 0.0)


def _drawn(spec: BoardSpec) -> cv2.aruco.CharucoBoard:
    """OpenCV's own board; its unit is the square."""
    dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARY)
    ids = np.arange(FIRST_ID, FIRST_ID + spec.markers, dtype=np.int32)
    size = (spec.columns, spec.rows)
    return cv2.aruco.CharucoBoard(size, float(CELLS), CELLS - 2.0, dictionary, ids)
