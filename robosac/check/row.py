"""One row of the check: what was found, what would be valid, and what to do about it."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import msgspec


class Level(enum.Enum):
    """How a row stands."""

    TWIN = "twin"
    """It has no meaning on a twin, and was not judged."""
    GREEN = "green"
    AMBER = "amber"
    """It works, but somebody should know; arming goes on."""
    RED = "red"
    """Arming is refused."""


_RANK = {level: rank for rank, level in enumerate(Level)}


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and how it stands."""

    name: str
    level: Level
    found: str
    valid: str
    """What would be valid, in words."""
    remedy: str = ""
    """What to do; empty where nothing is to be done."""

    def __str__(self) -> str:
        """In one line, as a refusal says it."""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.name}: {self.found}; valid is {self.valid}{remedy}"


def judged(name: str, level: Level, found: str, valid: str, remedy: str) -> Row:
    """A row whose remedy is told only where there is something to mend."""
    mend = level in (Level.AMBER, Level.RED)
    return Row(name=name, level=level, found=found, valid=valid, remedy=remedy if mend else "")


def on_a_twin(name: str, found: str, valid: str) -> Row:
    """A row that has no meaning on a twin."""
    return Row(name=name, level=Level.TWIN, found=found, valid=valid)


def worst(rows: Iterable[Row]) -> Level:
    """The level of all rows together: a twin's own rows do no harm."""
    return max((row.level for row in rows), key=_RANK.__getitem__, default=Level.GREEN)


def reds(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows that refuse arming, in order."""
    return tuple(row for row in rows if row.level is Level.RED)
