"""The usual frame of the control tick and its reply, taken in one step instead of by registers.

It writes int8 0x000 = 10, six floats from 0x020 and three int16 from 0x027, and asks for mode,
position, velocity, torque, power, voltage, temperature and fault.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from drivers.moteus.registers import Mode, Quantity
from sim.firmware.moteus_config import ServoCommand
from sim.firmware.moteus_frames import INT16, from_raw, to_raw

SIZE = 48
"""Length of the frame, bytes."""
BESIDES_POSITION = slice(10, 38)
"""All of the frame's command but the position."""

_HEAD = bytes.fromhex("01000a0c0620")
_LIMITS = bytes.fromhex("0727")
_QUERY = bytes.fromhex("11001f011507170d5050")
_POSITION, _GOAL, _COUNTS = struct.Struct("<f"), struct.Struct("<6f"), struct.Struct("<3h")
_REPLY = struct.Struct("<3B2s3f2sh2s3h3s")


def is_usual(data: bytes) -> bool:
    """True for a frame of SIZE bytes in this layout."""
    return data.startswith(_HEAD) and data.endswith(_QUERY) and data[30:32] == _LIMITS


def position_of(data: bytes) -> float:
    """The commanded position, revolutions."""
    return _POSITION.unpack_from(data, 6)[0]


def command_of(data: bytes) -> ServoCommand:
    """The whole command."""
    timeout, speed, accel = _limits(data[32:38])
    return ServoCommand(
        Mode.POSITION,
        *_GOAL.unpack_from(data, 6),
        timeout=timeout,
        velocity_limit=speed,
        accel_limit=accel,
    )


def reply_of(mode: int, fault: int, sensed: Sequence[float], supply_v: float) -> bytes:
    """The answer; `sensed` is position, velocity, torque, power and temperature."""
    position, velocity, torque, power, temperature = sensed
    return _REPLY.pack(
        *(0x21, 0x00, mode),
        *(b"\x2f\x01", position, velocity, torque),
        *(b"\x25\x07", to_raw(power, INT16, Quantity.POWER)),
        b"\x27\x0d",
        *_health(supply_v, temperature),
        fault,
        b"\x50\x50\x50",
    )


@lru_cache(maxsize=64)
def _limits(counts: bytes) -> tuple[float, float, float]:
    """Watchdog time (s), velocity and acceleration limit: seldom new ones."""
    timeout, speed, accel = _COUNTS.unpack(counts)
    return (
        from_raw(timeout, INT16, Quantity.TIME),
        from_raw(speed, INT16, Quantity.VELOCITY),
        from_raw(accel, INT16, Quantity.ACCELERATION),
    )


@lru_cache(maxsize=64)
def _health(supply_v: float, temperature_c: float) -> tuple[int, int]:
    """Voltage and temperature as a reply carries them: seldom new ones."""
    return (
        int(to_raw(supply_v, INT16, Quantity.VOLTAGE)),
        int(to_raw(temperature_c, INT16, Quantity.TEMPERATURE)),
    )
