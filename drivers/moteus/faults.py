"""What a controller's fault and limit codes mean, and what to do about each.

Source: mjbots/moteus docs/protocol/registers.md, register 0x00f.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from drivers.moteus.registers import FaultCode


@dataclass(frozen=True, slots=True)
class FaultInfo:
    """One code in words."""

    meaning: str
    remedy: str


_FIRST_LIMIT = 96

FAULTS: Final = MappingProxyType(
    {
        FaultCode.CALIBRATION: FaultInfo(
            "the encoder saw no magnet while the motor was being calibrated",
            "check the magnet and its distance from the encoder, then calibrate again",
        ),
        FaultCode.MOTOR_DRIVER: FaultInfo(
            "the gate driver reported an electrical fault, most often a sagging supply",
            "check the supply's current limit and wiring, then look for a shorted phase",
        ),
        FaultCode.OVER_VOLTAGE: FaultInfo(
            "the supply exceeded servo.max_voltage, usually because the motor fed power back",
            "use a supply that can absorb power, or brake less hard",
        ),
        FaultCode.ENCODER: FaultInfo(
            "the encoder's readings are not those of a magnet in place",
            "check magnet, encoder cable and encoder configuration",
        ),
        FaultCode.MOTOR_NOT_CONFIGURED: FaultInfo(
            "this controller was never calibrated with its motor",
            "run moteus_tool --calibrate with the motor free to turn",
        ),
        FaultCode.PWM_CYCLE_OVERRUN: FaultInfo(
            "the firmware missed its own control period",
            "update the firmware or lower servo.pwm_rate_hz",
        ),
        FaultCode.OVER_TEMPERATURE: FaultInfo(
            "board or motor is hotter than its configured fault temperature",
            "let it cool by at least 10 degrees, then ask less torque of it",
        ),
        FaultCode.OUTSIDE_LIMIT: FaultInfo(
            "position control was to start outside servopos.position_min and position_max",
            "stop, move the joint inside its bounds by hand, or check the zero position",
        ),
        FaultCode.UNDER_VOLTAGE: FaultInfo(
            "the supply fell below 4 V",
            "charge or replace the battery and check its connectors",
        ),
        FaultCode.CONFIG_CHANGED: FaultInfo(
            "a motor or encoder option was changed while the motor was driven",
            "stop, check the configuration, and change it only while stopped",
        ),
        FaultCode.THETA_INVALID: FaultInfo(
            "no encoder tells the rotor's electrical angle",
            "check the commutation encoder and its configuration",
        ),
        FaultCode.POSITION_INVALID: FaultInfo(
            "no encoder tells the output's position",
            "check the output encoder and its configuration",
        ),
        FaultCode.DRIVER_ENABLE: FaultInfo(
            "the gate driver could not be switched on",
            "check the supply, power cycle, and replace the controller if it stays",
        ),
        FaultCode.STOP_POSITION_DEPRECATED: FaultInfo(
            "a stop position was sent while a velocity or acceleration limit was in effect",
            "send no stop position, or send both limits negative",
        ),
        FaultCode.TIMING_VIOLATION: FaultInfo(
            "the firmware's own timing check failed",
            "update the firmware or switch servo.timing_fault off",
        ),
        FaultCode.BEMF_FEEDFORWARD_NO_ACCEL: FaultInfo(
            "servo.bemf_feedforward is configured and a command had no acceleration limit",
            "set servo.bemf_feedforward to 0, or command an acceleration limit",
        ),
        FaultCode.INVALID_LIMITS: FaultInfo(
            "servopos.position_min or position_max lies outside what can be represented",
            "set the bounds between -32768 and 32768 revolutions, or to nan",
        ),
        FaultCode.POSITION_ERROR: FaultInfo(
            "the position error exceeded servo.fault_position_error",
            "look for an obstacle or too little torque, then raise the threshold if it is sound",
        ),
        FaultCode.VELOCITY_ERROR: FaultInfo(
            "the velocity error exceeded servo.fault_velocity_error",
            "look for an obstacle or too little torque, then raise the threshold if it is sound",
        ),
        FaultCode.LIMIT_MAX_VELOCITY: FaultInfo(
            "servo.max_velocity holds the torque back", "none needed: the motor turns too fast"
        ),
        FaultCode.LIMIT_MAX_POWER: FaultInfo(
            "servo.max_power_W holds the torque back", "none needed, or raise the limit"
        ),
        FaultCode.LIMIT_MAX_VOLTAGE: FaultInfo(
            "the supply's voltage holds the torque back", "none needed, or raise the supply"
        ),
        FaultCode.LIMIT_MAX_CURRENT: FaultInfo(
            "servo.max_current_A holds the torque back", "none needed, or raise the limit"
        ),
        FaultCode.LIMIT_FAULT_TEMPERATURE: FaultInfo(
            "the board is close to servo.fault_temperature and gives less current",
            "let it cool before it faults",
        ),
        FaultCode.LIMIT_MOTOR_FAULT_TEMPERATURE: FaultInfo(
            "the motor is close to servo.motor_fault_temperature and gets less current",
            "let it cool before it faults",
        ),
        FaultCode.LIMIT_MAX_TORQUE: FaultInfo(
            "the commanded maximum torque holds the torque back", "none needed: it was asked for"
        ),
        FaultCode.LIMIT_POSITION_BOUNDS: FaultInfo(
            "the output is outside servopos.position_min or position_max and gets less torque",
            "move it back inside, and check the zero position",
        ),
    }
)
"""Every code but NONE."""


def is_limit(code: int) -> bool:
    """True for a code that names what holds the output back while all is well."""
    return code >= _FIRST_LIMIT


def describe(code: int) -> str:
    """A code in one line: number, name, meaning and remedy; also for a code we do not know."""
    if code == FaultCode.NONE:
        return "0: no fault"
    try:
        known = FaultCode(code)
    except ValueError:
        return f"{code}: not a code this project knows; see moteus registers.md, register 0x00f"
    info = FAULTS[known]
    name = known.name.lower().replace("_", " ")
    return f"{code} ({name}): {info.meaning}; {info.remedy}"
