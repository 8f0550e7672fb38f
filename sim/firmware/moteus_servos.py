"""What a row of moteus controllers does with its commands: modes, watchdogs and the control law.

Source of the behaviour: mjbots/moteus fw/bldc_servo.cc (revision db1a762). Not modelled: current
modes, stay-within, calibration, position bounds, derating.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from drivers.moteus.registers import FaultCode, Mode
from sim.firmware.moteus_config import MoteusConfig, ServoCommand
from sim.firmware.moteus_trajectory import SetPoint, advance_free, advance_limited

FloatArray = NDArray[np.float64]

RADIANS_PER_TURN = 2.0 * math.pi
_TIME_TOLERANCE = 1e-9
_BEYOND_GOAL = ServoCommand._fields.index("position") + 1
_OPEN = frozenset({Mode.STOPPED, Mode.FAULT, Mode.ENABLING})
"""Modes in which no phase is driven."""


class MoteusServos:
    """`count` controllers, each with its own mode, watchdog and set-point.

    Attributes:
        mode: `Mode` of each.
        fault: `FaultCode` of each; 0 while there is none.
        driving: shape (count,); False where the phases are open. Changes in place.
        moving: those whose set-point moves by itself.
        torque: what each control law asked for in the last step, N m. Changes in place.
    """

    def __init__(self, count: int, config: MoteusConfig) -> None:
        self.config = config
        self._count = count
        self._torque_limit = config.max_current_a * config.torque_constant_nm_per_a
        volts = config.phase_resistance_ohm / config.torque_constant_nm_per_a
        self._volts_per_nm = np.full(count, volts)
        # Back-EMF per revolution/s, which a closed current loop would make up for.
        self._volts_s_per_rev = np.full(count, config.torque_constant_nm_per_a * RADIANS_PER_TURN)
        self.driving = np.zeros(count, dtype=np.bool_)
        self.torque = np.zeros(count)
        self._goal, self._rate, self._position = (np.zeros(count) for _ in range(3))
        self._kp, self._kd, self._feedforward = (np.zeros(count) for _ in range(3))
        self._upper, self._lower = np.zeros(count), np.zeros(count)
        self._closed_loop = np.zeros(count)
        self._voltage, self._scratch, self._velocity = (np.zeros(count) for _ in range(3))
        self._supply_upper, self._supply_lower = np.zeros(count), np.zeros(count)
        self.power_cycle()

    def power_cycle(self) -> None:
        """Every controller as it wakes up: stopped, without fault, command registers at default."""
        count = self._count
        self.mode: list[int] = [Mode.STOPPED] * count
        self.fault: list[int] = [FaultCode.NONE] * count
        self._commands = [ServoCommand()] * count
        self._held: list[tuple[float, ...] | None] = [None] * count
        """What each position command said besides its goal, where nothing else is going on."""
        self._due = [math.inf] * count
        self._alarm = math.inf
        self.time = 0.0
        self.moving: set[int] = set()
        self._aims = [SetPoint(0.0, 0.0)] * count
        self._supply = math.nan
        self._supply_fault = FaultCode.NONE
        self._position.fill(0.0)
        self._velocity.fill(0.0)
        for index in range(count):
            self._release(index)

    def command(self, index: int, command: ServoCommand) -> None:
        """Take a new command; a fault or a timeout heeds nothing but STOPPED."""
        self._commands[index] = command
        mode = self.mode[index]
        if command.mode == Mode.STOPPED:
            self.mode[index], self.fault[index] = Mode.STOPPED, FaultCode.NONE
            self._release(index)
        elif mode == Mode.STOPPED:
            self.mode[index] = Mode.ENABLING
            self._set_due(index, self.time + self.config.enable_time_s)
        elif mode not in (Mode.FAULT, Mode.TIMEOUT, Mode.ENABLING):
            self._obey(index, command)

    def trip(self, index: int, code: int) -> None:
        """Go into fault with `code`; latched until STOPPED is commanded."""
        self.mode[index], self.fault[index] = Mode.FAULT, code
        self._release(index)

    def limiting(self, index: int) -> int:
        """The fault register: the fault, or which limit holds the output back, or 0."""
        if self.fault[index] or not self.driving[index]:
            return self.fault[index]
        at_limit = abs(self.torque[index]) >= self._upper[index] > 0.0
        return FaultCode.LIMIT_MAX_TORQUE if at_limit else FaultCode.NONE

    def set_point(self, index: int) -> SetPoint:
        """Where the control law of one controller aims."""
        return SetPoint(float(self._goal[index]), float(self._rate[index]))

    def terms(self, index: int) -> tuple[float, float, float]:
        """Proportional, derivative and feed-forward torque in the last step, N m."""
        proportional = self._kp[index] * (self._goal[index] - self._position[index])
        derivative = self._kd[index] * (self._rate[index] - self._velocity[index])
        return float(proportional), float(derivative), float(self._feedforward[index])

    def control(
        self, position_rev: FloatArray, velocity_rev_s: FloatArray, supply_v: float, dt: float
    ) -> FloatArray:
        """Advance every watchdog and set-point by `dt` (s) and return the phase voltages, V.

        Arrays have shape (count,). The array returned is overwritten by the next call. Where
        `driving` is False the phases are open and the voltage, 0, means nothing.
        """
        np.copyto(self._position, position_rev)
        np.copyto(self._velocity, velocity_rev_s)
        self.time += dt
        if self.time >= self._alarm:
            self._ring()
        if self.moving:
            self._advance(dt)
        if supply_v != self._supply:
            self._set_supply(supply_v)
        if self._supply_fault:
            self._trip_driven(self._supply_fault)
        torque, scratch, voltage = self.torque, self._scratch, self._voltage
        np.subtract(self._goal, position_rev, torque)
        np.multiply(torque, self._kp, torque)
        np.subtract(self._rate, velocity_rev_s, scratch)
        np.multiply(scratch, self._kd, scratch)
        np.add(torque, scratch, torque)
        np.add(torque, self._feedforward, torque)
        np.minimum(torque, self._upper, out=torque)
        np.maximum(torque, self._lower, out=torque)
        np.multiply(torque, self._volts_per_nm, voltage)
        if not self.config.voltage_mode_control:
            np.multiply(velocity_rev_s, self._volts_s_per_rev, scratch)
            np.multiply(scratch, self._closed_loop, scratch)
            np.add(voltage, scratch, voltage)
        np.minimum(voltage, self._supply_upper, out=voltage)
        np.maximum(voltage, self._supply_lower, out=voltage)
        return voltage

    def _obey(self, index: int, command: ServoCommand) -> None:
        """Put the command of a controller that may drive into effect."""
        before, mode = self.mode[index], command.mode
        if command[_BEYOND_GOAL:] == self._held[index] and command.position == command.position:
            # The usual tick: only the goal is new, and the watchdog is fed.
            self._goal[index] = command.position
            self._feed(index, command)
            return
        self.mode[index] = mode
        self.driving[index] = mode not in _OPEN
        if mode == Mode.POSITION:
            self._obey_position(index, command, starting=before != Mode.POSITION)
        else:
            self._set_due(index, math.inf)
            self._damp(index, command.kd_scale if mode == Mode.ZERO_VELOCITY else 0.0)
            self._closed_loop[index] = mode == Mode.ZERO_VELOCITY

    def _obey_position(self, index: int, command: ServoCommand, starting: bool) -> None:
        speed, accel = self._limits(command)
        limited = speed >= 0 or accel >= 0
        if limited and command.stop_position == command.stop_position:
            self.trip(index, FaultCode.STOP_POSITION_DEPRECATED)
            return
        goal, rate = command.position, command.velocity
        goal = goal if goal == goal else float(self._position[index])
        rate = rate if rate == rate else 0.0
        if limited:
            self._aims[index] = SetPoint(goal, rate)
            if starting:
                self._goal[index], self._rate[index] = self._position[index], self._velocity[index]
        else:
            self._goal[index], self._rate[index] = goal, rate
        if limited or rate:
            self.moving.add(index)
        else:
            self.moving.discard(index)
        self._closed_loop[index] = 1.0
        self._kp[index] = self.config.kp_nm_per_rev * _finite(command.kp_scale)
        self._kd[index] = self.config.kd_nm_s_per_rev * _finite(command.kd_scale)
        self._feedforward[index] = _finite(command.feedforward)
        self._cap(index, command.maximum_torque)
        self._feed(index, command)
        self._held[index] = None if limited or rate else command[_BEYOND_GOAL:]

    def _feed(self, index: int, command: ServoCommand) -> None:
        """Give the watchdog the command's time."""
        timeout = command.timeout or self.config.default_timeout_s
        self._set_due(index, self.time + timeout if timeout == timeout else math.inf)

    def _limits(self, command: ServoCommand) -> tuple[float, float]:
        """Velocity and acceleration limit in effect; NaN or negative: none."""
        speed, accel = command.velocity_limit, command.accel_limit
        speed = speed if speed == speed else self.config.default_velocity_limit_rev_s
        accel = accel if accel == accel else self.config.default_accel_limit_rev_s2
        return speed, accel

    def _damp(self, index: int, kd_scale: float) -> None:
        """Resist motion; with a scale of 0 the phases are shorted, which is what a brake does."""
        self.moving.discard(index)
        self._held[index] = None
        self._kp[index] = self._feedforward[index] = self._rate[index] = 0.0
        self._goal[index] = self._position[index]
        self._kd[index] = self.config.kd_nm_s_per_rev * _finite(kd_scale)
        self._cap(index, self.config.timeout_max_torque_nm)

    def _release(self, index: int) -> None:
        self._damp(index, 0.0)
        self._closed_loop[index] = 0.0
        self._due[index] = math.inf
        self.driving[index] = False

    def _cap(self, index: int, torque: float) -> None:
        limit = min(abs(torque), self._torque_limit) if torque == torque else self._torque_limit
        self._upper[index], self._lower[index] = limit, -limit

    def _set_due(self, index: int, time: float) -> None:
        self._due[index] = time
        # May ring early once a due time has moved on; _ring then finds nothing to do.
        self._alarm = min(self._alarm, time - _TIME_TOLERANCE)

    def _ring(self) -> None:
        """Something was due: a controller has finished enabling, or a watchdog has expired."""
        for index, due in enumerate(self._due):
            if self.time < due - _TIME_TOLERANCE:
                continue
            self._due[index] = math.inf
            command = self._commands[index]
            if self.mode[index] == Mode.ENABLING:
                self._obey(index, command)
            elif self.mode[index] == Mode.POSITION:
                self.mode[index] = Mode.TIMEOUT
                self._damp(index, command.kd_scale)
        self._alarm = min(self._due) - _TIME_TOLERANCE

    def _advance(self, dt: float) -> None:
        """Move the set-points of those controllers whose goal moves or is approached in time."""
        for index in self.moving:
            command = self._commands[index]
            speed, accel = self._limits(command)
            now = self.set_point(index)
            if speed >= 0 or accel >= 0:
                aim = advance_free(self._aims[index], math.nan, dt)
                self._aims[index] = aim
                now = advance_limited(now, aim, speed, accel, dt)
            else:
                now = advance_free(now, command.stop_position, dt)
            self._goal[index], self._rate[index] = now

    def _set_supply(self, supply_v: float) -> None:
        self._supply = supply_v
        self._supply_upper.fill(supply_v)
        self._supply_lower.fill(-supply_v)
        if supply_v < self.config.undervoltage_v:
            self._supply_fault = FaultCode.UNDER_VOLTAGE
        elif supply_v > self.config.overvoltage_v:
            self._supply_fault = FaultCode.OVER_VOLTAGE
        else:
            self._supply_fault = FaultCode.NONE

    def _trip_driven(self, code: int) -> None:
        """A fault of the supply, which a stopped controller does not mind."""
        for index, mode in enumerate(self.mode):
            if mode not in (Mode.STOPPED, Mode.FAULT):
                self.trip(index, code)


def _finite(value: float) -> float:
    """A gain or torque that is not finite counts as none; what firmware does is not documented."""
    return value if math.isfinite(value) else 0.0
