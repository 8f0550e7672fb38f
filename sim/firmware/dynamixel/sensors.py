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
from sim.firmware.dynamixel.law import FULL_PWM
from sim.firmware.dynamixel.memory import ByteArray, column
from sim.firmware.dynamixel.profile import VELOCITY_UNIT_COUNTS_S
from sim.firmware.dynamixel.servo import DynamixelServo
from sim.firmware.dynamixel.standing import Standing

FloatArray = NDArray[np.float64]

IN_POSITION_COUNTS = 20.0
"""Nearer to the goal than this counts as arrived; the manual gives no figure."""
FOLLOWING_COUNTS = 100.0
"""Farther from the set-point than this counts as not following; the manual gives no figure."""

_PRESENT = struct.Struct("<HBBhhiiiiHB")
_ROW = np.dtype(
    {
        "names": ["tick", "moving", "status", "drive", "motion", "voltage", "temperature"],
        "formats": ["<u2", "u1", "u1", ("<i2", 2), ("<i4", 4), "<u2", "u1"],
        "offsets": [0, 2, 3, 4, 8, 24, 26],
        "itemsize": _PRESENT.size,
    }
)
"""The same of a row of servos; `drive` is PWM and effort, `motion` as `ServoControl.state`."""
_X430 = TABLES[1020].by_name
_GOAL = _X430["goal_position"]
_FIRST = _X430["realtime_tick"].address
_END = _FIRST + _PRESENT.size
_INDIRECT = _X430["indirect_data_1"].address
_INT16, _INT32 = (-0x8000, 0x7FFF), (-0x80000000, 0x7FFFFFFF)
_LOAD_UNITS = 1000.0
# As the rows of what is measured: `ServoControl.state`, PWM, effort, temperature.
_BOUNDS = np.array([_INT32] * 4 + [_INT16] * 2 + [(0, 0xFF)], np.float64)
_LOWEST, _HIGHEST = _BOUNDS[:, :1], _BOUNDS[:, 1:]
_NEAR = np.array([[IN_POSITION_COUNTS], [FOLLOWING_COUNTS]])
# Places of bits in moving_status.
_UNDER_WAY, _NOT_FOLLOWING, _SHAPE = np.uint8(1), np.uint8(3), np.uint8(4)
_TRUE = np.uint8(1)
_STATE_UNITS = np.array([[VELOCITY_UNIT_COUNTS_S], [1.0], [VELOCITY_UNIT_COUNTS_S], [1.0]])


class Sensors:
    """The present values of `servos`, which are the row `control`.

    Args:
        servos: in the order of the row.
        tables: where their registers lie, shape (n, size).
    """

    def __init__(
        self,
        servos: Sequence[DynamixelServo],
        tables: ByteArray,
        control: ServoControl,
        now: Callable[[], float],
    ) -> None:
        count = len(servos)
        self._servos, self._control, self._now = servos, control, now
        self.temperature_c, self.supply_v = np.full(count, 25.0), 12.0
        # XL430 servos have no current sensor: they report the output as load instead.
        scales = np.array([servo.motion.current_scale_a for servo in servos])
        self._measures_load = scales <= 0.0
        self._any_load = bool(self._measures_load.any())
        self._drive, self._drive_units = np.zeros((2, count)), np.full((2, count), FULL_PWM)
        self.share, self._effort = self._drive
        self._drive_units[1] = _LOAD_UNITS
        np.divide(1.0, scales, out=self._drive_units[1], where=scales > 0.0)
        self._present: NDArray[np.void] = tables[:, _FIRST:_END].view(_ROW)[:, 0]
        self._goal = column(tables, _GOAL)
        self._measured, self._gaps = np.zeros((7, count)), np.zeros((2, count))
        self._version = -1
        self.late: FloatArray | None = None
        """`ServoControl.state` as it is told, where that is not the present one."""

    def set(
        self, current_a: FloatArray, share: FloatArray, temperature_c: FloatArray, supply_v: float
    ) -> None:
        """New measurements, in the shaft's direction: arrays of shape (n,).

        Args:
            share: of the supply, across the motor, -1 to 1.
        """
        np.copyto(self.share, share)
        np.copyto(self._effort, current_a)
        if self._any_load:
            np.copyto(self._effort, share, where=self._measures_load)
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
            self._measure()
        velocity, position, _, _, pwm, effort, temperature = self._measured[:, index].tolist()
        reading = (position, velocity, effort, pwm, temperature, float(_tick(servo)))
        if not servo.faults.readings.none:
            reading = servo.faults.readings.read(self._now(), reading)
        position, velocity, effort, pwm, temperature, tick = map(round, reading)
        motion = servo.motion
        status = int(self._control.shapes[index]) << 4 | self._control.moving(index) << 1
        aim_position, aim_velocity = position, 0
        if motion.torque:
            aim = self._control.set_point(index)
            aim_velocity = _clip(round(aim.velocity / VELOCITY_UNIT_COUNTS_S), _INT32)
            if motion.positioning:
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
            _voltage(self.supply_v),
            temperature,
        )

    def refresh_all(self, standing: Standing) -> None:
        """As `refresh` of every servo, where no fault touches what they measure.

        Args:
            standing: their settings.
        """
        self._measure()
        present, control, measured = self._present, self._control, self._measured
        _, position, _, aim_position = measured[:4]
        # The velocity that a loop without torque aims at is 0 in any case.
        np.copyto(aim_position, position, where=standing.not_aiming)
        gaps = self._gaps
        gaps[0], gaps[1] = self._goal, aim_position
        gaps -= position
        np.abs(gaps, out=gaps)
        near, following = (gaps <= _NEAR).view(np.uint8)
        near &= standing.aiming
        status = control.shapes << _SHAPE
        status |= near
        status |= (following ^ _TRUE) << _NOT_FOLLOWING
        moving = np.abs(control.v) > standing.threshold_counts_s
        if not control.at_rest:
            under_way = control.moving_all()
            moving |= under_way
            status |= under_way.view(np.uint8) << _UNDER_WAY
        present["tick"] = [_tick(servo) for servo in self._servos]
        present["moving"], present["status"] = moving, status
        present["motion"], present["drive"] = measured[:4].T, measured[4:6].T
        present["voltage"], present["temperature"] = _voltage(self.supply_v), measured[6]

    def _measure(self) -> None:
        """Work out in counts what all servos measure, and where they aim."""
        control, measured = self._control, self._measured
        np.divide(control.state, _STATE_UNITS, out=measured[:4])
        if self.late is not None:
            np.divide(self.late[:2], _STATE_UNITS[:2], out=measured[:2])
        drive = measured[4:6]
        np.multiply(self._drive, control.sign, out=drive)
        drive *= self._drive_units
        measured[6] = self.temperature_c
        np.rint(measured, out=measured)
        np.maximum(measured, _LOWEST, out=measured)
        np.minimum(measured, _HIGHEST, out=measured)
        self._version = control.version


def _tick(servo: DynamixelServo) -> int:
    """Register 120: its clock, ms."""
    return int(servo.uptime_s * 1000.0 + 0.5) & 0x7FFF


def _voltage(supply_v: float) -> int:
    """Register 144."""
    return min(0xFFFF, round(supply_v * 10.0))


def _clip(value: int, bounds: tuple[int, int]) -> int:
    return max(bounds[0], min(bounds[1], value))
