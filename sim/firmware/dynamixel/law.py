"""From a servo's registers to the numbers of its control law, mode by mode. Pure.

Source: ROBOTIS e-manual, X series, Operating Mode (11), Position PID Gain (84, 82, 80) and
Feedforward Gains, Velocity PI Gain, Goal PWM (100), Goal Current (102). Assumed, for the manual
does not say: the loops run at 1 kHz, and integral, derivative and feedforward count per such step.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from drivers.dynamixel.constants import OperatingMode
from sim.firmware.dynamixel.profile import VELOCITY_UNIT_COUNTS_S

LOOP_RATE_HZ = 1000.0
FULL_PWM = 885.0
"""Counts of goal_pwm that are the whole supply."""
UNLIMITED_A = float("inf")

POSITION_MODES = frozenset(
    {
        OperatingMode.POSITION,
        OperatingMode.EXTENDED_POSITION,
        OperatingMode.CURRENT_BASED_POSITION,
    }
)
ACTIVE_GOAL = {
    OperatingMode.CURRENT: "goal_current",
    OperatingMode.VELOCITY: "goal_velocity",
    OperatingMode.PWM: "goal_pwm",
} | dict.fromkeys(POSITION_MODES, "goal_position")
"""The register that moves the servo, by operating mode."""


class Registers(Protocol):
    """Register values by name."""

    def __getitem__(self, name: str) -> int: ...


class Law(NamedTuple):
    """One servo's control law; outputs in PWM counts (885: the whole supply), positions in counts.

    output = kp*e + ki*∫e dt + kd*ė + kv*∫ė dt + ff1*ẋ_ref + ff2*ẍ_ref + bias, limited to `limit`.
    """

    kp: float = 0.0
    ki: float = 0.0
    kd: float = 0.0
    kv: float = 0.0
    """Integral of the velocity error; it does not know the position that torque-on found."""
    ff1: float = 0.0
    ff2: float = 0.0
    bias: float = 0.0
    limit: float = 0.0
    current_low: float = -UNLIMITED_A
    current_high: float = UNLIMITED_A
    """Bounds that the current loop keeps, A; equal ones ask for exactly that current."""


OFF = Law()
"""No output at all."""


def law_of(registers: Registers, mode: OperatingMode, current_scale_a: float, stopped: bool) -> Law:
    """The law that `registers` ask for in `mode`.

    Args:
        current_scale_a: one count of goal_current.
        stopped: the bus watchdog holds the servo: a current or PWM goal counts as 0.
    """
    if mode is OperatingMode.PWM:
        goal = 0.0 if stopped else float(registers["goal_pwm"])
        return Law(bias=goal, limit=float(registers["pwm_limit"]))
    limit = float(abs(registers["goal_pwm"]))
    if mode is OperatingMode.CURRENT:
        amps = 0.0 if stopped else registers["goal_current"] * current_scale_a
        return Law(limit=limit, current_low=amps, current_high=amps)
    if mode is OperatingMode.VELOCITY:
        return Law(
            kd=registers["velocity_p_gain"] / 128.0 / VELOCITY_UNIT_COUNTS_S,
            kv=registers["velocity_i_gain"] / 65536.0 * LOOP_RATE_HZ / VELOCITY_UNIT_COUNTS_S,
            limit=limit,
        )
    law = Law(
        kp=registers["position_p_gain"] / 128.0,
        ki=registers["position_i_gain"] / 65536.0 * LOOP_RATE_HZ,
        kd=registers["position_d_gain"] / 16.0 / LOOP_RATE_HZ,
        ff1=registers["feedforward_1st_gain"] / 4.0 / LOOP_RATE_HZ,
        ff2=registers["feedforward_2nd_gain"] / 4.0 / LOOP_RATE_HZ**2,
        limit=limit,
    )
    if mode is OperatingMode.CURRENT_BASED_POSITION:
        amps = abs(registers["goal_current"]) * current_scale_a
        law = law._replace(current_low=-amps, current_high=amps)
    return law
