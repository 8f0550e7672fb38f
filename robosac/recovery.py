"""Bounds for a robot that lies on the floor: tilt is expected, strength and speed are less. Pure.

A fallen robot may not be armed: it is tilted, and legs that hung limp stand outside their limits.
`Executor.arm(recovering=True)` arms it under the bounds made here, `Executor.recovered` leads back
under its own; `robosac.bounds` keeps which are in force. Everything else stays: gate, ages, device
faults, temperatures, thermal derating, over-speed, keep-outs, and the inertial sensor's age.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from robosac.hal import FloatArray, Limits
from robosac.safety import Envelope

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
    """How far outside its limits a limp joint may stand, rad."""
    most_s: float = 20.0
    """Time after which the robot is damped, whatever it does, s."""

    def __post_init__(self) -> None:
        for key in ("torque_share", "speed_share"):
            if not 0 < getattr(self, key) <= 1:
                raise ValueError(f"recovery.{key} must lie in (0, 1], got {getattr(self, key)}")
        for key in ("beyond", "most_s"):
            if not 0 < getattr(self, key) < math.inf:
                raise ValueError(f"recovery.{key} must be positive, got {getattr(self, key)}")


@dataclass(frozen=True, slots=True)
class Recovery:
    """The bounds of one recovery; of the commands and of what is measured they differ in range."""

    commanded: Envelope
    """Of the limiter."""
    watched: Limits
    """Of arming and of the monitor: limp legs may be anywhere within them."""

    @classmethod
    def approaching(cls, own: Envelope, settings: RecoverySettings) -> Recovery:
        """While a robot is armed whose `own` bounds are these; it is not commanded yet."""
        limits, beyond = own.limits, settings.beyond
        return cls.of(
            own,
            lower=limits.lower,
            upper=limits.upper,
            watched_lower=limits.lower - beyond,
            watched_upper=limits.upper + beyond,
            velocity=limits.velocity * settings.speed_share,
            torque=limits.torque * settings.torque_share,
            tilt=ANY_TILT,
        )

    def found(self, position: FloatArray) -> Recovery:
        """Once it is armed at `position` (rad).

        A joint outside its limits may be commanded back to where it was found, and no farther out.
        """
        limits, settings = self.commanded.limits, self.commanded.settings
        lower, upper = np.minimum(limits.lower, position), np.maximum(limits.upper, position)
        return Recovery(Envelope(replace(limits, lower=lower, upper=upper), settings), self.watched)

    @classmethod
    def of(
        cls,
        own: Envelope,
        *,
        lower: FloatArray,
        upper: FloatArray,
        watched_lower: FloatArray,
        watched_upper: FloatArray,
        velocity: FloatArray,
        torque: FloatArray,
        tilt: float,
    ) -> Recovery:
        """The robot's `own` bounds with these in their place.

        Args:
            own: the robot's own bounds.
            lower, upper: of commands, rad.
            watched_lower, watched_upper: of measured positions, rad.
            velocity: rad/s.
            torque: N m.
            tilt: rad.

        Raises:
            ValueError: limits that cannot be.
        """
        weaker = replace(own.limits, velocity=velocity, torque=torque, tilt=tilt)
        return cls(
            Envelope(replace(weaker, lower=lower, upper=upper), own.settings),
            replace(weaker, lower=watched_lower, upper=watched_upper),
        )
