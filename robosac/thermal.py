"""Torque derating: a motor is asked for less before its own overheat cut-off would take it away.

Three judges, and the strictest one counts:

- Time above the continuous torque. A motor's cut-off counts continuous time; the count here leaks
  instead of starting anew, so it is never below the motor's own. It derates at a share of the
  allowed time and restores after the count has run back to zero, which takes just as long.
- I squared t: the winding as a first-order body that torque squared warms, told in shares of what
  the continuous torque ends at. Peak torque from cold reaches that share 1 in the allowed time.
  It sees what the count does not: bursts with pauses too short to cool down in.
- The temperature that the motor reports, with hysteresis.

A bound on torque that fell comes back at a stated rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robosac.hal import BoolArray, FloatArray, Limits

_MOST = 4.0
"""No torque counts as more than this, in peaks: one wild reading must not count for ever."""


@dataclass(frozen=True, slots=True)
class ThermalSettings:
    """When torque is derated, how far, and how fast it comes back (reference hazards 7 and 8)."""

    derate_share: float = 0.7
    """Share of `Limits.continuous_time` after which torque is derated."""
    counted_share: float = 0.97
    """Share of `Limits.continuous_torque` above which time counts: the motor's own gauge errs."""
    derated_share: float = 0.95
    """Share of `Limits.continuous_torque` that is left while derated; below `counted_share`."""
    temperature_margin: float = 5.0
    """Derate this far below `Limits.temperature`, degrees C."""
    temperature_hysteresis: float = 10.0
    """Restore only when cooled this much further, degrees C."""
    winding_share: float = 0.9
    """Warmth of the winding, 1 being that of the continuous torque, from which torque is derated by
    degrees, so that at 1 `derated_share` is left."""
    rise_s: float = 0.5
    """Time in which the bound on torque may rise from nothing to its peak, s."""

    def __post_init__(self) -> None:
        for key in ("derate_share", "winding_share"):
            if not 0 < getattr(self, key) < 1:
                raise ValueError(f"thermal.{key} must lie in (0, 1), got {getattr(self, key)}")
        if not 0 < self.derated_share < self.counted_share <= 1:
            raise ValueError(
                "thermal shares must satisfy 0 < derated_share < counted_share <= 1, got "
                f"{self.derated_share} and {self.counted_share}"
            )
        for key in ("temperature_margin", "temperature_hysteresis"):
            if not 0 <= getattr(self, key) < np.inf:
                raise ValueError(f"thermal.{key} must not be negative, got {getattr(self, key)}")
        if not 0 < self.rise_s < np.inf:
            raise ValueError(f"thermal.rise_s must be positive, got {self.rise_s}")


@dataclass(frozen=True, slots=True)
class Heat:
    """What is remembered of each motor's load."""

    counted: FloatArray
    """Leaky time above the continuous torque, s."""
    derated: BoolArray
    """By that time."""
    warmth: FloatArray
    """Of the winding; 1 is where the continuous torque ends."""
    hot: BoolArray
    """By the reported temperature."""
    resting: bool = False
    """True only if nothing is counted and nothing derated by time or temperature."""

    @classmethod
    def cold(cls, joints: int) -> Heat:
        """Nothing counted, nothing derated."""
        no = np.zeros(joints, dtype=np.bool_)
        return cls(np.zeros(joints), no, np.zeros(joints), no, resting=True)


def winding_time(limits: Limits) -> FloatArray:
    """Time constant of the windings, s: peak torque from cold takes them to 1 in the allowed time.

    A motor whose peak is not above its continuous torque gets the allowed time itself.
    """
    burst = (limits.torque / limits.continuous_torque) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        time = limits.continuous_time / np.log(burst / (burst - 1.0))
    return np.where(burst > 1.0, time, limits.continuous_time)


def derate(
    torque: FloatArray,
    temperature: FloatArray,
    heat: Heat,
    limits: Limits,
    dt: float,
    settings: ThermalSettings,
    winding: FloatArray,
) -> tuple[FloatArray, Heat]:
    """Torque each motor may use (N m), and the load to remember.

    Args:
        torque: measured torque, N m; not finite counts as too much.
        temperature: motor temperature, degrees C; not finite counts as too hot.
        heat: load remembered from the last tick.
        limits: peak and continuous torque, allowed time, allowed temperature.
        dt: time since the last call, s.
        settings: when and how far to derate.
        winding: time constants, s; `winding_time(limits)`.

    Returns `limits.torque` itself while nothing is derated.
    """
    load = np.abs(torque)
    loaded = ~(load <= settings.counted_share * limits.continuous_torque)
    share = _share(load, limits)
    warmth = heat.warmth + (share * share - heat.warmth) * -np.expm1(-dt / winding)
    edge = limits.temperature - settings.temperature_margin
    hot = ~(temperature <= edge)
    if heat.resting and not np.count_nonzero(loaded | hot):
        counted, worn, derated, resting = heat.counted, heat.derated, heat.derated, True
    else:
        hot |= heat.hot & ~(temperature <= edge - settings.temperature_hysteresis)
        counted = np.maximum(heat.counted + np.where(loaded, dt, -dt), 0.0)
        worn = counted >= settings.derate_share * limits.continuous_time
        worn |= heat.derated & (counted > 0.0)
        derated = worn | hot
        resting = not np.count_nonzero(counted) and not np.count_nonzero(derated)
    following = Heat(counted, worn, warmth, hot, resting)
    most = limits.torque
    reduced = np.minimum(settings.derated_share * limits.continuous_torque, most)
    if np.count_nonzero(warmth > settings.winding_share):
        spare = (1.0 - warmth) / (1.0 - settings.winding_share)
        most = reduced + np.minimum(np.maximum(spare, 0.0), 1.0) * (most - reduced)
    if np.count_nonzero(derated):
        most = np.where(derated, reduced, most)
    return most, following


def rising(allowed: FloatArray, last: FloatArray, peak: FloatArray, rise: float) -> FloatArray:
    """`allowed` (N m), but no more than `rise` times `peak` (N m) above `last` (N m)."""
    return np.minimum(allowed, last + rise * peak)


def _share(load: FloatArray, limits: Limits) -> FloatArray:
    """`load` (N m, not negative, maybe not finite) in shares of the continuous torque."""
    known = np.where(np.isfinite(load), load, limits.torque)
    return np.minimum(known, _MOST * limits.torque) / limits.continuous_torque
