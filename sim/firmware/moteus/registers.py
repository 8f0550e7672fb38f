"""A moteus controller's registers: what a read tells and what a write does.

Source: mjbots/moteus docs/protocol/registers.md and fw/moteus_controller.cc.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from drivers.moteus.registers import REGISTERS, Access, Mode, Register
from sim.firmware.moteus.config import ServoCommand
from sim.firmware.moteus.frames import FLOAT, INT8, INT16, INT32, from_raw, to_raw
from sim.firmware.moteus.servos import MoteusServos

MODEL_NUMBER = 4
FIRMWARE_VERSION = 0x00010D
REGISTER_MAP_VERSION = 5
UNKNOWN, NOT_WRITEABLE, BAD_VALUE = 1, 2, 3
"""Error codes of a refused access."""
ROTOR, OUTPUT = 1, 2
"""Home states: what a position is referenced to."""

_WRITEABLE_MODES = frozenset(
    {
        *(Mode.STOPPED, Mode.CURRENT, Mode.POSITION, Mode.TIMEOUT, Mode.ZERO_VELOCITY),
        *(Mode.STAY_WITHIN, Mode.BRAKE),
    }
)
_COMMAND_FIELDS: dict[int, str] = {
    **dict(
        zip(
            range(Register.COMMAND_POSITION, Register.COMMAND_IGNORE_BOUNDS + 1),
            ServoCommand._fields[1:15],
            strict=True,
        )
    ),
    Register.COMMAND_Q_CURRENT: "q_current",
    Register.COMMAND_D_CURRENT: "d_current",
    Register.WITHIN_LOWER_BOUND: "lower_bound",
    Register.WITHIN_UPPER_BOUND: "upper_bound",
    Register.WITHIN_FEEDFORWARD_TORQUE: "feedforward",
    Register.WITHIN_KP_SCALE: "kp_scale",
    Register.WITHIN_KD_SCALE: "kd_scale",
    Register.WITHIN_MAXIMUM_TORQUE: "maximum_torque",
    Register.WITHIN_WATCHDOG_TIMEOUT: "timeout",
    Register.WITHIN_ILIMIT_SCALE: "ilimit_scale",
    Register.WITHIN_IGNORE_BOUNDS: "ignore_bounds",
}
"""The stay-within registers shadow those of position mode (registers.md, 0x042 to 0x048)."""
_COUNTER_SPAN = {INT8: 1 << 8, INT16: 1 << 16, INT32: 1 << 32, FLOAT: 8388608}


class Sensed(NamedTuple):
    """What a controller measures."""

    position_rev: float
    velocity_rev_s: float
    torque_nm: float
    power_w: float
    temperature_c: float


NOTHING_SENSED = Sensed(0.0, 0.0, 0.0, 0.0, 25.0)


class ServoRegisters:
    """The registers of the controllers with the CAN ids `ids`.

    Attributes:
        pending: the command registers of each; a written mode puts them into effect.
        sensed: what each measures.
        supply_v: their common supply.
        home: home state of each.
    """

    def __init__(self, servos: MoteusServos, ids: Sequence[int]) -> None:
        self._servos, self._ids = servos, tuple(ids)
        self.power_cycle()

    def power_cycle(self) -> None:
        """As after switching off and on."""
        count = len(self._ids)
        self.pending = [ServoCommand()] * count
        self.sensed: list[Sequence[float]] = [NOTHING_SENSED] * count
        self.supply_v = 0.0
        self.home = [ROTOR] * count

    def read(self, index: int, register: int, kind: int) -> float | None:
        """A register's wire value; None: not known, or not in this type."""
        info = REGISTERS.get(register)
        if info is None or info.access in (Access.WRITE, Access.WRITE_INT32):
            return None
        if info.access is Access.READ_INT32:
            return self._identity(index, register) if kind == INT32 else None
        if register == Register.MILLISECOND_COUNTER:
            return self._milliseconds(index, kind)
        field = _COMMAND_FIELDS.get(register)
        if field is not None:
            value = getattr(self.pending[index], field)
        else:
            value = self._telemetry(index, register)
        return to_raw(value, kind, info.quantity)

    def write(self, index: int, register: int, kind: int, raw: float) -> int:
        """Set the mode or a command register; an error code, or 0."""
        info = REGISTERS.get(register)
        if info is None:
            return UNKNOWN
        value = from_raw(raw, kind, info.quantity)
        if register == Register.MODE:
            if value not in _WRITEABLE_MODES:
                return BAD_VALUE
            self.pending[index] = ServoCommand(mode=int(value))
            return 0
        field = _COMMAND_FIELDS.get(register)
        if field is None:
            return NOT_WRITEABLE
        self.pending[index] = self.pending[index]._replace(**{field: value})
        return 0

    def is_masked(self, index: int, register: int, kind: int, raw: float) -> bool:
        """True if a written part of the UUID mask is not this controller's."""
        part = register - Register.UUID_MASK_1 + Register.UUID_1
        return kind != INT32 or raw != self._identity(index, part)

    def _identity(self, index: int, register: int) -> int:
        """Model, versions, and serial and unique numbers made up from the CAN id."""
        known = {
            Register.MODEL_NUMBER: MODEL_NUMBER,
            Register.FIRMWARE_VERSION: FIRMWARE_VERSION,
            Register.REGISTER_MAP_VERSION: REGISTER_MAP_VERSION,
        }
        return known.get(Register(register), register << 16 | self._ids[index])

    def _milliseconds(self, index: int, kind: int) -> int:
        """Counts up and wraps within what the type can hold."""
        span = _COUNTER_SPAN[kind]
        count = round((self._servos.time - self._servos.awake_since[index]) * 1000.0) % span
        return count - span if kind != FLOAT and count >= span // 2 else count

    def _telemetry(self, index: int, register: int) -> float:
        servos = self._servos
        position, velocity, torque, power, temperature = self.sensed[index]
        aim = servos.set_point(index)
        proportional, derivative, feedforward = servos.terms(index)
        asked = float(servos.torque[index])
        values: dict[int, float] = {
            Register.MODE: servos.mode[index],
            Register.POSITION: position,
            Register.VELOCITY: velocity,
            Register.TORQUE: torque,
            Register.Q_CURRENT: torque / servos.configs[index].torque_constant_nm_per_a,
            Register.ABSOLUTE_POSITION: position % 1.0,
            Register.POWER: power,
            Register.MOTOR_TEMPERATURE: temperature,
            Register.TRAJECTORY_COMPLETE: servos.trajectory_complete(index),
            Register.HOME_STATE: self.home[index],
            Register.VOLTAGE: self.supply_v,
            Register.TEMPERATURE: temperature,
            Register.FAULT: servos.limiting(index),
            Register.PROPORTIONAL_TORQUE: proportional,
            Register.DERIVATIVE_TORQUE: derivative,
            Register.FEEDFORWARD_TORQUE: feedforward,
            Register.TOTAL_CONTROL_TORQUE: asked,
            Register.CONTROL_POSITION: aim.position,
            Register.CONTROL_VELOCITY: aim.velocity,
            Register.CONTROL_TORQUE: asked,
            Register.POSITION_ERROR: position - aim.position,
            Register.VELOCITY_ERROR: velocity - aim.velocity,
            Register.TORQUE_ERROR: torque - asked,
            Register.MULTIPLEX_ID: self._ids[index],
            Register.UUID_MASK_CAPABLE: 1,
        }
        return values.get(register, 0.0)
