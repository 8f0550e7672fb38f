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
from drivers.moteus.registers import Mode, Register

FloatArray = NDArray[np.float64]

TAGS: Final = tuple(range(Register.COMMAND_POSITION, Register.COMMAND_ACCEL_LIMIT + 1))
"""Registers that take turns as a query's tag. A reply repeats the number of the register it tells,
so that one which comes late by fewer exchanges than there are tags is known by it: the protocol
itself has no sequence number. Their values mean nothing to us."""

REFUSED: Final = -1
"""Stands for the tag of a reply that refuses a register of its query or command."""

UNKNOWN_MODE: Final = -1
"""In `ServoReadings.mode`: this controller has never answered."""

REPLY_SIZE: Final = 32
"""Length of the frame in which firmware answers a query, bytes."""

_QUERY = bytes([0x11, 0x00, 0x1F, 0x01, 0x15, 0x07, 0x17, 0x0D])
_QUERIES = {tag: _QUERY + bytes([0x11, tag]) for tag in TAGS}
_REPLY = struct.Struct("<2sb2s3f2sh2s3h3B")
# The same layout for many replies at once: where the values are, and what all else must be.
_REPLY_FIELDS = np.dtype(
    {
        "names": ["mode", "motion", "power", "health"],
        "formats": ["i1", ("<f4", (3,)), "<i2", ("<i2", (3,))],
        "offsets": [2, 5, 19, 23],
        "itemsize": REPLY_SIZE,
    }
)
_KEYS = {
    tag: np.frombuffer(
        bytes.fromhex("2100 00 2f01 000000000000000000000000 2507 0000 270d 000000000000 21")
        + bytes([tag, 0]),
        dtype="<u8",
    )
    for tag in TAGS
}
_KEY_MASK = np.frombuffer(
    bytes.fromhex("ffff 00 ffff 000000000000000000000000 ffff 0000 ffff 000000000000 ffff00"),
    dtype="<u8",
)

_REPLY_KEYS = (b"\x21\x00", b"\x2f\x01", b"\x25\x07", b"\x27\x0d", 0x21)
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

_MODE, _FAULT, _POSITION = 0, 1, 2
_DRIVING = Mode.PWM
"""The modes from here on drive the motor."""


@dataclass(frozen=True, slots=True)
class Plausibility:
    """What a reading can be; anything else got past the checksum by chance, or a sensor is gone.

    The defaults hold for any moteus on a direct drive and leave room above what is healthy.
    """

    maximum_speed_rev_s: float = 50.0
    """Bounds the velocity, and how far a position can be from the last one; revolutions/s."""
    position_slack_rev: float = 0.05
    """Noise and timing error of a position, revolutions."""
    maximum_position_rev: float = 32768.0
    """The firmware's positions wrap here, revolutions."""
    maximum_torque_nm: float = 100.0
    voltage_v: tuple[float, float] = (0.0, 60.0)
    """No moteus takes more than 54 V."""
    temperature_c: tuple[float, float] = (-40.0, 150.0)

    def bounds(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest value of each field of a ServoReading, each of shape (8, 1)."""
        speed, position, torque = (
            self.maximum_speed_rev_s,
            self.maximum_position_rev,
            self.maximum_torque_nm,
        )
        # An int16 power goes up to 1638.35 W; a fault code fits in a byte.
        highest = (max(Mode), 255, position, speed, torque, 1638.4)
        lowest = (0, 0, -position, -speed, -torque, -1638.36)
        ranges = (self.voltage_v, self.temperature_c)
        low = np.array([*lowest, *(pair[0] for pair in ranges)], dtype=np.float64)
        high = np.array([*highest, *(pair[1] for pair in ranges)], dtype=np.float64)
        return low[:, None], high[:, None]


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


def query(tag: int) -> bytes:
    """Read mode (int8), position, velocity, torque (float), power, voltage, temperature, fault
    (int16), and the register `tag` (int8); one of TAGS."""
    return _QUERIES[tag]


def parse_reading(frame: bytes) -> tuple[ServoReading, int]:
    """One controller's answer to a query, and the query's tag, or REFUSED.

    Raises:
        ProtocolError: not a reply frame, a register or the tag missing, or a value not finite.
    """
    parsed = _parse_own_layout(frame) if len(frame) == _REPLY.size else None
    if parsed is None:
        parsed = _parse_any_layout(frame)
    # A sum is finite only if every term is, barring an overflow that no real reading comes near.
    if not math.isfinite(sum(parsed[0])):
        raise ProtocolError(f"a reading is not finite: {parsed[0]}")
    return parsed


def _parse_own_layout(frame: bytes) -> tuple[ServoReading, int] | None:
    """The layout in which firmware answers a query; None for any other."""
    k0, mode, k1, position, velocity, torque, k2, power, k3, voltage, heat, fault, k4, tag, _ = (
        _REPLY.unpack(frame)
    )
    if (k0, k1, k2, k3, k4) != _REPLY_KEYS or tag not in _QUERIES:
        return None
    if mode == -128 or min(power, voltage, heat, fault) == -32768:
        return None
    reading = ServoReading(
        mode, fault, position, velocity, torque, power * 0.05, voltage * 0.1, heat * 0.1
    )
    return reading, tag


def _parse_any_layout(frame: bytes) -> tuple[ServoReading, int]:
    values, errors = reply_values(frame)
    missing = [register for register in _NEEDED if register not in values]
    if missing:
        raise ProtocolError(f"reply without registers {missing}, refusals {errors}: {frame.hex()}")
    reading = ServoReading(*(values[register] for register in _NEEDED))
    if errors:
        return reading, REFUSED
    told = [tag for tag in TAGS if tag in values]
    if len(told) != 1:
        raise ProtocolError(f"reply with tags {told}, valid is one of {TAGS}: {frame.hex()}")
    return reading, told[0]


def parse_block(frames: bytes, count: int, tag: int) -> FloatArray | None:
    """`count` answers to one query behind each other, all in the firmware's own layout.

    Returns:
        Fields of a ServoReading by controller, shape (8, count), not checked any further; None if
        a frame has another layout or another tag.
    """
    if len(frames) != count * REPLY_SIZE:
        return None
    words = np.frombuffer(frames, dtype="<u8").reshape(count, REPLY_SIZE // 8)
    if ((words & _KEY_MASK) != _KEYS[tag]).any():
        return None
    fields = np.frombuffer(frames, dtype=_REPLY_FIELDS)
    health = fields["health"]
    table = np.empty((len(ServoReading._fields), count))
    table[0] = fields["mode"]
    table[1] = health[:, 2]
    table[2:5] = fields["motion"].T
    np.multiply(fields["power"], 0.05, out=table[5])
    np.multiply(health[:, :2].T, 0.1, out=table[6:])
    return table


class ReadingTable:
    """The newest plausible reading of every controller in a row, with its time.

    Attributes:
        implausible: readings refused since the table was made.
    """

    def __init__(self, count: int, limits: Plausibility) -> None:
        self.implausible = 0
        self._limits = limits
        self._low, self._high = limits.bounds()
        self._values = np.array([NEVER] * count, dtype=np.float64).T.copy()
        self._times = np.full(count, -math.inf)
        self._common_time = math.nan
        """The time of all readings where they were taken together, else NaN; s."""

    def take_all(self, frames: bytes, tag: int, time: float) -> bool:
        """Take one reply of each controller, in order, if all is in order with every one of them.

        False: something is not; nothing was taken, and `take` will tell what it is.
        """
        values = parse_block(frames, len(self._times), tag)
        if values is None or not ((values >= self._low) & (values <= self._high)).all():
            return False
        moved = np.abs(values[_POSITION] - self._values[_POSITION])
        slack, speed = self._limits.position_slack_rev, self._limits.maximum_speed_rev_s
        if not moved.max() <= slack + speed * (time - self._common_time):
            far = ~(moved <= slack + speed * (time - self._times))
            # Who is not driven may have been switched off, turned by hand or set to a new zero.
            if (far & (values[_MODE] >= _DRIVING) & (self._times > -math.inf)).any():
                return False
        self._values = values
        self._times.fill(time)
        self._common_time = time
        return True

    def take(self, index: int, reading: ServoReading, time: float) -> bool:
        """Take the reading of one controller, if it is plausible; else count it."""
        values = np.array(reading)[:, None]
        plausible = bool(((values >= self._low) & (values <= self._high)).all())
        if plausible and reading.mode >= _DRIVING:
            elapsed = time - self._times[index]
            moved = abs(reading.position_rev - self._values[_POSITION, index])
            reach = self._limits.position_slack_rev + self._limits.maximum_speed_rev_s * elapsed
            plausible = not moved > reach
        if not plausible:
            self.implausible += 1
            return False
        self._values[:, index] = reading
        self._times[index] = time
        self._common_time = math.nan
        return True

    def forget_position(self, index: int) -> None:
        """The next position may be anywhere, and until then it is NaN: there is a new zero."""
        self._values[_POSITION, index] = math.nan

    def readings(self, valid: NDArray[np.bool_]) -> ServoReadings:
        """Fresh arrays of what is known."""
        values = self._values.copy()
        return ServoReadings(
            time=self._times.copy(),
            valid=valid,
            mode=values[_MODE].astype(np.int64),
            fault=values[_FAULT].astype(np.int64),
            position_rev=values[2],
            velocity_rev_s=values[3],
            torque_nm=values[4],
            power_w=values[5],
            voltage_v=values[6],
            temperature_c=values[7],
        )
