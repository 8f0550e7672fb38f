"""Tolerances and budgets of the monitor; numbers in brackets are the rows of docs/hazards.md."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """When the monitor reacts. A count of ticks means ticks of the executor.

    Raises:
        ValueError: bounds that are not in order; a supply range is never swapped.
    """

    misses_hold: int = 3
    """Exchanges in a row without an answer before the robot holds (hazard 15)."""
    misses_fault: int = 10
    """Exchanges in a row without an answer before torque is cut."""
    stale_hold_s: float = 0.01
    """Age of a value that is said to be fresh before the robot holds, s; two ticks (14)."""
    stale_fault_s: float = 0.025
    """Likewise before torque is cut, s; five ticks."""
    position_tolerance: float = math.radians(5.0)
    """How far beyond a limit a joint may be measured, rad (5)."""
    position_ticks: int = 2
    """Ticks in a row beyond the tolerance before torque is cut."""
    overspeed_factor: float = 2.0
    """Speed over the commanded limit that is too fast: legs swing past their target (6)."""
    overspeed_ticks: int = 2
    """Of the last three ticks, before torque is cut; measured or differentiated speeds."""
    impossible_factor: float = 2.5
    """Speed over the commanded limit that no motor reaches (10)."""
    position_noise: float = 0.1
    """What two readings of a position may differ by without a motion, rad; noise, and timing."""
    freeze_error: float = 0.1
    """How far from its reading a joint must be sent before it has to move, rad (12)."""
    freeze_ticks: int = 16
    """Ticks in a row of bit-identical positions, though sent away, before torque is cut."""
    stalls: bool = False
    """A joint may stand still against an obstacle without its reading changing by one count.

    True for coarse, noiseless encoders. Only a joint that was sent to both sides then has to move,
    and one whose motor does not push as a stalled one would.
    """
    identical_ticks: int = 0
    """Ticks in a row of bit-identical positions, wherever the joint is sent, before torque is cut;
    0: never. For encoders finer than their noise, which tell the same twice by chance alone."""
    stiffness: float = 0.0
    """What a motor that stands pushes with for each rad to its goal, N m/rad, up to its torque.
    0: not known, so never judged."""
    limp_share: float = 0.5
    """Share of that below which a motor is not stalled but moves, whatever its encoder tells: room
    for a hot winding (resistance +20 % at 50 K) and a low supply (20 of 24 V)."""
    limp_ticks: int = 8
    """Ticks in a row, among those in which the joint was sent away, before torque is cut."""
    undriven_ticks: int = 3
    """Ticks in a row without drive although commanded, before torque is cut (13)."""
    temperature_warn: float = 10.0
    """Told this far below the limit, degrees C; torque is derated by `thermal` (8)."""
    temperature_trip: float = 2.0
    """Torque is cut this far below the limit, degrees C."""
    temperature_cooled: float = 10.0
    """Degrees C below the limit from which on `over_temperature` may be cleared."""
    temperature_rate: float = 5.0
    """Warming that cuts torque once a motor is warm enough to be told, degrees C/s over 1 s."""
    voltage_min: float = 9.0
    """Supply below which the robot may run for `voltage_average_s` at most, V (9)."""
    voltage_max: float = 48.0
    """Likewise above, V."""
    voltage_sag: float = 8.0
    """Supply below which the robot may run for `voltage_peak_s` at most, V."""
    voltage_surge: float = 50.0
    """Likewise above, V."""
    voltage_average_s: float = 1.0
    """s"""
    voltage_peak_s: float = 0.04
    """s; with one tick of delay and one of reaction within 50 ms."""
    imu_hold_s: float = 0.04
    """Age of the inertial sample that holds the robot, s (17)."""
    imu_damp_s: float = 0.2
    """Age of the inertial sample that damps the robot, s."""
    imu_gyro_max: float = 34.0
    """Angular velocity at the end of the sensor's range, rad/s: 2000 degrees/s."""
    imu_force_max: float = 155.0
    """Specific force at the end of the sensor's range, m/s^2: 16 g."""
    imu_drift: float = 3.5
    """Mean specific force beside gravity that no motion explains, m/s^2: 0.36 rad of tilt."""
    imu_drift_s: float = 1.0
    """Time constant of that mean, s."""

    def __post_init__(self) -> None:
        if not self.voltage_sag <= self.voltage_min < self.voltage_max <= self.voltage_surge:
            raise ValueError(
                "watch voltages must satisfy sag <= min < max <= surge, got "
                f"{self.voltage_sag}, {self.voltage_min}, {self.voltage_max}, {self.voltage_surge}"
            )
        if not 0 < self.stale_hold_s < self.stale_fault_s:
            raise ValueError(
                "watch ages must satisfy 0 < stale_hold_s < stale_fault_s, got "
                f"{self.stale_hold_s}, {self.stale_fault_s}"
            )
        if not 0 <= self.temperature_trip <= self.temperature_warn:
            raise ValueError(
                "watch temperatures must satisfy 0 <= trip <= warn, got "
                f"{self.temperature_trip}, {self.temperature_warn}"
            )
