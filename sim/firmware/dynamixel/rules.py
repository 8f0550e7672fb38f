"""What may be written to a servo's registers, and which parts of the table belong together. Pure.

Source: ROBOTIS e-manual, X series control table; Protocol 2.0, Error and Control Table Backup.
Which of DATA RANGE and DATA LIMIT a real servo answers is read from their definitions: RANGE for
a register's own minimum and maximum, LIMIT for what a limit register forbids.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from drivers.dynamixel.constants import WATCHDOG_TRIPPED, OperatingMode, StatusError
from drivers.dynamixel.control_table import TABLES, ControlTable
from sim.firmware.dynamixel.memory import ControlMemory, FieldWrite, Refused

GOALS = frozenset({"goal_pwm", "goal_current", "goal_velocity", "goal_position"})
"""Read-only while the bus watchdog is tripped."""
GAINS = (
    "velocity_i_gain",
    "velocity_p_gain",
    "position_d_gain",
    "position_i_gain",
    "position_p_gain",
    "feedforward_2nd_gain",
    "feedforward_1st_gain",
)
PROFILE = ("profile_acceleration", "profile_velocity")
KEPT_BY_BACKUP = (*GAINS, *PROFILE, *(f"indirect_address_{i}" for i in range(1, 57)))
"""Registers of the RAM area that a backup holds, next to all of the EEPROM area."""

_LIMIT_OF = MappingProxyType(
    {
        "goal_pwm": "pwm_limit",
        "goal_current": "current_limit",
        "goal_velocity": "velocity_limit",
    }
)
_WATCHDOG = TABLES[1020].by_name["bus_watchdog"].address
_MODE, _POSITION = TABLES[1020].by_name["operating_mode"].address, int(OperatingMode.POSITION)
_DRIVE_MODE_BITS = 0b1101
_SHUTDOWN_BITS = 0b111101


def check(memory: ControlMemory, fields: Sequence[FieldWrite], shut_down: bool) -> None:
    """Refuse a write whose values the servo does not take.

    Args:
        shut_down: a hardware error has cut the torque; only a reboot lets it on again.

    Raises:
        Refused: nothing of the write is to be carried out.
    """
    table = memory.layout.table
    tripped = memory.data[_WATCHDOG] == WATCHDOG_TRIPPED & 0xFF
    for register, value in fields:
        name = register.name
        goal = name in GOALS
        if tripped and (goal or (name == "bus_watchdog" and value != 0)):
            raise Refused(StatusError.DATA_RANGE)
        low, high = register.minimum, register.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            raise Refused(StatusError.DATA_RANGE)
        if goal:
            if not _within_limits(memory, name, value):
                raise Refused(StatusError.DATA_LIMIT)
            continue
        if not _lawful(table, name, value):
            raise Refused(StatusError.DATA_RANGE)
        if name == "torque_enable" and value and shut_down:
            raise Refused(StatusError.RESULT_FAIL)


def _lawful(table: ControlTable, name: str, value: int) -> bool:
    """Whether a code or a set of flags is one the servo knows."""
    if name == "operating_mode":
        return value in table.operating_modes
    if name == "drive_mode":
        return not value & ~_DRIVE_MODE_BITS
    if name == "shutdown":
        return not value & ~_SHUTDOWN_BITS
    return True


def _within_limits(memory: ControlMemory, name: str, value: int) -> bool:
    """Whether the limit registers allow a goal."""
    if name == "goal_position":
        if memory.data[_MODE] != _POSITION:
            return True
        return memory["min_position_limit"] <= value <= memory["max_position_limit"]
    return abs(value) <= memory[_LIMIT_OF[name]]
