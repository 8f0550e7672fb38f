"""The Minitaur's direct-drive motor: phase voltage and speed in, torque, current and power out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class DcMotorParameters:
    """Constants of one motor type.

    Values: Tan et al. 2018 (arXiv 1804.10332) as implemented in pybullet's `motor.py` and
    `minitaur_motor_model_v2.py`.
    """

    resistance_ohm: float = 0.186
    torque_constant: float = 0.0954
    """N m/A for small currents, and back-EMF in V s/rad."""
    current_points_a: tuple[float, ...] = (0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0)
    torque_points_nm: tuple[float, ...] = (0.0, 1.0, 1.9, 2.45, 3.0, 3.25, 3.5)
    """Measured torque at `current_points_a`: the iron saturates; constant beyond the last point."""
    overheat_torque_nm: float = 2.45
    """|torque| above this counts toward the cut-off."""
    overheat_time_s: float = 1.0
    """Unbroken time above `overheat_torque_nm` after which the motor is switched off."""


MINITAUR_MOTOR = DcMotorParameters()


class DcMotor:
    """A row of motors, stepped together at the physics rate.

    `current_a`, `power_w`, `motor_torque_nm`, `torque_nm` and `overheated`, shape (count,), hold
    the outcome of the last step in arrays that the next step overwrites.

    Args:
        count: number of motors.
        parameters: the motor type.

    Raises:
        ValueError: `count` is not positive.
    """

    def __init__(self, count: int, parameters: DcMotorParameters = MINITAUR_MOTOR) -> None:
        if count < 1:
            raise ValueError(f"count of motors must be positive, got {count}")
        self.parameters = parameters
        self.current_a: FloatArray = np.zeros(count)
        """Phase current, A."""
        self.output: FloatArray = np.zeros(2 * count)
        """`motor_torque_nm` and `power_w`, which are its halves."""
        self.motor_torque_nm: FloatArray = self.output[:count]
        """Electromagnetic torque, N m: what the motor controller reports and what heats."""
        self.power_w: FloatArray = self.output[count:]
        """Electrical power drawn, W; negative while the motor brakes into the battery."""
        self.torque_nm: FloatArray = np.zeros(count)
        """Torque on the joint, N m: electromagnetic less viscous friction."""
        self.overheated: BoolArray = np.zeros(count, dtype=np.bool_)
        """Latched by the cut-off until `reset`; such a motor is an open circuit."""
        self._hot_time: FloatArray = np.zeros(count)
        self._warm = False
        self._scratch: FloatArray = np.zeros(count)
        self._mask: BoolArray = np.zeros(count, dtype=np.bool_)
        # The table is odd in the current: mirrored once here, one look-up a step below.
        amps, torques = np.array(parameters.current_points_a), np.array(parameters.torque_points_nm)
        self._amps: FloatArray = np.concatenate([-amps[:0:-1], amps])
        self._torques: FloatArray = np.concatenate([-torques[:0:-1], torques])
        # Arrays, for numpy takes twice as long to multiply by a Python number.
        self._torque_constant: FloatArray = np.full(count, parameters.torque_constant)
        self._conductance: FloatArray = np.full(count, 1.0 / parameters.resistance_ohm)
        self._hot_torque: FloatArray = np.full(count, parameters.overheat_torque_nm)
        self._strength: FloatArray = np.ones(count)
        self._viscous: FloatArray = np.zeros(count)
        self.any_overheated = False
        """True once a motor is overheated: cheaper to ask every step than the array."""

    def configure(self, strength: ArrayLike = 1.0, viscous: ArrayLike = 0.0) -> None:
        """Set this robot's own motors.

        Args:
            strength: torque as a share of the table's; scalar or shape (count,).
            viscous: friction, N m s/rad; scalar or shape (count,).

        Raises:
            ValueError: a strength is not positive or a friction is negative.
        """
        strengths, frictions = np.asarray(strength, float), np.asarray(viscous, float)
        if not (strengths > 0).all() or not (frictions >= 0).all():
            raise ValueError(
                f"motor strength must be positive and friction not negative, "
                f"got {strength} and {viscous} N m s/rad"
            )
        self._strength[:] = strengths
        self._viscous[:] = frictions

    def reset(self) -> None:
        """Cool every motor down and clear the latched cut-offs."""
        for array in (self.current_a, self.power_w, self.motor_torque_nm, self.torque_nm):
            array[:] = 0.0
        self._hot_time[:] = 0.0
        self._warm = False
        self.overheated[:] = False
        self.any_overheated = False

    def step(
        self, voltage: FloatArray, velocity: FloatArray, driving: BoolArray, dt: float
    ) -> FloatArray:
        """Advance by `dt` (s) and return the torque on each joint, N m (this object's own array).

        Args:
            voltage: phase voltage, V, already limited to the supply.
            velocity: joint speed, rad/s; the motor sits on the joint, without a gear.
            driving: False is an open circuit: no current, friction only.
            dt: time the torque is applied for, s; counts toward the cut-off.
        """
        current, torque, scratch, mask = (
            self.current_a,
            self.motor_torque_nm,
            self._scratch,
            self._mask,
        )
        np.multiply(velocity, self._torque_constant, scratch)
        np.subtract(voltage, scratch, scratch)
        np.multiply(scratch, self._conductance, scratch)
        np.multiply(scratch, driving, current)
        if self.any_overheated:
            current[self.overheated] = 0.0
        np.multiply(np.interp(current, self._amps, self._torques), self._strength, torque)
        np.multiply(voltage, current, self.power_w)
        self._heat(dt, mask, scratch)
        np.multiply(velocity, self._viscous, scratch)
        return np.subtract(torque, scratch, self.torque_nm)

    def _heat(self, dt: float, mask: BoolArray, scratch: FloatArray) -> None:
        """Count the time above the cut-off torque, and latch the motors whose time is up."""
        np.absolute(self.motor_torque_nm, scratch)
        np.greater(scratch, self._hot_torque, mask)
        hot = self._hot_time
        if not np.count_nonzero(mask):
            # The usual step: no motor is above, so that every count begins anew.
            if self._warm:
                hot.fill(0.0)
                self._warm = False
            return
        self._warm = True
        hot += dt
        hot *= mask  # one step below the threshold starts the count anew
        # Half a step of slack: sums of dt carry rounding errors.
        if hot.max() >= self.parameters.overheat_time_s - 0.5 * dt:
            np.greater_equal(hot, self.parameters.overheat_time_s - 0.5 * dt, out=mask)
            self.overheated |= mask
            self.any_overheated = True
