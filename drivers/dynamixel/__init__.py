"""Dynamixel servos of the X series: Protocol 2.0 over a half-duplex serial bus."""

from drivers.dynamixel.arming import ServoArming, SetupReport, scan
from drivers.dynamixel.bus import DynamixelBus, ServoInfo
from drivers.dynamixel.commands import (
    Command,
    CurrentGoal,
    GoalLimits,
    Observe,
    PositionGoal,
    TorqueOff,
    VelocityGoal,
)
from drivers.dynamixel.constants import (
    BAUD_RATES,
    HardwareError,
    Instruction,
    OperatingMode,
    StatusError,
)
from drivers.dynamixel.control_table import TABLES, ControlTable, Register
from drivers.dynamixel.packet import Status, StatusParser
from drivers.dynamixel.readings import DynamixelReadings
from drivers.dynamixel.registers import ServoRegisters
from drivers.dynamixel.setup import ServoSetup
from drivers.dynamixel.telemetry import Telemetry

__all__ = [
    "BAUD_RATES",
    "TABLES",
    "Command",
    "ControlTable",
    "CurrentGoal",
    "DynamixelBus",
    "DynamixelReadings",
    "GoalLimits",
    "HardwareError",
    "Instruction",
    "Observe",
    "OperatingMode",
    "PositionGoal",
    "Register",
    "ServoArming",
    "ServoInfo",
    "ServoRegisters",
    "ServoSetup",
    "SetupReport",
    "Status",
    "StatusError",
    "StatusParser",
    "Telemetry",
    "TorqueOff",
    "VelocityGoal",
    "scan",
]
