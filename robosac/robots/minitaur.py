"""The quadruped: eight moteus motors on one bus, an inertial sensor and an overhead tracker.

This room alone knows that motor turns become joint radians, and the sensor's axes the body's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from calibration import Calibration
from calibration.record import DeviceTag
from drivers.errors import DriverError
from drivers.imu import Imu
from drivers.moteus import BusStatistics, MoteusBus
from drivers.tracker import Tracker
from robosac.errors import RobotError
from robosac.hal import JointCommand, Limits, RobotState, TrackerSample
from robosac.robots.condition import MotorCondition
from robosac.robots.inertial import Inertial
from robosac.robots.motors import Motors
from robosac.robots.robot_file import RobotFile


def nothing_to_close() -> None:
    """There is nothing to release."""


@dataclass(frozen=True)
class Devices:
    """What the quadruped is made of; whoever has this owns all of it."""

    bus: MoteusBus
    """The motors; its ids are the robot file's, in order."""
    imu: Imu
    reopen_imu: Callable[[], None]
    """Opens the sensor's wire anew after it was gone; raises WireClosed if it is not back."""
    tracker: Tracker | None
    """None: no sample carries a velocity."""
    close_tracker: Callable[[], None] = nothing_to_close

    def close(self) -> None:
        """Release everything, whatever fails on the way; safe to call twice.

        Raises:
            DriverError: something does not let go.
        """
        with ExitStack() as stack:
            stack.callback(self.close_tracker)
            stack.callback(self.imu.close)
            stack.callback(self.bus.close)


class Minitaur:
    """A quadruped robot, real or twin: what differs is behind the wires.

    Args:
        file: the robot file.
        calibration: what was measured on this robot.
        devices: the robot is their only user, and closes them.
        now: the clock, monotonic seconds.

    Raises:
        CalibrationMismatch: the calibration is another robot's.
    """

    def __init__(
        self,
        file: RobotFile,
        calibration: Calibration,
        devices: Devices,
        now: Callable[[], float],
    ) -> None:
        self.file = file
        self._limits = file.joint_limits()
        self._devices, self._now = devices, now
        self._motors = Motors(devices.bus, file, calibration, now)
        self._inertial = Inertial(devices.imu, devices.reopen_imu, calibration)
        self._closed = False

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self.file.joint_names

    @property
    def limits(self) -> Limits:
        return self._limits

    @property
    def bus_statistics(self) -> BusStatistics:
        """What happened on the motors' bus since the robot was made."""
        return self._devices.bus.statistics

    @property
    def motor_devices(self) -> Mapping[str, DeviceTag]:
        """By joint, the controllers that the last `configure` found."""
        return self._motors.devices

    @property
    def imu_device(self) -> DeviceTag | None:
        """The inertial sensor that the last `configure` found."""
        return self._inertial.device

    def configure(self) -> None:
        """See `robosac.hal.Robot`. A wire that was gone is opened anew, and all is set up again."""
        try:
            self._motors.find()
            self._inertial.configure()
            self._motors.make_safe()
        except DriverError as error:
            raise RobotError(
                f"the robot cannot be configured: {error}; mend that, then arm again"
            ) from error

    def condition(self) -> tuple[MotorCondition, ...]:
        """How every motor is, in joint order; nothing is asked to move, and torque stays as it is.

        Takes a while, and may retry: never for use in a control tick.

        Raises:
            RobotError: nobody can be asked.
        """
        try:
            return self._motors.condition()
        except DriverError as error:
            raise RobotError(f"the motors cannot be looked at: {error}") from error

    def exchange(self, command: JointCommand, deadline: float) -> RobotState:
        joints, motor_faults = self._motors.exchange(command, deadline)
        imu, imu_faults = self._inertial.read(command.drive)
        return RobotState(
            time=self._now(),
            joints=joints,
            imu=imu,
            tracker=self._read_tracker(),
            faults=motor_faults + imu_faults,
        )

    def stop(self) -> bool:
        return not self._closed and self._motors.stop()

    def close(self) -> None:
        self._closed = True
        try:
            self._devices.close()
        except DriverError as error:
            raise RobotError(f"a device does not let go: {error}") from error

    def _read_tracker(self) -> TrackerSample | None:
        if self._devices.tracker is None:
            return None
        fix = self._devices.tracker.newest(self._now())
        if fix is None:
            return None
        return TrackerSample(fix.time, fix.x, fix.y, fix.yaw, fix.forward_velocity)
