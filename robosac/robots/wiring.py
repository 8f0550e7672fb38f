"""Which motor turns which joint, and where the joint's zero lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from calibration import Calibration, JointCalibration
from calibration.record import FORMAT, NOMINAL
from robosac.errors import CalibrationMismatch
from robosac.hal import FloatArray, Limits

OFFSET_TOLERANCE_RAD = 1e-9
"""The robot file's offset is the one that was corrected, but for how a number is written."""
RANGE_TOLERANCE_RAD = 0.01
"""How far a limit may lie beyond a measured stop: stops give way, and are measured so well."""


class MountedMotor(Protocol):
    """One motor and the joint it turns."""

    @property
    def id(self) -> int:
        """On its bus."""
        ...

    @property
    def direction(self) -> int:
        """+1 or -1: sign from motor angle to joint angle."""
        ...

    @property
    def offset_rad(self) -> float:
        """Motor angle (after the sign) at the joint's zero, rad."""
        ...


class Wiring(Protocol):
    """What a robot file tells of the motors."""

    @property
    def name(self) -> str:
        """The robot's."""
        ...

    @property
    def joint_names(self) -> tuple[str, ...]:
        """In the order of every array."""
        ...

    @property
    def motors(self) -> Mapping[str, MountedMotor]:
        """By joint."""
        ...

    def joint_limits(self) -> Limits:
        """How far the joints may be asked to go."""
        ...


def unmeasured(file: Wiring) -> Calibration:
    """A calibration in which nothing is measured, whatever the robot is called."""
    names = {name: JointCalibration(motor_id=motor.id) for name, motor in file.motors.items()}
    return Calibration(format=FORMAT, robot=file.name, date=NOMINAL, joints=names)


def directions(file: Wiring) -> FloatArray:
    """Signs from motor angles to joint angles, in joint order."""
    return np.array([float(motor.direction) for motor in file.motors.values()])


def motor_zeros(file: Wiring, calibration: Calibration) -> FloatArray:
    """The motors' angles, after their sign, at the joints' zero, rad; in joint order."""
    offsets = np.array([motor.offset_rad for motor in file.motors.values()])
    return offsets - calibration.offsets(file.joint_names)


def check_calibration(file: Wiring, calibration: Calibration) -> None:
    """Refuse a calibration that was not measured on the robot of `file`.

    Raises:
        CalibrationMismatch: of another robot, other joints or other motors; or signs, offsets or
            limits are not those that it was measured with.
    """
    if calibration.robot != file.name:
        raise CalibrationMismatch(
            f"the calibration is of {calibration.robot!r}, the robot file of {file.name!r}"
        )
    if set(calibration.joints) != set(file.joint_names):
        raise CalibrationMismatch(
            f"the calibration knows the joints {sorted(calibration.joints)}, the robot file"
            f" {sorted(file.joint_names)}"
        )
    limits = file.joint_limits()
    for index, (name, motor) in enumerate(file.motors.items()):
        joint = calibration.joints[name]
        _check_joint(name, motor, joint)
        if joint.range_rad is not None:
            asked = float(limits.lower[index]), float(limits.upper[index])
            _check_range(name, asked, joint.range_rad)


def _check_joint(name: str, motor: MountedMotor, measured: JointCalibration) -> None:
    if measured.motor_id != motor.id:
        raise CalibrationMismatch(
            f"joint {name}: calibrated on motor {measured.motor_id}, but the robot file says"
            f" {motor.id}"
        )
    if measured.sign is not None and measured.sign != motor.direction:
        raise CalibrationMismatch(
            f"joint {name}: it was measured to turn with sign {measured.sign}, but the robot file"
            f" says direction {motor.direction}; correct the robot file, or calibrate anew"
        )
    corrected = measured.file_offset_rad
    if corrected is not None and not abs(corrected - motor.offset_rad) <= OFFSET_TOLERANCE_RAD:
        raise CalibrationMismatch(
            f"joint {name}: its correction is to offset_rad {corrected}, but the robot file says"
            f" {motor.offset_rad}; calibrate anew"
        )


def _check_range(name: str, asked: tuple[float, float], measured: tuple[float, float]) -> None:
    if asked[0] < measured[0] - RANGE_TOLERANCE_RAD or asked[1] > measured[1] + RANGE_TOLERANCE_RAD:
        raise CalibrationMismatch(
            f"joint {name}: the robot file's limits {asked[0]:.3f} to {asked[1]:.3f} rad reach"
            f" beyond its measured stops {measured[0]:.3f} to {measured[1]:.3f} rad"
        )
