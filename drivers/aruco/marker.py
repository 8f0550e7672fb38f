"""ArUco markers: finding one in a picture, and drawing one to print."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, cast

import cv2
import cv2.aruco
import numpy as np
from numpy.typing import NDArray

from drivers.camera.frames import Image

DICTIONARY: Final = cv2.aruco.DICT_4X4_50
CELLS: Final = 6
"""A marker of this dictionary is 4 by 4 bits and a black border."""
MARKERS: Final = 50
SEARCH_SIDES: Final = 2.0
"""The marker is first looked for within so many of its sides around where it was."""
REFINE_CELLS: Final = 0.7
"""Half the window of the corners' refinement, in cells; OpenCV's 0.3 is 1 px on a marker of 30 px,
and leaves twice the error. From 1 on the window would touch the marker's inner cells."""
BORDER_PX: Final = 4
"""The detector does not look closer to a picture's edge."""

Corners = NDArray[np.float64]


class Sight(enum.Enum):
    """What was seen of the marker."""

    FOUND = "found"
    MISSING = "missing"
    AMBIGUOUS = "ambiguous"
    """The same marker twice: which one is the robot cannot be known."""


class MarkerFinder:
    """Finds one marker; looks around its last place first, which costs a fraction of the whole.

    Args:
        marker_id: 0 to 49.

    Raises:
        ValueError: there is no such marker.
    """

    def __init__(self, marker_id: int) -> None:
        _check_id(marker_id)
        self.marker_id = marker_id
        parameters = cv2.aruco.DetectorParameters()
        parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
        parameters.relativeCornerRefinmentWinSize = REFINE_CELLS
        dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARY)
        self._detector = cv2.aruco.ArucoDetector(dictionary, parameters)
        self._last: Corners | None = None

    def find(self, image: Image) -> tuple[Sight, Corners | None]:
        """Look for the marker in an RGB picture, shape (height, width, 3).

        Returns:
            What was seen, and the corners when found: px, shape (4, 2), top left, top right, bottom
            right, bottom left of the marker as it is printed.
        """
        grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
        found = self._near_last(grey) if self._last is not None else []
        # Around the last place nothing can be ambiguous but what really is: two overlapping copies.
        found = found or self._detect(grey)
        if len(found) != 1:
            self._last = None
            return (Sight.AMBIGUOUS if found else Sight.MISSING), None
        self._last = found[0]
        return Sight.FOUND, found[0]

    def _near_last(self, grey: Image) -> list[Corners]:
        last = cast(Corners, self._last)
        reach = SEARCH_SIDES * float(np.ptp(last, axis=0).max()) + BORDER_PX
        low = np.maximum(np.floor(last.min(axis=0) - reach), 0).astype(int)
        high = np.ceil(last.max(axis=0) + reach).astype(int)
        part = np.ascontiguousarray(grey[low[1] : high[1], low[0] : high[0]])
        return [corners + low for corners in self._detect(part)] if part.size else []

    def _detect(self, grey: Image) -> list[Corners]:
        corners, ids, _ = self._detector.detectMarkers(grey)
        numbers = cast("NDArray[np.int32] | None", ids)
        if numbers is None:
            return []
        every = cast("Sequence[NDArray[np.float32]]", corners)
        return [
            np.asarray(square, np.float64).reshape(4, 2)
            for square, number in zip(every, numbers.reshape(-1).tolist(), strict=True)
            if number == self.marker_id
        ]


def marker_image(marker_id: int, side_px: int) -> Image:
    """A marker to print, with its white margin, its number, and an arrow to the robot's front.

    Args:
        marker_id: 0 to 49.
        side_px: side of the black square, a multiple of 6. Printed at 300 dots per inch, 120 mm are
            1416 px (119.9 mm); measure the printed square and state that as the mount's side.

    Returns:
        Grey, shape (height, width), uint8; the square lies in the middle of the width, and its top
        edge a quarter of its side below the sheet's.

    Raises:
        ValueError: there is no such marker, or its cells would not be equally large.
    """
    _check_id(marker_id)
    if side_px < CELLS or side_px % CELLS:
        raise ValueError(f"side_px must be a positive multiple of {CELLS}, got {side_px}")
    margin = 3 * side_px // 12 + 1
    sheet = np.full((side_px + 2 * margin, side_px + 2 * margin), 255, np.uint8)
    dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARY)
    square = cv2.aruco.generateImageMarker(dictionary, marker_id, side_px)
    sheet[margin : margin + side_px, margin : margin + side_px] = square
    middle = margin + side_px // 2
    thickness = max(1, side_px // 150)
    cv2.arrowedLine(sheet, (middle, margin // 2), (middle, 2), 0, thickness, tipLength=0.4)
    label = f"DICT_4X4_50 id {marker_id}, front up"
    scale = side_px / 600
    place = (margin, 2 * margin + side_px - margin // 4)
    cv2.putText(sheet, label, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 0, thickness)
    return sheet


def _check_id(marker_id: int) -> None:
    if not 0 <= marker_id < MARKERS:
        raise ValueError(f"marker_id must be 0 to {MARKERS - 1}, got {marker_id}")
