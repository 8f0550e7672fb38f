"""What the actuators of one robot are like, joint by joint, in place of the nominal ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
COLUMNS = ("torque_gain", "viscous_nm_s_rad", "dry_friction_nm", "armature_kg_m2")
"""Of `JointDynamics.table`."""


@dataclass(frozen=True, slots=True)
class JointDynamics:
    """Four numbers a joint, in the order of the twin's motors.

    Raises:
        ValueError: the columns are of different length, a gain or an armature is not positive, or a
            friction is negative or not finite.
    """

    torque_gain: tuple[float, ...]
    """Torque as a share of the nominal motor's: torque constant and loop's stiffness alike."""
    viscous_nm_s_rad: tuple[float, ...]
    """Friction that grows with speed; without the motor's back-EMF."""
    dry_friction_nm: tuple[float, ...]
    """Friction at any speed; it holds a joint that rests."""
    armature_kg_m2: tuple[float, ...]
    """The rotor's inertia as the joint feels it."""

    def __post_init__(self) -> None:
        columns = [getattr(self, name) for name in COLUMNS]
        if len({len(column) for column in columns}) != 1:
            raise ValueError(f"{', '.join(COLUMNS)} are of {[len(c) for c in columns]} joints")
        for name, column in zip(COLUMNS, columns, strict=True):
            positive = name in ("torque_gain", "armature_kg_m2")
            good = all(0.0 <= value < math.inf for value in column)
            if not good or (positive and 0.0 in column):
                raise ValueError(
                    f"{name} {list(column)}; valid is {'above' if positive else 'at least'} 0"
                )

    @classmethod
    def of(cls, table: FloatArray) -> JointDynamics:
        """From shape (n, 4), with `COLUMNS`."""
        return cls(*(tuple(column.tolist()) for column in np.asarray(table, dtype=float).T))

    @property
    def table(self) -> FloatArray:
        """Shape (n, 4), with `COLUMNS`."""
        return np.array([getattr(self, name) for name in COLUMNS]).T
