"""Faults of single servos on a Dynamixel line, on request."""

from __future__ import annotations

import math

import numpy as np

from sim.firmware.dynamixel.control import COUNTS_PER_RAD
from sim.firmware.dynamixel.line import DynamixelLine
from sim.firmware.dynamixel.servo import DynamixelServo


class DynamixelHooks:
    """`sim.firmware.servo_hooks.ServoHooks` for `line`; ids are those of the start.

    A frozen or lagging servo tells old measurements (registers 120 to 146); what a host has written
    it reads back as it is. Held answers are overtaken by those of other servos.
    """

    def __init__(self, line: DynamixelLine) -> None:
        self._line = line
        self._servos: dict[int, DynamixelServo] = {servo.id: servo for servo in line.servos}

    @property
    def ids(self) -> tuple[int, ...]:
        """See `ServoHooks`, here and below."""
        return tuple(self._servos)

    def silence(self, id: int, on: bool) -> None:
        self._servos[id].faults.silent = on

    def freeze(self, id: int, on: bool) -> None:
        self._servos[id].faults.readings.frozen = on

    def jam_encoder(self, id: int, on: bool) -> None:
        self._servos[id].faults.readings.jammed = on

    def heat(self, id: int, temperature_c: float | None) -> None:
        self._servos[id].faults.readings.temperature_c = temperature_c

    def skew(self, id: int, offset_rad: float) -> None:
        self._servos[id].faults.readings.offset = offset_rad * COUNTS_PER_RAD

    def lag(self, id: int, seconds: float) -> None:
        self._servos[id].faults.readings.lag_s = seconds

    def hold(self, id: int, seconds: float) -> None:
        self._servos[id].faults.hold_s = seconds

    def garble(self, id: int, rng: np.random.Generator | None) -> None:
        self._servos[id].faults.garble = rng

    def reboot(self, id: int) -> None:
        self._servos[id].reboot()

    def sag(self, volts: float | None) -> None:
        self._line.sag_v = math.inf if volts is None else volts
