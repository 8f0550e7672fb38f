"""Whether the valve's coloured end can be told from everything else in the camera's pictures.

Colours are compared in CIE L*a*b*, where equal steps look equally large, by how far they are from
the mark's own spread (Mahalanobis): shade on the mark is part of that spread. The check is made in
the camera's pictures and in those that the policy gets, where a pixel mixes what lies in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import Image
from calibration.camera import Lens
from calibration.camera_pose import CameraPose
from calibration.errors import Undetermined

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_PLACES: Final = 2
"""Of the valve: what lies behind the mark in one picture is seen in another."""
LEAST_PIXELS: Final = 6
"""Of the mark, in every picture."""
LEAST_MARGIN: Final = 1.5
"""How much farther from the mark's colour everything else is than the mark's own pixels are."""
MOST_CONFUSED: Final = 0.002
"""Share of all other pixels that look like the mark."""
SPREAD: Final = 3.0
"""Of each coordinate of a colour: no sensor does better (assumed)."""
OWN_SHARE: Final = 0.65
"""Of the pixels at the mark that must be its own: a finger may hide some."""
OWN_REACH: Final = 2.0
"""Largest distance at which a pixel is the mark's own, of the spread of `OWN_SHARE` of them."""
OTHER_SHARE: Final = 0.002
"""Of all others that may be stray."""
RIM_M: Final = 0.006
"""Around the mark, left out on both sides of its edge: poses and pixels are not that exact."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The coloured end: a rod with round ends, in the base's frame, at the valve's zero."""

    inner_m: tuple[float, float, float] = (0.0, 0.003, 0.1021)
    outer_m: tuple[float, float, float] = (0.0, 0.073, 0.1021)
    """Middles of its ends; the valve turns about the base's z axis."""
    radius_m: float = 0.021
    """All from the drawing of the hand's twin, sim/models/claw.xml."""
    free_from: float = 0.45
    """Share of the way from inner to outer end beyond which the valve never hides it."""


@dataclass(frozen=True, slots=True)
class MarkResult:
    """What was found, in one size of pictures."""

    size: tuple[int, int]
    """(width, height), px."""
    margin: float
    """See `LEAST_MARGIN`."""
    confused: float
    """See `MOST_CONFUSED`."""
    pixels: int
    """Of the mark, in the picture that shows least of it."""
    rgb: tuple[float, float, float]
    """The mark's mean colour, of 255."""


def check_mark(images: Sequence[Image], marks: Sequence[Mask], rims: Sequence[Mask]) -> MarkResult:
    """How well the mark stands out.

    Args:
        images: RGB, shape (height, width, 3), of different places of the valve.
        marks: where the mark is in each.
        rims: what is neither, around it.

    Raises:
        Undetermined: too few pictures, a mark that is hardly seen, or one that does not stand out.
    """
    if len(images) < LEAST_PLACES:
        raise Undetermined(f"{len(images)} places of the valve; valid are at least {LEAST_PLACES}")
    height, width = images[0].shape[:2]
    fewest = min(int(mark.sum()) for mark in marks)
    if fewest < LEAST_PIXELS:
        raise Undetermined(
            f"the mark has {fewest} px in a picture of {width} by {height}; valid are at least"
            f" {LEAST_PIXELS}: come nearer"
        )
    colours = [_lab(image) for image in images]
    own = np.concatenate([colour[mark] for colour, mark in zip(colours, marks, strict=True)])
    rest = np.concatenate(
        [colour[~(mark | rim)] for colour, mark, rim in zip(colours, marks, rims, strict=True)]
    )
    middle, spread = _spread_of(own)
    off = _distances(own, middle, spread)
    reach = OWN_REACH * float(np.quantile(off, OWN_SHARE))
    others = _distances(rest, middle, spread)
    margin = float(np.quantile(others, OTHER_SHARE)) / reach
    confused = float((others <= reach).mean())
    if not (margin >= LEAST_MARGIN and confused <= MOST_CONFUSED):
        raise Undetermined(
            f"in pictures of {width} by {height} px the valve's coloured end stands out by a factor"
            f" of {margin:.2f}, and {confused:.1%} of all else looks like it; valid are at least"
            f" {LEAST_MARGIN} and up to {MOST_CONFUSED:.1%}: another colour, other things out of"
            " sight, or another light"
        )
    every = np.concatenate([image[mark] for image, mark in zip(images, marks, strict=True)])
    red, green, blue = every.mean(axis=0).tolist()
    return MarkResult((width, height), margin, confused, fewest, (red, green, blue))


def mark_masks(mark: Mark, angle_rad: float, pose: CameraPose, lens: Lens) -> tuple[Mask, Mask]:
    """Where the mark is in the picture at a valve angle, and the rim around it."""
    start, end = np.array(mark.inner_m), np.array(mark.outer_m)
    free = start + mark.free_from * (end - start)
    inner = _hull((free, end), mark.radius_m - RIM_M, angle_rad, pose, lens)
    outer = _hull((start, end), mark.radius_m + RIM_M, angle_rad, pose, lens)
    return inner, outer & ~inner


def scaled(image: Image, mask: Mask, rim: Mask, size: tuple[int, int]) -> tuple[Image, Mask, Mask]:
    """A picture as a policy gets it, averaged by area, with its masks.

    A pixel is the mark's if at least nine tenths of it are; the rim's if a tenth is either.
    """
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    own, both = (
        np.asarray(cv2.resize(part.astype(np.float32), size, interpolation=cv2.INTER_AREA))
        for part in (mask, mask | rim)
    )
    whole = own >= 0.9
    return small, whole, (both >= 0.1) & ~whole


def _hull(
    ends: tuple[FloatArray, FloatArray],
    radius_m: float,
    angle_rad: float,
    pose: CameraPose,
    lens: Lens,
) -> Mask:
    """The outline of a rod with round ends, turned about the base's z axis, filled."""
    c, s = math.cos(angle_rad), math.sin(angle_rad)
    turned = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    number = np.arange(200)
    # Points spread evenly over a ball (Fibonacci's lattice).
    z = 1.0 - (2.0 * number + 1.0) / len(number)
    turn = number * math.pi * (3.0 - math.sqrt(5.0))
    flat = np.sqrt(1.0 - z**2)
    ball = radius_m * np.column_stack([flat * np.cos(turn), flat * np.sin(turn), z])
    points = np.concatenate([ball + turned @ end for end in ends])
    pixels = lens.project(pose.in_camera(points))
    width, height = lens.size
    mask = np.zeros((height, width), np.uint8)
    hull = cv2.convexHull(np.rint(pixels).astype(np.int32))
    cv2.fillConvexPoly(mask, np.asarray(hull, np.int32), 1)
    return mask > 0


def _lab(image: Image) -> FloatArray:
    """CIE L*a*b*, shape (height, width, 3)."""
    scaled_image = image.astype(np.float32) / np.float32(255.0)
    return np.asarray(cv2.cvtColor(scaled_image, cv2.COLOR_RGB2LAB), np.float64)


def _spread_of(own: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Middle and covariance of the mark's colour, whatever hides the rest of it."""
    middle = np.median(own, axis=0)
    count = math.ceil(OWN_SHARE * len(own))
    kept = own[np.argsort(np.linalg.norm(own - middle, axis=1))[:count]]
    return kept.mean(axis=0), np.cov(kept.T) + SPREAD**2 * np.eye(3)


def _distances(colours: FloatArray, middle: FloatArray, spread: FloatArray) -> FloatArray:
    """Mahalanobis', shape (n,)."""
    off = colours - middle
    return np.sqrt(np.sum(off * np.linalg.solve(spread, off.T).T, axis=1))
