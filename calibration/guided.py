"""Readings of a joint that a person guides: at rest, on a way, and which way that went."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from calibration.errors import Undetermined

FloatArray = NDArray[np.float64]

TURN: Final = 2.0 * math.pi
LEAST_READINGS: Final = 20
"""At each rest, and on the way between the stops."""
MOST_REST_RAD: Final = math.radians(0.2)
"""Standard deviation of the readings at a rest, and how far its halves may lie apart."""
MOST_STEP_RAD: Final = math.radians(60.0)
"""Between two readings of a guided motion; beyond a third of that from half a turn it is unsure."""
BACKWARD_SHARE: Final = 0.1
"""Of a guided motion that may go back, because hands do."""
LEAST_PUSH_RAD: Final = math.radians(5.0)
LEAST_PUSHES: Final = 2


def rest(readings: ArrayLike, where: str) -> tuple[float, float]:
    """Mean and standard deviation of readings at rest, rad; they may flicker over a wrap.

    Raises:
        Undetermined: too few, not finite, or not at rest; the message begins with `where`. The
            functions below say what is wrong in the same way.
    """
    values = _numbers(readings, where)
    relative = (values - values[0] + math.pi) % TURN - math.pi
    noise = float(relative.std())
    half = len(values) // 2
    drift = abs(float(relative[:half].mean() - relative[half:].mean()))
    if not max(noise, drift) <= MOST_REST_RAD:
        raise Undetermined(
            f"{where}: it moved by {degrees(max(noise, drift))} while it should rest; valid is up"
            f" to {degrees(MOST_REST_RAD)}"
        )
    return float(values[0] + relative.mean()), noise


def _numbers(readings: ArrayLike, where: str) -> FloatArray:
    values = np.asarray(readings, dtype=np.float64)
    if values.ndim != 1 or len(values) < LEAST_READINGS:
        raise Undetermined(
            f"{where}: {values.size} readings in an array of {values.ndim} dimensions; valid is one"
            f" dimension of at least {LEAST_READINGS}"
        )
    if not np.isfinite(values).all():
        raise Undetermined(f"{where}: readings must be finite")
    return values


def followed(readings: ArrayLike, where: str) -> FloatArray:
    """Readings of a guided motion without the encoder's jumps by whole turns."""
    values = _numbers(readings, where)
    steps = np.diff(values)
    short = (steps + math.pi) % TURN - math.pi
    longest = float(np.abs(short).max())
    if not longest <= MOST_STEP_RAD:
        raise Undetermined(
            f"{where}: two readings in a row are {degrees(longest)} apart, so it may have gone"
            " either way round; guide it slower"
        )
    return values[0] + np.concatenate(([0.0], np.cumsum(short)))


def continued(path: FloatArray, end: float) -> float:
    """The reading `end`, in the turn in which `path` ends."""
    step = (end - path[-1] + math.pi) % TURN - math.pi
    if not abs(step) <= MOST_STEP_RAD:
        raise Undetermined(
            f"the way to the upper stop ends {degrees(abs(step))} from it; guide it all the way"
        )
    return float(path[-1] + step)


def direction(path: FloatArray, travel: float, where: str) -> int:
    """Which way a guided motion went: the sign of `travel` (rad), which it must keep."""
    sign = 1 if travel > 0.0 else -1
    backward = float(np.maximum(0.0, np.maximum.accumulate(sign * path) - sign * path).max())
    if not abs(travel) >= LEAST_PUSH_RAD:
        raise Undetermined(
            f"{where}: it moved by {degrees(abs(travel))}; valid is at least"
            f" {degrees(LEAST_PUSH_RAD)}"
        )
    if not backward <= BACKWARD_SHARE * abs(travel):
        raise Undetermined(
            f"{where}: it went back by {degrees(backward)} on the way; guide it one way only"
        )
    return sign


def pushed(push: FloatArray, where: str) -> int:
    """The sign of the motor's motion in a push to greater joint angles."""
    path = followed(push, where)
    return direction(path, float(path[-1] - path[0]), where)


def check_pushes(pushes: tuple[FloatArray, ...], sign: int, other: str) -> None:
    """See that enough pushes all went the way of `sign`, which `other` showed."""
    if len(pushes) < LEAST_PUSHES:
        raise Undetermined(f"{len(pushes)} pushes; valid is at least {LEAST_PUSHES}")
    for number, push in enumerate(pushes, 1):
        if pushed(push, f"push {number}") != sign:
            raise Undetermined(
                f"push {number} turned the motor the other way than {other} did; one of them was"
                " guided the wrong way"
            )


def degrees(angle: float) -> str:
    """An angle (rad) for a message."""
    return f"{math.degrees(angle):.2f} degrees"
