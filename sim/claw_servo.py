"""What a hand's joints feel like: two presets of the servo, and how its P gain makes stiffness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from sim.firmware.dynamixel.control import COUNTS_PER_RAD
from sim.firmware.dynamixel.law import FULL_PWM
from sim.servo_joint import MOTORS, ServoMotorParameters

P_GAIN_DIVISOR = 128.0
MOST_P_GAIN = 16383
"""Register 84."""


@dataclass(frozen=True, slots=True)
class ServoPreset:
    """The dynamics of a joint, its servo holding it.

    Attributes:
        stiffness_nm_rad: torque by position error.
        damping_nm_s_rad: all of it, the motor's back-EMF included.
        armature_kg_m2: the rotor's inertia, seen through the gear.
        frictionloss_nm: of the gear, at any speed.
        back_emf: False: the motor induces no voltage, as in an ideal servo.
        valve_damping_nm_s_rad, valve_armature_kg_m2, valve_frictionloss_nm: of the valve's shaft
            without its motor.
    """

    stiffness_nm_rad: float
    damping_nm_s_rad: float
    armature_kg_m2: float
    frictionloss_nm: float
    back_emf: bool
    valve_damping_nm_s_rad: float = 0.1
    valve_armature_kg_m2: float = 0.001
    valve_frictionloss_nm: float = 0.005

    def motor(self, model: int) -> ServoMotorParameters:
        """The motor of servo `model` (its model number) as this preset has it."""
        motor = MOTORS[model]
        return motor if self.back_emf else replace(motor, back_emf_v_s=0.0)

    def passive_damping_nm_s_rad(self, model: int) -> float:
        """What the gear of servo `model` damps with its motor switched off: an open circuit."""
        return max(0.0, self.damping_nm_s_rad - back_emf_damping_nm_s_rad(self.motor(model)))

    def position_p_gain(self, model: int) -> int:
        """Register 84 that gives servo `model` this stiffness at its rated supply.

        Raises:
            ValueError: the register does not reach so far.
        """
        gain = round(self.stiffness_nm_rad / stiffness_per_p_gain_nm_rad(MOTORS[model]))
        if gain > MOST_P_GAIN:
            raise ValueError(
                f"{self.stiffness_nm_rad} N m/rad would take position_p_gain {gain} of model "
                f"{model}; the most is {MOST_P_GAIN}"
            )
        return gain


def stiffness_per_p_gain_nm_rad(motor: ServoMotorParameters) -> float:
    """Torque by position error that one count of position_p_gain is worth at the rated supply.

    The law (`sim.firmware.dynamixel.law`): PWM = gain / 128 * error, in counts; 885 of them are the
    whole supply, which makes the stall torque.
    """
    return COUNTS_PER_RAD / P_GAIN_DIVISOR / FULL_PWM * motor.stall_torque_nm


def back_emf_damping_nm_s_rad(motor: ServoMotorParameters) -> float:
    """How much a motor on a stiff supply damps its shaft."""
    return motor.torque_constant_nm_a * motor.back_emf_v_s / motor.resistance_ohm


ROBEL = ServoPreset(
    stiffness_nm_rad=2.0,
    damping_nm_s_rad=0.1,
    armature_kg_m2=0.001,
    frictionloss_nm=0.0,
    back_emf=False,
)
"""The soft servo of ROBEL's own simulation (arXiv 1909.11639, robel-scenes).

Its whole damping is under the 0.48 N m s/rad that an XH430-V210's back-EMF alone makes, so the
motor has none here, and no no-load speed either.
"""
IDENTIFIED = ServoPreset(
    stiffness_nm_rad=21.1,
    damping_nm_s_rad=1.084,
    armature_kg_m2=0.045,
    frictionloss_nm=0.03,
    back_emf=True,
    valve_frictionloss_nm=0.03,
)
"""A Dynamixel X430 as identified in MuJoCo Menagerie's model of the OP3 (grade A+)."""
_GEARS = 212.6 / 353.5
"""Gear of an XH430-V210 by that of an XM430-W350, the servo that was identified (e-manual)."""
XH430 = ServoPreset(
    stiffness_nm_rad=21.1,
    damping_nm_s_rad=0.5,
    armature_kg_m2=0.045 * _GEARS**2,
    frictionloss_nm=0.03,
    back_emf=True,
    valve_frictionloss_nm=0.03,
)
"""The identified servo, brought to the XH430-V210 that the hand has; the default.

A rotor's inertia counts with the square of its gear. The damping is this motor's back-EMF, 0.48,
and a little for the gear: more would contradict the data sheet's no-load speed of 52 rpm, which is
the whole servo's.
"""
PRESETS: Mapping[str, ServoPreset] = MappingProxyType(
    {"xh430": XH430, "identified": IDENTIFIED, "robel": ROBEL}
)
"""By name."""
