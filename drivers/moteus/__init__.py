"""moteus motor controllers: the multiplex protocol over an fdcanusb."""

from drivers.moteus.bus import BusStatistics, MoteusBus, ServoInfo
from drivers.moteus.command import Command, Damp, PositionCommand, Stop
from drivers.moteus.readings import ServoReadings
from drivers.moteus.registers import FaultCode, Mode, Register, Resolution

__all__ = [
    "BusStatistics",
    "Command",
    "Damp",
    "FaultCode",
    "Mode",
    "MoteusBus",
    "PositionCommand",
    "Register",
    "Resolution",
    "ServoInfo",
    "ServoReadings",
    "Stop",
]
