"""What differs from one robot to the next: ranges, and one robot drawn from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.ranges import Range, check_range

_MUST_BE_POSITIVE = ("mass_scale", "inertia_scale", "motor_strength", "supply_v")


@dataclass(frozen=True, slots=True)
class Draw:
    """One robot. The defaults are the nominal one; None keeps the twin's own setting."""

    chassis_mass_scale: float = 1.0
    leg_mass_scale: float = 1.0
    inertia_scale: float = 1.0
    foot_friction: float = 1.0
    """Sliding friction coefficient between foot and floor."""
    motor_strength: float = 1.0
    """Torque as a share of the nominal motor's, all eight alike."""
    viscous_friction: float = 0.0
    """At each motor, N m s/rad."""
    supply_v: float | None = None
    """Battery, V."""
    latency_s: float | None = None
    """Age of the sensor values that reach the host, s."""
    imu_bias_rad: tuple[float, float] = (0.0, 0.0)
    """Constant error of roll and pitch."""
    imu_noise_rad: float | None = None
    """Standard deviation of roll's and pitch's white noise."""


@dataclass(frozen=True, slots=True)
class Randomisation:
    """Uniform ranges (low, high) a robot is drawn from; None leaves that property alone.

    Raises:
        ValueError: a range is upside down, not finite, or reaches what cannot be.
    """

    mass_scale: Range | None = None
    """Chassis and legs are drawn separately."""
    inertia_scale: Range | None = None
    foot_friction: Range | None = None
    motor_strength: Range | None = None
    viscous_friction: Range | None = None
    """N m s/rad"""
    supply_v: Range | None = None
    latency_s: Range | None = None
    imu_bias_rad: Range | None = None
    imu_noise_rad: Range | None = None

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            check_range(
                name,
                getattr(self, name),
                floor=-math.inf if name == "imu_bias_rad" else 0.0,
                positive=name in _MUST_BE_POSITIVE,
            )

    @classmethod
    def off(cls) -> Randomisation:
        """Every robot is the nominal one."""
        return cls()

    @classmethod
    def tan_2018(cls) -> Randomisation:
        """The ranges of Tan et al. 2018 (arXiv 1804.10332), Table I.

        Without its control step (3 to 20 ms): the executor's rate is part of the robot here.
        """
        return cls(
            mass_scale=(0.8, 1.2),
            inertia_scale=(0.5, 1.5),
            foot_friction=(0.5, 1.25),
            motor_strength=(0.8, 1.2),
            viscous_friction=(0.0, 0.05),
            supply_v=(14.0, 16.8),
            latency_s=(0.0, 0.04),
            imu_bias_rad=(-0.05, 0.05),
            imu_noise_rad=(0.0, 0.05),
        )

    def draw(self, rng: np.random.Generator) -> Draw:
        """Draw one robot.

        Always takes the same number of variates, so that switching one property off leaves the
        others' draws as they were.
        """
        shares = rng.random(11).tolist()

        def pick(span: Range | None, share: float) -> float | None:
            return None if span is None else span[0] + share * (span[1] - span[0])

        def scale(span: Range | None, share: float, nominal: float) -> float:
            picked = pick(span, share)
            return nominal if picked is None else picked

        return Draw(
            chassis_mass_scale=scale(self.mass_scale, shares[0], 1.0),
            leg_mass_scale=scale(self.mass_scale, shares[1], 1.0),
            inertia_scale=scale(self.inertia_scale, shares[2], 1.0),
            foot_friction=scale(self.foot_friction, shares[3], 1.0),
            motor_strength=scale(self.motor_strength, shares[4], 1.0),
            viscous_friction=scale(self.viscous_friction, shares[5], 0.0),
            supply_v=pick(self.supply_v, shares[6]),
            latency_s=pick(self.latency_s, shares[7]),
            imu_bias_rad=(
                scale(self.imu_bias_rad, shares[8], 0.0),
                scale(self.imu_bias_rad, shares[9], 0.0),
            ),
            imu_noise_rad=pick(self.imu_noise_rad, shares[10]),
        )
