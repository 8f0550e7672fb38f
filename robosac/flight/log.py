"""What a flight recorder has kept, in one piece, and what one must know to understand it."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
import numpy as np

from robosac.finger_keepout import FingersApart, HandGeometry
from robosac.flight.ring import BusCopy
from robosac.flight.rows import Rows
from robosac.hal import Fault, Frame, Limits
from robosac.keepout import FrontLegsForward, KeepOut
from robosac.requests import ExecutorSettings
from robosac.safety import Envelope, LimiterSettings

FORMAT: Final = 1
SPECIAL: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""Numbers that JSON does not have, as strings (as in protobuf's JSON)."""

NoteKind = Literal["entered", "latched", "reported", "found", "malformed"]


class Note(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that happens now and then."""

    time: float
    """Clock time, s."""
    sequence: int
    """Of the exchange it belongs to; of the one under way, or that comes next."""
    kind: NoteKind
    """A safety state was entered, a fault latched; the robot told of a fault, the monitor found
    one; a request was no vector."""
    name: str
    source: str = ""
    detail: str = ""

    @classmethod
    def of(cls, kind: NoteKind, fault: Fault, time: float, sequence: int) -> Note:
        """A note on `fault`."""
        return cls(time, sequence, kind, fault.name, fault.source, fault.detail)

    @property
    def fault(self) -> Fault:
        """The fault it is about."""
        return Fault(self.name, self.source, self.detail)


class FrontLegsRegion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="front_legs"):
    """`FrontLegsForward`."""

    fold: float
    """rad"""


class FingersRegion(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="fingers"):
    """`FingersApart` with the hand's own geometry."""

    resolution: float
    """rad"""


Region = FrontLegsRegion | FingersRegion


def described(keep_out: KeepOut | None) -> Region | None:
    """The regions as they are recorded.

    Raises:
        ValueError: a kind that has no place in a recording.
    """
    if keep_out is None:
        return None
    if isinstance(keep_out, FrontLegsForward):
        return FrontLegsRegion(keep_out.fold)
    if isinstance(keep_out, FingersApart) and keep_out.geometry == HandGeometry():
        return FingersRegion(keep_out.resolution)
    raise ValueError(f"a recording cannot tell of the keep-out {keep_out!r}")


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What belongs to a recording as a whole."""

    format: int
    """Of the file."""
    robosac: str
    """Version that recorded."""
    robot: str
    calibration: str
    """SHA-256 of what was measured on this robot; empty: unknown."""
    reason: str
    """Why it was written."""
    created: str
    """Date and time, ISO 8601, as a label."""
    epoch_ns: int
    """Added to the clock's time for the times in the file, ns since 1970."""
    joints: tuple[str, ...]
    limits: dict[str, Any]
    limiter: dict[str, Any]
    """`LimiterSettings`."""
    executor: dict[str, Any]
    """`ExecutorSettings`, the keep-out aside."""
    keep_out: Region | None = None
    """Regions that joints stay out of."""

    @classmethod
    def describing(cls, envelope: Envelope, settings: ExecutorSettings, **rest: Any) -> Header:
        """With the bounds and settings of the executor that is recorded."""
        return cls(
            format=FORMAT,
            joints=envelope.limits.names,
            limits=plain(envelope.limits),
            limiter=plain(envelope.settings),
            executor=plain(dataclasses.replace(settings, keep_out=None)),
            keep_out=described(settings.keep_out),
            **rest,
        )

    def read_limits(self) -> Limits:
        """The recorded limits. Raises ValueError."""
        return _typed(self.limits, Limits)

    def read_limiter(self) -> LimiterSettings:
        """The recorded settings of the limiter. Raises ValueError."""
        return _typed(self.limiter, LimiterSettings)

    def read_executor(self) -> ExecutorSettings:
        """The recorded settings of the executor. Raises ValueError."""
        return _typed(self.executor, ExecutorSettings)

    def read_keep_out(self) -> KeepOut | None:
        """The recorded regions. Raises ValueError."""
        if self.keep_out is None:
            return None
        joints = len(self.joints)
        if isinstance(self.keep_out, FrontLegsRegion):
            return FrontLegsForward(self.keep_out.fold, joints)
        return FingersApart(joints=joints, resolution=self.keep_out.resolution)


@dataclass(frozen=True)
class FlightLog:
    """A recording."""

    header: Header
    rows: Rows
    """Exchanges, oldest first."""
    notes: tuple[Note, ...] = ()
    """In order of time."""
    bus: BusCopy = dataclasses.field(default_factory=BusCopy.empty)
    frames: tuple[Frame, ...] = ()
    """The newest pictures, oldest first; a log that was read from a file has none."""


def ordered(notes: Iterable[Note]) -> tuple[Note, ...]:
    """In order of time; notes of one kind and time keep their order."""
    return tuple(sorted(notes, key=lambda note: (note.time, note.sequence, note.kind)))


def plain(value: Any) -> Any:
    """Settings as what JSON has: dictionaries, lists, numbers, strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def restored(value: Any) -> Any:
    """`plain` undone, as far as numbers go."""
    if isinstance(value, dict):
        return {key: restored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restored(item) for item in value]
    return SPECIAL.get(value, value) if isinstance(value, str) else value


def _typed(value: dict[str, Any], kind: Any) -> Any:
    def array(_: type, items: Any) -> np.ndarray:
        return np.array(items, dtype=np.float64)

    try:
        return msgspec.convert(restored(value), kind, dec_hook=array)
    except (msgspec.ValidationError, TypeError) as error:
        raise ValueError(f"recorded {kind.__name__}: {error}") from error
