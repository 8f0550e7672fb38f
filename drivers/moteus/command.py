"""What can be asked of a row of moteus controllers, and the frames that ask it. No I/O.

Writing register 0x000 resets every command register to its default (position to 0, not "hold"), so
each frame carries the complete command, followed by the query of `drivers.moteus.readings`.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.moteus.readings import TAGS, query
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


@dataclass(frozen=True, slots=True)
class StayWithin:
    """Give only the feed-forward torque between two bounds, and push back outside them (mode 13).

    Every array has shape (n,). The watchdog is that of a position command.
    """

    lower_rev: FloatArray
    """revolutions; NaN: no lower bound."""
    upper_rev: FloatArray
    """revolutions; NaN: no upper bound."""
    feedforward_torque_nm: FloatArray
    """N m"""
    kp_scale: FloatArray
    """Share of the configured position gain, at the bound that is violated."""
    kd_scale: FloatArray
    """Share of the configured velocity gain, likewise."""
    maximum_torque_nm: FloatArray
    """Torque that the controller may not exceed, N m."""
    watchdog_timeout_s: FloatArray
    """How long this command is valid, s; 0: the configured time, NaN: for ever."""


@dataclass(frozen=True, slots=True)
class Brake:
    """Short all phases to ground: resists motion without a supply; has no watchdog (mode 15)."""


@dataclass(frozen=True, slots=True)
class Current:
    """Drive a current (mode 9). WITHOUT SAFETY: for the bench, never in a control loop.

    This mode knows no position, no velocity, no commanded torque limit and no watchdog: a motor
    whose host dies keeps the last current until power is cut. Only servo.max_current_A bounds it.
    """

    q_current_a: FloatArray
    """Torque-making current, A; shape (n,)."""
    d_current_a: FloatArray
    """Current along the field, A; shape (n,); it heats and makes no torque."""


Command = PositionCommand | Stop | Damp | StayWithin | Brake | Current

_TIMEOUT_PER_S, _VELOCITY_PER_UNIT, _ACCEL_PER_UNIT = 1000.0, 4000.0, 1000.0
"""int16 counts per s, revolution/s and revolution/s^2 (registers.md, mappings)."""
_LARGEST_FLOAT: Final = 3.4028234e38
"""Beyond it a 32-bit float is infinite."""

# write int8 0x000; write 6 floats from 0x020; write 3 int16 from 0x027; query: 48 bytes.
_COMPACT_HEAD = (
    bytes([0x01, 0x00, Mode.POSITION, 0x0C, 0x06, 0x20]) + bytes(24) + bytes([0x07, 0x27])
)
_COMPACT_SIZE, _COMPACT_GOAL = 48, slice(6, 30)
_COUNTS = struct.Struct("<3h")

# write int8 0x000; write 10 floats from 0x020; query; eight NOP: 64 bytes.
_FULL = struct.Struct("<6s10f10s8s")
_FULL_HEAD = bytes([0x01, 0x00, Mode.POSITION, 0x0C, 0x0A, 0x20])
_FULL_PAD = bytes([NOP] * 8)

# write int8 0x000; write float 0x025; write int16 0x027; query; a NOP: 24 bytes.
_DAMP = struct.Struct("<5sf2sh10ss")
_DAMP_HEAD = bytes([0x01, 0x00, Mode.ZERO_VELOCITY, 0x0D, 0x25])
_DAMP_TIMEOUT = bytes([0x05, 0x27])

# write int8 0x000; write 7 floats from 0x040; query; four NOP: 48 bytes.
_WITHIN = struct.Struct("<6s7f10s4s")
_WITHIN_HEAD = bytes([0x01, 0x00, Mode.STAY_WITHIN, 0x0C, 0x07, 0x40])

# write int8 0x000; write 2 floats from 0x01c; query; a NOP: 24 bytes.
_CURRENT = struct.Struct("<5s2f10ss")
_CURRENT_HEAD = bytes([0x01, 0x00, Mode.CURRENT, 0x0E, 0x1C])

# write int8 0x000; query; three NOP: 16 bytes.
_STOP_HEAD, _BRAKE_HEAD = bytes([0x01, 0x00, Mode.STOPPED]), bytes([0x01, 0x00, Mode.BRAKE])
_PAD_1, _PAD_3, _PAD_4 = bytes([NOP]), bytes([NOP] * 3), bytes([NOP] * 4)


def encode(command: Command, count: int, tag: int) -> list[bytes]:
    """One frame for each of `count` controllers, with a query that bears `tag`.

    Raises:
        ValueError: an array of another length, or a value that is not finite where it must be.
    """
    match command:
        case PositionCommand():
            return _encode_position(command, count, tag)
        case Stop():
            return [_STOP_HEAD + query(tag) + _PAD_3] * count
        case Damp():
            return _encode_damp(command, count, tag)
        case StayWithin():
            return _encode_within(command, count, tag)
        case Brake():
            return [_BRAKE_HEAD + query(tag) + _PAD_3] * count
        case Current():
            return _encode_current(command, count, tag)


def _encode_position(command: PositionCommand, count: int, tag: int) -> list[bytes]:
    block = encode_position(command, count, tag)
    data, size = block.tobytes(), block.shape[1]
    return [data[at : at + size] for at in range(0, len(data), size)]


def encode_position(command: PositionCommand, count: int, tag: int) -> NDArray[np.uint8]:
    """The frames of `encode` as rows of one array, shape (count, 48 or 64).

    Raises:
        ValueError: as `encode`.
    """
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
        ),
        dtype=np.float64,
    )
    if goal.shape != (6, count) or limits.shape != (4, count):
        raise ValueError(f"every array of a position command must have shape ({count},)")
    if not (np.abs(goal) <= _LARGEST_FLOAT).all():
        _check_position(command)
    template = _compact_template(limits.tobytes(), count, tag)
    if template is not None:
        return _compact_block(goal, template)
    if (np.abs(limits) > _LARGEST_FLOAT).any():
        raise ValueError(f"limits and times must be finite or NaN, got {command}")
    rows = zip(goal.T.tolist(), limits.T.tolist(), strict=True)
    frames = [_FULL.pack(_FULL_HEAD, *values, *row, query(tag), _FULL_PAD) for values, row in rows]
    return np.frombuffer(b"".join(frames), np.uint8).reshape(count, _FULL.size)


def _compact_block(goal: FloatArray, template: NDArray[np.uint8]) -> NDArray[np.uint8]:
    frames = template.copy()
    frames[:, _COMPACT_GOAL] = goal.T.astype("<f4", order="C").view(np.uint8)
    return frames


@lru_cache(maxsize=64 * len(TAGS))
def _compact_template(limits: bytes, count: int, tag: int) -> NDArray[np.uint8] | None:
    """The frames for these limits (float64, shape (4, count)) without a goal, one in each row.

    From tick to tick the limits stay as they are. None: as int16 a limit would saturate, at 8.2
    revolutions/s or 32.8 revolutions/s^2, or there is a stop position: they must travel as floats.
    """
    rows = np.frombuffer(limits).reshape(4, count).T.tolist()
    if any(stop == stop or speed >= 0 or accel >= 0 for stop, _, speed, accel in rows):
        return None
    frames = [
        _COMPACT_HEAD
        + _COUNTS.pack(
            _int16(timeout, _TIMEOUT_PER_S),
            _int16(speed, _VELOCITY_PER_UNIT),
            _int16(accel, _ACCEL_PER_UNIT),
        )
        + query(tag)
        for _, timeout, speed, accel in rows
    ]
    return np.frombuffer(b"".join(frames), np.uint8).reshape(count, _COMPACT_SIZE)


def _encode_damp(command: Damp, count: int, tag: int) -> list[bytes]:
    torque = np.broadcast_to(command.maximum_torque_nm, (count,)).tolist()
    timeout = np.broadcast_to(command.watchdog_timeout_s, (count,)).tolist()
    if any(abs(most) > _LARGEST_FLOAT for most in torque):
        raise ValueError(f"maximum_torque_nm must be finite or NaN, got {torque}")
    return [
        _DAMP.pack(
            *(_DAMP_HEAD, most, _DAMP_TIMEOUT, _int16(valid, _TIMEOUT_PER_S)),
            *(query(tag), _PAD_1),
        )
        for most, valid in zip(torque, timeout, strict=True)
    ]


def _encode_within(command: StayWithin, count: int, tag: int) -> list[bytes]:
    bounds = (command.lower_rev, command.upper_rev)
    rest = (
        command.feedforward_torque_nm,
        command.kp_scale,
        command.kd_scale,
        command.maximum_torque_nm,
    )
    table = np.array((*bounds, *rest, command.watchdog_timeout_s), dtype=np.float64)
    if table.shape != (7, count):
        raise ValueError(f"every array of a stay-within command must have shape ({count},)")
    # Bounds and timeout may be NaN; nothing may be infinite.
    if not np.isfinite(table[2:6]).all() or (np.abs(table) > _LARGEST_FLOAT).any():
        raise ValueError(f"only bounds and timeout of a stay-within command may be NaN: {command}")
    return [_WITHIN.pack(_WITHIN_HEAD, *row, query(tag), _PAD_4) for row in table.T.tolist()]


def _encode_current(command: Current, count: int, tag: int) -> list[bytes]:
    table = np.array((command.q_current_a, command.d_current_a), dtype=np.float64)
    if table.shape != (2, count):
        raise ValueError(f"every array of a current command must have shape ({count},)")
    if not (np.abs(table) <= _LARGEST_FLOAT).all():
        raise ValueError(f"a current must be finite, got {command}")
    return [_CURRENT.pack(_CURRENT_HEAD, *row, query(tag), _PAD_1) for row in table.T.tolist()]


def _check_position(command: PositionCommand) -> None:
    for name in (
        "velocity_rev_s",
        "feedforward_torque_nm",
        "kp_scale",
        "kd_scale",
        "maximum_torque_nm",
    ):
        values: FloatArray = getattr(command, name)
        if not (np.abs(values) <= _LARGEST_FLOAT).all():
            raise ValueError(f"{name} must be finite, got {values}")
    if (np.abs(command.position_rev) > _LARGEST_FLOAT).any():
        raise ValueError(f"position_rev must be finite or NaN (hold), got {command.position_rev}")


def _int16(value: float, per_unit: float) -> int:
    """Counts, saturated; not-a-number is the most negative integer."""
    if math.isnan(value):
        return -32768
    return round(max(-32767.0, min(32767.0, value * per_unit)))
