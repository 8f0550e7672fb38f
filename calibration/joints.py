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
from dataclasses import dataclass
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
class DrawnJoint:
    """What the drawings and the encoder's kind say of it."""

    lower_rad: float
    """Joint angle on the lower stop."""
    upper_rad: float
    sign: int
    """+1 or -1: what the robot file and the twin expect."""
    power_on_rad: float | None
    """Where the single turn begins within which the encoder reads when power comes on: 0 for a
    Dynamixel, -pi for a moteus; None: it keeps count of its turns without power."""
    jig_rad: float | None = None
    """Joint angle that the jig holds; None: there is none, both stops make the zero."""

    def __post_init__(self) -> None:
        if not -math.inf < self.lower_rad < self.upper_rad < math.inf:
            raise ValueError(f"stops {self.lower_rad} to {self.upper_rad} rad are no range")
        if self.sign not in (-1, 1):
            raise ValueError(f"sign is {self.sign}; valid are 1 and -1")


@dataclass(frozen=True, slots=True)
class JointResult:
    """One joint, as measured: joint angle = sign * motor reading - zero_rad."""

    name: str
    sign: int
    zero_rad: float
    """The motor's reading after the sign at the joint's zero, in the turn in which power comes on;
    rad."""
    lower_rad: float
    """Measured stop, joint angle, rad."""
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


def contradicted_signs(results: dict[str, JointResult], drawn: dict[str, DrawnJoint]) -> list[str]:
    """Joints that turn the other way than the robot file and the twin expect."""
    return [name for name, result in results.items() if result.sign != drawn[name].sign]


def correction(result: JointResult, offset_rad: float) -> float:
    """What a calibration adds to the robot file's `offset_rad` (rad) for this joint."""
    return offset_rad - result.zero_rad


def _calibrate(guided: GuidedJoint, drawn: DrawnJoint) -> JointResult:
    low, low_noise = _rest(guided.lower, "lower stop")
    high, high_noise = _rest(guided.upper, "upper stop")
    path = _followed(np.concatenate(([low], guided.upward)), "way to the upper stop")
    travel = _continued(path, high) - low
    sign = _direction(path, travel, "way to the upper stop")
    _check_pushes(guided.pushes, sign)
    span, expected = abs(travel), drawn.upper_rad - drawn.lower_rad
    if not abs(span - expected) <= 2.0 * MOST_MISFIT_RAD:
        raise Undetermined(
            f"its stops are {_degrees(span)} apart, and {_degrees(expected)} in the drawing; did it"
            " reach both, and is it this joint?"
        )
    noise = max(low_noise, high_noise)
    if drawn.jig_rad is None:
        zero = sign * (low + travel / 2.0) - (drawn.lower_rad + drawn.upper_rad) / 2.0
    else:
        if guided.jig is None:
            raise Undetermined("the jig's readings are missing")
        held, jig_noise = _rest(guided.jig, "jig")
        noise = max(noise, jig_noise)
        zero = sign * _placed(held, low, travel) - drawn.jig_rad
    lower, upper = sign * low - zero, sign * (low + travel) - zero
    misfit = max(abs(lower - drawn.lower_rad), abs(upper - drawn.upper_rad))
    if not misfit <= MOST_MISFIT_RAD:
        raise Undetermined(
            f"its stops come out at {_degrees(lower)} and {_degrees(upper)}, and are drawn at"
            f" {_degrees(drawn.lower_rad)} and {_degrees(drawn.upper_rad)}; does the jig sit right,"
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


def _rest(readings: ArrayLike, where: str) -> tuple[float, float]:
    """Mean and standard deviation of readings at rest, rad; they may flicker over a wrap."""
    values = _numbers(readings, where)
    relative = (values - values[0] + math.pi) % TURN - math.pi
    noise = float(relative.std())
    half = len(values) // 2
    drift = abs(float(relative[:half].mean() - relative[half:].mean()))
    if not max(noise, drift) <= MOST_REST_RAD:
        raise Undetermined(
            f"{where}: it moved by {_degrees(max(noise, drift))} while it should rest; valid is up"
            f" to {_degrees(MOST_REST_RAD)}"
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


def _followed(readings: ArrayLike, where: str) -> FloatArray:
    """Readings of a guided motion without the encoder's jumps by whole turns."""
    values = _numbers(readings, where)
    steps = np.diff(values)
    short = (steps + math.pi) % TURN - math.pi
    longest = float(np.abs(short).max())
    if not longest <= MOST_STEP_RAD:
        raise Undetermined(
            f"{where}: two readings in a row are {_degrees(longest)} apart, so it may have gone"
            " either way round; guide it slower"
        )
    return values[0] + np.concatenate(([0.0], np.cumsum(short)))


def _continued(path: FloatArray, end: float) -> float:
    """The reading `end`, in the turn in which `path` ends."""
    step = (end - path[-1] + math.pi) % TURN - math.pi
    if not abs(step) <= MOST_STEP_RAD:
        raise Undetermined(
            f"the way to the upper stop ends {_degrees(abs(step))} from it; guide it all the way"
        )
    return float(path[-1] + step)


def _direction(path: FloatArray, travel: float, where: str) -> int:
    """Which way a guided motion went."""
    sign = 1 if travel > 0.0 else -1
    backward = float(np.maximum(0.0, np.maximum.accumulate(sign * path) - sign * path).max())
    if not abs(travel) >= LEAST_PUSH_RAD:
        raise Undetermined(
            f"{where}: it moved by {_degrees(abs(travel))}; valid is at least"
            f" {_degrees(LEAST_PUSH_RAD)}"
        )
    if not backward <= BACKWARD_SHARE * abs(travel):
        raise Undetermined(
            f"{where}: it went back by {_degrees(backward)} on the way; guide it one way only"
        )
    return sign


def _check_pushes(pushes: tuple[FloatArray, ...], sign: int) -> None:
    if len(pushes) < LEAST_PUSHES:
        raise Undetermined(f"{len(pushes)} pushes; valid is at least {LEAST_PUSHES}")
    for number, push in enumerate(pushes, 1):
        path = _followed(push, f"push {number}")
        if _direction(path, float(path[-1] - path[0]), f"push {number}") != sign:
            raise Undetermined(
                f"push {number} turned the motor the other way than the way to the upper stop did;"
                " one of them was guided the wrong way"
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
            f"it turns by {_degrees(span)}, more than one turn of its encoder; a single turn cannot"
            " tell where it stands"
        )
    turns = math.floor((least + span / 2.0 - power_on) / TURN)
    begin = least - turns * TURN - power_on
    if not (begin >= WRAP_MARGIN_RAD and begin + span <= TURN - WRAP_MARGIN_RAD):
        inside = -begin if begin < WRAP_MARGIN_RAD else TURN - begin
        raise Undetermined(
            f"its encoder wraps {_degrees(inside)} from an end of its range of {_degrees(span)}; it"
            " would tell another angle after power comes on. Turn its horn, or set the"
            " controller's zero, so that the wrap lies outside"
        )
    return turns


def _degrees(angle: float) -> str:
    return f"{math.degrees(angle):.2f} degrees"
