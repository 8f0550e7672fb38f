"""What a person is asked to do in a calibration, as deeds: for hands that read the console's lines.

`robosac.guiding` writes the lines; whoever scripts a person goes by the same text that a person
does, so that a line which does not say enough is noticed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from robosac.errors import RobotError

T = TypeVar("T")
Makers = tuple[tuple[str, Callable[[Mapping[str, str]], T]], ...]
"""Patterns of lines, and what makes a deed of the parts that a pattern names."""


@dataclass(frozen=True)
class Rest:
    """Bring a joint to an angle (rad), and hold it still."""

    joint: str
    angle_rad: float


@dataclass(frozen=True)
class Guide:
    """Guide a joint to an angle (rad) within so many seconds from now."""

    joint: str
    angle_rad: float
    seconds: float


@dataclass(frozen=True)
class Push:
    """Push a joint from somewhere in its middle by an angle (rad), within so many seconds."""

    joint: str
    by_rad: float
    seconds: float


@dataclass(frozen=True)
class Hold:
    """Hold the body still in an attitude of `robosac.guiding.ATTITUDES`."""

    attitude: str


@dataclass(frozen=True)
class Turn:
    """Turn a level body as one of `robosac.guiding.TURNS` says, within so many seconds."""

    how: str
    seconds: float


Deed = Rest | Guide | Push | Hold | Turn


def _rest(found: Mapping[str, str]) -> Deed:
    return Rest(found["joint"], _radians(found["angle"]))


def _guide(found: Mapping[str, str]) -> Deed:
    return Guide(found["joint"], _radians(found["angle"]), float(found["seconds"]))


def _push(found: Mapping[str, str]) -> Deed:
    return Push(found["joint"], _radians(found["angle"]), float(found["seconds"]))


def _hold(found: Mapping[str, str]) -> Deed:
    return Hold(found["what"])


def _turn(found: Mapping[str, str]) -> Deed:
    return Turn(found["what"], float(found["seconds"]))


_ANGLE, _SECONDS = r"(?P<angle>-?[\d.]+) degrees", r"within (?P<seconds>[\d.]+) s"
_LINES: Final[Makers[Deed]] = (
    (rf"Rest (?P<joint>\w+) (?:on its \w+ stop|in the jig), at {_ANGLE}", _rest),
    (rf"then guide (?P<joint>\w+) to its upper stop, at {_ANGLE}.* {_SECONDS}", _guide),
    (rf"Let (?P<joint>\w+) be .* push it some {_ANGLE} to greater angles,.* {_SECONDS}", _push),
    (r"Hold the body (?P<what>[^.]+), against something square", _hold),
    (rf"Hold the body level\. Press Enter, then (?P<what>.+), one way, {_SECONDS}", _turn),
)


def deed_of(line: str) -> Deed:
    """What `line` asks for.

    Raises:
        RobotError: it asks for nothing that is known here.
    """
    return made_of(line, _LINES)


def made_of(line: str, makers: Makers[T]) -> T:
    """What the first pattern that `line` matches makes of it.

    Raises:
        RobotError: it matches none.
    """
    for pattern, make in makers:
        found = re.search(pattern, line)
        if found is not None:
            return make(found.groupdict())
    raise RobotError(f"nobody's hands know what to do when asked: {line}")


def _radians(degrees: str) -> float:
    return math.radians(float(degrees))
