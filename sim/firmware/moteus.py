"""The twin of a row of moteus controllers: registers and frames around `MoteusServos`.

As in the firmware (fw/moteus_controller.cc), a frame is answered from the state before its command:
a write to the mode takes effect once the whole frame was read, and resets every command register.
Not modelled: the registers for PWM, voltage, current and stay-within modes, encoders, auxiliary
ports, and setting the output position; they answer as unknown registers do.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from drivers.moteus.registers import (
    BROADCAST_ID,
    REGISTERS,
    REPLY_REQUESTED,
    Access,
    FaultCode,
    Mode,
    Quantity,
    Register,
)
from sim.firmware.moteus_config import MoteusConfig, ServoCommand
from sim.firmware.moteus_frames import (
    INT16,
    INT32,
    ReadRequest,
    ReplyWriter,
    WriteRequest,
    decode_requests,
    from_raw,
    to_raw,
)
from sim.firmware.moteus_servos import MoteusServos

__all__ = ["MoteusBank", "MoteusConfig"]

FloatArray = NDArray[np.float64]
CanFrames = list[tuple[int, bytes]]

MODEL_NUMBER = 4
FIRMWARE_VERSION = 0x00010D
REGISTER_MAP_VERSION = 5

_UNKNOWN, _READ_ONLY, _BAD_VALUE = 1, 2, 3
_WRITEABLE_MODES = frozenset({Mode.STOPPED, Mode.POSITION, Mode.ZERO_VELOCITY, Mode.BRAKE})
_COMMAND_FIELDS = dict(
    zip(
        range(Register.COMMAND_POSITION, Register.COMMAND_IGNORE_BOUNDS + 1),
        ServoCommand._fields[1:],
        strict=True,
    )
)
_COMMAND_REGISTERS = frozenset(_COMMAND_FIELDS)

# The usual frame, taken in one step: write int8 0x000 = 10, six floats from 0x020, three int16 from
# 0x027, and the query below.
_USUAL_SIZE = 48
_USUAL_HEAD = bytes.fromhex("01000a0c0620")
_USUAL_LIMITS = bytes.fromhex("0727")
_USUAL_QUERY = bytes.fromhex("11001f011507170d5050")
_USUAL_GOAL, _USUAL_COUNTS = struct.Struct("<6f"), struct.Struct("<3h")
_USUAL_REPLY = struct.Struct("<3B2s3f2sh2s3h3s")


@lru_cache(maxsize=64)
def _usual_limits(counts: bytes) -> tuple[float, float, float]:
    """Watchdog time (s), velocity and acceleration limit of a usual frame: seldom new ones."""
    timeout, speed, accel = _USUAL_COUNTS.unpack(counts)
    return (
        from_raw(timeout, INT16, Quantity.TIME),
        from_raw(speed, INT16, Quantity.VELOCITY),
        from_raw(accel, INT16, Quantity.ACCELERATION),
    )


@lru_cache(maxsize=64)
def _usual_health(supply_v: float, temperature_c: float) -> tuple[int, int]:
    """Voltage and temperature as a reply carries them: seldom new ones."""
    return (
        int(to_raw(supply_v, INT16, Quantity.VOLTAGE)),
        int(to_raw(temperature_c, INT16, Quantity.TEMPERATURE)),
    )


class MoteusBank:
    """Controllers with the CAN ids `ids`; arrays have shape (n,), in that order.

    Raises:
        ValueError: an id that is not 1 to 126, or listed twice.
    """

    def __init__(self, ids: Sequence[int], config: MoteusConfig | None = None) -> None:
        if len(set(ids)) != len(ids) or not all(1 <= id < BROADCAST_ID for id in ids):
            raise ValueError(f"ids must be distinct and 1 to 126, got {list(ids)}")
        self._ids = tuple(ids)
        self._index = {id: index for index, id in enumerate(ids)}
        self._servos = MoteusServos(len(ids), config or MoteusConfig())
        self.power_cycle()

    @property
    def driving(self) -> NDArray[np.bool_]:
        """False where the phases are open, so that the motor gives no torque; do not change it."""
        return self._servos.driving

    @property
    def modes(self) -> tuple[Mode, ...]:
        """What every controller is doing."""
        return tuple(Mode(mode) for mode in self._servos.mode)

    @property
    def faults(self) -> tuple[FaultCode, ...]:
        """Every controller's latched fault."""
        return tuple(FaultCode(fault) for fault in self._servos.fault)

    def power_cycle(self) -> None:
        """As after switching off and on: stopped, every latch and command gone."""
        count = len(self._ids)
        self._servos.power_cycle()
        self._pending = [ServoCommand()] * count
        self._sensed = [(0.0, 0.0, 0.0, 0.0, 25.0)] * count
        self._supply = 0.0

    def control(
        self, position_rev: FloatArray, velocity_rev_s: FloatArray, supply_v: float, dt: float
    ) -> FloatArray:
        """One step of `dt` (s) of every controller; phase voltages (V), valid until the next."""
        return self._servos.control(position_rev, velocity_rev_s, supply_v, dt)

    def sense(
        self,
        position_rev: FloatArray,
        velocity_rev_s: FloatArray,
        torque_nm: FloatArray,
        power_w: FloatArray,
        temperature_c: FloatArray,
        supply_v: float,
    ) -> None:
        """Set what replies report from now on; too hot a controller goes into fault."""
        temperatures = temperature_c.tolist()
        self._sensed = list(
            zip(
                position_rev.tolist(),
                velocity_rev_s.tolist(),
                torque_nm.tolist(),
                power_w.tolist(),
                temperatures,
                strict=True,
            )
        )
        self._supply = supply_v
        if max(temperatures) > self._servos.config.fault_temperature_c:
            for index, temperature in enumerate(temperatures):
                if temperature > self._servos.config.fault_temperature_c:
                    self.trip(index, FaultCode.OVER_TEMPERATURE)

    def trip(self, index: int, fault_code: int) -> None:
        """Put one controller into fault until mode 0 is written."""
        self._servos.trip(index, fault_code)

    def handle_frame(self, arbitration_id: int, data: bytes) -> CanFrames:
        """Take one CAN-FD frame and return the (arbitration id, data) of the replies to it."""
        destination = arbitration_id & 0x7F
        reply_id = arbitration_id >> 8 & 0x7F
        wanted = bool(arbitration_id & REPLY_REQUESTED)
        replies: CanFrames = []
        everybody = range(len(self._ids)) if destination == BROADCAST_ID else ()
        index = self._index.get(destination)
        for target in everybody if index is None else (index,):
            reply = self._usual(target, data) if len(data) == _USUAL_SIZE else None
            if reply is None:
                reply = self.handle_any(target, data)
            if wanted:
                replies.append((self._ids[target] << 8 | reply_id, reply))
        return replies

    def handle_any(self, index: int, data: bytes) -> bytes:
        """Take a frame of any layout for one controller; return its reply, asked for or not."""
        writer = ReplyWriter()
        commanded = False
        for request in decode_requests(data):
            if isinstance(request, ReadRequest):
                self._answer(index, request, writer)
            else:
                commanded |= self._write(index, request, writer)
        if commanded:
            self._servos.command(index, self._pending[index])
        return writer.finish()

    def _usual(self, index: int, data: bytes) -> bytes | None:
        """The usual frame without the detour through single registers; None: it is another one."""
        if (data[:6], data[30:32], data[38:]) != (_USUAL_HEAD, _USUAL_LIMITS, _USUAL_QUERY):
            return None
        timeout, speed, accel = _usual_limits(data[32:38])
        reply = self._usual_reply(index)
        command = ServoCommand(
            Mode.POSITION,
            *_USUAL_GOAL.unpack_from(data, 6),
            timeout=timeout,
            velocity_limit=speed,
            accel_limit=accel,
        )
        self._pending[index] = command
        self._servos.command(index, command)
        return reply

    def _usual_reply(self, index: int) -> bytes:
        position, velocity, torque, power, temperature = self._sensed[index]
        return _USUAL_REPLY.pack(
            *(0x21, 0x00, self._servos.mode[index]),
            *(b"\x2f\x01", position, velocity, torque),
            *(b"\x25\x07", to_raw(power, INT16, Quantity.POWER)),
            b"\x27\x0d",
            *_usual_health(self._supply, temperature),
            self._servos.limiting(index),
            b"\x50\x50\x50",
        )

    def _write(self, index: int, request: WriteRequest, writer: ReplyWriter) -> bool:
        """Write registers one by one; True if the mode was among them."""
        commanded = False
        for register, raw in enumerate(request.raw, request.register):
            info = REGISTERS.get(register)
            if info is None:
                writer.error(register, _UNKNOWN, writing=True)
                continue
            value = from_raw(raw, request.type, info.quantity)
            if register == Register.MODE:
                if value not in _WRITEABLE_MODES:
                    writer.error(register, _BAD_VALUE, writing=True)
                    continue
                self._pending[index] = ServoCommand(mode=int(value))
                commanded = True
            elif register in _COMMAND_REGISTERS:
                field = {_COMMAND_FIELDS[register]: value}
                self._pending[index] = self._pending[index]._replace(**field)
            else:
                writer.error(register, _READ_ONLY, writing=True)
        return commanded

    def _answer(self, index: int, request: ReadRequest, writer: ReplyWriter) -> None:
        """Answer a block of registers; a refused one splits it."""
        block: list[float] = []
        end = request.register + min(request.length, 64)
        for register in range(request.register, end):
            raw = self._raw(index, register, request.type)
            if raw is not None:
                block.append(raw)
                continue
            if block:
                writer.values(register - len(block), request.type, block)
                block = []
            writer.error(register, _UNKNOWN, writing=False)
        if block:
            writer.values(end - len(block), request.type, block)

    def _raw(self, index: int, register: int, kind: int) -> float | None:
        """A register's wire value; None: not known, or not in this type."""
        info = REGISTERS.get(register)
        if info is None or (info.access is Access.READ_INT32 and kind != INT32):
            return None
        if info.access is Access.READ_INT32:
            return self._identity(index, register)
        if register in _COMMAND_REGISTERS:
            value = getattr(self._pending[index], _COMMAND_FIELDS[register])
        else:
            value = self._telemetry(index, register)
        return to_raw(value, kind, info.quantity)

    def _identity(self, index: int, register: int) -> int:
        """Model, versions, and serial and unique numbers made up from the CAN id."""
        known = {
            Register.MODEL_NUMBER: MODEL_NUMBER,
            Register.FIRMWARE_VERSION: FIRMWARE_VERSION,
            Register.REGISTER_MAP_VERSION: REGISTER_MAP_VERSION,
        }
        if register >= Register.UUID_MASK_1:
            return 0
        return known.get(Register(register), register << 16 | self._ids[index])

    def _telemetry(self, index: int, register: int) -> float:
        servos = self._servos
        position, velocity, torque, power, temperature = self._sensed[index]
        aim = servos.set_point(index)
        proportional, derivative, feedforward = servos.terms(index)
        asked = float(servos.torque[index])
        values: dict[int, float] = {
            Register.MODE: servos.mode[index],
            Register.POSITION: position,
            Register.VELOCITY: velocity,
            Register.TORQUE: torque,
            Register.Q_CURRENT: torque / servos.config.torque_constant_nm_per_a,
            Register.ABSOLUTE_POSITION: position % 1.0,
            Register.POWER: power,
            Register.MOTOR_TEMPERATURE: temperature,
            Register.TRAJECTORY_COMPLETE: float(index not in servos.moving),
            Register.HOME_STATE: 1,
            Register.VOLTAGE: self._supply,
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
            Register.MILLISECOND_COUNTER: round(servos.time * 1000.0) & 0x7FFFFFFF,
            Register.MULTIPLEX_ID: self._ids[index],
        }
        return values.get(register, 0.0)
