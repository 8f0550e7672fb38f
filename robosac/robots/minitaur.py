"""The quadruped: eight moteus motors on one bus, a VN-100 and an overhead tracker.

The only room where motor turns become joint radians, and the sensor's axes the body's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from calibration import Calibration
from drivers.errors import DriverError, WireClosed
from drivers.imu import ImuReading
from drivers.moteus import Damp, MoteusBus, PositionCommand, ServoReadings, Stop
from drivers.moteus.registers import Mode
from drivers.tracker import Tracker
from drivers.vectornav_port import VectorNavPort
from robosac.errors import CalibrationMismatch, RobotError
from robosac.hal import (
    BoolArray,
    Drive,
    Fault,
    ImuSample,
    JointCommand,
    JointState,
    Limits,
    RobotState,
    TrackerSample,
)
from robosac.robots.frames import orientation_from_vectornav, vector_from_vectornav
from robosac.robots.robot_file import RobotFile

RADIANS_PER_TURN = 2.0 * math.pi
IMU_RATE_DIVISOR = 4
"""800 Hz / 4 = 200 Hz, once a tick (VN-100 user manual, register 75)."""
STOP_ATTEMPTS = 20
# Plain numbers: numpy compares with an enumeration's members far more slowly.
_STOPPED, _FAULT, _TIMEOUT = int(Mode.STOPPED), int(Mode.FAULT), int(Mode.TIMEOUT)


class Minitaur:
    """A quadruped robot, real or twin: what differs is behind the wires.

    Args:
        file: the robot file.
        calibration: what was measured on this robot.
        bus: the motors' bus; its ids are the robot file's, in order.
        imu: the inertial sensor.
        tracker: the overhead tracker, or None: then no sample carries a velocity.
        now: the clock, monotonic seconds.

    Raises:
        CalibrationMismatch: the calibration is another robot's.
    """

    def __init__(
        self,
        file: RobotFile,
        calibration: Calibration,
        bus: MoteusBus,
        imu: VectorNavPort,
        tracker: Tracker | None,
        now: Callable[[], float],
    ) -> None:
        _check_calibration(file, calibration)
        self.file = file
        self._limits = file.joint_limits()
        self._bus, self._imu, self._tracker, self._now = bus, imu, tracker, now
        names = file.joint_names
        motors = [file.motors[name] for name in names]
        self._ids = tuple(motor.id for motor in motors)
        self._direction = np.array([float(motor.direction) for motor in motors])
        self._zero = np.array([motor.offset_rad for motor in motors]) - calibration.offsets(names)
        self._mounting = np.array(calibration.imu_mounting)
        self._gyro_bias = np.array(calibration.gyro_bias_rad_s)
        self._newest_imu: ImuSample | None = None

    @property
    def joint_names(self) -> tuple[str, ...]:
        return self.file.joint_names

    @property
    def limits(self) -> Limits:
        return self._limits

    def configure(self) -> None:
        try:
            found = self._bus.probe()
            missing = [
                name
                for name, id in zip(self.joint_names, self._ids, strict=True)
                if id not in found
            ]
            if missing:
                raise RobotError(
                    f"no answer from the motors of {', '.join(missing)}; check power, wiring and"
                    " the ids in the robot file"
                )
            self._imu.configure(divisor=IMU_RATE_DIVISOR)
            unconfirmed = self._bus.stop_all(STOP_ATTEMPTS)
        except DriverError as error:
            raise RobotError(f"the robot cannot be configured: {error}") from error
        if unconfirmed:
            raise RobotError(f"motors {unconfirmed} do not confirm that their torque is off")

    def exchange(self, command: JointCommand, deadline: float) -> RobotState:
        faults: list[Fault] = []
        try:
            readings = self._bus.exchange(self._to_motors(command), deadline)
        except WireClosed as error:
            readings = self._bus.last_readings()
            faults.append(Fault("bus_dead", "legs", str(error)))
        imu = self._read_imu(faults)
        faults.extend(self._motor_faults(readings, command.drive))
        return RobotState(
            time=self._now(),
            joints=self._to_joints(readings),
            imu=imu,
            tracker=self._read_tracker(),
            faults=tuple(faults),
        )

    def stop(self) -> bool:
        try:
            return not self._bus.stop_all(STOP_ATTEMPTS)
        except WireClosed:
            # The port is gone: the controllers' watchdogs stop the motors, but we cannot say so.
            return False

    def close(self) -> None:
        self._bus.close()
        self._imu.close()

    def _to_motors(self, command: JointCommand) -> PositionCommand | Stop | Damp:
        """Joint radians to motor turns."""
        if command.drive is Drive.STOP:
            return Stop()
        if command.drive is Drive.DAMP:
            return Damp(
                maximum_torque_nm=command.max_torque, watchdog_timeout_s=self.file.watchdog_s
            )
        to_turns = self._direction / RADIANS_PER_TURN
        count = len(to_turns)
        return PositionCommand(
            position_rev=(command.position + self._zero) * to_turns,
            velocity_rev_s=command.velocity * to_turns,
            feedforward_torque_nm=command.torque * self._direction,
            kp_scale=command.stiffness,
            kd_scale=command.damping,
            maximum_torque_nm=command.max_torque,
            stop_position_rev=np.full(count, math.nan),
            watchdog_timeout_s=np.full(count, self.file.watchdog_s),
            velocity_limit=np.full(count, math.nan),
            accel_limit=np.full(count, -1.0),
        )

    def _to_joints(self, readings: ServoReadings) -> JointState:
        """Motor turns to joint radians."""
        to_radians = self._direction * RADIANS_PER_TURN
        return JointState(
            time=readings.time,
            valid=readings.valid,
            position=readings.position_rev * to_radians - self._zero,
            velocity=readings.velocity_rev_s * to_radians,
            torque=readings.torque_nm * self._direction,
            temperature=readings.temperature_c,
            voltage=readings.voltage_v,
            power=readings.power_w,
            driving=_driving(readings),
        )

    def _motor_faults(self, readings: ServoReadings, drive: Drive) -> list[Fault]:
        """Faults that the controllers report of themselves."""
        faults: list[Fault] = []
        if drive is Drive.STOP:
            return faults
        latched = readings.valid & ((readings.mode == _FAULT) | (readings.mode == _TIMEOUT))
        if not latched.any():
            return faults
        for index in np.flatnonzero(latched):
            name, mode = self.joint_names[index], Mode(int(readings.mode[index]))
            if mode is Mode.TIMEOUT:
                faults.append(
                    Fault("motor_watchdog", name, "its watchdog expired; stop it to clear")
                )
            else:
                code = int(readings.fault[index])
                faults.append(
                    Fault("motor_fault", name, f"controller fault {code}; stop it to clear")
                )
        return faults

    def _read_imu(self, faults: list[Fault]) -> ImuSample | None:
        try:
            reading = self._imu.poll()
        except WireClosed as error:
            faults.append(Fault("imu_dead", "imu", str(error)))
            return self._newest_imu
        if reading is not None:
            self._newest_imu = self._to_body(reading)
        return self._newest_imu

    def _to_body(self, reading: ImuReading) -> ImuSample:
        gyro = np.asarray(reading.angular_velocity) - self._gyro_bias
        return ImuSample(
            time=reading.time,
            orientation=orientation_from_vectornav(
                np.asarray(reading.quaternion_xyzw), self._mounting
            ),
            angular_velocity=vector_from_vectornav(gyro, self._mounting),
            acceleration=vector_from_vectornav(np.asarray(reading.acceleration), self._mounting),
        )

    def _read_tracker(self) -> TrackerSample | None:
        if self._tracker is None:
            return None
        fix = self._tracker.newest(self._now())
        if fix is None:
            return None
        return TrackerSample(fix.time, fix.x, fix.y, fix.yaw, fix.forward_velocity)


def _driving(readings: ServoReadings) -> BoolArray:
    """True where the controller may put torque on its motor (anything but stopped or fault)."""
    return (readings.mode != _STOPPED) & (readings.mode != _FAULT)


def _check_calibration(file: RobotFile, calibration: Calibration) -> None:
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
