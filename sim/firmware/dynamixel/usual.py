"""What a tick asks of all servos at once, carried out on the whole row instead of one by one.

Usual are sync writes of goal_position, and of goal_current as the most that may flow, and sync
reads of plain registers, for all servos of a line that has no faults. Whatever is unusual is left
to `Instructions`, untouched; what is done here it would do to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.dynamixel.block import block_crc
from drivers.dynamixel.constants import HEADER, Instruction
from drivers.dynamixel.control_table import TABLES
from sim.firmware.dynamixel.answer import Answer
from sim.firmware.dynamixel.control import ServoControl
from sim.firmware.dynamixel.groups import SPAN
from sim.firmware.dynamixel.memory import ByteArray, Refused, column
from sim.firmware.dynamixel.sensors import Sensors
from sim.firmware.dynamixel.servo import DynamixelServo
from sim.firmware.dynamixel.standing import Standing, fingerprint, standing_of

LONGEST_READ = 32
"""Registers that a tick asks for, bytes."""

_X430 = TABLES[1020].by_name
_POSITION, _CURRENT = _X430["goal_position"], _X430["goal_current"]
_ID_AT, _ERROR_AT, _DATA_AT, _CRC_SIZE = 4, 8, 9, 2
_MARK = HEADER[:3]
_POSITION_SPAN, _CURRENT_SPAN = (
    SPAN.pack(register.address, register.size) for register in (_POSITION, _CURRENT)
)
_POSITIONS, _CURRENTS = (
    np.dtype([("id", "u1"), ("goal", f"<i{register.size}")]) for register in (_POSITION, _CURRENT)
)


class _Form:
    """The status packets of all servos with `length` parameters each.

    Attributes:
        size: bytes of each.
    """

    def __init__(self, length: int, standing: Standing) -> None:
        self.size = _DATA_AT + length + _CRC_SIZE
        head = HEADER + bytes(1) + (length + 4).to_bytes(2, "little")
        row = (head + bytes((Instruction.STATUS,))).ljust(self.size, b"\x00")
        self._packets = np.tile(np.frombuffer(row, np.uint8), (len(standing.ids), 1))
        self._packets[:, _ID_AT] = np.frombuffer(standing.ids, np.uint8)
        self._packets[:, _ERROR_AT] = standing.alerts
        self._data = self._packets[:, _DATA_AT:-_CRC_SIZE]
        self._message = self._packets[:, :-_CRC_SIZE]
        self._sums: NDArray[np.uint16] = self._packets[:, -_CRC_SIZE:].view("<u2")[:, 0]
        self._crc = block_crc(self.size - _CRC_SIZE)

    def fill(self, data: ByteArray) -> bytes:
        """All packets, with `data` of shape (n, length); b"": some would have to be stuffed."""
        self._data[:] = data
        self._sums[:] = self._crc.of(self._message)
        packets = self._packets.tobytes()
        return packets if packets.count(_MARK) == len(data) else b""


class UsualTick:
    """The row `servos`, whose registers are `tables`, shape (n, size), and whose loops `control`.

    Args:
        sensors: what the row measures.
        at_once: answers take no time, so that those of all servos may be one.
    """

    def __init__(
        self,
        servos: Sequence[DynamixelServo],
        tables: ByteArray,
        control: ServoControl,
        sensors: Sensors,
        at_once: bool,
    ) -> None:
        self._servos, self._tables = servos, tables
        self._control, self._sensors, self._at_once = control, sensors, at_once
        self._position, self._current = column(tables, _POSITION), column(tables, _CURRENT)
        self._current_scale_a = np.array([servo.motion.current_scale_a for servo in servos])
        self._layouts = tuple({servo.memory.layout for servo in servos})
        self._settings, self._known = fingerprint(tables), standing_of(servos)
        self._forms: dict[int, _Form] = {}

    def write(self, parameters: bytes, hearing: Sequence[DynamixelServo]) -> bool:
        """Carry out a sync write with these parameters; False: not usual, nothing is done."""
        if len(hearing) != len(self._servos):
            return False
        span = parameters[: SPAN.size]
        if span == _POSITION_SPAN:
            return self._write_positions(parameters)
        return span == _CURRENT_SPAN and self._write_currents(parameters)

    def read(self, parameters: bytes, hearing: Sequence[DynamixelServo]) -> list[Answer]:
        """The answers to a sync read with these parameters, in its order; []: not usual."""
        servos = self._servos
        if len(hearing) != len(servos) or len(parameters) != SPAN.size + len(servos):
            return []
        address, length = SPAN.unpack_from(parameters)
        if length > LONGEST_READ or not self._plain(address, length):
            return []
        standing = self._standing()
        order = _order(standing, parameters[SPAN.size :])
        if not standing.readable or not order or not _tell_the_truth(servos):
            return []
        if Sensors.concern(address, length):
            self._sensors.refresh_all(standing)
        return self._answers(address, length, order)

    def _write_positions(self, parameters: bytes) -> bool:
        standing = self._standing()
        goals = _goals(parameters, _POSITIONS, standing.ids)
        if goals is None or standing.positions is None or not self._control.at_rest:
            return False
        if not standing.positions.hold(goals):
            return False
        self._position[:] = goals
        for servo in self._servos:
            servo.motion.stopped = False
        self._control.step_to(standing.torque, goals)
        return True

    def _write_currents(self, parameters: bytes) -> bool:
        standing = self._standing()
        goals = _goals(parameters, _CURRENTS, standing.ids)
        if goals is None or standing.currents is None or not self._control.at_rest:
            return False
        if goals.tobytes() == self._current.tobytes():
            # A host sends the same over and over: the loops have it.
            return True
        if not standing.currents.hold(goals):
            return False
        self._current[:] = goals
        most = np.abs(goals) * self._current_scale_a
        self._control.bound_current(standing.torque, most)
        return True

    def _answers(self, address: int, length: int, order: Sequence[int]) -> list[Answer]:
        """The status packets with these registers; [] if bytes must be stuffed."""
        form = self._forms.get(length)
        if form is None:
            form = self._forms[length] = _Form(length, self._known)
        data = form.fill(self._tables[:, address : address + length])
        if not data:
            return []
        servos, size = self._servos, form.size
        if self._at_once and isinstance(order, range) and not any(s.faults.hold_s for s in servos):
            return [Answer(data, len(data), 0.0)]
        packets = (data[i * size : (i + 1) * size] for i in order)
        return [
            Answer(packet, size, servo.return_delay_s, servo.faults.hold_s)
            for packet, servo in zip(packets, (servos[i] for i in order), strict=True)
        ]

    def _standing(self) -> Standing:
        """How the settings are now."""
        settings = fingerprint(self._tables)
        if settings != self._settings:
            self._settings, self._known = settings, standing_of(self._servos)
            self._forms.clear()
        return self._known

    def _plain(self, address: int, length: int) -> bool:
        """Whether every servo has something there, and nothing indirect."""
        try:
            return all(layout.plain(address, length) for layout in self._layouts)
        except Refused:
            return False


def _goals(
    parameters: bytes, form: np.dtype[np.void], ids: bytes
) -> NDArray[np.signedinteger] | None:
    """The goals of a sync write for the servos `ids`, in their order; None: for others."""
    size = form.itemsize
    if len(parameters) != SPAN.size + len(ids) * size or parameters[SPAN.size :: size] != ids:
        return None
    return np.frombuffer(parameters, form, offset=SPAN.size)["goal"]


def _order(standing: Standing, ids: bytes) -> Sequence[int]:
    """Places in the row of the servos `ids`, which must be all of it; []: they are not."""
    if ids == standing.ids:
        return range(len(ids))
    order = [standing.index[id] for id in ids if id in standing.index]
    return order if len(set(order)) == len(standing.ids) else []


def _tell_the_truth(servos: Sequence[DynamixelServo]) -> bool:
    """Whether no fault touches what servos measure and answer."""
    return all(servo.faults.readings.none and servo.faults.garble is None for servo in servos)
