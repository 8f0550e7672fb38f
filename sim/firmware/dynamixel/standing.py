"""What the settings of a row of servos amount to, worked out once and used until one changes. Pure.

Source: ROBOTIS e-manual, X series control table. A goal is usual where it leads to a new set-point
at once and to nothing else: no profile, no feedforward, no torque that a goal switches on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.dynamixel.constants import (
    WATCHDOG_TRIPPED,
    DriveMode,
    OperatingMode,
    StatusReturnLevel,
)
from sim.firmware.dynamixel.law import POSITION_MODES
from sim.firmware.dynamixel.memory import ByteArray
from sim.firmware.dynamixel.profile import VELOCITY_UNIT_COUNTS_S
from sim.firmware.dynamixel.servo import DynamixelServo

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int32]

_SETTINGS = (slice(0, 102), slice(108, 116))
"""All before goal_position, but for the current and velocity goals, which are often new ones."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Goals that servos take; arrays of shape (n,)."""

    low: IntArray
    high: IntArray

    def hold(self, goals: NDArray[np.signedinteger]) -> bool:
        """Whether every servo takes its goal."""
        return bool(np.logical_and.reduce((goals >= self.low) & (goals <= self.high)))


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of servos as its settings have it; arrays of shape (n,)."""

    index: dict[int, int]
    """Place of each id in the row; ids that several servos share are in it once."""
    ids: bytes
    torque: BoolArray
    aiming: BoolArray
    """Torque is on, in a position mode."""
    not_aiming: BoolArray
    threshold_counts_s: FloatArray
    """Faster counts as moving."""
    readable: bool
    """All answer group reads, one at a time."""
    alerts: ByteArray
    """The alert bits of the error bytes."""
    positions: Bounds | None
    """Of goal_position; None: some servo does not take it in the usual way."""
    currents: Bounds | None
    """Of goal_current as the most that may flow; None: as above."""


def fingerprint(tables: ByteArray) -> bytes:
    """The settings that `standing_of` goes by, in control tables of shape (n, size)."""
    before, behind = _SETTINGS
    return tables[:, before].tobytes() + tables[:, behind].tobytes()


def standing_of(servos: Sequence[DynamixelServo]) -> Standing:
    """How the settings of `servos` are now."""
    ids = bytes(servo.id for servo in servos)
    distinct = len(set(ids)) == len(ids)
    level = min((servo.status_return_level for servo in servos), default=0)
    torque = np.array([servo.motion.torque for servo in servos], np.bool_)
    pursuing = np.array([servo.motion.mode in POSITION_MODES for servo in servos], np.bool_)
    threshold = np.array([servo.memory["moving_threshold"] for servo in servos], np.float64)
    return Standing(
        index={id: index for index, id in enumerate(ids)},
        ids=ids,
        torque=torque,
        aiming=torque & pursuing,
        not_aiming=~(torque & pursuing),
        threshold_counts_s=threshold * VELOCITY_UNIT_COUNTS_S,
        readable=distinct and level >= StatusReturnLevel.PING_AND_READ,
        alerts=np.array([servo.alert for servo in servos], np.uint8),
        positions=None if not distinct else _bounds([_position_bounds(servo) for servo in servos]),
        currents=None if not distinct else _bounds([_current_bounds(servo) for servo in servos]),
    )


def _bounds(bounds: Sequence[tuple[int, int] | None]) -> Bounds | None:
    known = [pair for pair in bounds if pair is not None]
    if len(known) < len(bounds):
        return None
    low, high = np.array(known, np.int32).reshape(-1, 2).T.copy()
    return Bounds(low, high)


def _position_bounds(servo: DynamixelServo) -> tuple[int, int] | None:
    """Of goal_position; None where it is not usual."""
    memory, motion = servo.memory, servo.motion
    if motion.mode not in POSITION_MODES or not _plain(servo):
        return None
    if not motion.torque and memory["drive_mode"] & DriveMode.TORQUE_ON_BY_GOAL:
        return None
    low, high = memory.layout.table["goal_position"].bounds()
    if motion.mode is OperatingMode.POSITION:
        low, high = (
            max(low, memory["min_position_limit"]),
            min(high, memory["max_position_limit"]),
        )
    return low, high


def _current_bounds(servo: DynamixelServo) -> tuple[int, int] | None:
    """Of goal_current; None where it is not usual, or not the most that may flow."""
    if servo.motion.mode is not OperatingMode.CURRENT_BASED_POSITION or not _plain(servo):
        return None
    memory = servo.memory
    low, high = memory.layout.table["goal_current"].bounds()
    limit = memory["current_limit"]
    return max(low, -limit), min(high, limit)


def _plain(servo: DynamixelServo) -> bool:
    """Whether goals are taken, and followed without profile and feedforward."""
    memory = servo.memory
    return (
        memory["bus_watchdog"] != WATCHDOG_TRIPPED
        and memory["profile_velocity"] == 0
        and memory["feedforward_1st_gain"] == 0
        and memory["feedforward_2nd_gain"] == 0
    )
