"""The usual frames of the control tick and their reply, taken in one step instead of by registers.

One drives: it writes int8 0x000 = 10, six floats from 0x020 and three int16 from 0x027. Others
stop, damp, stay within bounds or brake. All ask for mode, position, velocity, torque, power,
voltage, temperature and fault, and for one command register as int8.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from functools import lru_cache

from drivers.moteus.registers import NOP, REGISTERS, Mode, Quantity, Register
from sim.firmware.moteus.config import ServoCommand
from sim.firmware.moteus.frames import INT8, INT16, from_raw, to_raw

SIZE = 48
"""Length of the frame that drives, bytes."""
BESIDES_POSITION = slice(10, 38)
"""All of that frame's command but the position."""
TAG_AT = 47
"""Where that frame names the command register that it asks for."""

_HEAD = bytes.fromhex("01000a0c0620")
_LIMITS = bytes.fromhex("0727")
_QUERY, _QUERY_AT = bytes.fromhex("11001f011507170d11"), 38
_TAGGED = range(Register.COMMAND_POSITION, Register.COMMAND_ACCEL_LIMIT + 1)
_FIRST_TAG = _TAGGED.start
_QUERIES = frozenset(_QUERY + bytes([register]) for register in _TAGGED)
_COMMANDS = {
    Mode.STOPPED: b"",
    Mode.BRAKE: b"",
    # float 0x025 and int16 0x027
    Mode.ZERO_VELOCITY: rb"\x0d\x25.{4}\x05\x27.{2}",
    # seven floats from 0x040
    Mode.STAY_WITHIN: rb"\x0c\x07\x40.{28}",
}
"""By the mode that is written as int8 0x000, what is written behind it."""
_OTHER = re.compile(
    rb"(\x01\x00(?:%b))%b([%b-%b])%b*"
    % (
        b"|".join(re.escape(bytes([mode])) + rest for mode, rest in _COMMANDS.items()),
        re.escape(_QUERY),
        *(re.escape(bytes([register])) for register in (_TAGGED.start, _TAGGED[-1])),
        re.escape(bytes([NOP])),
    ),
    re.DOTALL,
)
_QUANTITIES = tuple(REGISTERS[register].quantity for register in _TAGGED)
_POSITION, _GOAL, _COUNTS = struct.Struct("<f"), struct.Struct("<6f"), struct.Struct("<3h")
_REPLY = struct.Struct("<3B2s3f2sh2s3h2Bb")


def is_usual(data: bytes) -> bool:
    """True for a frame of SIZE bytes that drives in this layout."""
    return data.startswith(_HEAD) and data[30:32] == _LIMITS and data[_QUERY_AT:] in _QUERIES


def other(data: bytes) -> tuple[bytes, int] | None:
    """What a usual frame that does not drive writes, and the register that it asks for."""
    found = _OTHER.fullmatch(data)
    return None if found is None else (found[1], found[2][0])


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


def reply_of(
    register: int,
    command: ServoCommand,
    mode: int,
    fault: int,
    sensed: Sequence[float],
    supply_v: float,
) -> bytes:
    """The answer to a frame that holds `command` and asks for a command `register`; `sensed` is
    position, velocity, torque, power and temperature."""
    place = register - _FIRST_TAG
    position, velocity, torque, power, temperature = sensed
    return _REPLY.pack(
        *(0x21, 0x00, mode),
        *(b"\x2f\x01", position, velocity, torque),
        *(b"\x25\x07", to_raw(power, INT16, Quantity.POWER)),
        b"\x27\x0d",
        *_health(supply_v, temperature),
        fault,
        *(0x21, register, _told(command[1 + place], place)),
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


@lru_cache(maxsize=256)
def _told(value: float, place: int) -> int:
    """A command register's count as int8; but for the position seldom a new one."""
    return int(to_raw(value, INT8, _QUANTITIES[place]))


@lru_cache(maxsize=64)
def _health(supply_v: float, temperature_c: float) -> tuple[int, int]:
    """Voltage and temperature as a reply carries them: seldom new ones."""
    return (
        int(to_raw(supply_v, INT16, Quantity.VOLTAGE)),
        int(to_raw(temperature_c, INT16, Quantity.TEMPERATURE)),
    )
