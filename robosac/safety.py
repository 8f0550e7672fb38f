"""The limiter: whatever is requested, position, velocity and acceleration bounds hold at once.

The speed toward a stop is capped by what braking still allows (`robosac.braking`), and once more in
the soft zone before the stop. Bounds on position, velocity and acceleration are proved for all real
numbers in tests/robosac/test_safety_proof.py.

Everything is pure, works on the last axis (a batch is the same code) and fails closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from robosac.braking import Braking, SoftZone, speed_to_stop
from robosac.hal import BoolArray, FloatArray, Limits
from robosac.reasons import Reason

CodeArray = NDArray[np.uint8]

# Rounding of (goal - position) / dt, in units of the last place of the largest limit.
_ROUNDING_ULPS = 4.0
_ACCEPTED = (np.dtype(np.float64), np.dtype(np.float32))

# By "too fast" + 2 "too abrupt"; what neither bound explains is the braking distance to a stop.
_STEP_CODES = np.array(
    [
        Reason.POSITION.value,
        Reason.VELOCITY.value,
        Reason.ACCELERATION.value,
        (Reason.VELOCITY | Reason.ACCELERATION).value,
    ],
    dtype=np.uint8,
)


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


class Bits:
    """One full-length array for each reason that lies in the goal."""

    __slots__ = ("distance", "measured", "non_finite", "position")

    def __init__(self, joints: int) -> None:
        def bit(reason: Reason) -> CodeArray:
            return np.full(joints, reason.value, dtype=np.uint8)

        self.non_finite, self.measured = bit(Reason.NON_FINITE), bit(Reason.MEASURED)
        self.position, self.distance = bit(Reason.POSITION), bit(Reason.DISTANCE)


class Envelope:
    """The bounds of one robot, with what the limiter derives from them worked out once."""

    def __init__(self, limits: Limits, settings: LimiterSettings | None = None) -> None:
        self.limits = limits
        self.settings = settings or LimiterSettings()
        self.shortest = self.settings.period / 2
        """Shortest period that is accepted, s."""
        self.longest = self.settings.period * 2
        """Longest period that is accepted, s."""
        self.distance = np.full(len(limits.names), self.settings.max_distance)
        """rad"""
        # The upper stops, then the lower ones mirrored, so that one pass serves both.
        self.edges = np.concatenate((limits.upper, -limits.lower))
        self.speeds = np.tile(limits.velocity, 2)
        self.rounding = _ROUNDING_ULPS * float(np.spacing(np.abs(self.edges).max()))
        """Rounding of a difference of two legal positions, rad."""
        # Full-length operands: numpy takes several times longer to broadcast a scalar.
        self.none = np.zeros(len(self.edges))
        self.bits = Bits(len(limits.names))
        self._step = Step(self, self.settings.period)

    def step(self, dt: float) -> Step:
        """What follows from the length of the next period (s), kept while that does not change."""
        if self._step.dt != dt:
            self._step = Step(self, dt)
        return self._step


class Step:
    """What the limiter needs to know about one period; see `Envelope.step`."""

    __slots__ = ("both", "dt", "gentle", "one", "reach", "rounding", "soft")

    def __init__(self, envelope: Envelope, dt: float) -> None:
        acceleration = envelope.limits.acceleration
        self.dt = dt
        self.reach = acceleration * dt
        """Largest change of velocity, rad/s."""
        self.rounding = np.full(len(envelope.edges), envelope.rounding / dt)
        """Rounding of the velocity between two legal positions, rad/s."""
        self.gentle = self.reach + envelope.rounding / dt
        # A goal is no stop: passing it by rounding does no harm, so the present period serves.
        self.one = Braking.within(acceleration, dt, dt)
        self.both = Braking.within(np.tile(acceleration, 2), dt, envelope.shortest)
        settings = envelope.settings
        self.soft = SoftZone.of(envelope.speeds, settings.soft_zone, settings.soft_share, dt)


@dataclass(frozen=True, slots=True)
class Memory:
    """The last command that was let through; shape (..., n)."""

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
    """Bits of `Reason` for each joint, shape (..., n)."""
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
        request: joint goals, rad, shape (..., n); anything else is rejected, not repaired.
        memory: the last command, shape (..., n).
        measured: measured joint positions, rad, shape (..., n).
        envelope: the robot's bounds.
        dt: time since the last command, s.

    A rejected request (wrong kind, NaN anywhere in its row, dt out of range) repeats the last
    target while its velocity decays within the acceleration bound.

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
    goal = request.astype(np.float64, copy=False)
    finite, known = np.isfinite(goal), np.isfinite(measured)
    if np.count_nonzero(finite) == np.count_nonzero(known) == goal.size:
        return _limit_finite(goal, memory, measured, envelope, dt)
    usable = (finite & known).all(axis=-1, keepdims=True)
    limited = _limit_finite(
        np.where(usable, goal, memory.position),
        memory,
        np.where(usable, measured, memory.position),
        envelope,
        dt,
    )
    held = brake(memory, envelope, dt)
    whole = finite.all(axis=-1, keepdims=True)
    return Limited(
        np.where(usable, limited.position, held.position),
        np.where(usable, limited.velocity, held.velocity),
        np.where(
            usable,
            limited.codes,
            np.where(whole, envelope.bits.measured, envelope.bits.non_finite),
        ),
        np.broadcast_to(usable, shape) & limited.tracking,
    )


def brake(memory: Memory, envelope: Envelope, dt: float, reason: Reason = Reason.NONE) -> Limited:
    """Keep the last target while its velocity decays to zero within the acceleration bound.

    Args:
        memory: the last command.
        envelope: the robot's bounds.
        dt: time since the last command, s.
        reason: noted for every joint.
    """
    reach = envelope.step(dt).reach
    velocity = memory.velocity - np.minimum(np.maximum(memory.velocity, -reach), reach)
    position = _inside(memory.position + velocity * dt, memory.position, envelope.limits)
    codes = np.full(position.shape, reason.value, dtype=np.uint8)
    return Limited(position, velocity, codes, False)


def _limit_finite(
    request: FloatArray, memory: Memory, measured: FloatArray, envelope: Envelope, dt: float
) -> Limited:
    """Limit a request that is known to be finite and of the right shape."""
    limits, start, step = envelope.limits, memory.position, envelope.step(dt)
    nearest, farthest = measured - envelope.distance, measured + envelope.distance
    goal = np.minimum(np.maximum(request, nearest), farthest)
    goal = np.minimum(np.maximum(goal, limits.lower), limits.upper)
    way = goal - start
    wanted = way / step.one.dt
    # Outside a limit there is no room to go on; the way back is free.
    room = np.maximum(envelope.edges - np.concatenate((start, -start), axis=-1), envelope.none)
    caps = np.minimum(speed_to_stop(room, step.both), envelope.speeds)
    if step.soft is not None:
        caps = np.minimum(caps, step.soft.speed(room, step.both.dt))
    # A legal request must not be changed by the rounding of its own velocity.
    free = np.concatenate((wanted, -wanted), axis=-1) <= caps + step.rounding
    change = np.abs(wanted - memory.velocity)
    gentle = change <= step.gentle
    if memory.tracking is not True:
        gentle &= memory.tracking | (np.abs(wanted) <= step.gentle)
    kept = goal == request
    if np.count_nonzero(free) + np.count_nonzero(gentle & kept) == 3 * goal.size:
        return Limited(request.copy(), wanted, np.zeros(request.shape, dtype=np.uint8))

    joints = start.shape[-1]
    reachable = free[..., :joints] & free[..., joints:] & gentle
    toward = np.copysign(speed_to_stop(np.abs(way), step.one), wanted)
    velocity = _admissible(toward, caps, memory, step)
    stepped = _inside(start + velocity * step.one.dt, start, limits)
    codes = _bounded_step(wanted, ~gentle, envelope) * ~reachable
    # Not the same as `goal` itself: a bound of zero may have turned the sign of a zero.
    goal = np.where(kept, request, goal)
    if np.count_nonzero(kept) != goal.size:
        codes |= _bits((request < limits.lower) | (request > limits.upper), envelope.bits.position)
        codes |= _bits((request < nearest) | (request > farthest), envelope.bits.distance)
    return Limited(
        np.where(reachable, goal, stepped),
        np.where(reachable, wanted, velocity),
        codes,
        reachable,
    )


def _admissible(wish: FloatArray, caps: FloatArray, memory: Memory, step: Step) -> FloatArray:
    """The velocity nearest to `wish` (rad/s) under the caps toward both stops.

    The caps are clipped to what the acceleration bound can reach, so the interval is never empty
    and that bound holds whatever the state.
    """
    joints = wish.shape[-1]
    most, least = memory.velocity + step.reach, memory.velocity - step.reach
    fastest = np.minimum(np.maximum(caps[..., :joints], least), most)
    slowest = np.minimum(np.maximum(-caps[..., joints:], least), most)
    return np.minimum(np.maximum(wish, slowest), fastest)


def _bounded_step(wanted: FloatArray, abrupt: BoolArray, envelope: Envelope) -> CodeArray:
    """Bits for steps that break a bound, looked up by which of the two it is."""
    fast = (np.abs(wanted) > envelope.limits.velocity).view(np.uint8)
    steep = abrupt.view(np.uint8)
    return _STEP_CODES.take(fast + steep + steep)


def _bits(where: BoolArray, bit: CodeArray) -> CodeArray:
    return where.view(np.uint8) * bit


def _inside(position: FloatArray, start: FloatArray, limits: Limits) -> FloatArray:
    """`position` (rad) without the last rounding error past a limit; from outside only inward."""
    return np.minimum(
        np.maximum(position, np.minimum(limits.lower, start)), np.maximum(limits.upper, start)
    )


def is_vector(value: object, shape: tuple[int, ...]) -> TypeGuard[FloatArray]:
    """True for a plain float array of exactly `shape`; a subclass could overload anything."""
    return type(value) is np.ndarray and value.shape == shape and value.dtype in _ACCEPTED
