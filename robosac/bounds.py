"""Whose bounds are in force: the robot's own, or those of a recovery.

The robot's own are in force whenever nothing else was asked for: a recovery ends with `leave`, and
with torque off for whatever reason. While it is damped a recovery goes on, for its legs lie where
they do.
"""

from __future__ import annotations

import math

from robosac.arming import ArmingSettings, refusal
from robosac.course import Course
from robosac.errors import ArmingError, NotArmedError
from robosac.hal import FloatArray, Limits, RobotState
from robosac.reasons import Reason
from robosac.recovery import Recovery, RecoverySettings
from robosac.requests import interval
from robosac.states import SafetyState
from robosac.watch import Reaction

_TORQUE_OFF = (SafetyState.DISARMED, SafetyState.FAULT)


class Bounds:
    """The bounds of one executor.

    Args:
        course: where the commands lead; its envelope is what is set here, and is the robot's own
            to begin with.
        settings: of a recovery; None: this robot has none, and is never armed as one that fell.
    """

    def __init__(self, course: Course, settings: RecoverySettings | None) -> None:
        self._course, self._own, self._settings = course, course.envelope, settings
        self._recovery: Recovery | None = None
        self._ends = math.inf

    @property
    def limits(self) -> Limits:
        """What arming and the monitor judge by."""
        return self._own.limits if self._recovery is None else self._recovery.watched

    @property
    def recovery(self) -> Recovery | None:
        """The recovery that goes on; None: the robot's own bounds are in force."""
        return self._recovery

    @property
    def reason(self) -> Reason:
        """What every tick of a recovery says of itself."""
        return Reason.NONE if self._recovery is None else Reason.RECOVERING

    def approach(self, recovering: bool) -> Limits:
        """Limits to arm within: the robot's own, or for a recovery those that let it lie.

        Raises:
            ArmingError: this robot has no recovery.
        """
        self.end()
        if recovering:
            if self._settings is None:
                raise ArmingError("recovery: this robot is not to get up by itself; set it upright")
            self._recovery = Recovery.approaching(self._own, self._settings)
        return self.limits

    def begin(self, position: FloatArray, now: float) -> None:
        """The robot is armed at `position` (rad) at clock time `now` (s)."""
        if self._recovery is not None and self._settings is not None:
            self._ends = now + self._settings.most_s
            self._recovery = self._recovery.found(position)
            self._course.envelope = self._recovery.commanded

    def demand(self, now: float) -> Reaction:
        """Damp once a recovery has lasted for too long (clock time `now`, s)."""
        return Reaction.NONE if interval(now, self._ends) >= 0.0 else Reaction.DAMP

    def leave(self, safety: SafetyState, state: RobotState | None, arming: ArmingSettings) -> None:
        """End the recovery: the robot's own bounds are in force from the next tick on.

        Args:
            safety: the present one.
            state: what the last tick learned.
            arming: what must hold.

        Raises:
            NotArmedError: it is not active.
            ArmingError: as it is, it could not be armed under its own limits; the recovery goes on.
        """
        if safety is not SafetyState.ACTIVE or state is None:
            raise NotArmedError(f"recovered() while {safety.value}; valid while active")
        if problem := refusal(state, self._own.limits, arming):
            raise ArmingError(problem)
        self.end()

    def entered(self, safety: SafetyState) -> None:
        """A recovery ends where torque does."""
        if safety in _TORQUE_OFF:
            self.end()

    def end(self) -> None:
        """The robot's own bounds are in force."""
        self._recovery, self._ends = None, math.inf
        self._course.envelope = self._own
