"""How a recording's columns look as JSON messages on channels, and back.

Enumerations go by name and numbers that JSON does not have as strings; what does not apply is null.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from robosac.flight.log import SPECIAL, plain
from robosac.flight.rows import DRIVES, REACTIONS, STATES, Kind, Rows
from robosac.reasons import Reason

CHANNELS: Final = (
    "timing",
    "safety",
    "joints",
    "imu",
    "tracker",
    "command",
    "recovery",
    "limiter",
    "monitor",
)
OPTIONAL: Final = {
    "imu": "imu.present",
    "tracker": "tracker.present",
    "recovery": "recovery.present",
}
"""Channels that have a message only where a column says so."""
SHOWN_IF: Final = {
    "command.free": "command.freeing",
    "command.requested": "command.requested_kind",
    "command.target": "command.target_kind",
    "limiter.velocity": "limiter.decided",
    "limiter.codes": "limiter.decided",
    "limiter.reasons": "limiter.decided",
}
"""Columns that hold something only where another is 1."""
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    "safety.before": tuple(state.value for state in STATES),
    "safety.after": tuple(state.value for state in STATES),
    "command.drive": tuple(drive.value for drive in DRIVES),
    "command.requested_kind": tuple(kind.name.lower() for kind in Kind),
    "command.target_kind": tuple(kind.name.lower() for kind in Kind),
    "monitor.reaction": tuple(reaction.name.lower() for reaction in REACTIONS),
}
_HUGE: Final = 2**53
"""Whole numbers from here on are not all floats."""
_REASONS: Final = ("safety.reasons", "monitor.reasons", "limiter.codes", "limiter.reasons")
_BITS: Final = {str(reason.name).lower(): reason.value for reason in Reason}
_UNITS: Final = {
    "time": "s, monotonic",
    "dt": "s since the last command",
    "lateness": "s the tick began too late",
    "ended": "s, monotonic, end of the exchange",
    "sampled": "s, monotonic",
    "heard": "s, monotonic, when each joint last answered",
    "position": "rad",
    "requested": "rad",
    "target": "rad",
    "velocity": "rad/s",
    "torque": "N m",
    "max_torque": "N m",
    "temperature": "degrees C",
    "voltage": "V",
    "power": "W",
    "orientation": "quaternion w, x, y, z",
    "angular_velocity": "rad/s",
    "acceleration": "m/s^2",
    "lower": "rad, of commands",
    "upper": "rad, of commands",
    "watched_lower": "rad, of measured positions",
    "watched_upper": "rad, of measured positions",
    "tilt": "rad",
    "memory_position": "rad",
    "memory_velocity": "rad/s",
    "heat_counted": "s above the continuous torque",
}


class NotAMessage(ValueError):
    """A message that is not what its channel carries."""


def reason_names(value: int) -> list[str]:
    """The bits of `value` by their lower-case names."""
    return [name for name, bit in _BITS.items() if value & bit]


@dataclass(frozen=True, slots=True)
class Column:
    """One field of a channel's messages."""

    name: str
    """In the rows: CHANNEL.FIELD."""
    field: str
    """In the message."""
    type: np.dtype[Any]
    shape: tuple[int, ...]

    def values(self, rows: Rows) -> list[Any]:
        """What each row's message says."""
        data = rows[self.name]
        found: list[Any] = data.tolist()
        if self.name in _NAMES:
            found = [_NAMES[self.name][code] for code in found]
        elif self.name in _REASONS:
            found = [_mapped(reason_names, value) for value in found]
        elif data.dtype.kind == "f" and not np.isfinite(data).all():
            found = plain(found)
        if self.name in SHOWN_IF:
            shown = rows[SHOWN_IF[self.name]] == 1
            found = [
                value if show else None for value, show in zip(found, shown.tolist(), strict=True)
            ]
        return found

    def parse(self, value: Any) -> Any:
        """The value for a row; None: nothing was said. Raises NotAMessage."""
        if value is None and self.name in SHOWN_IF:
            return None
        if not self.shape:
            return self._one(value)
        if not isinstance(value, list) or len(value) != self.shape[0]:
            raise NotAMessage(f"{self.field} must be a list of {self.shape[0]}")
        if self.type.kind == "f" and set(map(type, value)) == {float}:
            return value
        return [self._one(item) for item in value]

    def _one(self, value: Any) -> Any:
        if self.name in _NAMES:
            if value not in _NAMES[self.name]:
                raise NotAMessage(f"{self.field} must be one of {', '.join(_NAMES[self.name])}")
            return _NAMES[self.name].index(value)
        if self.name in _REASONS:
            return self._bits(value)
        if self.type.kind == "b":
            return _required(value, isinstance(value, bool), self.field, "true or false")
        if self.type.kind == "f":
            number = SPECIAL.get(value, value) if isinstance(value, str) else value
            real = isinstance(number, float) or (type(number) is int and abs(number) < _HUGE)
            return float(_required(number, real, self.field, "a number"))
        whole = isinstance(value, int) and not isinstance(value, bool)
        least, most = _range(self.type)
        return _required(value, whole and least <= value <= most, self.field, f"a {self.type}")

    def _bits(self, value: Any) -> int:
        known = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if not known or not set(value) <= _BITS.keys():
            raise NotAMessage(f"{self.field} must list reasons; valid are {', '.join(_BITS)}")
        bits = sum(_BITS[name] for name in set(value))
        return _required(bits, bits <= _range(self.type)[1], self.field, "a limiter's reasons")

    def schema(self) -> dict[str, Any]:
        """Its JSON schema."""
        kind = {"f": "number", "b": "boolean"}.get(self.type.kind, "integer")
        item: dict[str, Any] = {"type": kind}
        if self.name in _NAMES:
            item = {"type": "string"}
        elif self.name in _REASONS:
            item = {"type": "array", "items": {"type": "string"}}
        found = {"type": "array", "items": item} if self.shape else item
        unit = _UNITS.get(self.field)
        return found if unit is None else {**found, "description": unit}


def columns_of(rows: np.dtype[np.void], channel: str) -> list[Column]:
    """The fields of a channel's messages, in order."""
    found: list[Column] = []
    for name in rows.names or ():
        if name.startswith(channel + ".") and name not in OPTIONAL.values():
            # A field of a record type has its shape beside its type.
            base, shape = rows[name].base, rows[name].shape
            found.append(Column(name, name.partition(".")[2], base, shape))
    return found


def schema_of(columns: Iterable[Column]) -> dict[str, Any]:
    """The JSON schema of a channel's messages."""
    properties = {"sequence": {"type": "integer"}, "time": {"type": "number"}}
    return {
        "type": "object",
        "properties": {**properties, **{column.field: column.schema() for column in columns}},
    }


def messages(rows: Rows, channel: str) -> Iterator[dict[str, Any] | None]:
    """A channel's message for each row; None where the row has none."""
    columns = columns_of(rows.dtype, channel)
    names = ["sequence", "time", *(column.field for column in columns)]
    common = [rows["timing.sequence"].tolist(), rows["timing.time"].tolist()]
    lists = [*common, *(column.values(rows) for column in columns)]
    present: NDArray[np.bool_] = np.ones(len(rows), dtype=np.bool_)
    if channel in OPTIONAL:
        present = rows[OPTIONAL[channel]]
    for show, *values in zip(present.tolist(), *lists, strict=True):
        yield dict(zip(names, values, strict=True)) if show else None


@functools.cache
def _range(kind: np.dtype[Any]) -> tuple[int, int]:
    """The least and the largest number of an integer type."""
    return int(np.iinfo(kind).min), int(np.iinfo(kind).max)


def _mapped(function: Callable[[int], Any], value: Any) -> Any:
    return [function(item) for item in value] if isinstance(value, list) else function(value)


def _required(value: Any, holds: bool, field: str, valid: str) -> Any:
    if not holds:
        raise NotAMessage(f"{field} must be {valid}, got {str(value)[:40]!r}")
    return value
