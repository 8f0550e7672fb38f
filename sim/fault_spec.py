"""What shall go wrong with a twin, as text and as values.

    servo:12=off@3.0,imu=stuck,bus=drop:0.05+flip:0.01

An item names who fails and how: `TARGET=FAULT[+FAULT...]`, items parted by commas. A target is
`servo` (all of them), `servo:ID`, `imu`, `camera`, `bus` (the servos' line) or `bus:PORT`; a bus
may end in `/to-device` or `/to-host` for one direction. A fault is
`KIND[:AMOUNT[:SECONDS]][@START[-END]]` with times in s of the twin's clock; numbers are plain
decimals, and faults of single messages also take `once` for their amount.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from itertools import combinations

from sim.wire import Direction


class FaultSpecError(ValueError):
    """A text that names no fault; the message says what would."""


class Kind(enum.Enum):
    """How something fails."""

    OFF = "off"
    """Silent; hears nothing either."""
    STUCK = "stuck"
    """Repeats its last reading."""
    GARBAGE = "garbage"
    """Says random bytes."""
    WRONG = "wrong"
    """Valid messages with wrong values; on a bus: with wrong ids."""
    SLOW = "slow"
    """Answers late."""
    DELAYED = "delayed"
    """Answers in time with old values; on a bus: with the reply to the request before."""
    INTERMITTENT = "intermittent"
    """Now there, now not."""
    REBOOT = "reboot"
    """Starts anew once, as after a cut of its supply."""
    DROP = "drop"
    FLIP = "flip"
    TRUNCATE = "truncate"
    SPLIT = "split"
    DUPLICATE = "duplicate"
    LATE = "late"
    WRONG_ID = "wrong-id"
    UNPLUG = "unplug"
    """The cable is pulled out; it is put back at the end of the fault."""
    BROWNOUT = "brownout"
    """The supply sags."""
    ENCODER = "encoder"
    """It tells the same position whatever it does."""
    HOT = "hot"
    """It tells such a temperature."""
    RANGE = "range"
    """It tells values at the end of its range."""


class Part(enum.Enum):
    """What can fail."""

    SERVO = "servo"
    IMU = "imu"
    CAMERA = "camera"
    BUS = "bus"


@dataclass(frozen=True)
class Target:
    """Who fails."""

    part: Part
    name: str | None = None
    """A servo's id or a port's name; None: every servo, or the servos' port."""
    direction: Direction | None = None
    """Of a bus; None: both."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    target: Target
    kind: Kind
    amount: float = 0.0
    """What `AMOUNTS` says of the kind."""
    seconds: float = 0.0
    """How late a late message is, or how long the gap in a split one, s."""
    start: float = 0.0
    end: float = math.inf
    """s of the twin's clock."""
    once: bool = False
    """Happens to the first message after `start`, one to the host if no direction is given."""


@dataclass(frozen=True)
class Amount:
    """What the number behind a kind means; `low` and `high` bound it, both ends included."""

    what: str
    default: float | None
    """None: it must be given."""
    low: float
    high: float


VALUE_FAULTS = (
    *(Kind.OFF, Kind.STUCK, Kind.GARBAGE, Kind.WRONG),
    *(Kind.SLOW, Kind.DELAYED, Kind.INTERMITTENT),
)
"""What any part can suffer."""
BYTE_FAULTS = (
    *(Kind.DROP, Kind.FLIP, Kind.TRUNCATE, Kind.SPLIT),
    *(Kind.DUPLICATE, Kind.LATE, Kind.WRONG_ID),
)
"""What happens to single messages of a bus, with a probability or once."""
KINDS: dict[Part, tuple[Kind, ...]] = {
    Part.SERVO: (*VALUE_FAULTS, Kind.REBOOT, Kind.ENCODER, Kind.HOT),
    Part.IMU: (*VALUE_FAULTS, Kind.REBOOT, Kind.RANGE),
    Part.CAMERA: VALUE_FAULTS,
    Part.BUS: (*VALUE_FAULTS, *BYTE_FAULTS, Kind.UNPLUG, Kind.BROWNOUT),
}
AMOUNTS: dict[Kind, Amount] = {
    Kind.WRONG: Amount("error, rad", 0.5, -math.pi, math.pi),
    Kind.SLOW: Amount("lateness, s", 0.05, 0.0, 10.0),
    Kind.DELAYED: Amount("age, s", 0.1, 0.0, 10.0),
    Kind.INTERMITTENT: Amount("share of the time it is away", 0.5, 0.0, 1.0),
    Kind.BROWNOUT: Amount("supply, V", 3.0, 0.0, 100.0),
    Kind.HOT: Amount("temperature, degrees C", 90.0, -20.0, 140.0),
} | {kind: Amount("probability for a message", None, 0.0, 1.0) for kind in BYTE_FAULTS}
"""The kinds that have a number; the others take none."""
SECONDS: dict[Kind, float] = {Kind.LATE: 0.02, Kind.SPLIT: 0.002}
"""The kinds that have a second number, and its default, s."""

_DIRECTIONS = {
    "to-device": Direction.TO_DEVICE,
    "to-host": Direction.TO_HOST,
}
_ONCE = "once"


def parse_faults(spec: str) -> tuple[Fault, ...]:
    """The faults that a text names; none for an empty text.

    Raises:
        FaultSpecError: the text is not of the form that this module describes.
    """
    faults: list[Fault] = []
    for item in filter(None, (part.strip() for part in spec.split(","))):
        who, equals, kinds = item.partition("=")
        if not equals or not kinds:
            raise FaultSpecError(f"{item!r}: a fault reads TARGET=KIND, such as servo:3=off@2.0")
        target = _target(who.strip())
        faults += [_fault(target, text.strip()) for text in kinds.split("+")]
    for first, second in combinations(faults, 2):
        if _clash(first, second):
            raise FaultSpecError(
                f"two faults {first.kind.value!r} of one {first.target.part.value} overlap in time"
            )
    return tuple(faults)


def _clash(first: Fault, second: Fault) -> bool:
    """True for two faults that would switch each other off."""
    same = (first.target, first.kind) == (second.target, second.kind)
    overlap = first.start < second.end and second.start < first.end
    return same and overlap and not (first.once or second.once)


def _target(text: str) -> Target:
    whole, slash, way = text.partition("/")
    word, colon, name = whole.partition(":")
    try:
        part = Part(word)
    except ValueError:
        valid = ", ".join(part.value for part in Part)
        raise FaultSpecError(f"{text!r} names no part; valid are {valid}") from None
    if slash and (part is not Part.BUS or way not in _DIRECTIONS):
        raise FaultSpecError(f"{text!r}: only a bus has directions, to-device and to-host")
    if colon and (not name or part in (Part.IMU, Part.CAMERA)):
        raise FaultSpecError(f"{text!r}: valid are servo:ID and bus:PORT")
    if part is Part.SERVO and colon and not name.isdecimal():
        raise FaultSpecError(f"{text!r}: a servo is named by its number, such as servo:3")
    return Target(part, name or None, _DIRECTIONS.get(way))


def _fault(target: Target, text: str) -> Fault:
    what, at, when = text.partition("@")
    word, *numbers = what.split(":")
    possible = KINDS[target.part]
    kind = next((kind for kind in possible if kind.value == word), None)
    if kind is None:
        valid = ", ".join(kind.value for kind in possible)
        raise FaultSpecError(f"{text!r}: a {target.part.value} can be {valid}")
    if target.direction is not None and kind not in BYTE_FAULTS:
        valid = ", ".join(kind.value for kind in BYTE_FAULTS)
        raise FaultSpecError(f"{text!r}: only {valid} can befall one direction")
    start, end = _window(text, when) if at else (0.0, math.inf)
    once = numbers[:1] == [_ONCE] and kind in BYTE_FAULTS
    amount = 1.0 if once else _amount(kind, text, numbers)
    seconds = _seconds(kind, text, numbers)
    return Fault(target, kind, amount, seconds, start, end, once)


def _amount(kind: Kind, text: str, numbers: list[str]) -> float:
    meaning = AMOUNTS.get(kind)
    if meaning is None:
        if numbers:
            raise FaultSpecError(f"{text!r}: {kind.value} takes no number")
        return 0.0
    if not numbers:
        if meaning.default is None:
            raise FaultSpecError(
                f"{text!r}: {kind.value} needs its {meaning.what}, or {_ONCE}, "
                f"such as {kind.value}:0.05"
            )
        return meaning.default
    return _number(text, numbers[0], meaning.what, meaning.low, meaning.high)


def _seconds(kind: Kind, text: str, numbers: list[str]) -> float:
    default = SECONDS.get(kind)
    if len(numbers) > (1 if default is None else 2):
        raise FaultSpecError(f"{text!r}: too many numbers for {kind.value}")
    if default is None or len(numbers) < 2:
        return default or 0.0
    return _number(text, numbers[1], "time, s", 0.0, 10.0)


def _window(text: str, when: str) -> tuple[float, float]:
    begin, dash, finish = when.partition("-")
    start = _number(text, begin, "start, s", 0.0, math.inf)
    end = _number(text, finish, "end, s", 0.0, math.inf) if dash else math.inf
    if end <= start:
        raise FaultSpecError(f"{text!r}: the end must lie after the start")
    return start, end


def _number(text: str, digits: str, what: str, low: float, high: float) -> float:
    try:
        value = float(digits)
    except ValueError:
        raise FaultSpecError(f"{text!r}: {digits!r} is no number for the {what}") from None
    if not low <= value <= high:
        raise FaultSpecError(f"{text!r}: the {what} must be {low:g} to {high:g}")
    return value
