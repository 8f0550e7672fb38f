"""Torque derating: a motor is asked for less before its own overheat cut-off would take it away.

The cut-off counts continuous time above a torque. The count here leaks instead of starting anew,
so it is never below the motor's own; it derates at a share of the allowed time and restores after
the count has run back to zero, which takes just as long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robosac.hal import BoolArray, FloatArray, Limits


@dataclass(frozen=True, slots=True)
class ThermalSettings:
    """When torque is derated, and how far."""

    derate_share: float = 0.7
    """Share of `Limits.continuous_time` after which torque is derated."""
    counted_share: float = 0.97
    """Share of `Limits.continuous_torque` above which time counts: the motor's own gauge errs."""
    derated_share: float = 0.95
    """Share of `Limits.continuous_torque` that is left while derated; below `counted_share`."""
    temperature_margin: float = 5.0
    """Derate this far below `Limits.temperature`, degrees C."""

    def __post_init__(self) -> None:
        if not 0 < self.derate_share < 1:
            raise ValueError(f"thermal.derate_share must lie in (0, 1), got {self.derate_share}")
        if not 0 < self.derated_share < self.counted_share <= 1:
            raise ValueError(
                "thermal shares must satisfy 0 < derated_share < counted_share <= 1, got "
                f"{self.derated_share} and {self.counted_share}"
            )
        if not self.temperature_margin >= 0:
            raise ValueError(
                f"thermal.temperature_margin must not be negative, got {self.temperature_margin}"
            )


@dataclass(frozen=True, slots=True)
class Heat:
    """What is remembered of each motor's load."""

    counted: FloatArray
    """Leaky time above the continuous torque, s."""
    derated: BoolArray
    resting: bool = False
    """True only if nothing is counted and nothing derated."""

    @classmethod
    def cold(cls, joints: int) -> Heat:
        """Nothing counted, nothing derated."""
        return cls(np.zeros(joints), np.zeros(joints, dtype=np.bool_), resting=True)


def derate(
    torque: FloatArray,
    temperature: FloatArray,
    heat: Heat,
    limits: Limits,
    dt: float,
    settings: ThermalSettings,
) -> tuple[FloatArray, Heat]:
    """Torque each motor may use (N m), and the load to remember.

    Args:
        torque: measured torque, N m; not finite counts as too much.
        temperature: motor temperature, degrees C; not finite counts as too hot.
        heat: load remembered from the last tick.
        limits: peak and continuous torque, allowed time, allowed temperature.
        dt: time since the last call, s.
        settings: when and how far to derate.
    """
    loaded = ~(np.abs(torque) <= settings.counted_share * limits.continuous_torque)
    hot = ~(temperature <= limits.temperature - settings.temperature_margin)
    if heat.resting and not np.count_nonzero(loaded | hot):
        return limits.torque, heat
    counted = np.maximum(heat.counted + np.where(loaded, dt, -dt), 0.0)
    worn = counted >= settings.derate_share * limits.continuous_time
    derated = worn | hot | (heat.derated & (counted > 0.0))
    if not np.count_nonzero(derated):
        return limits.torque, Heat(counted, derated, resting=not np.count_nonzero(counted))
    reduced = np.minimum(settings.derated_share * limits.continuous_torque, limits.torque)
    return np.where(derated, reduced, limits.torque), Heat(counted, derated)
