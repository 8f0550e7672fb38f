"""How late pictures are: a joint is moved, and its camera sees it move.

No mark and no lens is needed. Where the joint is shows in the pictures' principal components, from
which a linear fit tells its angle; the angle that the joint itself told is known at all times. The
fit is best where the pictures are moved in time by as much as their stamps are wrong: a
cross-correlation with the fit's own best mixture of pixels. A picture every 33 ms tells that to
less than 1 ms because the joint moves on between any two, and there are hundreds.

Whatever the joint's own readings come late by is taken for a picture that is early: only the
difference of the two shows, which is also what a policy sees of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.errors import Undetermined
from calibration.latency import round_trips
from calibration.record import Delay

FloatArray = NDArray[np.float64]
Image = NDArray[np.uint8]

LEAST_PICTURES: Final = 100
COMPONENTS: Final = 40
"""Of the pictures, from which the angle is told, but at most one for ten pictures."""
EARLIEST_S, LATEST_S = -0.05, 0.3
"""Bounds of how much later a stamp may be than its exposure."""
GRID_S: Final = 0.002
MOST_MISFIT: Final = 0.25
"""Root mean square of the angle's error, as a share of the motion's own."""
MOST_UNCERTAIN_S: Final = 0.0005
LEAST_IN_STEP: Final = 0.4
"""1: exactly; pictures that come up to a third of a period early or late at random: 0.41."""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """A row of pictures of a joint that moves."""

    arrived_s: FloatArray
    """When each could be used, shape (n,), increasing."""
    stamped_s: FloatArray
    """When each is said to have been exposed, shape (n,), increasing."""
    features: FloatArray
    """What each shows, shape (n, k); see `components`."""
    host_stamped: bool = False
    """The stamps are times of arrival, for want of better ones; then exposures must be evenly
    spaced."""


@dataclass(frozen=True, slots=True, eq=False)
class JointMotion:
    """What the joint told of itself."""

    time_s: FloatArray
    """Shape (m,), increasing."""
    position_rad: FloatArray
    """Shape (m,)."""


@dataclass(frozen=True, slots=True, eq=False)
class CameraLatency:
    """From exposure to the picture that can be used."""

    delay: Delay
    each_s: FloatArray
    """Of every picture, s, shape (n,)."""
    stamp_s: float
    """How much later the stamps are than the exposures; add it to the camera's `latency_s`."""
    uncertain_s: float
    """Standard error of `stamp_s` and of the mean."""
    misfit: float
    """Root mean square of the angle's error, as a share of the motion's own."""


def shrunk(image: Image, side_px: int) -> Image:
    """A picture averaged down by area, so that its longer side is at most `side_px`; a copy.

    What moves must stay larger than a pixel.

    Args:
        image: shape (height, width, 3) or (height, width).
        side_px: at least 1.
    """
    height, width = image.shape[:2]
    scale = side_px / max(height, width)
    if scale >= 1.0:
        return image.copy()
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def components(images: Sequence[Image]) -> FloatArray:
    """What changes from picture to picture, shape (n, `COMPONENTS`): principal components, at most.

    Args:
        images: small ones (see `shrunk`), shape (height, width, 3) or (height, width), all alike.

    Raises:
        Undetermined: too few, or of several shapes.
    """
    if len(images) < LEAST_PICTURES:
        raise Undetermined(f"{len(images)} pictures; valid are at least {LEAST_PICTURES}")
    if len({image.shape for image in images}) != 1:
        raise Undetermined("the pictures are of several sizes")
    rows = np.stack(images).reshape(len(images), -1).astype(np.float64)
    rows -= rows.mean(axis=0)
    # Of few pictures with many pixels, the smaller of the two products.
    values, vectors = np.linalg.eigh(rows @ rows.T)
    order = np.argsort(values)[::-1][: min(COMPONENTS, len(images) // 10)]
    return vectors[:, order] * np.sqrt(np.maximum(values[order], 0.0))


def known(stamped_s: FloatArray, motion: JointMotion) -> NDArray[np.bool_]:
    """Of which stamps, shape (n,), the joint is known whatever their lateness is, shape (n,)."""
    earliest, latest = stamped_s - LATEST_S, stamped_s - EARLIEST_S
    return (earliest >= motion.time_s[0]) & (latest <= motion.time_s[-1])


def camera_latency(pictures: Pictures, motion: JointMotion) -> CameraLatency:
    """How long after its exposure each picture can be used.

    Raises:
        Undetermined: too few pictures, times that do not increase, a joint that hardly moved or
            that the pictures do not show, or a time that they leave open.
    """
    _check(pictures, motion)
    shown = _Shown(pictures, motion)
    grid = np.arange(EARLIEST_S, LATEST_S + GRID_S / 2.0, GRID_S)
    rough = np.array([shown.misfit(late) for late in grid])
    best = int(np.argmin(rough))
    if not rough[best] <= MOST_MISFIT:
        raise Undetermined(
            f"the pictures tell the joint's angle to {rough[best]:.0%} of its motion; valid is up"
            f" to {MOST_MISFIT:.0%}: does the camera see it, and does nothing else move?"
        )
    if best in (0, len(grid) - 1):
        raise Undetermined(
            f"the pictures fit best at a bound, {1e3 * grid[best]:.0f} ms; valid is a stamp"
            f" {1e3 * EARLIEST_S:.0f} to {1e3 * LATEST_S:.0f} ms after its exposure"
        )
    late = shown.refined(float(grid[best]))
    uncertain_s = shown.uncertain(late)
    if not uncertain_s <= MOST_UNCERTAIN_S:
        raise Undetermined(
            f"the pictures' time is known to {1e3 * uncertain_s:.2f} ms; valid is up to"
            f" {1e3 * MOST_UNCERTAIN_S:.1f}: move the joint faster, farther, or longer"
        )
    each = pictures.arrived_s - pictures.stamped_s + late
    if pictures.host_stamped:
        each = each.mean() + irregular(pictures.arrived_s)
    # Noise alone may make a quick picture seem to come before its exposure.
    found = np.maximum(each, 0.0)
    if not float(each.mean()) >= -MOST_UNCERTAIN_S:
        raise Undetermined(
            f"pictures came {-1e3 * float(each.mean()):.1f} ms before their exposure; is the"
            " joint's own reading late?"
        )
    return CameraLatency(round_trips(found), found, late, uncertain_s, shown.misfit(late))


def irregular(arrived_s: FloatArray) -> FloatArray:
    """How much later than on the average each picture came, s.

    The exposures are taken to be evenly spaced, and some of their pictures to be lost: the row is
    the one of which the arrivals are most in step (a periodogram).

    Raises:
        Undetermined: the pictures come too irregularly to belong to a row.
    """
    since = arrived_s - arrived_s[0]
    usual = float(np.median(np.diff(arrived_s)))
    # So fine that over the whole row the arrivals drift by an eighth of a turn.
    rates = np.arange(0.9 / usual, 1.35 / usual, 0.125 / float(since[-1]))
    turns = np.exp(2j * math.pi * np.outer(rates, since)).mean(axis=1)
    best = int(np.argmax(np.abs(turns)))
    in_step = float(np.abs(turns[best]))
    if not in_step >= LEAST_IN_STEP:
        raise Undetermined(
            f"the pictures come in step to {in_step:.2f}, and without stamps nothing else tells"
            f" when each was due; valid is at least {LEAST_IN_STEP}: is the rate fixed"
            " (dynamic_framerate false)?"
        )
    number = np.rint(since * rates[best] - float(np.angle(turns[best])) / (2.0 * math.pi))
    late = since - np.polyval(np.polyfit(number, since, 1), number)
    return late - late.mean()


class _Shown:
    """Pictures of a motion, and how well they show it at a given lateness of their stamps."""

    def __init__(self, pictures: Pictures, motion: JointMotion) -> None:
        self._stamped, self._motion = pictures.stamped_s, motion
        wide = np.column_stack([np.ones(len(pictures.features)), pictures.features])
        self._basis, _ = np.linalg.qr(wide / np.linalg.norm(wide, axis=0).clip(1e-12))
        self._speed = np.gradient(motion.position_rad, motion.time_s)

    def _angle(self, late_s: float) -> FloatArray:
        motion = self._motion
        return np.interp(self._stamped - late_s, motion.time_s, motion.position_rad)

    def _residual(self, values: FloatArray) -> FloatArray:
        return values - self._basis @ (self._basis.T @ values)

    def misfit(self, late_s: float) -> float:
        """Root mean square of the angle's error, as a share of the motion's own."""
        angle = self._angle(late_s)
        own = float(np.linalg.norm(angle - angle.mean()))
        return float(np.linalg.norm(self._residual(angle))) / own if own > 0.0 else math.inf

    def refined(self, near_s: float) -> float:
        """The lateness of least misfit near `near_s`: ever finer parabolas."""
        for width in (GRID_S, GRID_S, GRID_S / 4.0):
            low, middle, high = (self.misfit(near_s + part) ** 2 for part in (-width, 0.0, width))
            bend = low - 2.0 * middle + high
            if not bend > 0.0:
                break
            near_s += float(np.clip(0.5 * (low - high) / bend, -1.0, 1.0)) * width
        return near_s

    def uncertain(self, late_s: float) -> float:
        """Standard error of the lateness `late_s`, s."""
        angle, motion = self._angle(late_s), self._motion
        speed = np.interp(self._stamped - late_s, motion.time_s, self._speed)
        # What of the speed a change of the fit could make up for tells no time.
        telling = float(np.linalg.norm(self._residual(speed)))
        free = max(1, len(angle) - self._basis.shape[1] - 1)
        deviation = float(np.linalg.norm(self._residual(angle))) / math.sqrt(free)
        return deviation / telling if telling > 0.0 else math.inf


def _check(pictures: Pictures, motion: JointMotion) -> None:
    count = len(pictures.stamped_s)
    if count < LEAST_PICTURES:
        raise Undetermined(f"{count} pictures; valid are at least {LEAST_PICTURES}")
    shapes = pictures.arrived_s.shape, pictures.stamped_s.shape, pictures.features.shape[:1]
    if set(shapes) != {(count,)} or motion.time_s.shape != motion.position_rad.shape:
        raise Undetermined(f"pictures and motion are of shapes {shapes}; valid are equal counts")
    for what, values in (("arrivals", pictures.arrived_s), ("stamps", pictures.stamped_s),
                         ("readings", motion.time_s)):  # fmt: skip
        if not (np.isfinite(values).all() and (np.diff(values) > 0.0).all()):
            raise Undetermined(f"the times of {what} do not increase")
    if not (np.isfinite(pictures.features).all() and np.isfinite(motion.position_rad).all()):
        raise Undetermined("not every number is finite")
    if not known(pictures.stamped_s, motion).all():
        begin, end = pictures.stamped_s[0] - LATEST_S, pictures.stamped_s[-1] - EARLIEST_S
        raise Undetermined(
            f"the joint is known from {motion.time_s[0]:.2f} to {motion.time_s[-1]:.2f} s; valid is"
            f" all of {begin:.2f} to {end:.2f}: drop the first and last pictures"
        )
