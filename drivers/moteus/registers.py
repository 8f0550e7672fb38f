"""What a moteus controller's registers mean: modes, fault codes, scales and the register table.

Source of every number: mjbots/moteus docs/protocol/registers.md and can.md (revision db1a762).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Mode(enum.IntEnum):
    """Register 0x000: what the controller is doing."""

    STOPPED = 0
    """Phases open, no torque; writing it clears a fault and a latched timeout."""
    FAULT = 1
    """Off after a fault (see register 0x00f); only STOPPED leaves it."""
    ENABLING = 2
    """On the way from STOPPED to a driving mode; no torque yet (also 3 and 4)."""
    CALIBRATING = 3
    CALIBRATION_COMPLETE = 4
    PWM = 5
    VOLTAGE = 6
    VOLTAGE_FOC = 7
    VOLTAGE_DQ = 8
    CURRENT = 9
    POSITION = 10
    """Position, velocity and torque command with scalable gains."""
    TIMEOUT = 11
    """The watchdog expired: damping, latched; other commands are ignored until STOPPED."""
    ZERO_VELOCITY = 12
    """Damps motion with the velocity gain alone; holds no position."""
    STAY_WITHIN = 13
    MEASURE_INDUCTANCE = 14
    BRAKE = 15
    """All phases shorted to ground."""


class FaultCode(enum.IntEnum):
    """Register 0x00f. Codes of 96 and above name what limits the output; they are no faults.

    Whether a controller is in fault is told by its mode (Mode.FAULT), never by this code.
    """

    NONE = 0
    CALIBRATION = 32
    MOTOR_DRIVER = 33
    OVER_VOLTAGE = 34
    ENCODER = 35
    MOTOR_NOT_CONFIGURED = 36
    PWM_CYCLE_OVERRUN = 37
    OVER_TEMPERATURE = 38
    OUTSIDE_LIMIT = 39
    UNDER_VOLTAGE = 40
    CONFIG_CHANGED = 41
    THETA_INVALID = 42
    POSITION_INVALID = 43
    DRIVER_ENABLE = 44
    STOP_POSITION_DEPRECATED = 45
    TIMING_VIOLATION = 46
    BEMF_FEEDFORWARD_NO_ACCEL = 47
    INVALID_LIMITS = 48
    POSITION_ERROR = 49
    VELOCITY_ERROR = 50
    LIMIT_MAX_VELOCITY = 96
    LIMIT_MAX_POWER = 97
    LIMIT_MAX_VOLTAGE = 98
    LIMIT_MAX_CURRENT = 99
    LIMIT_FAULT_TEMPERATURE = 100
    LIMIT_MOTOR_FAULT_TEMPERATURE = 101
    LIMIT_MAX_TORQUE = 102
    LIMIT_POSITION_BOUNDS = 103


class Resolution(enum.IntEnum):
    """How a value is written on the wire; the two type bits of a multiplex subframe."""

    INT8 = 0
    INT16 = 1
    INT32 = 2
    FLOAT = 3


class Quantity(enum.Enum):
    """A physical quantity, and in `scale` the worth of one count as int8, int16 and int32."""

    INTEGER = ("", 1.0, 1.0, 1.0)
    POSITION = ("revolutions", 0.01, 1e-4, 1e-5)
    VELOCITY = ("revolutions/s", 0.1, 0.00025, 1e-5)
    ACCELERATION = ("revolutions/s^2", 0.05, 0.001, 1e-5)
    TORQUE = ("N m", 0.5, 0.01, 0.001)
    SCALE = ("share of 1", 1.0 / 127.0, 1.0 / 32767.0, 1.0 / 2147483647.0)
    VOLTAGE = ("V", 0.5, 0.1, 0.001)
    TEMPERATURE = ("degrees C", 1.0, 0.1, 0.001)
    TIME = ("s", 0.01, 0.001, 1e-6)
    CURRENT = ("A", 1.0, 0.1, 0.001)
    POWER = ("W", 10.0, 0.05, 1e-4)

    def __init__(self, unit: str, int8: float, int16: float, int32: float) -> None:
        self.unit = unit
        self.scale = (int8, int16, int32)


class Register(enum.IntEnum):
    """Registers that this project names."""

    MODE = 0x000
    POSITION = 0x001
    VELOCITY = 0x002
    TORQUE = 0x003
    Q_CURRENT = 0x004
    D_CURRENT = 0x005
    ABSOLUTE_POSITION = 0x006
    POWER = 0x007
    MOTOR_TEMPERATURE = 0x00A
    TRAJECTORY_COMPLETE = 0x00B
    HOME_STATE = 0x00C
    VOLTAGE = 0x00D
    TEMPERATURE = 0x00E
    FAULT = 0x00F
    COMMAND_Q_CURRENT = 0x01C
    COMMAND_D_CURRENT = 0x01D
    COMMAND_POSITION = 0x020
    COMMAND_VELOCITY = 0x021
    COMMAND_FEEDFORWARD_TORQUE = 0x022
    COMMAND_KP_SCALE = 0x023
    COMMAND_KD_SCALE = 0x024
    COMMAND_MAXIMUM_TORQUE = 0x025
    COMMAND_STOP_POSITION = 0x026
    COMMAND_WATCHDOG_TIMEOUT = 0x027
    COMMAND_VELOCITY_LIMIT = 0x028
    COMMAND_ACCEL_LIMIT = 0x029
    COMMAND_FIXED_VOLTAGE = 0x02A
    COMMAND_ILIMIT_SCALE = 0x02B
    COMMAND_FIXED_CURRENT = 0x02C
    COMMAND_IGNORE_BOUNDS = 0x02D
    PROPORTIONAL_TORQUE = 0x030
    INTEGRAL_TORQUE = 0x031
    DERIVATIVE_TORQUE = 0x032
    FEEDFORWARD_TORQUE = 0x033
    TOTAL_CONTROL_TORQUE = 0x034
    CONTROL_POSITION = 0x038
    CONTROL_VELOCITY = 0x039
    CONTROL_TORQUE = 0x03A
    POSITION_ERROR = 0x03B
    VELOCITY_ERROR = 0x03C
    TORQUE_ERROR = 0x03D
    WITHIN_LOWER_BOUND = 0x040
    WITHIN_UPPER_BOUND = 0x041
    WITHIN_FEEDFORWARD_TORQUE = 0x042
    WITHIN_KP_SCALE = 0x043
    WITHIN_KD_SCALE = 0x044
    WITHIN_MAXIMUM_TORQUE = 0x045
    WITHIN_WATCHDOG_TIMEOUT = 0x046
    WITHIN_ILIMIT_SCALE = 0x047
    WITHIN_IGNORE_BOUNDS = 0x048
    MILLISECOND_COUNTER = 0x070
    MODEL_NUMBER = 0x100
    FIRMWARE_VERSION = 0x101
    REGISTER_MAP_VERSION = 0x102
    MULTIPLEX_ID = 0x110
    SERIAL_NUMBER_1 = 0x120
    SERIAL_NUMBER_2 = 0x121
    SERIAL_NUMBER_3 = 0x122
    SET_OUTPUT_NEAREST = 0x130
    SET_OUTPUT_EXACT = 0x131
    REQUIRE_REINDEX = 0x132
    RECAPTURE = 0x133
    UUID_1 = 0x150
    UUID_2 = 0x151
    UUID_3 = 0x152
    UUID_4 = 0x153
    UUID_MASK_1 = 0x154
    UUID_MASK_2 = 0x155
    UUID_MASK_3 = 0x156
    UUID_MASK_4 = 0x157
    UUID_MASK_CAPABLE = 0x158


class Access(enum.Enum):
    """What may be done with a register."""

    READ = "read"
    READ_WRITE = "read and write"
    READ_INT32 = "read as int32"
    """Identity: the firmware answers it only as int32."""
    WRITE = "write"
    """An order; it cannot be read back."""
    WRITE_INT32 = "write as int32"
    """A part of the UUID mask: written first in a frame, it makes every other device deaf to it."""


@dataclass(frozen=True, slots=True)
class RegisterInfo:
    """A register's quantity and access."""

    quantity: Quantity
    access: Access = Access.READ


def _table() -> dict[int, RegisterInfo]:
    q, r = Quantity, Register
    read: dict[Quantity, tuple[Register, ...]] = {
        q.POSITION: (r.POSITION, r.ABSOLUTE_POSITION, r.CONTROL_POSITION, r.POSITION_ERROR),
        q.VELOCITY: (r.VELOCITY, r.CONTROL_VELOCITY, r.VELOCITY_ERROR),
        q.TORQUE: (
            *(r.TORQUE, r.PROPORTIONAL_TORQUE, r.INTEGRAL_TORQUE, r.DERIVATIVE_TORQUE),
            *(r.FEEDFORWARD_TORQUE, r.TOTAL_CONTROL_TORQUE, r.CONTROL_TORQUE, r.TORQUE_ERROR),
        ),
        q.CURRENT: (r.Q_CURRENT, r.D_CURRENT),
        q.POWER: (r.POWER,),
        q.TEMPERATURE: (r.MOTOR_TEMPERATURE, r.TEMPERATURE),
        q.VOLTAGE: (r.VOLTAGE,),
        q.INTEGER: (
            *(r.TRAJECTORY_COMPLETE, r.HOME_STATE, r.FAULT, r.MILLISECOND_COUNTER),
            *(r.MULTIPLEX_ID, r.UUID_MASK_CAPABLE),
        ),
    }
    written: dict[Register, Quantity] = {
        r.MODE: q.INTEGER,
        r.COMMAND_POSITION: q.POSITION,
        r.COMMAND_VELOCITY: q.VELOCITY,
        r.COMMAND_FEEDFORWARD_TORQUE: q.TORQUE,
        r.COMMAND_KP_SCALE: q.SCALE,
        r.COMMAND_KD_SCALE: q.SCALE,
        r.COMMAND_MAXIMUM_TORQUE: q.TORQUE,
        r.COMMAND_STOP_POSITION: q.POSITION,
        r.COMMAND_WATCHDOG_TIMEOUT: q.TIME,
        r.COMMAND_VELOCITY_LIMIT: q.VELOCITY,
        r.COMMAND_ACCEL_LIMIT: q.ACCELERATION,
        r.COMMAND_FIXED_VOLTAGE: q.VOLTAGE,
        r.COMMAND_ILIMIT_SCALE: q.SCALE,
        r.COMMAND_FIXED_CURRENT: q.CURRENT,
        r.COMMAND_IGNORE_BOUNDS: q.INTEGER,
        r.COMMAND_Q_CURRENT: q.CURRENT,
        r.COMMAND_D_CURRENT: q.CURRENT,
        r.WITHIN_LOWER_BOUND: q.POSITION,
        r.WITHIN_UPPER_BOUND: q.POSITION,
        r.WITHIN_FEEDFORWARD_TORQUE: q.TORQUE,
        r.WITHIN_KP_SCALE: q.SCALE,
        r.WITHIN_KD_SCALE: q.SCALE,
        r.WITHIN_MAXIMUM_TORQUE: q.TORQUE,
        r.WITHIN_WATCHDOG_TIMEOUT: q.TIME,
        r.WITHIN_ILIMIT_SCALE: q.SCALE,
        r.WITHIN_IGNORE_BOUNDS: q.INTEGER,
    }
    orders = {r.SET_OUTPUT_NEAREST: q.POSITION, r.SET_OUTPUT_EXACT: q.POSITION}
    orders |= {r.REQUIRE_REINDEX: q.INTEGER, r.RECAPTURE: q.INTEGER}
    masks = (r.UUID_MASK_1, r.UUID_MASK_2, r.UUID_MASK_3, r.UUID_MASK_4)
    identity = [r.MODEL_NUMBER, r.FIRMWARE_VERSION, r.REGISTER_MAP_VERSION]
    identity += [r.SERIAL_NUMBER_1, r.SERIAL_NUMBER_2, r.SERIAL_NUMBER_3]
    identity += [r.UUID_1, r.UUID_2, r.UUID_3, r.UUID_4]
    table = {
        int(register): RegisterInfo(kind) for kind, group in read.items() for register in group
    }
    table |= {int(k): RegisterInfo(kind, Access.READ_WRITE) for k, kind in written.items()}
    table |= {int(k): RegisterInfo(kind, Access.WRITE) for k, kind in orders.items()}
    table |= {int(k): RegisterInfo(q.INTEGER, Access.WRITE_INT32) for k in masks}
    return table | {int(k): RegisterInfo(q.INTEGER, Access.READ_INT32) for k in identity}


REGISTERS: dict[int, RegisterInfo] = _table()
"""Every register of `Register`, by number."""

FRAME_SIZES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64)
"""Lengths a CAN-FD frame can have, bytes."""

NOP = 0x50
"""Subframe that does nothing: the padding."""

STREAM_WRITE, STREAM_DATA, STREAM_POLL = 0x40, 0x41, 0x42
"""Subframes of the tunnelled text console: host's bytes, device's bytes, host asks for bytes."""
STREAM_FLOW_DATA, STREAM_FLOW_POLL = 0x43, 0x44
"""Likewise with a packet number: the device repeats a packet until a poll acknowledges it."""
CONSOLE_CHANNEL = 1
"""Channel of the text console."""

BROADCAST_ID = 0x7F
"""Destination that every controller hears."""

REPLY_REQUESTED = 0x8000
"""Bit of the arbitration id that asks the destination for a reply."""
