"""Numbers of Dynamixel Protocol 2.0 and of the X series, shared by both ends of the wire.

Sources: ROBOTIS e-manual, pages "DYNAMIXEL Protocol 2.0" and those of the X430 models.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

HEADER: Final = b"\xff\xff\xfd\x00"
"""Every packet begins so; the fourth byte is reserved."""
MAX_ID: Final = 252
BROADCAST_ID: Final = 0xFE
"""Every servo hears it; only ping and the group reads are answered."""
BYTE_GAP_S: Final = 0.0015
"""A longer silence inside an instruction packet makes a servo drop it, s."""
ALERT: Final = 0x80
"""Bit of the status packet's error byte: look at `hardware_error_status`."""


class Instruction(enum.IntEnum):
    """The eighth byte of a packet (Protocol 2.0, Instruction)."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    REG_WRITE = 0x04
    ACTION = 0x05
    FACTORY_RESET = 0x06
    REBOOT = 0x08
    CLEAR = 0x10
    CONTROL_TABLE_BACKUP = 0x20
    STATUS = 0x55
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83
    FAST_SYNC_READ = 0x8A
    BULK_READ = 0x92
    BULK_WRITE = 0x93
    FAST_BULK_READ = 0x9A


CLEAR_MULTI_TURN: Final = b"\x01\x44\x58\x4c\x22"
"""Parameters of CLEAR: take the present position back into one turn."""
BACKUP_STORE: Final = b"\x01CTRL"
"""Parameters of CONTROL_TABLE_BACKUP: keep the table, ..."""
BACKUP_RESTORE: Final = b"\x02CTRL"
"""... and bring it back."""


class FactoryReset(enum.IntEnum):
    """What a factory reset sets back."""

    ALL = 0xFF
    """Also the id and the baud rate; not obeyed as a broadcast from firmware 42 on."""
    KEEP_ID = 0x01
    KEEP_ID_AND_BAUD = 0x02


class StatusError(enum.IntEnum):
    """Bits 0 to 6 of a status packet's error byte (Protocol 2.0, Error)."""

    NONE = 0
    RESULT_FAIL = 1
    INSTRUCTION = 2
    CRC = 3
    DATA_RANGE = 4
    DATA_LENGTH = 5
    DATA_LIMIT = 6
    ACCESS = 7


class StatusReturnLevel(enum.IntEnum):
    """Register 68: which instructions are answered."""

    PING = 0
    PING_AND_READ = 1
    ALL = 2


class OperatingMode(enum.IntEnum):
    """Register 11. Changing it resets gains, profile and goal limits."""

    CURRENT = 0
    VELOCITY = 1
    POSITION = 3
    """One turn, within the position limits of registers 48 and 52."""
    EXTENDED_POSITION = 4
    """256 turns each way; no position limits."""
    CURRENT_BASED_POSITION = 5
    """As EXTENDED_POSITION, with goal_current as the most that may flow."""
    PWM = 16


class HardwareError(enum.IntFlag):
    """Register 70, and the mask in register 63 of what shuts the servo down."""

    INPUT_VOLTAGE = 0x01
    OVERHEATING = 0x04
    MOTOR_ENCODER = 0x08
    ELECTRICAL_SHOCK = 0x10
    OVERLOAD = 0x20


class DriveMode(enum.IntFlag):
    """Register 10."""

    REVERSE = 0x01
    TIME_BASED_PROFILE = 0x04
    TORQUE_ON_BY_GOAL = 0x08
    """A goal switches torque on by itself (firmware 46 on)."""


class StartupConfiguration(enum.IntFlag):
    """Register 60 (firmware 45 on)."""

    TORQUE_ON = 0x01
    """Torque is on as soon as there is power."""
    RESTORE_RAM = 0x02


BAUD_RATES: Final[Mapping[int, int]] = MappingProxyType(
    {
        0: 9_600,
        1: 57_600,
        2: 115_200,
        3: 1_000_000,
        4: 2_000_000,
        5: 3_000_000,
        6: 4_000_000,
        7: 4_500_000,
    }
)
"""Register 8: bit/s by the register's value."""

WATCHDOG_TRIPPED: Final = -1
"""What `bus_watchdog` reads after a trip; goals are read-only until 0 is written to it."""
FAST_READ_FIRMWARE: Final = 45
"""The X430 firmware from which fast sync and fast bulk read are answered."""
EXTENDED_POSITION_LIMIT: Final = 1_048_575
"""Most counts a goal may have either way, in the modes without position limits."""
COUNTS_PER_TURN: Final = 4096
