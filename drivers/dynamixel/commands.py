"""What can be asked of a row of servos in one tick, and the sync write that asks it. No I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.dynamixel.block import block_crc
from drivers.dynamixel.constants import BROADCAST_ID, HEADER, Instruction, OperatingMode
from drivers.dynamixel.control_table import ControlTable
from drivers.dynamixel.instructions import sync_write
from drivers.dynamixel.packet import encode

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PositionGoal:
    """Go to a position, in the modes position, extended and current-based position.

    A servo that is to hold sets off for its goal at once, so its position should be where it
    stands. Goals that a free servo gets do nothing; giving it its present position in every
    exchange keeps a goal that is lost in the moment of switching on from being an old one.
    """

    position_rad: FloatArray
    """Shape (n,), in the servo's own angle: 0 to 2 pi is the first turn, pi its middle."""
    most_current_a: FloatArray | None = None
    """Shape (n,), in the mode current-based position: the most that may flow, not negative; None:
    as it is."""
    hold: BoolArray | None = None
    """Shape (n,), where torque is to be on; elsewhere servos let go. None: as it is."""


@dataclass(frozen=True, slots=True)
class VelocityGoal:
    """Turn, in the mode velocity."""

    velocity_rad_s: FloatArray
    """Shape (n,)."""


@dataclass(frozen=True, slots=True)
class CurrentGoal:
    """Drive a current, in the mode current."""

    current_a: FloatArray
    """Shape (n,)."""


@dataclass(frozen=True, slots=True)
class TorqueOff:
    """Let go."""


@dataclass(frozen=True, slots=True)
class Observe:
    """Command nothing; the servos go on with their last goals. Feeds the bus watchdog."""


Command = PositionGoal | VelocityGoal | CurrentGoal | TorqueOff | Observe


@dataclass(frozen=True, slots=True)
class GoalLimits:
    """What one servo takes at present; a goal beyond is refused by the servo without a word."""

    mode: OperatingMode
    low: float
    """Least goal of that mode: rad, rad/s or A."""
    high: float
    most_current_a: float = math.inf
    """The most that `PositionGoal.most_current_a` may allow."""


_MODES = {
    "goal_position": frozenset(
        {
            OperatingMode.POSITION,
            OperatingMode.EXTENDED_POSITION,
            OperatingMode.CURRENT_BASED_POSITION,
        }
    ),
    "goal_velocity": frozenset({OperatingMode.VELOCITY}),
    "goal_current": frozenset({OperatingMode.CURRENT}),
}
_CURRENT_BASED = frozenset({OperatingMode.CURRENT_BASED_POSITION})
_HALF_COUNT = 0.5
_MARK = HEADER[:3]
_PARAMETERS_AT, _BODY_AT = 8, 12
"""In a sync write: address and size, and behind them ids and goals."""


class _Goal:
    """One goal register of all servos: scales, bounds, and the packet with room for the goals."""

    def __init__(
        self,
        name: str,
        ids: Sequence[int],
        tables: Sequence[ControlTable],
        limits: Sequence[GoalLimits] | None,
        modes: frozenset[OperatingMode],
    ) -> None:
        registers = [table[name] for table in tables]
        self.name, self._ids = name, list(ids)
        self._per_count = np.array([register.scale for register in registers])
        bounds = np.array([register.bounds() for register in registers], dtype=np.float64)
        low, high = bounds[:, 0], bounds[:, 1]
        self._others: list[str] = []
        if limits is not None:
            low = np.maximum(low, np.array([limit.low for limit in limits]) / self._per_count)
            high = np.minimum(high, np.array([limit.high for limit in limits]) / self._per_count)
            self._others = [
                f"servo {id} in {limit.mode.name}"
                for id, limit in zip(ids, limits, strict=True)
                if limit.mode not in modes
            ]
        # Half a count of grace: a limit given in rad need not be a whole number of counts.
        self._low, self._high = low - _HALF_COUNT, high + _HALF_COUNT
        address, size = registers[0].address, registers[0].size
        packet = sync_write(address, size, dict.fromkeys(ids, bytes(size)))
        self._packet = np.frombuffer(bytearray(packet), np.uint8)
        body = self._packet[_BODY_AT : _BODY_AT + len(ids) * (1 + size)]
        self._goals = body.view([("id", "u1"), ("goal", f"<i{size}")])
        self._message, self._sum = self._packet[:-2], self._packet[-2:].view("<u2")
        self._crc = block_crc(len(packet) - 2)
        self._last, self._last_packet = b"", b""

    def packet(self, values: FloatArray) -> bytes:
        """The sync write that sets `values`; often they are those of the last one."""
        if values.shape != (len(self._ids),):
            raise ValueError(f"{self.name} must have shape ({len(self._ids)},), got {values.shape}")
        if self._others:
            raise ValueError(f"{self.name} is of no use to {', '.join(self._others)}")
        key = values.tobytes()
        if key != self._last:
            self._last, self._last_packet = key, self._encode(values)
        return self._last_packet

    def _encode(self, values: FloatArray) -> bytes:
        counts = values / self._per_count
        # Not-a-number fails both comparisons.
        if not ((counts >= self._low) & (counts <= self._high)).all():
            raise ValueError(self._complaint(values, counts))
        self._goals["goal"] = np.rint(counts)
        self._sum[0] = self._crc.of(self._message)
        packet = self._packet.tobytes()
        if packet.count(_MARK) > 1:
            return encode(BROADCAST_ID, Instruction.SYNC_WRITE, packet[_PARAMETERS_AT:-2])
        return packet

    def _complaint(self, values: FloatArray, counts: FloatArray) -> str:
        wrong = ~((counts >= self._low) & (counts <= self._high))
        low, high = self._low * self._per_count, self._high * self._per_count
        return "; ".join(
            f"{self.name} of servo {self._ids[i]} must be {low[i]:.4f} to {high[i]:.4f}, "
            f"got {values[i]}"
            for i in np.flatnonzero(wrong)
        )


class GoalEncoder:
    """Turns commands into sync writes for the servos `ids`, whose models are `tables`.

    With `limits` (from the servos themselves, in the same order) a goal that a servo would refuse,
    or that its mode ignores, is refused here: a sync write is not answered.
    """

    def __init__(
        self,
        ids: Sequence[int],
        tables: Sequence[ControlTable],
        limits: Sequence[GoalLimits] | None = None,
    ) -> None:
        self._goals = {
            name: _Goal(name, ids, tables, limits, modes)
            for name, modes in _MODES.items()
            if all(name in table for table in tables)
        }
        self._most_current: _Goal | None = None
        if "goal_current" in self._goals:
            self._most_current = _Goal(
                "goal_current", ids, tables, _current_limits(len(ids), limits), _CURRENT_BASED
            )
        self._shape = (len(ids),)
        torque = tables[0]["torque_enable"]
        self._torque_off = sync_write(torque.address, torque.size, dict.fromkeys(ids, b"\x00"))

    def encode(self, command: Command) -> bytes:
        """The packets that carry `command`, without `PositionGoal.hold`; b"" for Observe.

        Raises:
            ValueError: wrong shape, not finite, out of range, or not for these servos' modes.
        """
        match command:
            case PositionGoal():
                return self._position(command)
            case VelocityGoal():
                return self._encode("goal_velocity", command.velocity_rad_s)
            case CurrentGoal():
                return self._encode("goal_current", command.current_a)
            case TorqueOff():
                return self._torque_off
            case Observe():
                return b""

    def _position(self, command: PositionGoal) -> bytes:
        """A new bound on the current goes first: the goal is never followed with the old one."""
        hold = command.hold
        if hold is not None and (hold.shape != self._shape or hold.dtype != np.bool_):
            raise ValueError(
                f"hold must be bool of shape {self._shape}, got {hold.dtype} of {hold.shape}"
            )
        position = self._encode("goal_position", command.position_rad)
        if command.most_current_a is None:
            return position
        return _packet("goal_current", self._most_current, command.most_current_a) + position

    def _encode(self, name: str, values: FloatArray) -> bytes:
        return _packet(name, self._goals.get(name), values)


def _packet(name: str, goal: _Goal | None, values: FloatArray) -> bytes:
    if goal is None:
        raise ValueError(f"not every servo has {name}: there are models without current sensor")
    return goal.packet(np.asarray(values, dtype=np.float64))


def _current_limits(count: int, limits: Sequence[GoalLimits] | None) -> list[GoalLimits]:
    """What bounds goal_current where it is the most that may flow, and not a goal."""
    if limits is None:
        return [GoalLimits(OperatingMode.CURRENT_BASED_POSITION, 0.0, math.inf)] * count
    return [GoalLimits(limit.mode, 0.0, limit.most_current_a) for limit in limits]
