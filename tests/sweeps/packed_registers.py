"""What leaves for the motors, read back from its bytes: are the registers within their limits?

Commands go through the robots' own conversion and the drivers' own encoders, as in every tick, but
a thousand at once; the bytes are read here with `numpy` alone.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

import calibration
from drivers.dynamixel import TABLES, DynamixelBus, PositionGoal
from drivers.dynamixel.commands import GoalEncoder
from drivers.moteus import MoteusBus, PositionCommand
from drivers.moteus.command import encode_position
from drivers.moteus.readings import TAGS
from robosac.hal import FloatArray, JointCommand, Limits
from robosac.robots.claw_file import load_claw_file
from robosac.robots.motors import Motors
from robosac.robots.robot_file import load_robot_file
from robosac.robots.servos import Servos
from sim.claw import ClawOptions, ClawTwin
from sim.minitaur import MinitaurTwin, TwinOptions

TURN = 2.0 * np.pi
SERVOS_A_PACKET = 200
_STUFFED, _PLAIN = b"\xff\xff\xfd\xfd", b"\xff\xff\xfd"
_GOALS_AT, _CRC = 12, 2


class Packed(Protocol):
    """One robot's way from joint radians to bytes."""

    def violations(self, position: FloatArray, limits: Limits) -> int:
        """How many registers of these commands, shape (rows, n), rad, are not what they may be."""
        ...


def command_of(position: FloatArray, limits: Limits) -> JointCommand:
    """What the executor would send, for many ticks at once."""
    zero, one = np.zeros(position.shape), np.ones(position.shape)
    torque = np.broadcast_to(limits.torque, position.shape)
    command = JointCommand.to(position, torque)
    return JointCommand(command.drive, position, zero, zero, one, one, torque)


class MoteusFloats:
    """Six floats a motor: registers 0x020 to 0x025 (moteus reference, registers.md)."""

    def __init__(self) -> None:
        file = load_robot_file(None)
        self._file, twin = file, MinitaurTwin(TwinOptions())
        ids = [motor.id for motor in file.motors.values()]
        bus = MoteusBus(twin.legs, ids, twin.clock.now)
        self._motors = Motors(bus, file, calibration.nominal("minitaur"), twin.clock.now)
        self._signs = np.array([float(motor.direction) for motor in file.motors.values()])

    def violations(self, position: FloatArray, limits: Limits) -> int:
        command = self._motors.to_motors(command_of(position, limits))
        assert isinstance(command, PositionCommand)
        rows = np.array(
            [
                np.broadcast_to(getattr(command, name), position.shape).ravel()
                for name in PositionCommand.__dataclass_fields__
            ]
        )
        try:
            frames = encode_position(PositionCommand(*rows), position.size, TAGS[0])
        except ValueError:
            return position.size
        floats = frames[:, 6:30].copy().view("<f4").astype(np.float64)
        turns, velocity, torque, kp, kd, most = floats.T.reshape(6, *position.shape)
        # The nominal calibration's zeros are zero: turns are the joint's angle over one turn.
        angle = turns * self._signs * TURN
        coarse = np.spacing(np.float32(np.abs(turns).max())) * TURN
        right = (angle >= limits.lower - coarse) & (angle <= limits.upper + coarse)
        right &= np.abs(angle - position) <= coarse
        right &= (velocity == 0.0) & (torque == 0.0) & (kp == 1.0) & (kd == 1.0)
        right &= (most > 0.0) & (most <= limits.torque * (1.0 + 1e-6))
        return int(np.count_nonzero(~right))


class DynamixelCounts:
    """Goal Position (116) and Goal Current (102) of an XH430-V210, in counts."""

    def __init__(self) -> None:
        file = load_claw_file(None)
        twin = ClawTwin(ClawOptions())
        now = twin.clock.now
        bus = DynamixelBus(twin.servos, [motor.id for motor in file.motors.values()], now)
        self._servos = Servos(bus, file, calibration.nominal("claw"), now)
        self._servos.find()
        self._servos.make_safe()
        self._table = TABLES[1050]
        tables = [self._table] * SERVOS_A_PACKET
        self._encoder = GoalEncoder(range(SERVOS_A_PACKET), tables)
        self._sign = np.array([float(motor.direction) for motor in file.motors.values()])
        self._zero = np.array([motor.offset_rad for motor in file.motors.values()])

    def violations(self, position: FloatArray, limits: Limits) -> int:
        goal = self._servos.to_bus(command_of(position, limits))
        assert isinstance(goal, PositionGoal)
        assert goal.most_current_a is not None
        shaft, most = goal.position_rad.ravel(), goal.most_current_a.ravel()
        counts, currents = np.empty(position.size), np.empty(position.size)
        for first in range(0, position.size, SERVOS_A_PACKET):
            part = slice(first, first + SERVOS_A_PACKET)
            try:
                data = self._encoder.encode(PositionGoal(shaft[part], most[part]))
            except ValueError:
                return position.size
            current, place = _goals(data, "goal_current", 2), _goals(data, "goal_position", 4)
            counts[part], currents[part] = place, current
        counts, currents = counts.reshape(position.shape), currents.reshape(position.shape)
        register, flow = self._table["goal_position"], self._table["goal_current"]
        least, greatest = register.bounds()
        angle = counts * register.scale * self._sign - self._zero
        half = register.scale * 0.500001
        right = (counts >= least) & (counts <= greatest)
        right &= (angle >= limits.lower - half) & (angle <= limits.upper + half)
        right &= np.abs(angle - position) <= half
        right &= (currents >= 0) & (currents <= flow.bounds()[1])
        return int(np.count_nonzero(~right))


def _goals(data: bytes, name: str, size: int) -> FloatArray:
    """The goals in the sync write of register `name` among the packets `data`."""
    address = TABLES[1050][name].address.to_bytes(2, "little") + size.to_bytes(2, "little")
    begin = data.index(b"\xff\xff\xfd\x00\xfe")
    while data[begin + 8 : begin + 12] != address:
        begin = data.index(b"\xff\xff\xfd\x00\xfe", begin + 1)
    length = int.from_bytes(data[begin + 5 : begin + 7], "little")
    body = data[begin + _GOALS_AT : begin + 7 + length - _CRC].replace(_STUFFED, _PLAIN)
    return np.frombuffer(body, [("id", "u1"), ("goal", f"<i{size}")])["goal"].astype(np.float64)


def claw_limits() -> Limits:
    """Of the hand's own file."""
    return load_claw_file(None).joint_limits()
