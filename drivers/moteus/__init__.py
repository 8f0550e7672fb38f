"""moteus motor controllers: the multiplex protocol over an fdcanusb."""

from drivers.moteus.bus import MoteusBus
from drivers.moteus.command import (
    Brake,
    Command,
    Current,
    Damp,
    PositionCommand,
    StayWithin,
    Stop,
)
from drivers.moteus.configuration import ServoInfo
from drivers.moteus.console import SAFETY_OPTIONS, Difference, motor_kv
from drivers.moteus.faults import FAULTS, FaultInfo, describe, is_limit
from drivers.moteus.readings import Plausibility, ServoReadings
from drivers.moteus.registers import FaultCode, Mode, Register, Resolution
from drivers.statistics import BusStatistics

__all__ = [
    "FAULTS",
    "SAFETY_OPTIONS",
    "Brake",
    "BusStatistics",
    "Command",
    "Current",
    "Damp",
    "Difference",
    "FaultCode",
    "FaultInfo",
    "Mode",
    "MoteusBus",
    "Plausibility",
    "PositionCommand",
    "Register",
    "Resolution",
    "ServoInfo",
    "ServoReadings",
    "StayWithin",
    "Stop",
    "describe",
    "is_limit",
    "motor_kv",
]
