"""The query that every command carries, and the reply to it. No I/O."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.errors import ProtocolError
from drivers.moteus.multiplex import reply_values
from drivers.moteus.registers import Register

FloatArray = NDArray[np.float64]

QUERY: Final = bytes([0x11, 0x00, 0x1F, 0x01, 0x15, 0x07, 0x17, 0x0D])
"""Read mode (int8), position, velocity, torque (float), power (int16), and last voltage,
temperature, fault (int16)."""

UNKNOWN_MODE: Final = -1
"""In `ServoReadings.mode`: this controller has never answered."""

_REPLY = struct.Struct("<2sb2s3f2sh2s3h3s")
_REPLY_KEYS = (b"\x21\x00", b"\x2f\x01", b"\x25\x07", b"\x27\x0d", b"\x50\x50\x50")
_NEEDED = tuple(
    int(register)
    for register in (
        Register.MODE,
        Register.FAULT,
        Register.POSITION,
        Register.VELOCITY,
        Register.TORQUE,
        Register.POWER,
        Register.VOLTAGE,
        Register.TEMPERATURE,
    )
)


class ServoReading(NamedTuple):
    """One controller's answer to the query."""

    mode: float
    fault: float
    position_rev: float
    velocity_rev_s: float
    torque_nm: float
    power_w: float
    voltage_v: float
    temperature_c: float


NEVER: Final = ServoReading(UNKNOWN_MODE, 0, *(math.nan,) * 6)
"""Stands for a controller that has never answered."""


@dataclass(frozen=True, slots=True)
class ServoReadings:
    """What a row of controllers last said; every array has shape (n,).

    The values of a controller that did not answer this time keep their old `time`; they are NaN,
    and its mode UNKNOWN_MODE, while it has never answered.
    """

    time: FloatArray
    """When each controller's values arrived, s; -inf: never."""
    valid: NDArray[np.bool_]
    """True where the controller answered in this exchange."""
    mode: NDArray[np.int64]
    """`registers.Mode`. A reply tells the mode before the command it came with took effect."""
    fault: NDArray[np.int64]
    """`registers.FaultCode`; a fault only where mode is FAULT."""
    position_rev: FloatArray
    """revolutions"""
    velocity_rev_s: FloatArray
    """revolutions/s"""
    torque_nm: FloatArray
    """N m"""
    power_w: FloatArray
    """Electrical, W."""
    voltage_v: FloatArray
    """Supply, V."""
    temperature_c: FloatArray
    """Of the board, degrees C."""


def parse_reading(frame: bytes) -> ServoReading:
    """One controller's answer to QUERY.

    Raises:
        ProtocolError: not a reply frame, a register missing, or a value that is not finite.
    """
    reading = _parse_own_layout(frame) if len(frame) == _REPLY.size else None
    if reading is None:
        reading = _parse_any_layout(frame)
    # A sum is finite only if every term is, barring an overflow that no real reading comes near.
    if not math.isfinite(sum(reading)):
        raise ProtocolError(f"a reading is not finite: {reading}")
    return reading


def _parse_own_layout(frame: bytes) -> ServoReading | None:
    """The layout in which firmware answers QUERY; None for any other."""
    k0, mode, k1, position, velocity, torque, k2, power, k3, voltage, heat, fault, k4 = (
        _REPLY.unpack(frame)
    )
    if (k0, k1, k2, k3, k4) != _REPLY_KEYS or mode == -128 or min(power, voltage, heat) == -32768:
        return None
    return ServoReading(
        mode, fault, position, velocity, torque, power * 0.05, voltage * 0.1, heat * 0.1
    )


def _parse_any_layout(frame: bytes) -> ServoReading:
    values, errors = reply_values(frame)
    missing = [register for register in _NEEDED if register not in values]
    if missing:
        raise ProtocolError(f"reply without registers {missing}, refusals {errors}: {frame.hex()}")
    return ServoReading(*(values[register] for register in _NEEDED))


def collect(rows: list[ServoReading], times: list[float], valid: list[bool]) -> ServoReadings:
    """Turn one row for each controller into fresh arrays."""
    table = np.array(rows, dtype=np.float64).T.copy()
    return ServoReadings(
        time=np.array(times, dtype=np.float64),
        valid=np.array(valid, dtype=np.bool_),
        mode=table[0].astype(np.int64),
        fault=table[1].astype(np.int64),
        position_rev=table[2],
        velocity_rev_s=table[3],
        torque_nm=table[4],
        power_w=table[5],
        voltage_v=table[6],
        temperature_c=table[7],
    )
