"""What can be asked of a row of moteus controllers, and the frames that ask it. No I/O.

Writing register 0x000 resets every command register to its default (position to 0, not "hold"), so
each frame carries the complete command, followed by the query of `drivers.moteus.readings`.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.moteus.readings import QUERY
from drivers.moteus.registers import NOP, Mode

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PositionCommand:
    """Follow a position; every array has shape (n,), in the order of the bus's ids."""

    position_rev: FloatArray
    """Goal, revolutions; NaN: where the motor is now."""
    velocity_rev_s: FloatArray
    """How fast the goal moves on by itself, revolutions/s."""
    feedforward_torque_nm: FloatArray
    """Added after the control law, N m."""
    kp_scale: FloatArray
    """Share of the configured position gain."""
    kd_scale: FloatArray
    """Share of the configured velocity gain."""
    maximum_torque_nm: FloatArray
    """Torque that the controller may not exceed, N m."""
    stop_position_rev: FloatArray
    """Where a moving goal stops; NaN: nowhere. With a limit below in effect: fault 45."""
    watchdog_timeout_s: FloatArray
    """How long this command is valid, s; 0: the configured time, NaN: for ever."""
    velocity_limit: FloatArray
    """Of the controller's own trajectory, revolutions/s; negative: none, NaN: as configured."""
    accel_limit: FloatArray
    """Likewise, revolutions/s^2. The factory's own limit is 50, which filters every command."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Switch torque off and clear faults and latched timeouts (mode 0)."""


@dataclass(frozen=True, slots=True)
class Damp:
    """Resist motion without holding a position (mode 12).

    Current firmware caps the torque of this mode at its own `servo.timeout_max_torque_Nm` and never
    times it out (fw/bldc_servo.cc); both values are sent for firmware that heeds them.
    """

    maximum_torque_nm: float | FloatArray
    """N m; scalar or shape (n,)."""
    watchdog_timeout_s: float | FloatArray
    """s; scalar or shape (n,)."""


Command = PositionCommand | Stop | Damp

_TIMEOUT_PER_S, _VELOCITY_PER_UNIT, _ACCEL_PER_UNIT = 1000.0, 4000.0, 1000.0
"""int16 counts per s, revolution/s and revolution/s^2 (registers.md, mappings)."""

# write int8 0x000; write 6 floats from 0x020; write 3 int16 from 0x027; query; two NOP: 48 bytes.
_COMPACT = struct.Struct("<6s6f2s3h10s")
_COMPACT_HEAD = bytes([0x01, 0x00, Mode.POSITION, 0x0C, 0x06, 0x20])
_COMPACT_LIMITS = bytes([0x07, 0x27])
_COMPACT_TAIL = QUERY + bytes([NOP, NOP])

# write int8 0x000; write 10 floats from 0x020; query; ten NOP: 64 bytes.
_FULL = struct.Struct("<6s10f18s")
_FULL_HEAD = bytes([0x01, 0x00, Mode.POSITION, 0x0C, 0x0A, 0x20])
_FULL_TAIL = QUERY + bytes([NOP] * 10)

# write int8 0x000; write float 0x025; write int16 0x027; query; three NOP: 24 bytes.
_DAMP = struct.Struct("<5sf2sh11s")
_DAMP_HEAD = bytes([0x01, 0x00, Mode.ZERO_VELOCITY, 0x0D, 0x25])
_DAMP_TIMEOUT = bytes([0x05, 0x27])
_DAMP_TAIL = QUERY + bytes([NOP] * 3)

_STOP_FRAME = bytes([0x01, 0x00, Mode.STOPPED]) + QUERY + bytes([NOP])


def encode(command: Command, count: int) -> list[bytes]:
    """One frame for each of `count` controllers.

    Raises:
        ValueError: an array of another length, or a value that is not finite where it must be.
    """
    match command:
        case PositionCommand():
            return _encode_position(command, count)
        case Stop():
            return [_STOP_FRAME] * count
        case Damp():
            return _encode_damp(command, count)


def _encode_position(command: PositionCommand, count: int) -> list[bytes]:
    goal = np.array(
        (
            command.position_rev,
            command.velocity_rev_s,
            command.feedforward_torque_nm,
            command.kp_scale,
            command.kd_scale,
            command.maximum_torque_nm,
        )
    )
    limits = np.array(
        (
            command.stop_position_rev,
            command.watchdog_timeout_s,
            command.velocity_limit,
            command.accel_limit,
        )
    )
    if goal.shape != (6, count) or limits.shape != (4, count):
        raise ValueError(f"every array of a position command must have shape ({count},)")
    if not np.isfinite(goal).all():
        _check_finite(command)
    # As int16 the limits saturate at 8.2 revolutions/s and 32.8 revolutions/s^2: floats then.
    rows = limits.T.tolist()
    if all(stop != stop and not speed >= 0 and not accel >= 0 for stop, _, speed, accel in rows):
        return [
            _COMPACT.pack(
                _COMPACT_HEAD,
                *values,
                _COMPACT_LIMITS,
                _int16(timeout, _TIMEOUT_PER_S),
                _int16(speed, _VELOCITY_PER_UNIT),
                _int16(accel, _ACCEL_PER_UNIT),
                _COMPACT_TAIL,
            )
            for values, (_, timeout, speed, accel) in zip(goal.T.tolist(), rows, strict=True)
        ]
    return [
        _FULL.pack(_FULL_HEAD, *values, *row, _FULL_TAIL)
        for values, row in zip(goal.T.tolist(), rows, strict=True)
    ]


def _encode_damp(command: Damp, count: int) -> list[bytes]:
    torque = np.broadcast_to(command.maximum_torque_nm, (count,)).tolist()
    timeout = np.broadcast_to(command.watchdog_timeout_s, (count,)).tolist()
    return [
        _DAMP.pack(_DAMP_HEAD, most, _DAMP_TIMEOUT, _int16(valid, _TIMEOUT_PER_S), _DAMP_TAIL)
        for most, valid in zip(torque, timeout, strict=True)
    ]


def _check_finite(command: PositionCommand) -> None:
    for name in (
        "velocity_rev_s",
        "feedforward_torque_nm",
        "kp_scale",
        "kd_scale",
        "maximum_torque_nm",
    ):
        values: FloatArray = getattr(command, name)
        if not np.isfinite(values).all():
            raise ValueError(f"{name} must be finite, got {values}")
    if np.isinf(command.position_rev).any():
        raise ValueError(f"position_rev must be finite or NaN (hold), got {command.position_rev}")


def _int16(value: float, per_unit: float) -> int:
    """Counts, saturated; not-a-number is the most negative integer."""
    if math.isnan(value):
        return -32768
    return round(max(-32767.0, min(32767.0, value * per_unit)))
