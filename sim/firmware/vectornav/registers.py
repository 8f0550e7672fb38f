"""The registers inside a VN-100: factory values, and what may be written.

Source: VN-100 user manual UM001, sections 5.2, 6.2, 7.2 and the tables of factory defaults.
"""

from __future__ import annotations

import math
import struct
from typing import Final

TOO_FEW, TOO_MANY, BAD_PARAMETER, BAD_REGISTER = 5, 6, 7, 8
BAUD, ASYNC_TYPE, ASYNC_RATE, PROTOCOL, STARTUP_BIAS = 5, 6, 7, 30, 74
BINARY_OUTPUTS: Final = (75, 76, 77)
READ_ONLY: Final = (1, 2, 3, 4)
WITH_PORT: Final = (BAUD, ASYNC_TYPE, ASYNC_RATE)
"""These take the number of a serial port as one more parameter."""
ASYNC_HEADERS: Final = {1: "VNYPR", 2: "VNQTN", 14: "VNYMR"}
"""The ASCII measurements that are modelled, by the value of register 6."""

_IDENTITY_AND_ZERO = "1,0,0,0,1,0,0,0,1,0,0,0"
FACTORY: Final = {
    1: "VN-100T-CR",
    2: "7",
    3: "0100012345",
    4: "2.1.0.0",
    BAUD: "115200",
    ASYNC_TYPE: "14",
    ASYNC_RATE: "40",
    25: _IDENTITY_AND_ZERO,
    26: "1,0,0,0,1,0,0,0,1",
    PROTOCOL: "0,0,0,0,1,0,1",
    32: "3,0,0,0,6,1,0,100000000,0",
    35: "1,1,1,1",
    STARTUP_BIAS: "0,0,0",
    75: "0,0,00",
    76: "0,0,00",
    77: "0,0,00",
    84: _IDENTITY_AND_ZERO,
}
_BAUDS = (9600, 19200, 38400, 57600, 115200, 128000, 230400, 460800, 921600)
_RATES = (1, 2, 4, 5, 10, 20, 25, 40, 50, 100, 200)
_ANY = range(1 << 32)
_WHOLE: dict[int, tuple[range | tuple[int, ...], ...]] = {
    BAUD: (_BAUDS,),
    ASYNC_TYPE: ((0, *ASYNC_HEADERS),),
    ASYNC_RATE: (_RATES,),
    PROTOCOL: (range(4), range(3), range(4), range(3), (1, 3), (0, 1, 3), (0, 1, 2)),
    32: (range(3, 7), (0, 1), range(1 << 16), _ANY, _ANY, (0, 1), range(1 << 16), _ANY, _ANY),
    35: ((0, 1), (0, 1, 2), (0, 1), (0, 1)),
}
"""Registers of whole numbers: what each may be."""
_FLOATS = {25: 12, 26: 9, STARTUP_BIAS: 3, 84: 12}
"""Registers of floats: how many."""


class Refused(Exception):
    """The sensor answers with this error code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def accepted(register: int, values: list[str]) -> str:
    """What a register holds after `values` were written; raises Refused."""
    if register in _FLOATS:
        count(values, _FLOATS[register])
        return ",".join(_single(value) for value in values)
    if register not in _WHOLE:
        raise Refused(BAD_REGISTER)
    choices = _WHOLE[register]
    count(values, len(choices))
    numbers = [int(value) if value.isdecimal() else -1 for value in values]
    if any(number not in valid for number, valid in zip(numbers, choices, strict=True)):
        raise Refused(BAD_PARAMETER)
    return ",".join(map(str, numbers))


def count(values: list[str], wanted: int) -> None:
    """Refuse another number of values."""
    if len(values) != wanted:
        raise Refused(TOO_FEW if len(values) < wanted else TOO_MANY)


def _single(text: str) -> str:
    """A float as single precision prints it."""
    try:
        value: float = struct.unpack("<f", struct.pack("<f", float(text)))[0]
    except (ValueError, OverflowError):
        raise Refused(BAD_PARAMETER) from None
    if not math.isfinite(value):
        raise Refused(BAD_PARAMETER)
    return f"{value:+.6f}"
