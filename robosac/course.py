"""Where the commands lead: the last one let through, what limits the next, and who is let go.

A joint that is let go has no command. Its place in the command follows what is measured, so that
taking hold of it again begins where it stands.
"""

from __future__ import annotations

import numpy as np

from robosac.hal import BoolArray, FloatArray, JointState
from robosac.reasons import Reason
from robosac.safety import Envelope, Limited, Memory, brake, is_vector, limit
from robosac.thermal import Heat, ThermalSettings, derate


class Course:
    """The way of one robot's commands, a step each tick.

    Args:
        envelope: the robot's bounds.
        thermal: when torque is derated.
    """

    def __init__(self, envelope: Envelope, thermal: ThermalSettings) -> None:
        self.envelope, self.thermal = envelope, thermal
        self.begin(np.zeros(len(envelope.limits.names)))

    @property
    def position(self) -> FloatArray:
        """The last position commanded, rad; where a joint was measured that is let go."""
        return self._memory.position

    @property
    def free(self) -> BoolArray | None:
        """Joints that are let go; None: none."""
        return self._free

    def begin(self, position: FloatArray) -> None:
        """Begin anew at rest at `position` (rad), with every joint held and every motor cold.

        The motors' cut-off counts continuous time, so torque off has set it back to zero.
        """
        self._memory, self._free = Memory.anchored(position), None
        self._heat = Heat.cold(len(position))

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
                target = np.where(free, self._memory.position, target)
        return self._kept(limit(target, self._memory, measured, self.envelope, dt))

    def hold(self, measured: FloatArray, dt: float) -> Limited:
        """Keep the last target; see `safety.brake`. A `dt` (s) out of range counts as a period."""
        if self._free is not None:
            self._anchor(self._free, measured)
        envelope = self.envelope
        usual = envelope.shortest <= dt <= envelope.longest
        return self._kept(brake(self._memory, envelope, dt if usual else envelope.settings.period))

    def torque(self, joints: JointState, dt: float) -> tuple[FloatArray, Reason]:
        """Torque each motor may use now, N m, and why it may be less than its peak."""
        limits = self.envelope.limits
        torque, self._heat = derate(
            joints.torque, joints.temperature, self._heat, limits, dt, self.thermal
        )
        return torque, Reason.NONE if torque is limits.torque else Reason.DERATED

    def _anchor(self, free: BoolArray, measured: FloatArray) -> None:
        """Let free joints stand at rest where they were measured; unknown ones stay."""
        memory = self._memory
        moved = free & np.isfinite(measured)
        self._memory = Memory(
            np.where(moved, measured, memory.position),
            np.where(free, 0.0, memory.velocity),
            memory.tracking | free,
        )

    def _kept(self, limited: Limited) -> Limited:
        limited.position.flags.writeable = False
        self._memory = limited.memory
        return limited
