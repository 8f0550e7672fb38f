"""A VN-100's settings: the registers as they are now, what is saved, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping

from sim.firmware.uart import BITS_PER_BYTE
from sim.firmware.vectornav.output import BinaryOutput, Measurement, Periodic, ascii_body
from sim.firmware.vectornav.registers import (
    ASYNC_HEADERS,
    ASYNC_RATE,
    ASYNC_TYPE,
    BAD_PARAMETER,
    BAD_REGISTER,
    BAUD,
    BINARY_OUTPUTS,
    FACTORY,
    PROTOCOL,
    READ_ONLY,
    TOO_FEW,
    TOO_MANY,
    WITH_PORT,
    Refused,
    accepted,
)

_BAUD_TOO_LOW = 12
_CRC16_CHECK = 3
_CHECK, _ERROR_MODE = 4, 6
_FRAME = len("$*00\r\n")
_SOMETHING = Measurement(0, (0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.0))


class Settings:
    """The registers.

    Args:
        saved: those in the flash that are not the factory's.

    Attributes:
        outputs: the binary outputs by register.
        ascii_clock: when an ASCII measurement is due; None: never.
    """

    def __init__(self, saved: Mapping[int, str]) -> None:
        self._saved = dict(saved)
        self.load()

    def load(self) -> None:
        """Power on: what is saved goes into the registers."""
        self._registers = FACTORY | self._saved
        self.outputs = {
            register: BinaryOutput(self._registers[register].split(","))
            for register in BINARY_OUTPUTS
        }
        self._set_ascii_clock()

    def save(self) -> None:
        """Write the registers into the flash."""
        self._saved = dict(self._registers)

    def forget(self) -> None:
        """Back to the factory's."""
        self._saved = {}

    @property
    def baud(self) -> int:
        """bit/s"""
        return int(self._registers[BAUD])

    @property
    def crc16(self) -> bool:
        """ASCII messages carry a CRC-16 instead of the 8-bit checksum."""
        return self._protocol(_CHECK) == _CRC16_CHECK

    @property
    def error_mode(self) -> int:
        """0: errors are not told; 1: told; 2: told, and ASCII measurements end."""
        return self._protocol(_ERROR_MODE)

    @property
    def async_header(self) -> str:
        """The ASCII measurement that is sent; "": none."""
        return ASYNC_HEADERS.get(int(self._registers[ASYNC_TYPE]), "")

    def stop_ascii(self) -> None:
        """No ASCII measurements any more."""
        self._registers[ASYNC_TYPE] = "0"
        self._set_ascii_clock()

    def read(self, parts: list[str]) -> str:
        """The answer to VNRRG with these parameters; raises Refused."""
        if not parts:
            raise Refused(TOO_FEW)
        register = _register(parts)
        if register not in self._registers:
            raise Refused(BAD_REGISTER)
        if len(parts) > (2 if register in WITH_PORT else 1):
            raise Refused(TOO_MANY)
        return ",".join(["VNRRG", f"{register:02d}", self._registers[register], *parts[1:]])

    def write(self, parts: list[str]) -> str:
        """Do as VNWRG with these parameters says; the answer to it; raises Refused."""
        register, values = _register(parts), parts[1:]
        if register not in self._registers or register in READ_ONLY:
            raise Refused(BAD_REGISTER)
        answer = ",".join(["VNWRG", f"{register:02d}", *values])
        if register in WITH_PORT and len(values) == 2 and values.pop() not in ("1", "2"):
            raise Refused(BAD_PARAMETER)
        outputs = self.outputs
        if register in BINARY_OUTPUTS:
            outputs = outputs | {register: BinaryOutput(values)}
            content = outputs[register].setting
        else:
            content = accepted(register, values)
        registers = self._registers | {register: content}
        _afford(outputs, registers)
        self.outputs, self._registers = outputs, registers
        if register in (ASYNC_TYPE, ASYNC_RATE):
            self._set_ascii_clock()
        return answer

    def _protocol(self, index: int) -> int:
        return int(self._registers[PROTOCOL].split(",")[index])

    def _set_ascii_clock(self) -> None:
        period_ns = 1_000_000_000 // int(self._registers[ASYNC_RATE])
        self.ascii_clock = Periodic(period_ns) if self.async_header else None


def _afford(outputs: Mapping[int, BinaryOutput], registers: Mapping[int, str]) -> None:
    """Refuse outputs that the baud cannot carry."""
    needed = sum(output.bits_per_s for output in outputs.values())
    if header := ASYNC_HEADERS.get(int(registers[ASYNC_TYPE])):
        size = len(ascii_body(header, _SOMETHING)) + _FRAME
        needed += size * BITS_PER_BYTE * int(registers[ASYNC_RATE])
    if needed > int(registers[BAUD]):
        raise Refused(_BAUD_TOO_LOW)


def _register(parts: list[str]) -> int:
    """The register number that a command begins with; -1: none."""
    return int(parts[0]) if parts and parts[0].isdecimal() else -1
