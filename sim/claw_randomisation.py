"""What differs from one hand to the next: ranges, and one hand drawn from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sim.ranges import Range, check_range

_MUST_BE_POSITIVE = frozenset({"motor_strength", "friction_scale"})
_MOST_SHRINK_M = -0.015
"""A lobe loses no more radius than this: it would be gone at 21 mm."""
_FLOORS = {"mount_shift_m": -math.inf, "valve_radius_shift_m": _MOST_SHRINK_M}


@dataclass(frozen=True, slots=True)
class ClawDraw:
    """One hand. The defaults are the nominal one."""

    damping_scale: float = 1.0
    """Of the joints' passive damping, the valve's too."""
    frictionloss_scale: float = 1.0
    """Of the gears' friction, the valve's too."""
    motor_strength: float = 1.0
    """Torque by current as a share of the nominal motor's: what a P gain makes scales with it."""
    friction_scale: float = 1.0
    """Of the sliding friction of fingertips and valve."""
    mount_shift_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    valve_radius_shift_m: float = 0.0
    """How much thicker the valve's lobes are."""


@dataclass(frozen=True, slots=True)
class ClawRandomisation:
    """Uniform ranges (low, high) a hand is drawn from; None leaves that property alone.

    Raises:
        ValueError: a range is upside down, not finite, or reaches what cannot be.
    """

    damping_scale: Range | None = None
    frictionloss_scale: Range | None = None
    motor_strength: Range | None = None
    friction_scale: Range | None = None
    mount_shift_m: Range | None = None
    """Along each axis; drawn separately."""
    valve_radius_shift_m: Range | None = None

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            check_range(
                name,
                getattr(self, name),
                floor=_FLOORS.get(name, 0.0),
                positive=name in _MUST_BE_POSITIVE,
            )

    @classmethod
    def off(cls) -> ClawRandomisation:
        """Every hand is the nominal one."""
        return cls()

    @classmethod
    def robel(cls) -> ClawRandomisation:
        """After the random dynamics of ROBEL's tasks (arXiv 1909.11639 and its source).

        Its absolute ranges (kp 1 to 3 about 2, friction 0.8 to 1.2 about 1) as shares of the
        nominal; damping and frictionloss, drawn there from 5 to 100 % and 20 to 100 % of the
        largest, as shares of two thirds to one and a half, for this servo is stiffer.
        """
        return cls(
            damping_scale=(0.67, 1.5),
            frictionloss_scale=(0.5, 2.0),
            motor_strength=(0.5, 1.5),
            friction_scale=(0.8, 1.2),
            mount_shift_m=(-0.01, 0.01),
            valve_radius_shift_m=(-0.003, 0.003),
        )

    def draw(self, rng: np.random.Generator) -> ClawDraw:
        """Draw one hand.

        Always takes the same number of variates, so that switching one property off leaves the
        others' draws as they were.
        """
        shares = rng.random(8).tolist()

        def pick(span: Range | None, share: float, nominal: float) -> float:
            return nominal if span is None else span[0] + share * (span[1] - span[0])

        x, y, z = (pick(self.mount_shift_m, share, 0.0) for share in shares[4:7])
        return ClawDraw(
            damping_scale=pick(self.damping_scale, shares[0], 1.0),
            frictionloss_scale=pick(self.frictionloss_scale, shares[1], 1.0),
            motor_strength=pick(self.motor_strength, shares[2], 1.0),
            friction_scale=pick(self.friction_scale, shares[3], 1.0),
            mount_shift_m=(x, y, z),
            valve_radius_shift_m=pick(self.valve_radius_shift_m, shares[7], 0.0),
        )
