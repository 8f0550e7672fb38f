"""A servo's control table as bytes: which of them may be read and written, and what they mean.

Source: ROBOTIS e-manual, "Control Table" of the X430 models (Indirect Address), and Protocol 2.0
(Error). The manual refuses a read of an undefined address; a read that only spans one is answered,
with zeros in the gaps, as ROBOTIS' own device library does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.dynamixel.constants import StatusError
from drivers.dynamixel.control_table import TABLES, Access, Area, ControlTable, Register

ByteArray = NDArray[np.uint8]

INDIRECT_COUNT = 56


class Refused(Exception):
    """An instruction that the servo does not carry out; `error` tells the host why."""

    def __init__(self, error: StatusError) -> None:
        super().__init__(error.name)
        self.error = error


class FieldWrite(NamedTuple):
    """One register's new value."""

    register: Register
    value: int


class _Plan(NamedTuple):
    """What a write of some bytes covers."""

    registers: tuple[Register, ...]
    error: StatusError
    indirect: bool
    """Some byte is indirect data: only the servo's memory can tell the registers."""


class TableLayout:
    """Where everything lies in one model's table.

    Attributes:
        table: the registers as data.
        size: bytes of the table.
        fields: name -> bytes of a register, and whether it is signed.
        slots: address of an indirect data byte -> address of the register that tells its target.
        plan: (address, length) -> the registers of a write.
        plain: (address, length) -> whether a read touches no indirect data; raises Refused if there
            is nothing to read.
    """

    def __init__(self, table: ControlTable) -> None:
        self.table = table
        self.size = max(register.address + register.size for register in table.registers)
        self.owner: list[Register | None] = [None] * self.size
        for register in table.registers:
            for address in range(register.address, register.address + register.size):
                self.owner[address] = register
        self.fields = {
            register.name: (_span(register), register.signed) for register in table.registers
        }
        self.slots = {
            table.by_name[f"indirect_data_{i}"].address: table.by_name[
                f"indirect_address_{i}"
            ].address
            for i in range(1, INDIRECT_COUNT + 1)
        }
        self.plan: Callable[[int, int], _Plan] = lru_cache(512)(self._plan)
        self.plain: Callable[[int, int], bool] = lru_cache(512)(self._plain)

    def cover(self, addresses: list[int]) -> tuple[Register, ...]:
        """The registers that bytes at `addresses`, in this order, fill wholly.

        Raises:
            Refused: an address without register, or a register that is not filled.
        """
        registers: list[Register] = []
        i = 0
        while i < len(addresses):
            at = addresses[i]
            register = self.owner[at] if at < self.size else None
            if register is None:
                raise Refused(StatusError.ACCESS)
            whole = list(range(register.address, register.address + register.size))
            if addresses[i : i + register.size] != whole:
                raise Refused(StatusError.DATA_LENGTH)
            registers.append(register)
            i += register.size
        return tuple(registers)

    def _plan(self, address: int, length: int) -> _Plan:
        span = range(address, address + length)
        if any(at in self.slots for at in span):
            return _Plan((), StatusError.NONE, True)
        try:
            return _Plan(self.cover(list(span)), StatusError.NONE, False)
        except Refused as refusal:
            return _Plan((), refusal.error, False)

    def _plain(self, address: int, length: int) -> bool:
        span = range(address, address + length)
        if not span or span.stop > self.size or all(self.owner[at] is None for at in span):
            raise Refused(StatusError.ACCESS)
        return not any(at in self.slots for at in span)


@cache
def layout_of(model_number: int) -> TableLayout:
    """The layout of a known model.

    Raises:
        ValueError: there is no table for it.
    """
    if model_number not in TABLES:
        raise ValueError(f"no control table for model {model_number}; known are {sorted(TABLES)}")
    return TableLayout(TABLES[model_number])


def blank_tables(model_numbers: Iterable[int]) -> ByteArray:
    """Empty control tables, a row each, as long as the longest of them.

    Raises:
        ValueError: there is no table for a model.
    """
    sizes = [layout_of(number).size for number in model_numbers]
    return np.zeros((len(sizes), max(sizes, default=0)), np.uint8)


def column(tables: ByteArray, register: Register) -> NDArray[np.signedinteger]:
    """One signed register of every row, shape (n,), to look at and to write to."""
    span = tables[:, register.address : register.end]
    return span.view(f"<i{register.size}")[:, 0]


def _span(register: Register) -> slice:
    return slice(register.address, register.address + register.size)


class ControlMemory:
    """One servo's control table.

    Args:
        row: where it lies; others may look at it and write to it there.

    Attributes:
        data: the bytes; gaps stay zero.
    """

    def __init__(self, layout: TableLayout, row: ByteArray) -> None:
        self.layout = layout
        self.data = row.data[: layout.size]

    def __getitem__(self, name: str) -> int:
        """The value of a register."""
        span, signed = self.layout.fields[name]
        return int.from_bytes(self.data[span], "little", signed=signed)

    def __setitem__(self, name: str, value: int) -> None:
        self.put(self.layout.table.by_name[name], value)

    def put(self, register: Register, value: int) -> None:
        """Set a register, whatever its access."""
        at, size = register.address, register.size
        self.data[at : at + size] = value.to_bytes(size, "little", signed=register.signed)

    def restore_defaults(self, area: Area, keep: frozenset[str] = frozenset()) -> None:
        """Bring every register of `area` that has a default back to it, but not those in `keep`."""
        for register in self.layout.table.registers:
            if register.area is area and register.name not in keep:
                self.put(register, register.default or 0)

    def read(self, address: int, length: int) -> bytes:
        """The bytes that a host reads. Raises Refused."""
        if self.layout.plain(address, length):
            return bytes(self.data[address : address + length])
        return bytes(self.data[self._target(at)] for at in range(address, address + length))

    def parse_write(self, address: int, data: bytes, locked: bool) -> list[FieldWrite]:
        """The registers that `data`, written at `address`, fills.

        Args:
            locked: torque is on, so that the EEPROM area is read-only.

        Raises:
            Refused: not writeable, or not whole registers. Then nothing is to be written.
        """
        if not data:
            raise Refused(StatusError.DATA_LENGTH)
        if address + len(data) > self.layout.size:
            raise Refused(StatusError.ACCESS)
        registers, error, indirect = self.layout.plan(address, len(data))
        if error:
            raise Refused(error)
        if indirect:
            span = range(address, address + len(data))
            registers = self.layout.cover([self._target(at) for at in span])
        fields: list[FieldWrite] = []
        at = 0
        for register in registers:
            if register.access is Access.R or (locked and register.area is Area.EEPROM):
                raise Refused(StatusError.ACCESS)
            raw = data[at : at + register.size]
            value = int.from_bytes(raw, "little", signed=register.signed)
            fields.append(FieldWrite(register, value))
            at += register.size
        return fields

    def _target(self, address: int) -> int:
        """The address that stands behind `address`: another one if that is indirect data."""
        slot = self.layout.slots.get(address)
        if slot is None:
            return address
        return self.data[slot] | self.data[slot + 1] << 8
