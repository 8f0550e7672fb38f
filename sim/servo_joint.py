"""A row of geared servo motors, and plain joints for them to turn.

The motors take what the firmware asks for (`sim.firmware.dynamixel.control.Drive`) and give torque;
whatever turns under it is a `ServoPlant`: the joints here, or a physics engine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.firmware.dynamixel.control import Drive

FloatArray = NDArray[np.float64]

AMBIENT_C = 25.0


class ServoPlant(Protocol):
    """What the servos' shafts turn; arrays of shape (n,)."""

    @property
    def position(self) -> FloatArray:
        """Angles of the shafts, rad; not wrapped."""
        ...

    @property
    def velocity(self) -> FloatArray:
        """rad/s"""
        ...

    def step(self, torque_nm: FloatArray, dt: float) -> None:
        """Advance by `dt` (s) under the motors' torque (N m)."""
        ...


@dataclass(frozen=True)
class ServoMotorParameters:
    """One motor with its gear, as seen from the shaft.

    Attributes:
        resistance_ohm: of the winding.
        torque_constant_nm_a: torque by current.
        back_emf_v_s: voltage by speed.
        rated_v: the supply that its data sheet is for.
        thermal_resistance_k_w: how much warmer than the air it gets by heating power; assumed.
        thermal_time_s: time constant of that; assumed.
    """

    resistance_ohm: float
    torque_constant_nm_a: float
    back_emf_v_s: float
    rated_v: float = 12.0
    thermal_resistance_k_w: float = 5.0
    thermal_time_s: float = 300.0

    @property
    def stall_torque_nm(self) -> float:
        """Most torque, at the rated supply."""
        return self.torque_constant_nm_a * self.rated_v / self.resistance_ohm


def from_data_sheet(
    supply_v: float, stall_nm: float, stall_a: float, no_load_rpm: float
) -> ServoMotorParameters:
    """The motor that stalls and runs free as the data sheet says."""
    no_load_rad_s = no_load_rpm * math.tau / 60.0
    resistance, constant = supply_v / stall_a, stall_nm / stall_a
    return ServoMotorParameters(resistance, constant, supply_v / no_load_rad_s, supply_v)


MOTORS: Mapping[int, ServoMotorParameters] = MappingProxyType(
    {
        1000: from_data_sheet(12.0, 3.4, 1.3, 30.0),
        1010: from_data_sheet(12.0, 2.5, 1.3, 50.0),
        1020: from_data_sheet(12.0, 4.1, 2.3, 46.0),
        1030: from_data_sheet(12.0, 3.0, 2.3, 77.0),
        1040: from_data_sheet(24.0, 3.3, 0.7, 31.0),
        1050: from_data_sheet(24.0, 2.6, 0.7, 52.0),
        1060: from_data_sheet(12.0, 1.5, 1.4, 61.0),
    }
)
"""By model number; from the rows Stall Torque and No Load Speed of each e-manual page."""


class ServoMotors:
    """Motors stepped together; arrays of shape (n,), overwritten by the next step.

    Attributes:
        current_a: through the windings.
        share: of the supply across each motor, -1 to 1.
        temperature_c: of the windings.
        torque_nm: at the shafts.
    """

    def __init__(self, motors: Sequence[ServoMotorParameters]) -> None:
        def column(*values: float) -> FloatArray:
            return np.array(values, dtype=np.float64)

        count = len(motors)
        self.current_a, self.share, self.torque_nm = (np.zeros(count) for _ in range(3))
        self.temperature_c = np.full(count, AMBIENT_C)
        self._resistance = column(*(motor.resistance_ohm for motor in motors))
        self._conductance = 1.0 / self._resistance
        self._torque_constant = column(*(motor.torque_constant_nm_a for motor in motors))
        self._nominal_constant = self._torque_constant.copy()
        self._back_emf = column(*(motor.back_emf_v_s for motor in motors))
        rates = column(*(1.0 / motor.thermal_time_s for motor in motors))
        gains = column(*(motor.thermal_resistance_k_w for motor in motors))
        self._cooling, self._heating = rates, rates * gains * self._resistance
        self._bound, self._scratch = np.zeros(count), np.zeros(count)

    def configure(self, strength: float | FloatArray) -> None:
        """Let torque by current be `strength` times the nominal; a scalar, or shape (n,)."""
        np.multiply(self._nominal_constant, strength, self._torque_constant)

    def reset(self) -> None:
        """Let the windings be without current and as warm as the air."""
        for array in (self.current_a, self.share, self.torque_nm):
            array[:] = 0.0
        self.temperature_c[:] = AMBIENT_C

    def step(
        self, drive: Drive, velocity_rad_s: FloatArray, supply_v: float, dt: float
    ) -> FloatArray:
        """Advance by `dt` (s) and return the torque on each shaft, N m."""
        volts, bound, back = self.share, self._bound, self.torque_nm
        np.multiply(velocity_rad_s, self._back_emf, back)
        np.multiply(drive.duty, supply_v, volts)
        np.multiply(drive.current_low, self._resistance, bound)
        bound += back
        np.maximum(volts, bound, out=volts)
        np.multiply(drive.current_high, self._resistance, bound)
        bound += back
        np.minimum(volts, bound, out=volts)
        np.multiply(drive.duty_limit, supply_v, bound)
        np.minimum(volts, bound, out=volts)
        np.negative(bound, bound)
        np.maximum(volts, bound, out=volts)
        np.subtract(volts, back, self.current_a)
        self.current_a *= self._conductance
        self.current_a *= drive.driving
        np.multiply(volts, 1.0 / supply_v if supply_v > 0.0 else 0.0, self.share)
        self.share *= drive.driving
        self._warm(dt)
        return np.multiply(self.current_a, self._torque_constant, self.torque_nm)

    def _warm(self, dt: float) -> None:
        """Heat by the current, cool toward the air."""
        power, rise = self._bound, self._scratch
        np.multiply(self.current_a, self.current_a, power)
        power *= self._heating
        np.subtract(self.temperature_c, AMBIENT_C, rise)
        rise *= self._cooling
        power -= rise
        power *= dt
        self.temperature_c += power


@dataclass(frozen=True)
class JointParameters:
    """What hangs on a shaft, the gear's own share included; assumed for a finger's link.

    Attributes:
        coulomb_nm: friction that does not depend on speed; it also holds a joint that rests.
        lower_rad, upper_rad: hard stops.
    """

    inertia_kg_m2: float = 0.01
    viscous_nm_s: float = 0.02
    coulomb_nm: float = 0.05
    lower_rad: float = -math.inf
    upper_rad: float = math.inf


class PlainJoints:
    """Joints that do not touch one another: a `ServoPlant`.

    Attributes:
        position, velocity: rad and rad/s, shape (n,); may be set between steps.
        load_nm: torque from outside on each, N m; may be set between steps.
    """

    def __init__(self, joints: Sequence[JointParameters]) -> None:
        count = len(joints)
        self.position, self.velocity, self.load_nm, self._scratch = (
            np.zeros(count) for _ in range(4)
        )
        self._per_inertia = np.array([1.0 / joint.inertia_kg_m2 for joint in joints])
        self._viscous = np.array([joint.viscous_nm_s for joint in joints]) * self._per_inertia
        self._coulomb = np.array([joint.coulomb_nm for joint in joints]) * self._per_inertia
        self._lower = np.array([joint.lower_rad for joint in joints])
        self._upper = np.array([joint.upper_rad for joint in joints])

    def step(self, torque_nm: FloatArray, dt: float) -> None:
        """Advance by `dt` (s): friction brakes, but never turns a joint round."""
        velocity, scratch = self.velocity, self._scratch
        np.add(torque_nm, self.load_nm, scratch)
        scratch *= self._per_inertia
        scratch *= dt
        velocity += scratch
        np.multiply(self._viscous, dt, scratch)
        scratch += 1.0
        velocity /= scratch
        np.multiply(self._coulomb, dt, scratch)
        np.minimum(np.abs(velocity), scratch, out=scratch)
        velocity -= np.copysign(scratch, velocity, out=scratch)
        np.multiply(velocity, dt, scratch)
        scratch += self.position
        np.maximum(scratch, self._lower, out=self.position)
        np.minimum(self.position, self._upper, out=self.position)
        velocity *= self.position == scratch
