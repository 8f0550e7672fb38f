"""The quadruped's motors on their bus: motor turns become joint radians, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from calibration import Calibration
from calibration.record import DeviceTag
from drivers.errors import WireClosed
from drivers.moteus import (
    Damp,
    MoteusBus,
    PositionCommand,
    ServoReadings,
    Stop,
    describe,
)
from drivers.moteus.registers import Mode, Register, Resolution
from robosac.errors import RobotError
from robosac.hal import BoolArray, Drive, Fault, JointCommand, JointState
from robosac.robots.condition import MotorCondition, look_at_controllers, serial_text
from robosac.robots.controller_options import RADIANS_PER_TURN, complaint, wanted_options
from robosac.robots.identity import check_motors
from robosac.robots.robot_file import RobotFile
from robosac.robots.wiring import check_calibration, directions, motor_zeros

STOP_ATTEMPTS = 20
COUNTER_TURN_S = 2.0**32 * 1e-3
"""After which the controllers' 32-bit millisecond counter begins anew, s."""
UPTIME_S, UPTIME_DRIFT = 0.05, 0.01
"""How far that counter may be from our clock: s, and share of the time between two looks."""
# Plain numbers: numpy compares with an enumeration's members far more slowly.
_STOPPED, _FAULT, _TIMEOUT = int(Mode.STOPPED), int(Mode.FAULT), int(Mode.TIMEOUT)


class Motors:
    """The motors, as the robot uses them.

    Args:
        bus: its ids are the robot file's, in order.
        file: the robot file.
        calibration: what was measured on this robot.
        now: the clock, monotonic seconds.

    Raises:
        CalibrationMismatch: the calibration is another robot's.
    """

    def __init__(
        self,
        bus: MoteusBus,
        file: RobotFile,
        calibration: Calibration,
        now: Callable[[], float],
    ) -> None:
        check_calibration(file, calibration)
        self._bus, self._calibration = bus, calibration
        self.devices: dict[str, DeviceTag] = {}
        """By joint, what `find` found."""
        self._names, self._watchdog_s = file.joint_names, file.watchdog_s
        self._direction = directions(file)
        self._zero = motor_zeros(file, calibration)
        self._to_turns = self._direction / RADIANS_PER_TURN
        self._to_radians = self._direction * RADIANS_PER_TURN
        self._none = np.full(len(self._names), math.nan)
        self._unlimited = np.full(len(self._names), -1.0)
        self._valid_for_s = np.full(len(self._names), self._watchdog_s)
        self._wanted = {
            name: wanted_options(file, name, float(zero))
            for name, zero in zip(self._names, self._zero, strict=True)
        }
        self._gone = self._checked = False
        self._now = now
        self._uptimes: dict[int, tuple[float, float]] = {}
        """By id: the controller's own clock and ours when it was read, s."""

    def find(self) -> None:
        """See that every motor answers, over a new opening of the wire if it was gone.

        Raises:
            RobotError: motors are missing. DriverError: the bus is not there, or one refuses.
            CalibrationMismatch: they are not those that were calibrated.
        """
        with self._noticing_loss():
            self._reopen_if_gone()
            found = self._bus.probe()
        missing = [
            name for name, id in zip(self._names, self._bus.ids, strict=True) if id not in found
        ]
        if missing:
            self._checked = False
            raise RobotError(
                f"no answer from the motors of {', '.join(missing)}; check power, wiring and"
                " the ids in the robot file"
            )
        self.devices = {
            name: DeviceTag(model=str(found[id].model), serial=serial_text(found[id].serial))
            for name, id in zip(self._names, self._bus.ids, strict=True)
        }
        check_motors(self._calibration, self.devices)

    def condition(self) -> tuple[MotorCondition, ...]:
        """Look at every controller, over a new opening of the wire if it was gone.

        Nothing is written, and latched faults stay.

        Raises:
            DriverError: the bus is not there, or one answers as no controller would.
        """
        with self._noticing_loss():
            self._reopen_if_gone()
            return look_at_controllers(self._bus, self._names, self._wanted)

    def make_safe(self) -> None:
        """Switch torque off, which clears latched faults; then check how they are configured.

        That takes a while, so it is done once after each opening of the wire, and again once a
        motor has fallen silent, or its own clock has begun anew: it has lost its power, and with it
        what nobody had saved.

        Raises:
            RobotError: not every motor is read back as off, or one is configured otherwise than the
                robot file says. DriverError: the bus is not there, or one refuses.
        """
        with self._noticing_loss():
            unconfirmed = self._bus.stop_all(STOP_ATTEMPTS)
            if unconfirmed:
                self._checked = False
                raise RobotError(f"motors {unconfirmed} do not confirm that their torque is off")
            restarted = self._restarted()
            if restarted or not self._checked:
                self._checked = False
                self._check_options()
                self._checked = True

    def exchange(
        self, command: JointCommand, deadline: float
    ) -> tuple[JointState, tuple[Fault, ...]]:
        """Command every motor once; what they say before `deadline` (s), and what is wrong."""
        try:
            readings = self._bus.exchange(self.to_motors(command), deadline)
        except WireClosed as error:
            self._lose()
            readings = self._bus.last_readings()
            return self._to_joints(readings), (Fault("bus_dead", "legs", str(error)),)
        return self._to_joints(readings), self._faults(readings, command.drive)

    def stop(self) -> bool:
        """Switch torque off, over a new opening of the wire if it was gone; True if confirmed."""
        try:
            with self._noticing_loss():
                self._reopen_if_gone()
                unconfirmed = self._bus.stop_all(STOP_ATTEMPTS)
        except WireClosed:
            # The controllers' watchdogs stop the motors, but we cannot say so.
            return False
        self._checked = self._checked and not unconfirmed
        return not unconfirmed

    def _restarted(self) -> bool:
        """Whether a controller's clock is not where it should be by now, or was never read.

        Its register counts milliseconds since it has power. Source: mjbots/moteus
        docs/protocol/registers.md, 0x070.
        """
        restarted = False
        for id in self._bus.ids:
            count = self._bus.read(id, Register.MILLISECOND_COUNTER, Resolution.INT32)
            now, before = self._now(), self._uptimes.get(id)
            self._uptimes[id] = (count * 1e-3, now)
            if before is None:
                restarted = True
                continue
            elapsed = now - before[1]
            gone = (count * 1e-3 - before[0] - elapsed + COUNTER_TURN_S / 2) % COUNTER_TURN_S
            restarted |= abs(gone - COUNTER_TURN_S / 2) > UPTIME_S + UPTIME_DRIFT * elapsed
        return restarted

    def _check_options(self) -> None:
        differences = {
            name: self._bus.check_configuration(id, self._wanted[name])
            for name, id in zip(self._names, self._bus.ids, strict=True)
        }
        if text := complaint(differences):
            raise RobotError(text)

    def _reopen_if_gone(self) -> None:
        if self._gone:
            self._bus.reopen()
            self._gone = False

    @contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        try:
            yield
        except WireClosed:
            self._lose()
            raise

    def _lose(self) -> None:
        """The wire is gone: what comes back with it may be configured otherwise."""
        self._gone, self._checked = True, False

    def to_motors(self, command: JointCommand) -> PositionCommand | Stop | Damp:
        """Joint radians to motor turns."""
        if command.drive is Drive.STOP:
            return Stop()
        if command.drive is Drive.DAMP:
            return Damp(maximum_torque_nm=command.max_torque, watchdog_timeout_s=self._watchdog_s)
        to_turns = self._to_turns
        return PositionCommand(
            position_rev=(command.position + self._zero) * to_turns,
            velocity_rev_s=command.velocity * to_turns,
            feedforward_torque_nm=command.torque * self._direction,
            kp_scale=command.stiffness,
            kd_scale=command.damping,
            maximum_torque_nm=command.max_torque,
            stop_position_rev=self._none,
            watchdog_timeout_s=self._valid_for_s,
            velocity_limit=self._none,
            accel_limit=self._unlimited,
        )

    def _to_joints(self, readings: ServoReadings) -> JointState:
        """Motor turns to joint radians."""
        to_radians = self._to_radians
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

    def _faults(self, readings: ServoReadings, drive: Drive) -> tuple[Fault, ...]:
        """Faults that the controllers report of themselves."""
        if drive is Drive.STOP:
            return ()
        latched = readings.valid & ((readings.mode == _FAULT) | (readings.mode == _TIMEOUT))
        if not latched.any():
            return ()
        return tuple(self._fault(int(index), readings) for index in np.flatnonzero(latched))

    def _fault(self, index: int, readings: ServoReadings) -> Fault:
        name = self._names[index]
        if readings.mode[index] == _TIMEOUT:
            return Fault("motor_watchdog", name, "its watchdog expired; stop it to clear")
        code = int(readings.fault[index])
        return Fault("motor_fault", name, f"controller fault {describe(code)}; stop it to clear")


def _driving(readings: ServoReadings) -> BoolArray:
    """True where the controller may put torque on its motor (anything but stopped or fault)."""
    return (readings.mode != _STOPPED) & (readings.mode != _FAULT)
