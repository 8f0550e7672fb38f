"""The camera's fixture file: where the board lies, and where the valve's coloured end is."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from calibration.camera_pose import BoardPlace
from calibration.valve_colour import Mark
from robosac.fixture import read_fixture


class LyingBoard(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the board lies, in the base's or the floor's frame; see `BoardPlace`."""

    origin_m: tuple[float, float, float]
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0

    def __post_init__(self) -> None:
        numbers = (*self.origin_m, self.yaw_deg, self.pitch_deg, self.roll_deg)
        if not all(map(math.isfinite, numbers)):
            raise ValueError("every number must be finite")

    @property
    def place(self) -> BoardPlace:
        """In radians."""
        angles = map(math.radians, (self.yaw_deg, self.pitch_deg, self.roll_deg))
        return BoardPlace(self.origin_m, *angles)


class ColouredEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """See `calibration.valve_colour.Mark`."""

    inner_m: tuple[float, float, float]
    outer_m: tuple[float, float, float]
    radius_m: float
    free_from: float

    def __post_init__(self) -> None:
        numbers = (*self.inner_m, *self.outer_m)
        if not (all(map(math.isfinite, numbers)) and 0.0 < self.radius_m < 1.0):
            raise ValueError("a coloured end has two finite ends and a radius of up to 1 m")
        if not 0.0 <= self.free_from < 1.0:
            raise ValueError(f"free_from {self.free_from} is outside 0 to below 1")

    @property
    def mark(self) -> Mark:
        """As the routine takes it."""
        return Mark(self.inner_m, self.outer_m, self.radius_m, self.free_from)


class CameraFixture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What holds the board while a camera is measured."""

    board: LyingBoard
    mark: ColouredEnd | None = None
    """None: as the hand is drawn."""


def load_camera_fixture(path: Path) -> CameraFixture:
    """Read a camera's fixture.

    Raises:
        ConfigError: it cannot be read, or is not valid; in one line.
    """
    return read_fixture(path, lambda document: msgspec.convert(document, CameraFixture))
