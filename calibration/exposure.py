"""Exposure time and white balance that show a grey patch as grey, from pictures at a few settings.

Nothing is assumed of the sensor's curve but that it is a power of the light between the readings,
and nothing of what a camera calls a colour temperature but that red against blue follows its
reciprocal: both are fitted, and both are refused where the control does not work so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import PATCH, BoardSpec, Image, View
from calibration.errors import Undetermined

FloatArray = NDArray[np.float64]

TARGET: Final = 110.0
"""Of 255: where the grey patch is wanted, a little below what it was printed with."""
MOST_PAPER: Final = 235.0
"""Of 255: brighter than this no paper may be, or the picture clips."""
USABLE: Final = (12.0, 235.0)
"""Levels of a patch that a fit may go by."""
LEAST_SPAN: Final = 1.5
"""Greatest exposure time over the least."""
SLOPES: Final = (0.2, 1.4)
"""Of the logarithms of level and exposure: 1 is a straight sensor, 1/2.2 a display's curve."""
MOST_MISFIT: Final = 0.08
"""Root mean square of the logarithms' residuals."""
LEAST_EFFECT: Final = 0.05
"""Of the logarithm of red over blue, over the temperatures tried."""
TEMPERATURES_K: Final = (2000.0, 10000.0)
MOST_TINT: Final = 0.15
"""Of green against red and blue, which no temperature mends."""
PAPER: Final = (2.2, -0.85, 4.2, -0.25)
"""White paper beside the grey patch; edges as `PATCH`, squares."""
SHRUNK: Final = 0.15
"""Of a patch's sides, left out at each edge: the lens blurs it."""
LEAST_PATCH_PX: Final = 60
CLIPPED: Final = 254


@dataclass(frozen=True, slots=True)
class Reading:
    """The sheet's grey patch and its paper in one picture, red, green and blue of 255."""

    exposure_s: float
    white_balance_k: float | None
    """None: the camera has no such control."""
    grey: tuple[float, float, float]
    paper: tuple[float, float, float]
    clipped: float
    """Share of the paper's pixels that are full in a colour."""


@dataclass(frozen=True, slots=True)
class SetPoint:
    """Where a control should stand."""

    value: float
    """s for the exposure, K for the white balance."""
    slope: float
    """Of the fit; see `SLOPES` and `LEAST_EFFECT`."""
    misfit: float
    """Root mean square of the fit's residuals, of logarithms."""


def read_patch(
    image: Image, view: View, spec: BoardSpec, exposure_s: float, white_balance_k: float | None
) -> Reading:
    """The patch and the paper of a picture, RGB (height, width, 3), with the board's `view` in it.

    Raises:
        Undetermined: the patch lies outside the picture, or is too small in it.
    """
    homography, _ = cv2.findHomography(spec.points(view.ids)[:, :2], view.pixels)
    if homography is None:
        raise Undetermined("the board's corners do not tell where its grey patch is")
    to_picture = np.asarray(homography, np.float64)
    grey = _inside(image, to_picture, PATCH, spec)
    paper = _inside(image, to_picture, PAPER, spec)
    clipped = float((paper >= CLIPPED).any(axis=1).mean())
    return Reading(exposure_s, white_balance_k, _mean(grey), _mean(paper), clipped)


def exposure_set_point(
    readings: Sequence[Reading], longest_s: float, shortest_s: float = 1e-4
) -> SetPoint:
    """The exposure time that puts the grey patch at `TARGET`, and the paper below `MOST_PAPER`.

    Args:
        readings: at two exposure times or more.
        longest_s: of what the frame rate and motion allow.
        shortest_s: of what the camera can.

    Raises:
        Undetermined: too few that are neither dark nor clipped, a control without effect, or a time
            out of its range; the message says what to do.
    """
    usable = [one for one in readings if _usable(one)]
    times = [one.exposure_s for one in usable]
    if len(usable) < 2 or max(times) < LEAST_SPAN * min(times):
        raise Undetermined(
            f"{len(usable)} of {len(readings)} pictures are neither too dark nor clipped; valid are"
            f" two or more, whose exposure times differ by a factor of {LEAST_SPAN}"
        )
    x = np.log(np.array(times))
    y = np.log(np.array([np.mean(one.grey) for one in usable]))
    slope, level, misfit = _line(x, y)
    if not (SLOPES[0] <= slope <= SLOPES[1] and misfit <= MOST_MISFIT):
        raise Undetermined(
            f"brightness follows exposure with a power of {slope:.2f}, {misfit:.2f} off; valid is"
            f" {SLOPES[0]} to {SLOPES[1]}, within {MOST_MISFIT}: is the exposure locked, and the"
            " light steady?"
        )
    wanted = min(TARGET, MOST_PAPER / _brightest(usable))
    value = math.exp((math.log(wanted) - level) / slope)
    if not shortest_s <= value <= longest_s:
        remedy = "more light, or more gain" if value > longest_s else "less light, or less gain"
        raise Undetermined(
            f"the exposure would have to be {1e3 * value:.2f} ms; valid is"
            f" {1e3 * shortest_s:.1f} to {1e3 * longest_s:.1f} ms: {remedy}"
        )
    return SetPoint(value, slope, misfit)


def white_balance_set_point(readings: Sequence[Reading]) -> SetPoint:
    """The colour temperature at which the grey patch is as red as it is blue, K.

    Args:
        readings: at two temperatures or more.

    Raises:
        Undetermined: too few, a control without effect, a temperature that no camera has, or a
            tint of green that it cannot mend.
    """
    usable = [one for one in readings if _usable(one) and one.white_balance_k is not None]
    kelvin = np.array([one.white_balance_k for one in usable], np.float64)
    if len(usable) < 2 or not np.ptp(kelvin) > 0.0:
        raise Undetermined(
            f"{len(usable)} usable pictures at {len(set(kelvin.tolist()))} temperatures; valid are"
            " two or more"
        )
    mired = 1e6 / kelvin
    grey = np.array([one.grey for one in usable])
    slope, level, misfit = _line(mired, np.log(grey[:, 0] / grey[:, 2]))
    if not abs(slope) * float(np.ptp(mired)) >= LEAST_EFFECT:
        raise Undetermined(
            "red against blue does not change with the white balance; is it locked to automatic?"
        )
    wanted = -level / slope
    value = 1e6 / wanted if wanted > 0.0 else math.inf
    if not (TEMPERATURES_K[0] <= value <= TEMPERATURES_K[1] and misfit <= MOST_MISFIT):
        raise Undetermined(
            f"the white balance would have to be {value:.0f} K ({misfit:.2f} off); valid is"
            f" {TEMPERATURES_K[0]:.0f} to {TEMPERATURES_K[1]:.0f} K: take lamps of one colour"
        )
    tint = float(np.mean(np.log(grey[:, 1] ** 2 / (grey[:, 0] * grey[:, 2])) / 2.0))
    if not abs(tint) <= MOST_TINT:
        raise Undetermined(
            f"the grey patch is {abs(tint):.0%} too {'green' if tint > 0 else 'purple'}; valid is"
            f" up to {MOST_TINT:.0%}, which no white balance mends: take other lamps"
        )
    return SetPoint(value, slope, misfit)


def _usable(reading: Reading) -> bool:
    """Whether the grey patch is neither dark nor clipped."""
    return min(reading.grey) >= USABLE[0] and max(reading.grey) <= USABLE[1]


def _brightest(readings: Sequence[Reading]) -> float:
    """The paper's brightest colour over the grey patch, where no paper is clipped."""
    whole = [one for one in readings if one.clipped == 0.0]
    if not whole:
        raise Undetermined(
            "the paper is clipped in every picture, so that nothing tells how bright it is: less"
            " light, or a shorter exposure to begin with"
        )
    return max(max(one.paper) / float(np.mean(one.grey)) for one in whole)


def _line(x: FloatArray, y: FloatArray) -> tuple[float, float, float]:
    """Slope, value at 0, and root mean square misfit of the best line."""
    slope, level = np.polyfit(x, y, 1) if len(set(x.tolist())) > 1 else (0.0, float(y.mean()))
    misfit = float(np.sqrt(np.mean((slope * x + level - y) ** 2)))
    return float(slope), float(level), misfit


def _inside(
    image: Image, to_picture: FloatArray, edges: tuple[float, float, float, float], spec: BoardSpec
) -> Image:
    """The pixels of a rectangle of the sheet, shape (n, 3); its rim is left out."""
    left, lower, right, upper = (edge * spec.square_m for edge in edges)
    in_x, in_y = SHRUNK * (right - left), SHRUNK * (upper - lower)
    corners = np.array(
        [
            (left + in_x, lower + in_y),
            (right - in_x, lower + in_y),
            (right - in_x, upper - in_y),
            (left + in_x, upper - in_y),
        ]
    )
    seen = np.column_stack([corners, np.ones(4)]) @ to_picture.T
    pixels = seen[:, :2] / seen[:, 2:]
    height, width = image.shape[:2]
    if not ((pixels >= 0.0) & (pixels <= (width - 1, height - 1))).all():
        raise Undetermined("the board's grey patch lies outside the picture")
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, np.rint(pixels).astype(np.int32), 1)
    found = image[mask > 0]
    if len(found) < LEAST_PATCH_PX:
        raise Undetermined(
            f"the grey patch has {len(found)} px; valid are at least {LEAST_PATCH_PX}: hold the"
            " board nearer"
        )
    return found


def _mean(pixels: Image) -> tuple[float, float, float]:
    red, green, blue = pixels.mean(axis=0).tolist()
    return red, green, blue
