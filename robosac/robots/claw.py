"""The hand: nine servos and the valve's on one bus, and a camera that looks at them.

The valve is a joint like the others. Its servo drives it in the reset; in an episode it is let go
and only tells its angle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from calibration import Calibration
from calibration.record import DeviceTag
from drivers.dynamixel import DynamixelBus
from drivers.errors import DriverError
from drivers.statistics import BusStatistics
from robosac.errors import RobotError
from robosac.hal import JointCommand, Limits, RobotState
from robosac.robots.claw_file import ClawFile
from robosac.robots.condition import MotorCondition
from robosac.robots.eye import Camera, look
from robosac.robots.servos import Servos


@dataclass(frozen=True)
class ClawDevices:
    """What the hand is made of; whoever has this owns all of it."""

    bus: DynamixelBus
    """The servos; its ids are the robot file's, in order."""
    camera: Camera | None
    """None: a hand that only feels."""

    def close(self) -> None:
        """Release everything, whatever fails on the way; safe to call twice.

        Raises:
            DriverError: something does not let go.
        """
        with ExitStack() as stack:
            if self.camera is not None:
                stack.callback(self.camera.close)
            stack.callback(self.bus.close)


class Claw:
    """A hand, real or twin: what differs is behind the wire.

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
        file: ClawFile,
        calibration: Calibration,
        devices: ClawDevices,
        now: Callable[[], float],
    ) -> None:
        self.file = file
        self._limits = file.joint_limits()
        self._devices, self._now = devices, now
        self._servos = Servos(devices.bus, file, calibration, now)
        self._closed = False

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self.file.joint_names

    @property
    def limits(self) -> Limits:
        return self._limits

    @property
    def bus_statistics(self) -> BusStatistics:
        """What happened on the servos' bus since the robot was made."""
        return self._devices.bus.statistics

    @property
    def motor_devices(self) -> Mapping[str, DeviceTag]:
        """By joint, the servos that the last `configure` found."""
        return self._servos.devices

    @property
    def imu_device(self) -> None:
        """A hand has no inertial sensor."""
        return

    def configure(self) -> None:
        """See `robosac.hal.Robot`. A wire that was gone is opened anew, and all is set up again."""
        try:
            self._servos.find()
            self._servos.make_safe()
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
            return self._servos.condition()
        except DriverError as error:
            raise RobotError(f"the motors cannot be looked at: {error}") from error

    def exchange(self, command: JointCommand, deadline: float) -> RobotState:
        joints, faults = self._servos.exchange(command, deadline)
        now, camera = self._now(), self._devices.camera
        return RobotState(
            time=now,
            joints=joints,
            imu=None,
            tracker=None,
            faults=faults,
            camera=None if camera is None else look(camera, now),
        )

    def stop(self) -> bool:
        return not self._closed and self._servos.stop()

    def close(self) -> None:
        self._closed = True
        try:
            self._devices.close()
        except DriverError as error:
            raise RobotError(f"a device does not let go: {error}") from error
