"""The gate before arming: a robot that is not configured unless every row allows it.

It stands around the robot, so that whoever arms it goes through. There is no way past it: a row
that is red is mended, or the robot stays without torque.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from calibration import Calibration
from calibration.record import DeviceTag
from robosac.check.calibrated import Devices, devices_row
from robosac.check.cameras import Watched, camera_rows, glance
from robosac.check.motors import motor_rows
from robosac.check.row import Row, reds
from robosac.check.standing import standing_rows
from robosac.check.subject import Subject, subject_of
from robosac.check.system import System
from robosac.errors import ArmingError
from robosac.hal import JointCommand, Limits, Robot, RobotState
from robosac.robots.condition import MotorCondition, tags
from robosac.settings import RobotConfig


class Looked(Robot, Protocol):
    """A robot whose devices can be looked at."""

    @property
    def imu_device(self) -> DeviceTag | None:
        """The inertial sensor that was found; None: it has none."""
        ...

    def condition(self) -> tuple[MotorCondition, ...]:
        """How every motor is; see `robosac.robots.minitaur.Minitaur.condition`."""
        ...


class CheckedRobot:
    """A `robosac.hal.Robot` that `configure` leaves without torque while a row is red.

    Args:
        robot: what it stands around; this is its only user.
        check: the rows, judged anew; called once the robot is configured.
    """

    def __init__(self, robot: Robot, check: Callable[[], tuple[Row, ...]]) -> None:
        self._robot, self._check = robot, check

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self._robot.joint_names

    @property
    def limits(self) -> Limits:
        return self._robot.limits

    def configure(self) -> None:
        """See `robosac.hal.Robot`; then every row is looked at.

        Raises:
            RobotError: as the robot, or it cannot be looked at.
            ArmingError: a row is red, and is named; torque is off.
        """
        self._robot.configure()
        found = reds(self._check())
        if found:
            more = f" (and {len(found) - 1} more: robosac check)" if found[1:] else ""
            raise ArmingError(f"check is red: {found[0]}{more}")

    def exchange(self, command: JointCommand, deadline: float) -> RobotState:
        return self._robot.exchange(command, deadline)

    def stop(self) -> bool:
        return self._robot.stop()

    def close(self) -> None:
        self._robot.close()


@dataclass(frozen=True)
class ArmingCheck:
    """The rows that gate arming, judged anew at each call.

    Positions, and the inertial sensor at rest, are looked at by the arming sequence itself, tick by
    tick (`robosac.arming`); supply and warmth by both.
    """

    subject: Subject
    """With the very calibration that the robot was built with."""
    robot: Looked
    ports: Mapping[str, str | None]
    """USB serial numbers of the open ports."""
    camera: Watched | None = None
    system: System = field(default_factory=System)

    def __call__(self) -> tuple[Row, ...]:
        """Every row.

        Raises:
            RobotError: the motors cannot be looked at.
        """
        subject, found = self.subject, self.robot.condition()
        devices = Devices(tags(found), self.robot.imu_device, self.ports)
        rows = (
            *standing_rows(subject, Path(subject.config.run_root), self.system),
            *motor_rows(found, subject.bounds),
            devices_row(subject.calibration, devices),
        )
        if subject.wish is None:
            return rows
        if self.camera is None:
            raise ArmingError("check is red: camera rate: no camera was opened")
        return (*rows, *camera_rows(glance(self.camera, self.system.clock), subject.wish))


def gated(
    robot: Looked,
    config: RobotConfig,
    measured: Calibration,
    ports: Mapping[str, str | None],
    camera: Watched | None = None,
    seeing: bool = True,
) -> Robot:
    """`robot`, behind the gate.

    Args:
        robot: on ports; not yet configured.
        config: its settings.
        measured: the calibration that it was built with.
        ports: USB serial numbers of its ports.
        camera: the open camera that its task needs.
        seeing: see `robosac.check.subject.subject_of`.

    Raises:
        ConfigError: the robot file or the address is wrong.
    """
    subject = subject_of(config, seeing)
    loaded = replace(subject.calibration, found=measured, problem="")
    check = ArmingCheck(replace(subject, calibration=loaded), robot, ports, camera)
    return CheckedRobot(robot, check)
