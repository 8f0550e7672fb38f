"""What a person with a calibration board is asked to do, as deeds; beside `robosac.deeds`.

`robosac.camera_guiding` writes the lines, and `calibration.gathering` those of progress.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from calibration.coverage import COLUMNS, ROWS, TILTS, place_name
from robosac.camera_guiding import VALVE_PLACES
from robosac.deeds import Makers, made_of
from robosac.errors import RobotError


@dataclass(frozen=True)
class Face:
    """Hold all of the board before the camera."""


@dataclass(frozen=True)
class Show:
    """Hold the board still, tilted."""

    part: tuple[int, int] | None
    """Row and column of the picture's parts; None: anywhere."""
    tilt: int | None
    """One of `TILTS`; None: any."""


@dataclass(frozen=True)
class Put:
    """Put the board into its place, which the fixture tells."""


@dataclass(frozen=True)
class Lay:
    """Lay the board flat on the floor."""

    number: int
    """0: on its crosses."""


@dataclass(frozen=True)
class TakeAway:
    """Take the board out of the picture."""


@dataclass(frozen=True)
class TurnMark:
    """Turn the valve's coloured end."""

    angle_rad: float


BoardDeed = Face | Show | Put | Lay | TakeAway | TurnMark

_PARTS: Final = {place_name(row, column): (row, column) for row in range(ROWS)
                 for column in range(COLUMNS)}  # fmt: skip
_ANGLES: Final = dict(VALVE_PLACES)


def _lay(found: Mapping[str, str]) -> BoardDeed:
    return Lay(int(found["number"]) - 1)


def _turn(found: Mapping[str, str]) -> BoardDeed:
    where = found["where"]
    if where not in _ANGLES:
        raise RobotError(f"nobody's hands know where that is: {where}")
    return TurnMark(_ANGLES[where])


_LINES: Final[Makers[BoardDeed]] = (
    (r"Lay the board where the robot works, .* its grey patch in the picture", lambda _: Face()),
    (r"Hold the board before the camera, and press Enter", lambda _: Face()),
    (r"Put the board into its place, nothing before it", lambda _: Put()),
    (r"Lay the board flat on the floor, .* \((?P<number>\d+) of \d+;", _lay),
    (r"Take the board away, and the fingers", lambda _: TakeAway()),
    (r"Turn the valve's coloured end (?P<where>.+), hands off", _turn),
)


def board_deed_of(line: str) -> BoardDeed:
    """What `line` asks for.

    Raises:
        RobotError: it asks for nothing that is known here.
    """
    return made_of(line, _LINES)


def wanted_view(line: str) -> Show | None:
    """Which view a line of progress asks for; None: none, for the lens is known."""
    told = line.partition("; show ")[2]
    if not told:
        return None
    part = next((at for name, at in _PARTS.items() if f"the board at the {name} of" in told), None)
    tilt = next((number for number, name in enumerate(TILTS) if f"its {name}" in told), None)
    return Show(part, tilt)
