"""What is done with a controller outside the control tick: registers, identity, zero position.

Everything here waits and tries again, so none of it may be called in the tick.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from drivers.errors import BusTimeout, DeviceError, ProtocolError
from drivers.moteus.link import AdapterLink
from drivers.moteus.multiplex import Read, RegisterError, Write, encode, reply_size, reply_values
from drivers.moteus.readings import TAGS
from drivers.moteus.registers import FRAME_SIZES, Mode, Register, Resolution

HOMED_TO_OUTPUT: Final = 2
"""Register 0x00c once the position was set to the output's."""
REZERO_TOLERANCE_REV: Final = 0.01
"""A position that was set reads back within this, the encoder's noise; revolutions."""

_REFUSALS = {1: "no such register", 2: "not writeable, or no room", 3: "value not valid"}
_IDENTITY = (
    Read(Register.MODEL_NUMBER, Resolution.INT32, 2),
    Read(Register.SERIAL_NUMBER_1, Resolution.INT32, 3),
)
_NEWEST_READ = (
    Read(Register.POWER, Resolution.INT16),
    Read(TAGS[0], Resolution.INT8, len(TAGS)),
)
"""Registers of every exchange that early firmware did not have."""
_HOME = (
    Read(Register.POSITION, Resolution.FLOAT),
    Read(Register.HOME_STATE, Resolution.INT8),
)


@dataclass(frozen=True, slots=True)
class ServoInfo:
    """Who a controller says it is."""

    model: int
    firmware: int
    """Version as 0xMMmmpp."""
    serial: tuple[int, int, int]


def read_registers(
    link: AdapterLink, id: int, blocks: Sequence[Read], attempts: int
) -> dict[int, float]:
    """The values of several blocks of registers, each in its unit, by register.

    Raises:
        ValueError: request or reply do not fit into a frame.
        BusTimeout: no reply. DeviceError: the controller refuses. WireClosed: the port is gone.
    """
    size = sum(reply_size(block) for block in blocks)
    if size > FRAME_SIZES[-1]:
        raise ValueError(f"the reply would take {size} bytes; a frame holds {FRAME_SIZES[-1]}")
    asked = [
        register
        for block in blocks
        for register in range(block.register, block.register + block.count)
    ]
    values = _ask(link, id, encode(blocks), asked, attempts)
    missing = [f"0x{register:03x}" for register in asked if register not in values]
    if missing:
        raise DeviceError(f"controller {id} answered without registers {', '.join(missing)}")
    return values


def write_registers(link: AdapterLink, id: int, blocks: Sequence[Write], attempts: int) -> None:
    """Set several blocks of registers and wait for the acknowledgement.

    Raises:
        ValueError: they do not fit into a frame.
        BusTimeout: no reply. DeviceError: the controller refuses. WireClosed: the port is gone.
    """
    _ask(link, id, encode(blocks), (), attempts)


def probe(link: AdapterLink, ids: Sequence[int], attempts: int) -> dict[int, ServoInfo]:
    """Ask every controller who it is; those that do not answer are left out.

    Raises:
        DeviceError: one answers, but not as a moteus would, or its firmware lacks a register that
            every exchange reads. WireClosed: the port is gone.
    """
    found: dict[int, ServoInfo] = {}
    for id in ids:
        try:
            values = read_registers(link, id, (*_IDENTITY, *_NEWEST_READ), attempts)
        except BusTimeout:
            continue
        except DeviceError as error:
            raise DeviceError(f"{error}; it needs firmware that has these registers") from error
        model, firmware = (int(values[Register.MODEL_NUMBER + i]) for i in range(2))
        a, b, c = (int(values[Register.SERIAL_NUMBER_1 + i]) for i in range(3))
        found[id] = ServoInfo(model, firmware, (a, b, c))
    return found


def require_stopped(link: AdapterLink, id: int, purpose: str) -> None:
    """Go on only if a controller drives nothing.

    Raises:
        DeviceError: it is in another mode than stopped. BusTimeout: no reply.
        WireClosed: the port is gone.
    """
    values = read_registers(link, id, [Read(Register.MODE, Resolution.INT8)], 3)
    mode = values[Register.MODE]
    if mode != Mode.STOPPED:
        raise DeviceError(f"controller {id} is in mode {mode:g}; stop it before {purpose}")


def rezero(link: AdapterLink, id: int, position_rev: float, exact: bool) -> float:
    """Set a stopped controller's position and read it back, revolutions.

    Raises:
        ValueError: the position is not finite.
        DeviceError: it is not stopped, or it does not read back as it should.
        BusTimeout: no reply. WireClosed: the port is gone.
    """
    if not math.isfinite(position_rev):
        raise ValueError(f"position_rev must be finite, got {position_rev}")
    require_stopped(link, id, "its zero is set")
    register = Register.SET_OUTPUT_EXACT if exact else Register.SET_OUTPUT_NEAREST
    write_registers(link, id, [Write(register, Resolution.FLOAT, (position_rev,))], 3)
    values = read_registers(link, id, _HOME, 3)
    found = values[Register.POSITION]
    reach = REZERO_TOLERANCE_REV if exact else 0.5 + REZERO_TOLERANCE_REV
    if not abs(found - position_rev) <= reach:
        raise DeviceError(
            f"controller {id} reads back {found:.4f} revolutions after its zero was set; valid is"
            f" {position_rev:.4f} within {reach}; does the shaft turn?"
        )
    if values[Register.HOME_STATE] != HOMED_TO_OUTPUT:
        raise DeviceError(
            f"controller {id} says home state {values[Register.HOME_STATE]:g} after its zero was"
            f" set; valid is {HOMED_TO_OUTPUT}; is an encoder configured for the output?"
        )
    return found


def recapture(link: AdapterLink, id: int) -> None:
    """Make a stopped controller's set-point start from its output's position and velocity.

    Raises:
        DeviceError: it is not stopped. BusTimeout: no reply. WireClosed: the port is gone.
    """
    require_stopped(link, id, "its set-point is recaptured")
    write_registers(link, id, [Write(Register.RECAPTURE, Resolution.INT8, (1.0,))], 3)


def _ask(
    link: AdapterLink, id: int, query: bytes, asked: Collection[int], attempts: int
) -> dict[int, float]:
    """Values of the registers that were `asked` for, from a reply that tells no other.

    One that does is a late one to another question, as to that of the control tick.
    """

    def parse(frame: bytes) -> tuple[dict[int, float], list[RegisterError]]:
        values, errors = reply_values(frame)
        if any(register not in asked for register in values):
            raise ProtocolError(f"reply to another question, valid are {asked}: {frame.hex()}")
        return values, errors

    values, errors = link.ask(id, query, parse, attempts)
    if errors:
        raise DeviceError(f"controller {id} refuses: {'; '.join(map(_in_words, errors))}")
    return values


def _in_words(error: RegisterError) -> str:
    deed = "writing" if error.writing else "reading"
    return f"{deed} register 0x{error.register:03x}: {_REFUSALS.get(error.code, error.code)}"
