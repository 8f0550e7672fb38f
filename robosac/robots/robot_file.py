"""The robot file: which ports, which motors, which way round, how far, how hard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from msgspec import Meta

from robosac.hal import Limits
from robosac.robots.loading import read_robot_file
from robosac.robots.sections import (
    Controllers,
    Gains,
    Imu,
    LimitSection,
    Motor,
    Ports,
    Section,
    SupplyRange,
    TrackerSection,
)


class RobotFile(Section, frozen=True):
    """A quadruped's wiring, limits and gains, and the camera that sees it walk."""

    name: str
    ports: Ports
    motors: dict[str, Motor]
    gains: Gains
    limits: LimitSection
    watchdog_s: Annotated[float, Meta(gt=0, le=1.0)]
    supply_v: SupplyRange
    imu: Imu = Imu()
    controllers: Controllers = Controllers()
    tracker: TrackerSection | None = None
    """None: no camera, and so nothing that walking could be rewarded by."""

    def __post_init__(self) -> None:
        ids = [motor.id for motor in self.motors.values()]
        if len(set(ids)) != len(ids):
            raise ValueError(f"motors: ids {ids} are not all different")
        if not self.limits.lower_rad < self.limits.upper_rad:
            raise ValueError(
                f"limits: lower_rad {self.limits.lower_rad} is not below upper_rad"
                f" {self.limits.upper_rad}"
            )

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Joint names in file order, which is the order of every array."""
        return tuple(self.motors)

    def joint_limits(self) -> Limits:
        """The limits as arrays over the joints."""
        count, part = len(self.motors), self.limits
        return Limits(
            names=self.joint_names,
            lower=np.full(count, part.lower_rad),
            upper=np.full(count, part.upper_rad),
            velocity=np.full(count, part.velocity_rad_s),
            acceleration=np.full(count, part.acceleration_rad_s2),
            torque=np.full(count, part.torque_n_m),
            continuous_torque=np.full(count, part.continuous_torque_n_m),
            continuous_time=part.continuous_time_s,
            temperature=part.temperature_c,
            tilt=part.tilt_rad,
        )


def load_robot_file(path: Path | str | None, preset: str = "minitaur") -> RobotFile:
    """Read a quadruped's file; see `loading.read_robot_file`."""
    return read_robot_file(path, preset, RobotFile)
