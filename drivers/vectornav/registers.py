"""The VN-100's registers that we read and write: what is in them, and what may be.

Source: VN-100 user manual UM001, sections 5.2 (system), 6.2 (IMU), 7.2 (attitude) and 8.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from drivers.errors import ProtocolError
from drivers.vectornav.codec import BAUDS, Check

Value = int | float | str
MATCH_TOLERANCE: Final = 1e-4
"""A float that is read back is the one that was written within this (the sensor prints rounded)."""
_LARGEST_UINT = 0xFFFF_FFFF


@dataclass(frozen=True, slots=True)
class Register:
    """One register: a letter for each value, `u` unsigned, `f` float, `s` text."""

    id: int
    name: str
    kinds: str
    writable: bool = True
    optional: int = 0
    """How many of the last values older firmware does not have."""
    choices: tuple[tuple[int, frozenset[int]], ...] = ()
    """The valid numbers of the value with that index."""


def _choice(index: int, *valid: int) -> tuple[int, frozenset[int]]:
    return index, frozenset(valid)


MODEL: Final = Register(1, "model number", "s", writable=False)
HARDWARE: Final = Register(2, "hardware revision", "u", writable=False)
SERIAL: Final = Register(3, "serial number", "s", writable=False)
FIRMWARE: Final = Register(4, "firmware version", "s", writable=False)
BAUD: Final = Register(5, "serial baud rate", "u", choices=(_choice(0, *BAUDS),))
ASYNC_TYPE: Final = Register(6, "async data output type", "u")
ASYNC_RATE: Final = Register(
    7,
    "async data output frequency",
    "u",
    choices=(_choice(0, 1, 2, 4, 5, 10, 20, 25, 40, 50, 100, 200),),
)
ACCELERATION_BIAS: Final = Register(25, "acceleration compensation", "f" * 12)
"""A 3x3 matrix row by row, then the bias, m/s^2: compensated = matrix * (raw - bias)."""
REFERENCE_ROTATION: Final = Register(26, "reference frame rotation", "f" * 9)
"""A 3x3 matrix row by row, sensor to user axes; in force after save_settings and reset."""
PROTOCOL: Final = Register(
    30,
    "communication protocol control",
    "uuuuuuu",
    choices=(_choice(4, *Check), _choice(6, 0, 1, 2)),
)
"""Count, status, SPI count, SPI status, serial check, SPI check, error mode."""
SYNC: Final = Register(
    32,
    "synchronization control",
    "uuuuuuuuu",
    choices=(_choice(0, 3, 4, 5, 6), _choice(1, 0, 1), _choice(5, 0, 1)),
)
"""SyncIn mode, edge, skip, 0, SyncOut mode, polarity, skip, pulse width in ns, 0."""
VPE_BASIC: Final = Register(
    35,
    "VPE basic control",
    "uuuu",
    choices=(_choice(0, 0, 1), _choice(1, 0, 1, 2), _choice(2, 0, 1), _choice(3, 0, 1)),
)
"""Enable, heading mode (0 absolute, 1 relative, 2 indoor), filtering mode, tuning mode."""
STARTUP_BIAS: Final = Register(74, "filter startup bias", "f" * 7, optional=4)
"""Gyro bias, rad/s; newer firmware adds the accelerometers' bias, m/s^2, and the pressure's."""
GYRO_BIAS: Final = Register(84, "gyro compensation", "f" * 12)
"""A 3x3 matrix row by row, then the bias, rad/s."""
BINARY_OUTPUTS: Final = (75, 76, 77)
"""The binary output registers; their length varies, and their numbers are part hexadecimal."""


def parse_values(register: Register, parts: list[str]) -> tuple[Value, ...]:
    """The values that the sensor reported of `register`.

    Raises:
        ProtocolError: too few, too many or other kinds of values.
    """
    most = len(register.kinds)
    if not most - register.optional <= len(parts) <= most:
        raise ProtocolError(
            f"register {register.id} ({register.name}) has {most} values, got {len(parts)}: {parts}"
        )
    kinds = register.kinds[: len(parts)]
    return tuple(_parse(register, kind, part) for kind, part in zip(kinds, parts, strict=True))


def format_values(register: Register, values: tuple[Value, ...]) -> str:
    """The values as VNWRG wants them.

    Raises:
        ValueError: a register that cannot be written, a wrong number of values, or one that is
            outside its range.
    """
    where = f"register {register.id} ({register.name})"
    if not register.writable:
        raise ValueError(f"{where} is read only")
    most = len(register.kinds)
    if not most - register.optional <= len(values) <= most:
        raise ValueError(f"{where} takes {most} values, got {len(values)}")
    for kind, value in zip(register.kinds, values, strict=False):
        if kind == "u" and not (isinstance(value, int) and 0 <= value <= _LARGEST_UINT):
            raise ValueError(f"{where} takes whole numbers from 0 to {_LARGEST_UINT}, got {value}")
        if kind == "f" and (isinstance(value, str) or not math.isfinite(value)):
            raise ValueError(f"{where} takes finite numbers, got {value}")
    for index, valid in register.choices:
        if values[index] not in valid:
            raise ValueError(
                f"{where}, value {index}: valid are {sorted(valid)}, got {values[index]}"
            )
    return ",".join(
        f"{value:.8g}" if kind == "f" else str(value)
        for kind, value in zip(register.kinds, values, strict=False)
    )


def same_values(written: tuple[Value, ...], kept: tuple[Value, ...]) -> bool:
    """Whether the sensor keeps what was written; newer firmware may report more values."""
    return len(kept) >= len(written) and all(
        math.isclose(a, b, rel_tol=MATCH_TOLERANCE, abs_tol=MATCH_TOLERANCE)
        if isinstance(a, float) and isinstance(b, int | float)
        else a == b
        for a, b in zip(written, kept, strict=False)
    )


def _parse(register: Register, kind: str, part: str) -> Value:
    text = part.strip()
    try:
        if kind == "u":
            if not (text.isascii() and text.isdecimal()):
                raise ValueError(text)
            return int(text)
        if kind == "f":
            value = float(text)
            if not math.isfinite(value):
                raise ValueError(text)
            return value
    except ValueError as error:
        raise ProtocolError(
            f"register {register.id} ({register.name}) holds {part!r}, which is no number"
        ) from error
    return text
