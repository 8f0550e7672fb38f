"""Where the commands lead: the last one let through, what limits the next, and who is let go.

A joint that is let go has no command. Its place in the command follows what is measured, so that
taking hold of it again begins where it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robosac.hal import BoolArray, FloatArray, JointState
from robosac.keepout import KeepOut, brake_together, keep_clear
from robosac.lowpass import FilterMemory, smooth
from robosac.reasons import Reason
from robosac.safety import Envelope, Limited, Memory, brake, is_vector, limit
from robosac.thermal import Heat, ThermalSettings, derate, rising, winding_time


@dataclass(frozen=True, slots=True)
class Past:
    """All that a course remembers; the next command follows from it and what comes in."""

    memory: Memory
    heat: Heat
    filter: FilterMemory
    torque: FloatArray
    """The bound handed to each motor last, N m."""
    free: BoolArray | None = None
    """Joints that are let go; None: none."""

    @classmethod
    def fresh(cls, joints: int) -> Past:
        """At rest at zero, with cold motors; every array has its full shape."""
        zero = np.zeros(joints)
        memory = Memory(zero, zero, np.ones(joints, dtype=np.bool_))
        return cls(memory, Heat.cold(joints), FilterMemory.anchored(zero), zero)


class Course:
    """The way of one robot's commands, a step each tick.

    Args:
        envelope: the robot's bounds.
        thermal: when torque is derated.
        keep_out: regions to stay out of; None: none.
        low_pass: cut-off of the filter before the limiter, Hz; None: no filter.

    Raises:
        ValueError: the cut-off is not below what the longest accepted period can tell.
    """

    def __init__(
        self,
        envelope: Envelope,
        thermal: ThermalSettings,
        keep_out: KeepOut | None = None,
        low_pass: float | None = None,
    ) -> None:
        most = 0.5 / envelope.longest
        if low_pass is not None and not 0.0 < low_pass < most:
            raise ValueError(f"low-pass: cut-off must lie in (0, {most:g}) Hz, got {low_pass}")
        self.envelope, self.thermal = envelope, thermal
        self._winding = winding_time(envelope.limits)
        self.keep_out, self.low_pass = keep_out, low_pass
        self.begin(np.zeros(len(envelope.limits.names)))

    @property
    def position(self) -> FloatArray:
        """The last position commanded, rad; where a joint was measured that is let go."""
        return self._memory.position

    @property
    def free(self) -> BoolArray | None:
        """Joints that are let go; None: none."""
        return self._free

    @property
    def past(self) -> Past:
        """What is remembered now."""
        return Past(self._memory, self._heat, self._filter, self._torque, self._free)

    def resume(self, past: Past) -> None:
        """Go on from `past`, as if it had been this course's own."""
        self._memory, self._heat, self._free = past.memory, past.heat, past.free
        self._filter, self._torque = past.filter, past.torque

    def begin(self, position: FloatArray) -> None:
        """Begin anew at rest at `position` (rad), with every joint held and every motor cold.

        The motors' cut-off counts continuous time, so torque off has set it back to zero. The bound
        on torque begins where arming has left it.
        """
        limits = self.envelope.limits
        self._memory, self._free = Memory.anchored(position), None
        self._filter = FilterMemory.anchored(position)
        self._heat = Heat.cold(len(position))
        self._torque = np.minimum(limits.continuous_torque, limits.torque)

    def let_go(self, joints: BoolArray) -> None:
        """Let go of exactly `joints`; the others are held.

        Raises:
            ValueError: not a boolean vector of the robot's joints.
        """
        shape = self._memory.position.shape
        if joints.shape != shape or joints.dtype != np.bool_:
            raise ValueError(f"free joints are {joints.dtype}{joints.shape}; valid is bool{shape}")
        self._free = joints.copy() if joints.any() else None
        if self._free is not None:
            self._free.flags.writeable = False

    def follow(self, target: object, measured: FloatArray, dt: float) -> Limited:
        """The command nearest to `target` (rad) that keeps every bound; see `safety.limit`."""
        free = self._free
        if free is not None:
            self._anchor(free, measured)
        if is_vector(target, measured.shape):
            if free is not None:
                target = np.where(free, self._memory.position, target)
            target = self._smoothed(target, dt)
        limited = limit(target, self._memory, measured, self.envelope, dt)
        if self.keep_out is not None:
            usual = self._usual(dt)
            limited = keep_clear(limited, self._memory, self.envelope, self.keep_out, usual)
        return self._kept(limited)

    def hold(self, measured: FloatArray, dt: float) -> Limited:
        """Keep the last target; see `safety.brake`. A `dt` (s) out of range counts as a period."""
        if self._free is not None:
            self._anchor(self._free, measured)
        usual = self._usual(dt)
        if self.keep_out is None:
            held = self._kept(brake(self._memory, self.envelope, usual))
        else:
            held = self._kept(brake_together(self._memory, self.envelope, usual, Reason.NONE))
        self._filter = FilterMemory.anchored(held.position)
        return held

    def torque(self, joints: JointState, dt: float) -> tuple[FloatArray, Reason]:
        """Torque each motor may use now, N m, and why it may be less than its peak.

        The bound falls at once and rises at the rate that `ThermalSettings.rise_s` states.
        """
        limits = self.envelope.limits
        allowed, self._heat = derate(
            *(joints.torque, joints.temperature, self._heat, limits, dt, self.thermal),
            self._winding,
        )
        rise = self._usual(dt) / self.thermal.rise_s
        self._torque = rising(allowed, self._torque, limits.torque, rise)
        return self._torque, Reason.NONE if allowed is limits.torque else Reason.DERATED

    def _usual(self, dt: float) -> float:
        """`dt`, or a period where the limiter does not accept it, s."""
        envelope = self.envelope
        usual = envelope.shortest <= dt <= envelope.longest
        return dt if usual else envelope.settings.period

    def _smoothed(self, target: FloatArray, dt: float) -> FloatArray:
        """The filtered target, rad; what is beyond a joint's limit is cut off before."""
        if self.low_pass is None:
            return target
        if not np.isfinite(target).all():
            return target
        limits = self.envelope.limits
        inside = np.minimum(np.maximum(target.astype(np.float64), limits.lower), limits.upper)
        smoothed, self._filter = smooth(inside, self._filter, self.low_pass, self._usual(dt))
        return smoothed

    def _anchor(self, free: BoolArray, measured: FloatArray) -> None:
        """Let free joints stand at rest where they were measured; unknown ones stay."""
        memory = self._memory
        moved = free & np.isfinite(measured)
        self._memory = Memory(
            np.where(moved, measured, memory.position),
            np.where(free, 0.0, memory.velocity),
            memory.tracking | free,
        )
        if self.low_pass is not None:
            kept = self._filter
            self._filter = FilterMemory(
                np.where(free, 0.0, kept.slope), np.where(free, self._memory.position, kept.level)
            )

    def _kept(self, limited: Limited) -> Limited:
        limited.position.flags.writeable = False
        self._memory = limited.memory
        return limited
