"""What a row of servos measures, and how it appears in registers 120 to 146.

Source: ROBOTIS e-manual, X series, Realtime Tick (120) to Present Temperature (146).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.dynamixel.control_table import TABLES
from sim.firmware.dynamixel.control import ServoControl
from sim.firmware.dynamixel.law import FULL_PWM, POSITION_MODES
from sim.firmware.dynamixel.profile import VELOCITY_UNIT_COUNTS_S
from sim.firmware.dynamixel.servo import DynamixelServo

FloatArray = NDArray[np.float64]

IN_POSITION_COUNTS = 20.0
"""Nearer to the goal than this counts as arrived; the manual gives no figure."""
FOLLOWING_COUNTS = 100.0
"""Farther from the set-point than this counts as not following; the manual gives no figure."""

_PRESENT = struct.Struct("<HBBhhiiiiHB")
_FIRST = TABLES[1020].by_name["realtime_tick"].address
_END = _FIRST + _PRESENT.size
_INDIRECT = TABLES[1020].by_name["indirect_data_1"].address
_INT16, _INT32 = (-0x8000, 0x7FFF), (-0x80000000, 0x7FFFFFFF)
_LOAD_UNITS = 1000.0


class Sensors:
    """The present values of `servos`, which are the row `control`.

    Args:
        servos: in the order of the row.
    """

    def __init__(
        self,
        servos: Sequence[DynamixelServo],
        control: ServoControl,
        now: Callable[[], float],
    ) -> None:
        count = len(servos)
        self._servos, self._control, self._now = servos, control, now
        self.current_a, self.share = np.zeros(count), np.zeros(count)
        self.temperature_c, self.supply_v = np.full(count, 25.0), 12.0
        # XL430 servos have no current sensor: they report the output as load instead.
        scales = np.array([servo.motion.current_scale_a for servo in servos])
        self._measures_current = scales > 0.0
        self._per_amp = np.divide(1.0, scales, out=np.zeros(count), where=scales > 0.0)
        self._rows: list[list[int]] = []
        self._version = -1

    def set(
        self, current_a: FloatArray, share: FloatArray, temperature_c: FloatArray, supply_v: float
    ) -> None:
        """New measurements, in the shaft's direction: arrays of shape (n,).

        Args:
            share: of the supply, across the motor, -1 to 1.
        """
        np.copyto(self.current_a, current_a)
        np.copyto(self.share, share)
        np.copyto(self.temperature_c, temperature_c)
        self.supply_v = supply_v
        self._version = -1

    @staticmethod
    def concern(address: int, length: int) -> bool:
        """Whether a read of these addresses may touch measured registers, also by indirection."""
        end = address + length
        return end > _FIRST and not (address >= _END and end <= _INDIRECT)

    def refresh(self, index: int) -> None:
        """Bring the measured registers of one servo up to date."""
        servo = self._servos[index]
        if self._version != self._control.version:
            self._rows, self._version = self._quantise(), self._control.version
        reading = self._rows[index]
        tick = int(servo.uptime_s * 1000.0 + 0.5) & 0x7FFF
        if not servo.faults.readings.none:
            true = (*map(float, reading), float(tick))
            *reading, tick = map(round, servo.faults.readings.read(self._now(), true))
        position, velocity, effort, pwm, temperature = reading
        motion = servo.motion
        status = int(self._control.shapes[index]) << 4 | self._control.moving(index) << 1
        aim_position, aim_velocity = position, 0
        if motion.torque:
            aim = self._control.set_point(index)
            aim_velocity = _clip(round(aim.velocity / VELOCITY_UNIT_COUNTS_S), _INT32)
            if motion.mode in POSITION_MODES:
                aim_position = _clip(round(aim.position), _INT32)
                goal = servo.memory["goal_position"]
                status |= (abs(aim_position - position) > FOLLOWING_COUNTS) << 3
                status |= abs(goal - position) <= IN_POSITION_COUNTS
        _PRESENT.pack_into(
            servo.memory.data,
            _FIRST,
            tick,
            motion.moving,
            status,
            pwm,
            effort,
            velocity,
            position,
            aim_velocity,
            aim_position,
            min(0xFFFF, round(self.supply_v * 10.0)),
            temperature,
        )

    def _quantise(self) -> list[list[int]]:
        """Position, velocity, current or load, PWM and temperature of all servos, as counts."""
        control = self._control
        sign = control.sign
        share = self.share * sign
        effort = np.where(
            self._measures_current, self.current_a * sign * self._per_amp, share * _LOAD_UNITS
        )
        velocity = control.v / VELOCITY_UNIT_COUNTS_S
        rows = np.rint([control.x, velocity, effort, share * FULL_PWM, self.temperature_c])
        lowest = ((_INT32[0],), (_INT32[0],), (_INT16[0],), (_INT16[0],), (0,))
        highest = ((_INT32[1],), (_INT32[1],), (_INT16[1],), (_INT16[1],), (0xFF,))
        return np.clip(rows, lowest, highest).astype(np.int64).T.tolist()


def _clip(value: int, bounds: tuple[int, int]) -> int:
    return max(bounds[0], min(bounds[1], value))
