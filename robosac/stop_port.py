"""Switches off the motors of a port by itself, with nothing of the robot but its ids."""

from __future__ import annotations

import time
from typing import Final

from drivers.dynamixel import DynamixelBus
from drivers.moteus import MoteusBus
from drivers.wire import SerialWire
from robosac.owner import MotorPort

ATTEMPTS: Final = 20


def stop_port(port: MotorPort) -> list[int]:
    """Torque off for every motor of `port`, read back; the ids that were not read back as off.

    Raises:
        WireClosed: the port cannot be opened, or is gone; an OSError.
    """
    wire = SerialWire(port.path, port.baud)
    try:
        kind = MoteusBus if port.protocol == "moteus" else DynamixelBus
        return kind(wire, port.ids, time.monotonic).stop_all(ATTEMPTS)
    finally:
        wire.close()
