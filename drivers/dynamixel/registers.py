"""One servo's registers by name, while configuring: with retries, and read back after a write."""

from __future__ import annotations

from typing import Final

from drivers.dynamixel.bus import DynamixelBus
from drivers.dynamixel.constants import StatusError
from drivers.dynamixel.control_table import Access
from drivers.dynamixel.instructions import read, write
from drivers.dynamixel.port import REPLY_TIMEOUT_S, error_name
from drivers.errors import DeviceError

ATTEMPTS: Final = 5


class ServoRegisters:
    """The registers of a bus's probed servos. Never for use in a control tick.

    Every method raises BusTimeout (no answer), DeviceError (the servo refuses, or was not probed),
    KeyError (its model has no such register) and WireClosed (the port is gone).

    Args:
        bus: its servos have been probed.
        attempts: how often each transaction is tried.
    """

    def __init__(self, bus: DynamixelBus, attempts: int = ATTEMPTS) -> None:
        self._bus, self._attempts = bus, attempts

    def read_raw(self, id: int, name: str) -> int:
        """A register's value in counts."""
        register = self._bus.table(id)[name]
        status = self._bus.port.request(
            read(id, register.address, register.size), id, register.size, self._attempts
        )
        return register.decode(status.parameters)

    def read(self, id: int, name: str) -> float:
        """A register's value in its unit (SI; degrees C)."""
        return self._bus.table(id)[name].to_si(self.read_raw(id, name))

    def write(self, id: int, name: str, value: float) -> None:
        """Set a register to `value` in its unit (SI; degrees C) and read it back.

        Raises:
            ValueError: not finite, out of range, or a register that is only read.
        """
        self.write_raw(id, name, self._bus.table(id)[name].to_raw(value))

    def write_raw(self, id: int, name: str, raw: int) -> None:
        """Set a register to `raw` counts and read it back.

        The acknowledgement may be lost, or not sent below status return level 2; what counts is
        what the servo then reads.

        Raises:
            ValueError: out of range, or a register that is only read.
        """
        register = self._bus.table(id)[name]
        if register.access is not Access.RW:
            raise ValueError(f"{name} is only read")
        packet = write(id, register.address, register.encode(raw))
        port, kept = self._bus.port, raw
        for _ in range(self._attempts):
            status = port.ask(packet, id, 0, port.now() + REPLY_TIMEOUT_S)
            if status is not None and status.error not in (StatusError.NONE, StatusError.CRC):
                port.counters.refused += 1
                raise DeviceError(
                    f"servo {id} refuses {name} = {raw}: {error_name(status.error)}"
                    f"{_hint(status.error)}"
                )
            kept = self.read_raw(id, name)
            if kept == raw:
                return
        raise DeviceError(f"servo {id} keeps {name} at {kept}, not {raw}")


def _hint(error: int) -> str:
    match error:
        case StatusError.ACCESS:
            return "; EEPROM is written only while torque is off"
        case StatusError.DATA_RANGE | StatusError.DATA_LIMIT:
            return "; beyond a limit register, or a goal after the bus watchdog tripped"
        case _:
            return ""
