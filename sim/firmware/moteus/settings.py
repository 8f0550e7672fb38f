"""The options of a controller by the names its console knows them by, as text.

Source: mjbots/moteus fw/bldc_servo_structs.h; how they print: mjbots/mjlib mjlib/micro (floats as
C's %f, the rest as integers). Only options that `MoteusConfig` has, or that a host looks at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sim.firmware.moteus.config import MoteusConfig

_KV_TIMES_TORQUE_CONSTANT = 1.5 / math.sqrt(3.0) * 60.0 / (2.0 * math.pi)
_KV = "motor.Kv"
_FIELDS: Final = {
    "motor.resistance_ohm": "phase_resistance_ohm",
    _KV: "torque_constant_nm_per_a",
    "servo.max_voltage": "overvoltage_v",
    "servo.temperature_margin": "temperature_margin_c",
    "servo.fault_temperature": "fault_temperature_c",
    "servo.position_derate": "position_derate_rev",
    "servo.pid_position.kp": "kp_nm_per_rev",
    "servo.pid_position.kd": "kd_nm_s_per_rev",
    "servo.default_velocity_limit": "default_velocity_limit_rev_s",
    "servo.default_accel_limit": "default_accel_limit_rev_s2",
    "servo.voltage_mode_control": "voltage_mode_control",
    "servo.default_timeout_s": "default_timeout_s",
    "servo.timeout_max_torque_Nm": "timeout_max_torque_nm",
    "servo.timeout_mode": "timeout_mode",
    "servo.max_current_A": "max_current_a",
    "servo.derate_current_A": "derate_current_a",
    "servo.velocity_zero_capture_threshold": "velocity_zero_capture_rev_s",
    "servopos.position_min": "position_min_rev",
    "servopos.position_max": "position_max_rev",
}
_INTEGERS = frozenset({"servo.voltage_mode_control", "servo.timeout_mode"})
GROUPS: Final = ("id", "motor", "servo", "servopos")


def read_option(config: MoteusConfig, name: str) -> str | None:
    """An option as the console prints it; None: there is none of that name."""
    field = _FIELDS.get(name)
    if field is None:
        return None
    value = getattr(config, field)
    if name in _INTEGERS:
        return str(int(value))
    if name == _KV:
        value = _KV_TIMES_TORQUE_CONSTANT / value
    return f"{value:f}"


def write_option(config: MoteusConfig, name: str, text: str) -> MoteusConfig | None:
    """The options with one changed; None: no such option, or not a value it can have."""
    field = _FIELDS.get(name)
    if field is None:
        return None
    try:
        value = int(text) if name in _INTEGERS else float(text)
    except ValueError:
        return None
    if name == _KV:
        # The firmware takes an endless one, too; no motor has a torque constant of zero.
        if not 0.0 < value < math.inf:
            return None
        value = _KV_TIMES_TORQUE_CONSTANT / value
    if name == "servo.voltage_mode_control":
        value = bool(value)
    return replace(config, **{field: value})


def all_options(config: MoteusConfig) -> Iterator[tuple[str, str]]:
    """Every option's name and value, in the order in which the console lists them."""
    for name in _FIELDS:
        value = read_option(config, name)
        assert value is not None
        yield name, value
