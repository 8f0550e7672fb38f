"""Sign, zero and range of a joint, from readings while a person guides it; no power, no motion of
ours.

The person rests the joint on its lower stop, guides it to the upper one, and rests it there; then
pushes it a few times the way that is positive, as the twin's picture shows. Where there is a jig
that holds the joint at a known angle, it rests in that too. From this follow:

- **sign**: which way the motor's reading went on the way up; every push must agree.
- **zero**: what the jig says, or the mean of both stops against the drawing's.
- **range**: both stops, which must lie as far apart as the drawing's.

An encoder that wraps within the motion is followed, as long as readings come close enough to each
other. Two traps remain that no following cures, and both are refused: a single-turn encoder whose
wrap lies inside the joint's range tells another angle after power comes on, depending on where the
joint then stands; and readings too far apart could have gone either way round.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calibration.errors import Undetermined
from calibration.guided import (
    LEAST_PUSHES,
    TURN,
    check_pushes,
    continued,
    degrees,
    direction,
    followed,
    pushed,
    rest,
)

FloatArray = NDArray[np.float64]

MOST_MISFIT_RAD: Final = math.radians(2.0)
"""How far measured stops may lie from the drawing's, once the zero is known."""
WRAP_MARGIN_RAD: Final = math.radians(2.0)
"""The wrap must lie so far outside the range: a joint that leans on its stop gives way."""


@dataclass(frozen=True, slots=True)
class GuidedJoint:
    """Readings of one joint's motor, rad, as its driver tells them; shape (n,) each."""

    name: str
    lower: FloatArray
    """At rest on the stop where the joint's angle is least."""
    upward: FloatArray
    """On the way from there to the other stop."""
    upper: FloatArray
    """At rest on that."""
    pushes: tuple[FloatArray, ...]
    """Each a guided motion to greater joint angles, from anywhere."""
    jig: FloatArray | None = None
    """At rest in the jig."""


@dataclass(frozen=True, slots=True)
class EndlessJoint:
    """Readings of a joint without stops, such as a valve, rad; shape (n,) each."""

    name: str
    jig: FloatArray
    """At rest in the jig."""
    pushes: tuple[FloatArray, ...]
    """Each a guided motion to greater joint angles."""


@dataclass(frozen=True, slots=True)
class DrawnJoint:
    """What the drawings and the encoder's kind say of it."""

    lower_rad: float
    """Joint angle on the lower stop."""
    upper_rad: float
    power_on_rad: float | None
    """Where the single turn begins within which the encoder reads when power comes on: 0 for a
    Dynamixel, -pi for a moteus; None: it keeps count of its turns without power."""
    jig_rad: float | None = None
    """Joint angle that the jig holds; None: there is none, both stops make the zero."""

    def __post_init__(self) -> None:
        if not -math.inf < self.lower_rad < self.upper_rad < math.inf:
            raise ValueError(f"stops {self.lower_rad} to {self.upper_rad} rad are no range")


@dataclass(frozen=True, slots=True)
class JointResult:
    """One joint, as measured: joint angle = sign * motor reading - zero_rad."""

    name: str
    sign: int
    zero_rad: float
    """The motor's reading after the sign at the joint's zero, in the turn in which power comes on;
    rad."""
    lower_rad: float
    """Measured stop, joint angle, rad; infinite, as the next, for a joint without stops."""
    upper_rad: float
    misfit_rad: float
    """The larger distance of a measured stop to its drawing's; half the error of the span where the
    stops make the zero."""
    noise_rad: float
    """Largest standard deviation at a rest."""
    turns: int
    """Whole turns that the encoder had counted since power came on; they are taken out."""
    readings: int


def calibrate_joint(guided: GuidedJoint, drawn: DrawnJoint) -> JointResult:
    """Sign, zero and range of one joint.

    Raises:
        Undetermined: the readings do not tell; in one line that names the joint.
    """
    try:
        return _calibrate(guided, drawn)
    except Undetermined as error:
        raise Undetermined(f"joint {guided.name}: {error}") from error


def calibrate_endless(guided: EndlessJoint, jig_rad: float, power_on_rad: float) -> JointResult:
    """Sign and zero of a joint that turns without end.

    Its angle is known but for whole turns, which it counts anew once power comes on.

    Args:
        guided: the readings.
        jig_rad: joint angle that the jig holds.
        power_on_rad: as in `DrawnJoint`.

    Raises:
        Undetermined: the readings do not tell; in one line that names the joint.
    """
    try:
        held, noise = rest(guided.jig, "jig")
        if not guided.pushes:
            raise Undetermined(f"0 pushes; valid is at least {LEAST_PUSHES}")
        sign = pushed(guided.pushes[0], "push 1")
        check_pushes(guided.pushes, sign, "push 1")
    except Undetermined as error:
        raise Undetermined(f"joint {guided.name}: {error}") from error
    turns = math.floor((held - power_on_rad) / TURN)
    readings = sum(len(part) for part in (guided.jig, *guided.pushes))
    zero = sign * (held - turns * TURN) - jig_rad
    return JointResult(guided.name, sign, zero, -math.inf, math.inf, 0.0, noise, turns, readings)


def contradicted_signs(
    results: Mapping[str, JointResult], expected: Mapping[str, int]
) -> list[str]:
    """Joints that turn the other way than `expected`: the robot file's directions, the twin's."""
    return [name for name, result in results.items() if result.sign != expected[name]]


def correction(result: JointResult, offset_rad: float) -> float:
    """What a calibration adds to the robot file's `offset_rad` (rad) for this joint."""
    return offset_rad - result.zero_rad


def _calibrate(guided: GuidedJoint, drawn: DrawnJoint) -> JointResult:
    low, low_noise = rest(guided.lower, "lower stop")
    high, high_noise = rest(guided.upper, "upper stop")
    path = followed(np.concatenate(([low], guided.upward)), "way to the upper stop")
    travel = continued(path, high) - low
    sign = direction(path, travel, "way to the upper stop")
    check_pushes(guided.pushes, sign, "the way to the upper stop")
    span, expected = abs(travel), drawn.upper_rad - drawn.lower_rad
    if not abs(span - expected) <= 2.0 * MOST_MISFIT_RAD:
        raise Undetermined(
            f"its stops are {degrees(span)} apart, and {degrees(expected)} in the drawing; did it"
            " reach both, and is it this joint?"
        )
    noise = max(low_noise, high_noise)
    if drawn.jig_rad is None:
        zero = sign * (low + travel / 2.0) - (drawn.lower_rad + drawn.upper_rad) / 2.0
    else:
        if guided.jig is None:
            raise Undetermined("the jig's readings are missing")
        held, jig_noise = rest(guided.jig, "jig")
        noise = max(noise, jig_noise)
        zero = sign * _placed(held, low, travel) - drawn.jig_rad
    lower, upper = sign * low - zero, sign * (low + travel) - zero
    misfit = max(abs(lower - drawn.lower_rad), abs(upper - drawn.upper_rad))
    if not misfit <= MOST_MISFIT_RAD:
        raise Undetermined(
            f"its stops come out at {degrees(lower)} and {degrees(upper)}, and are drawn at"
            f" {degrees(drawn.lower_rad)} and {degrees(drawn.upper_rad)}; does the jig sit right,"
            " and was it guided from the lower to the upper stop?"
        )
    turns = _turns(min(low, low + travel), span, drawn.power_on_rad)
    jig = () if guided.jig is None else guided.jig
    counted = (guided.lower, guided.upward, guided.upper, jig, *guided.pushes)
    return JointResult(
        guided.name,
        sign,
        zero - sign * turns * TURN,
        lower,
        upper,
        misfit,
        noise,
        turns,
        sum(len(part) for part in counted),
    )


def _placed(held: float, low: float, travel: float) -> float:
    """The jig's reading in the turn that lies between the stops."""
    middle = low + travel / 2.0
    return middle + (held - middle + math.pi) % TURN - math.pi


def _turns(least: float, span: float, power_on: float | None) -> int:
    """Whole turns from where the range is read now to where it is read once power came on.

    `least` is the least reading within the range, rad.
    """
    if power_on is None:
        return 0
    if not span + 2.0 * WRAP_MARGIN_RAD <= TURN:
        raise Undetermined(
            f"it turns by {degrees(span)}, more than one turn of its encoder; a single turn cannot"
            " tell where it stands"
        )
    turns = math.floor((least + span / 2.0 - power_on) / TURN)
    begin = least - turns * TURN - power_on
    if not (begin >= WRAP_MARGIN_RAD and begin + span <= TURN - WRAP_MARGIN_RAD):
        inside = -begin if begin < WRAP_MARGIN_RAD else TURN - begin
        raise Undetermined(
            f"its encoder wraps {degrees(inside)} from an end of its range of {degrees(span)}; it"
            " would tell another angle after power comes on. Turn its horn, or set the"
            " controller's zero, so that the wrap lies outside"
        )
    return turns
