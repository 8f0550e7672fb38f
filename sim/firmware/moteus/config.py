"""A moteus controller's configuration and the command it holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from drivers.moteus.registers import Mode


@dataclass(frozen=True)
class MoteusConfig:
    """The options that change how a controller behaves, named after the firmware's own.

    Defaults are the firmware's (fw/bldc_servo_structs.h), but for `voltage_mode_control` and the
    motor's constants, which are those of the quadruped's motors (Minitaur; Tan et al. 2018), and
    for the position bounds, which an unconfigured controller has at +-0.01 revolutions.
    """

    kp_nm_per_rev: float = 4.0
    """servo.pid_position.kp"""
    kd_nm_s_per_rev: float = 0.05
    """servo.pid_position.kd"""
    default_timeout_s: float = 0.1
    """servo.default_timeout_s"""
    timeout_mode: int = Mode.ZERO_VELOCITY
    """servo.timeout_mode: what mode 11 does; 0 stopped, 10 hold, 12 zero velocity, 15 brake."""
    timeout_max_torque_nm: float = 5.0
    """servo.timeout_max_torque_Nm: caps timeout and zero-velocity mode."""
    max_current_a: float = 100.0
    """servo.max_current_A"""
    derate_current_a: float = -20.0
    """servo.derate_current_A: the current limit reached at the fault temperature."""
    phase_resistance_ohm: float = 0.186
    """motor.resistance_ohm"""
    torque_constant_nm_per_a: float = 0.0954
    """Stands for motor.Kv."""
    voltage_mode_control: bool = True
    """servo.voltage_mode_control: phase voltage = resistance * current wanted, back-EMF or not."""
    default_velocity_limit_rev_s: float = math.nan
    """servo.default_velocity_limit; NaN: none."""
    default_accel_limit_rev_s2: float = 50.0
    """servo.default_accel_limit; NaN: none. On by default: it filters position commands."""
    undervoltage_v: float = 4.0
    overvoltage_v: float = 46.0
    """servo.max_voltage"""
    fault_temperature_c: float = 75.0
    """servo.fault_temperature; inf: the twin trips the fault itself."""
    temperature_margin_c: float = 25.0
    """servo.temperature_margin: so far below the fault the current limit begins to shrink."""
    position_min_rev: float = math.nan
    """servopos.position_min; NaN: none."""
    position_max_rev: float = math.nan
    """servopos.position_max; NaN: none."""
    position_derate_rev: float = 0.02
    """servo.position_derate: so far outside the bounds no torque is left to go on outward."""
    velocity_zero_capture_rev_s: float = 0.05
    """servo.velocity_zero_capture_threshold: a slower motor counts as standing still."""
    enable_time_s: float = 0.01
    """From STOPPED to a driving mode: gate driver and current-sense calibration (assumed)."""


class ServoCommand(NamedTuple):
    """The command registers with their defaults, as they are after register 0x000 was written."""

    mode: int = Mode.STOPPED
    position: float = 0.0
    velocity: float = 0.0
    feedforward: float = 0.0
    kp_scale: float = 1.0
    kd_scale: float = 1.0
    maximum_torque: float = math.nan
    stop_position: float = math.nan
    timeout: float = 0.0
    velocity_limit: float = math.nan
    accel_limit: float = math.nan
    fixed_voltage: float = math.nan
    ilimit_scale: float = 1.0
    fixed_current: float = math.nan
    ignore_bounds: float = 0.0
    lower_bound: float = 0.0
    upper_bound: float = 0.0
    q_current: float = 0.0
    d_current: float = 0.0
