"""The monitor's look at what feeds the motors and at how warm they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robosac.hal import BoolArray, Fault, FloatArray, JointState, Limits
from robosac.reasons import Reason
from robosac.watch_settings import WatchSettings
from robosac.watch_verdict import Reaction, Verdict

RATE_WINDOW_S = 1.0
"""Over which warming is told: servos give whole degrees."""
OVER_TEMPERATURE = "over_temperature"


@dataclass(frozen=True, slots=True)
class SupplyMemory:
    """What is remembered of supply and warmth; arrays have shape (n,)."""

    time: float
    """Of the last look, s; -inf: never."""
    off_range: FloatArray
    """Leaky time outside the range of the average, s."""
    peak: FloatArray
    """Unbroken time outside the range of peaks, s."""
    quiet: bool
    """True while both are zero."""
    since: float
    """When `warmth` was measured, s."""
    warmth: FloatArray
    """Temperatures to compare with, degrees C."""
    rate: FloatArray
    """Warming over the last whole window, degrees C/s."""

    @classmethod
    def fresh(cls, joints: int) -> SupplyMemory:
        """Nothing seen yet."""
        zero, unknown = np.zeros(joints), np.full(joints, np.nan)
        return cls(-np.inf, zero, zero, True, -np.inf, unknown, zero)


def judge_supply(
    joints: JointState,
    now: float,
    memory: SupplyMemory,
    limits: Limits,
    settings: WatchSettings,
    verdict: Verdict,
) -> SupplyMemory:
    """Add to `verdict` what voltages and temperatures call for; what to remember.

    Time outside the range of the average is counted leakily: it goes back as it came, so that a
    supply that dips again and again under load is found out too. An unknown voltage is outside.
    """
    volts, temperature = joints.voltage, joints.temperature
    middle = (settings.voltage_min + settings.voltage_max) / 2.0
    outside = ~(np.abs(volts - middle) <= settings.voltage_max - middle)
    if not memory.quiet or np.count_nonzero(outside):
        memory = _strained(volts, outside, now, memory, settings)
        _judge_voltage(volts, memory, limits, settings, verdict)
    if not now - memory.since < RATE_WINDOW_S:
        memory = _warmed(temperature, now, memory)
    hot = ~(temperature < limits.temperature - settings.temperature_warn)
    if np.count_nonzero(hot):
        _judge_temperature(temperature, memory.rate, hot, limits, settings, verdict)
    return memory


def lasting(name: str, joints: JointState, limits: Limits, settings: WatchSettings) -> str:
    """Why the fault `name` may not be cleared yet, by what was last measured; empty: it may."""
    if name != OVER_TEMPERATURE:
        return ""
    cool = limits.temperature - settings.temperature_cooled
    hot = ~(joints.temperature < cool)
    if not hot.any():
        return ""
    index = int(np.argmax(np.where(hot, joints.temperature, -np.inf)))
    return (
        f"{limits.names[index]} is at {joints.temperature[index]:.1f} degrees C; valid is below "
        f"{cool:.0f}; let it cool"
    )


def _strained(
    volts: FloatArray,
    outside: BoolArray,
    now: float,
    memory: SupplyMemory,
    settings: WatchSettings,
) -> SupplyMemory:
    """Count the time since the last look, at most a fifth of a second of it."""
    dt = min(max(now - memory.time, 0.0), 0.2) if memory.time > -np.inf else 0.0
    off_range = np.maximum(memory.off_range + np.where(outside, dt, -dt), 0.0)
    far = ~((volts >= settings.voltage_sag) & (volts <= settings.voltage_surge))
    peak = np.where(far, memory.peak + dt, 0.0)
    quiet = not (off_range.any() or peak.any() or outside.any())
    return SupplyMemory(now, off_range, peak, quiet, memory.since, memory.warmth, memory.rate)


def _warmed(temperature: FloatArray, now: float, memory: SupplyMemory) -> SupplyMemory:
    """Compare temperatures with those of the last window, and begin the next."""
    rate = (temperature - memory.warmth) / max(now - memory.since, RATE_WINDOW_S)
    return SupplyMemory(
        memory.time,
        memory.off_range,
        memory.peak,
        memory.quiet,
        now,
        temperature,
        np.nan_to_num(rate),
    )


def _judge_voltage(
    volts: FloatArray,
    memory: SupplyMemory,
    limits: Limits,
    settings: WatchSettings,
    verdict: Verdict,
) -> None:
    # Whole microseconds: sums of ticks are not.
    strained = memory.peak >= settings.voltage_peak_s - 1e-6
    strained |= memory.off_range >= settings.voltage_average_s - 1e-6
    for index in np.flatnonzero(strained):
        low = not volts[index] > (settings.voltage_min + settings.voltage_max) / 2
        verdict.add(
            Reaction.FAULT,
            Reason.FAULT,
            Fault(
                "under_voltage" if low else "over_voltage",
                limits.names[index],
                f"{volts[index]:.1f} V; valid is {settings.voltage_min:.1f} to "
                f"{settings.voltage_max:.1f} V, for {settings.voltage_peak_s:g} s down to "
                f"{settings.voltage_sag:.1f} and up to {settings.voltage_surge:.1f} V",
            ),
        )


def _judge_temperature(
    temperature: FloatArray,
    rate: FloatArray,
    hot: BoolArray,
    limits: Limits,
    settings: WatchSettings,
    verdict: Verdict,
) -> None:
    trip = limits.temperature - settings.temperature_trip
    for index in np.flatnonzero(hot):
        told = f"{temperature[index]:.1f} degrees C, {rate[index]:+.1f} in a second"
        if not temperature[index] < trip or rate[index] >= settings.temperature_rate:
            reaction, reason, name = Reaction.FAULT, Reason.FAULT, OVER_TEMPERATURE
            valid = f"valid: below {trip:.0f}, and warming by less than {settings.temperature_rate}"
        else:
            reaction, reason, name = Reaction.NONE, Reason.NONE, "motor_warm"
            valid = f"torque goes at {trip:.0f}"
        verdict.add(reaction, reason, Fault(name, limits.names[index], f"{told}; {valid}"))
