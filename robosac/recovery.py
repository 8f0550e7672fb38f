"""Bounds for a robot that lies on the floor: tilt is expected, strength and speed are less.

A fallen robot may not be armed: it is tilted, and legs that hung limp stand outside their limits.
`Executor.arm(recovering=...)` arms it under the bounds made here, `Executor.recovered` leads back
under its own. Everything else stays in force: gate, ages, device faults, temperatures, thermal
derating, over-speed, the inertial sensor's age, and how far a leg may have turned.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from robosac.arming import ArmingSettings, refusal
from robosac.course import Course
from robosac.errors import ArmingError, NotArmedError
from robosac.hal import FloatArray, Limits, RobotState
from robosac.reasons import Reason
from robosac.requests import interval
from robosac.safety import Envelope
from robosac.watch import Reaction

ANY_TILT: Final = math.pi
"""rad; still finite, so that the sensor must speak and its attitude must be known."""


@dataclass(frozen=True, slots=True)
class RecoverySettings:
    """What a robot that lies on the floor may do.

    Raises:
        ValueError: a share is outside (0, 1], or a bound is not positive and finite.
    """

    torque_share: float = 0.57
    """Share of the peak torque. Caught legs push for seconds: at the nominal robot's share a motor
    a fifth stronger than said stays within its continuous rating."""
    speed_share: float = 0.5
    """Share of the largest commanded speed."""
    beyond: float = math.pi
    """How far outside its limits a limp joint may stand, rad; it is only commanded inward."""
    most_s: float = 20.0
    """Time after which the robot is damped, whatever it does, s."""

    def __post_init__(self) -> None:
        for key in ("torque_share", "speed_share"):
            if not 0 < getattr(self, key) <= 1:
                raise ValueError(f"recovery.{key} must lie in (0, 1], got {getattr(self, key)}")
        for key in ("beyond", "most_s"):
            if not 0 < getattr(self, key) < math.inf:
                raise ValueError(f"recovery.{key} must be positive, got {getattr(self, key)}")


class Bounds:
    """Whose bounds are in force: the robot's own, or those of a recovery.

    Args:
        course: where the commands lead; its envelope is what is set here, and is the robot's own
            to begin with.
    """

    def __init__(self, course: Course) -> None:
        self._course, self._own = course, course.envelope
        self._settings: RecoverySettings | None = None
        self._ends = math.inf
        self.limits = self._own.limits
        """What the monitor judges by. In a recovery limp legs may be anywhere within `beyond`."""

    @property
    def reason(self) -> Reason:
        """What every tick of a recovery says of itself."""
        return Reason.NONE if self._settings is None else Reason.RECOVERING

    def approach(self, recovering: RecoverySettings | None) -> Limits:
        """Limits to arm within: the robot's own, or for a recovery those that let it lie."""
        self._settings, self._ends = recovering, math.inf
        self._course.envelope = self._own
        own = self.limits = self._own.limits
        if recovering is not None:
            beyond = recovering.beyond
            self.limits = _weaker(own, recovering, own.lower - beyond, own.upper + beyond)
        return self.limits

    def begin(self, position: FloatArray, now: float) -> None:
        """The robot is armed at `position` (rad) at clock time `now` (s).

        In a recovery a joint outside its limits may be commanded back to where it was found, and no
        farther out.
        """
        if self._settings is not None:
            self._ends = now + self._settings.most_s
            own = self._own.limits
            lower, upper = np.minimum(own.lower, position), np.maximum(own.upper, position)
            limits = _weaker(own, self._settings, lower, upper)
            self._course.envelope = Envelope(limits, self._own.settings)

    def demand(self, now: float) -> Reaction:
        """Damp once a recovery has lasted for too long (clock time `now`, s)."""
        return Reaction.NONE if interval(now, self._ends) >= 0.0 else Reaction.DAMP

    def leave(self, state: RobotState | None, arming: ArmingSettings) -> None:
        """End the recovery: the robot's own bounds are in force from the next tick on.

        Args:
            state: of the last tick; None: the robot is not active.
            arming: what must hold.

        Raises:
            NotArmedError: it is not active.
            ArmingError: as it is, it could not be armed under its own limits; the recovery goes on.
        """
        if state is None:
            raise NotArmedError("the recovery was ended while not active; arm() again")
        if problem := refusal(state, self._own.limits, arming):
            raise ArmingError(problem)
        self._settings, self._ends = None, math.inf
        self._course.envelope, self.limits = self._own, self._own.limits


def _weaker(
    own: Limits, settings: RecoverySettings, lower: FloatArray, upper: FloatArray
) -> Limits:
    """The robot's `own` limits at any tilt, with less strength and speed, and this range (rad)."""
    return replace(
        own,
        lower=lower,
        upper=upper,
        torque=own.torque * settings.torque_share,
        velocity=own.velocity * settings.speed_share,
        tilt=ANY_TILT,
    )


class FallCount:
    """Falls within a while: so many in a row are no accident, and a person must look.

    Three in 60 s: hazard 18 of the safety reference.
    """

    def __init__(self, most: int = 3, within_s: float = 60.0) -> None:
        self._most, self._within_s = most, within_s
        self._times: deque[float] = deque(maxlen=most)

    def note(self, now: float) -> None:
        """The robot fell at clock time `now` (s)."""
        self._times.append(now)

    def too_many(self, now: float) -> bool:
        """True while `most` falls lie within the last `within_s` seconds."""
        full = len(self._times) == self._most
        return full and interval(self._times[0], now) <= self._within_s

    def forget(self) -> None:
        """A person has looked."""
        self._times.clear()
