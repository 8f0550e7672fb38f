"""Which motor turns which joint, and where the joint's zero lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from calibration import Calibration
from robosac.errors import CalibrationMismatch
from robosac.hal import FloatArray


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
        CalibrationMismatch: of another robot, other joints or other motors.
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
    for name, motor in file.motors.items():
        measured = calibration.joints[name].motor_id
        if measured != motor.id:
            raise CalibrationMismatch(
                f"joint {name}: calibrated on motor {measured}, but the robot file says {motor.id}"
            )
