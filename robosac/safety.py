"""The limiter: whatever is requested, position, velocity and acceleration bounds hold at once.

The speed toward a stop is capped by what braking still allows (`robosac.braking`), and once more in
the soft zone before the stop. Bounds on position, velocity and acceleration are proved for all real
numbers in tests/robosac/test_safety_proof.py.

Everything is pure and fails closed. A tick limits joint after joint, in plain numbers: for the few
joints of a robot that is faster than array operations, and it reads like the proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

from robosac.braking import admissible, speed_to_goal, speed_to_stop
from robosac.hal import BoolArray, FloatArray, Limits
from robosac.reasons import Reason

CodeArray = NDArray[np.uint8]

# Rounding of (goal - position) / dt, in units of the last place of the largest limit.
_ROUNDING_ULPS = 4.0
_ACCEPTED = (np.dtype(np.float64), np.dtype(np.float32))
# Plain numbers: members of an enumeration are looked up far more slowly.
_POSITION, _VELOCITY = Reason.POSITION.value, Reason.VELOCITY.value
_ACCELERATION, _DISTANCE = Reason.ACCELERATION.value, Reason.DISTANCE.value
# By "too fast", then "not too abrupt"; what neither bound explains is the braking distance to the
# stop, or the soft zone before it.
_STEP_CODES = ((_ACCELERATION, _POSITION), (_VELOCITY | _ACCELERATION, _VELOCITY))


@dataclass(frozen=True, slots=True)
class LimiterSettings:
    """What the limiter needs besides the robot's limits.

    Raises:
        ValueError: a value is not a positive, finite number.
    """

    period: float = 0.005
    """Nominal control period T, s; the limiter accepts [T/2, 2T]."""
    max_distance: float = 1.0
    """How far a goal may lie from the measured position, rad."""
    soft_zone: float = 0.0
    """Width of the soft zone before each stop, rad; 0: none. See `robosac.braking.SoftZone`."""
    soft_share: float = 0.25
    """Share of a joint's velocity limit that is left inside the zone, toward the stop."""

    def __post_init__(self) -> None:
        for key in ("period", "max_distance", "soft_share"):
            if not 0 < getattr(self, key) < np.inf:
                raise ValueError(f"limiter.{key} must be positive, got {getattr(self, key)}")
        if not 0 <= self.soft_zone < np.inf:
            raise ValueError(f"limiter.soft_zone must not be negative, got {self.soft_zone}")
        if self.soft_share > 1:
            raise ValueError(f"limiter.soft_share must be at most 1, got {self.soft_share}")


class Bounds(NamedTuple):
    """One joint's, in plain numbers."""

    lower: float
    """rad"""
    upper: float
    """rad"""
    speed: float
    """rad/s"""
    acceleration: float
    """rad/s^2"""
    slow: float
    """Largest speed toward a stop inside the soft zone before it, rad/s."""


class Envelope:
    """The bounds of one robot, with what the limiter derives from them worked out once."""

    def __init__(self, limits: Limits, settings: LimiterSettings | None = None) -> None:
        self.limits = limits
        self.settings = part = settings or LimiterSettings()
        self.shortest = part.period / 2
        """Shortest period that is accepted, s."""
        self.longest = part.period * 2
        """Longest period that is accepted, s."""
        farthest = np.abs((limits.lower, limits.upper)).max()
        self.rounding = _ROUNDING_ULPS * float(np.spacing(farthest))
        """Rounding of a difference of two legal positions, rad."""
        columns = (limits.lower, limits.upper, limits.velocity, limits.acceleration)
        slow = part.soft_share * limits.velocity
        rows = np.array((*columns, slow)).T.tolist()
        self.joints = tuple(Bounds(*row) for row in rows)
        self.accelerations = tuple(bounds.acceleration for bounds in self.joints)
        """rad/s^2"""


@dataclass(frozen=True, slots=True)
class Memory:
    """The last command that was let through; shape (n,)."""

    position: FloatArray
    """rad"""
    velocity: FloatArray
    """rad/s, of the last step."""
    tracking: BoolArray | bool = True
    """False where the command lags behind its goal and is catching up."""

    @classmethod
    def anchored(cls, position: FloatArray) -> Memory:
        """At rest at `position` (rad), usually the measured one: the first command cannot jump."""
        start = np.array(position, dtype=np.float64)
        start.flags.writeable = False
        return cls(start, np.zeros(start.shape))


@dataclass(frozen=True, slots=True)
class Limited:
    """A command that is safe to send, and why it differs from the request."""

    position: FloatArray
    """The safe target, rad; the requested bits themselves where the request was legal."""
    velocity: FloatArray
    """Velocity of this step, rad/s."""
    codes: CodeArray
    """Bits of `Reason` for each joint, shape (n,)."""
    tracking: BoolArray | bool = True
    """See `Memory.tracking`."""
    whole: Reason = Reason.NONE
    """Reasons that concern the whole robot rather than a joint."""

    @property
    def memory(self) -> Memory:
        """What the next call needs to know."""
        return Memory(self.position, self.velocity, self.tracking)

    @property
    def reasons(self) -> Reason:
        """All joints' reasons together."""
        if not np.count_nonzero(self.codes):
            return self.whole
        return Reason(int(np.bitwise_or.reduce(self.codes, axis=None))) | self.whole


def limit(
    request: object, memory: Memory, measured: FloatArray, envelope: Envelope, dt: float
) -> Limited:
    """The command nearest to `request` that keeps every bound now and leaves a way to keep them.

    Args:
        request: joint goals, rad, shape (n,); anything else is rejected, not repaired.
        memory: the last command.
        measured: measured joint positions, rad, shape (n,).
        envelope: the robot's bounds.
        dt: time since the last command, s.

    A rejected request (wrong kind, NaN anywhere, dt out of range) repeats the last target while its
    velocity decays within the acceleration bound.

    A request that keeps every bound passes untouched. A joint whose goals had to be bounded catches
    up at speeds from which it can stop on its goal; without that, a step would overshoot and ring.
    """
    shape = memory.position.shape
    if not is_vector(request, shape):
        return brake(memory, envelope, envelope.settings.period, Reason.SHAPE)
    if not is_vector(measured, shape):
        return brake(memory, envelope, envelope.settings.period, Reason.MEASURED)
    if not envelope.shortest <= dt <= envelope.longest:
        return brake(memory, envelope, envelope.settings.period, Reason.PERIOD)
    goals, places = request.tolist(), measured.tolist()
    # A value that is not finite makes the sum so; great ones may, and are looked at one by one.
    if not isfinite(sum(goals) + sum(places)):
        if not all(map(isfinite, goals)):
            return brake(memory, envelope, dt, Reason.NON_FINITE)
        if not all(map(isfinite, places)):
            return brake(memory, envelope, dt, Reason.MEASURED)
    return _limit_finite(goals, places, memory, envelope, float(dt))


def brake(memory: Memory, envelope: Envelope, dt: float, reason: Reason = Reason.NONE) -> Limited:
    """Keep the last target while its velocity decays to zero within the acceleration bound.

    Args:
        memory: the last command.
        envelope: the robot's bounds.
        dt: time since the last command, s.
        reason: noted for every joint.
    """
    reach = envelope.limits.acceleration * dt
    velocity = memory.velocity - np.minimum(np.maximum(memory.velocity, -reach), reach)
    limits, start = envelope.limits, memory.position
    position = np.minimum(
        np.maximum(start + velocity * dt, np.minimum(limits.lower, start)),
        np.maximum(limits.upper, start),
    )
    codes = np.full(position.shape, reason.value, dtype=np.uint8)
    return Limited(position, velocity, codes, False)


def _limit_finite(
    goals: list[float], places: list[float], memory: Memory, envelope: Envelope, dt: float
) -> Limited:
    """Limit `goals` (rad) that are known to be finite, as are the measured `places` (rad)."""
    shortest, distance = envelope.shortest, envelope.settings.max_distance
    edge, rounding = envelope.settings.soft_zone / dt, envelope.rounding / dt
    starts, speeds, joints = memory.position.tolist(), memory.velocity.tolist(), len(goals)
    tracking = _flags(memory.tracking, joints)
    codes, reached, touched = [0] * joints, [True] * joints, False
    for j, bounds in enumerate(envelope.joints):
        lower, upper, speed, acceleration, slow = bounds
        goal, place, start, last = goals[j], places[j], starts[j], speeds[j]
        nearest, farthest = place - distance, place + distance
        if not (nearest <= goal <= farthest and lower <= goal <= upper):
            goals[j], codes[j] = _nearest_goal(goal, nearest, farthest, lower, upper)
            goal, touched = goals[j], True
        # From here on all is told toward the stop ahead; the other one is its mirror.
        wanted = (goal - start) / dt
        ahead, room = (wanted, upper - start) if wanted >= 0.0 else (-wanted, start - lower)
        # A legal request must not be changed by the rounding of its own velocity.
        reach = acceleration * dt
        gentle = abs(wanted - last) <= reach + rounding
        if not tracking[j]:
            gentle = gentle and ahead <= reach + rounding
        # One period is enough to stand, and the step ends outside the soft zone: no root is needed.
        if (
            gentle
            and ahead <= acceleration * shortest
            and ahead <= room / dt - edge
            and ahead <= speed
        ):
            speeds[j] = wanted
            continue
        cap = _cap(room, speed, acceleration, slow, dt, shortest, edge)
        if gentle and ahead <= cap + rounding:
            speeds[j] = wanted
            continue
        codes[j] |= _STEP_CODES[ahead > speed][gentle]
        reached[j], touched = False, True
        wish = speed_to_goal(abs(goal - start), ahead, acceleration, dt)
        if wanted >= 0.0:
            velocity = admissible(wish, cap, last, reach)
        else:
            # Not the mere sign turned: a joint that stands has the velocity 0, not -0.
            velocity = 0.0 - admissible(wish, cap, -last, reach)
        position = start + velocity * dt
        if not lower <= position <= upper:
            position = inside(position, start, bounds)
        speeds[j], goals[j] = velocity, position
    position, velocity = np.array(goals), np.array(speeds)
    if not touched:
        return Limited(position, velocity, np.zeros(joints, dtype=np.uint8))
    return Limited(
        position,
        velocity,
        np.array(codes, dtype=np.uint8),
        all(reached) or np.array(reached),
    )


def _cap(
    room: float,
    speed: float,
    acceleration: float,
    slow: float,
    dt: float,
    shortest: float,
    edge: float,
) -> float:
    """Largest speed (rad/s) toward a stop that is `room` (rad) away; `edge`: soft zone / dt."""
    # Outside a limit there is no room to go on; the way back is free.
    room = room if room > 0.0 else 0.0
    cap = speed_to_stop(room, acceleration, dt, shortest)
    cap = cap if cap < speed else speed
    if edge > 0.0 and cap > slow:
        # A step that would end inside the zone may not be faster than `slow`.
        soft = room / dt - edge
        soft = soft if soft > slow else slow
        cap = cap if cap < soft else soft
    return cap


def _nearest_goal(
    request: float, nearest: float, farthest: float, lower: float, upper: float
) -> tuple[float, int]:
    """The goal (rad) that is allowed, the limits coming last, and the bits that say why."""
    goal = nearest if request < nearest else farthest if request > farthest else request
    goal = lower if goal < lower else upper if goal > upper else goal
    if goal == request:
        return request, 0
    code = 0 if lower <= request <= upper else _POSITION
    return goal, code if nearest <= request <= farthest else code | _DISTANCE


def inside(position: float, start: float, bounds: Bounds) -> float:
    """`position` (rad) without the last rounding error past a limit; from outside only inward."""
    if position > bounds.upper:
        return min(position, max(bounds.upper, start))
    return position if position >= bounds.lower else max(position, min(bounds.lower, start))


def _flags(tracking: BoolArray | bool, joints: int) -> list[bool]:
    """`tracking`, said of each joint."""
    return tracking.tolist() if isinstance(tracking, np.ndarray) else [bool(tracking)] * joints


def is_vector(value: object, shape: tuple[int, ...]) -> TypeGuard[FloatArray]:
    """True for a plain float array of exactly `shape`; a subclass could overload anything."""
    return type(value) is np.ndarray and value.shape == shape and value.dtype in _ACCEPTED
