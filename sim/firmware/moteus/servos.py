"""What a row of moteus controllers does with its commands: modes, watchdogs and the control law.

Source of the behaviour: mjbots/moteus fw/bldc_servo.cc and fw/bldc_servo_control.h (revision
db1a762). Not modelled: PWM and voltage modes, calibration, limits of power and speed, flux braking.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from drivers.moteus.registers import FaultCode, Mode
from sim.firmware.moteus.config import ServoCommand
from sim.firmware.moteus.servo_state import TIME_TOLERANCE, WATCHED, ServoState, finite
from sim.firmware.moteus.trajectory import SetPoint, advance_free, advance_limited

FloatArray = NDArray[np.float64]

_BEYOND_GOAL = ServoCommand._fields.index("position") + 1
_OPEN = frozenset({Mode.STOPPED, Mode.FAULT, Mode.ENABLING})
"""Modes in which no phase is driven."""


class MoteusServos(ServoState):
    """What `count` controllers do; see `ServoState` for what can be seen of them."""

    def command(self, index: int, command: ServoCommand) -> None:
        """Take a new command; a fault or a timeout heeds nothing but STOPPED."""
        self._commands[index] = command
        mode = self.mode[index]
        if command.mode == Mode.STOPPED:
            self.mode[index], self.fault[index] = Mode.STOPPED, FaultCode.NONE
            self._release(index)
        elif mode == Mode.STOPPED:
            self.mode[index] = Mode.ENABLING
            self._set_due(index, self.time + self.configs[index].enable_time_s)
        elif mode not in (Mode.FAULT, Mode.TIMEOUT, Mode.ENABLING):
            self._obey(index, command)

    def follow(self, index: int, position: float) -> bool:
        """Take a command that differs from the last one in its goal alone; False: not so simple."""
        if self._held[index] is None or position != position:
            return False
        self._goal[index] = position
        self._feed(index, self._commands[index])
        return True

    def recapture(self, index: int) -> None:
        """In position mode, let the set-point start again from where and how fast the output is."""
        if self.mode[index] != Mode.POSITION:
            return
        velocity = float(self._velocity[index])
        still = abs(velocity) < self.configs[index].velocity_zero_capture_rev_s
        self._goal[index] = self._position[index]
        self._rate[index] = 0.0 if still else velocity
        # The set-point goes on by itself at that speed until the next command.
        self._held[index] = None
        if not still:
            self.moving.add(index)

    def trajectory_complete(self, index: int) -> bool:
        """False while a limited set-point is still on its way to the goal."""
        if index not in self.moving or not any(
            limit >= 0 for limit in self._limits(index, self._commands[index])
        ):
            return True
        aim, now = self._aims[index], self.set_point(index)
        return max(abs(aim.position - now.position), abs(aim.velocity - now.velocity)) < 1e-6

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
        if self._within:
            self._stay_within()
        if self._bounded:
            self._hold_goals_in_bounds()
        if supply_v != self._supply:
            self._set_supply(supply_v)
        if self._supply_bad:
            self._trip_driven()
        torque, scratch, voltage = self.torque, self._scratch, self._voltage
        np.subtract(self._goal, position_rev, torque)
        np.multiply(torque, self._kp, torque)
        np.subtract(self._rate, velocity_rev_s, scratch)
        np.multiply(scratch, self._kd, scratch)
        np.add(torque, scratch, torque)
        np.add(torque, self._feedforward, torque)
        np.minimum(torque, self._upper, out=torque)
        np.maximum(torque, self._lower, out=torque)
        if self._bounded:
            self._push_back_into_bounds()
        np.multiply(torque, self._volts_per_nm, voltage)
        if self._any_closed_loop:
            np.multiply(velocity_rev_s, self._volts_s_per_rev, scratch)
            np.multiply(scratch, self._closed_loop, scratch)
            np.add(voltage, scratch, voltage)
        np.minimum(voltage, self._supply_upper, out=voltage)
        np.maximum(voltage, self._supply_lower, out=voltage)
        return voltage

    def _obey(self, index: int, command: ServoCommand) -> None:
        """Put the command of a controller that may drive into effect."""
        before, mode = self.mode[index], command.mode
        if (
            mode == Mode.POSITION
            and command[_BEYOND_GOAL:] == self._held[index]
            and command.position == command.position
        ):
            # The usual tick: only the goal is new, and the watchdog is fed.
            self._goal[index] = command.position
            self._feed(index, command)
            return
        if mode != before and mode in WATCHED and not command.ignore_bounds:
            fault = self._outside_bounds(index)
            if fault:
                self.trip(index, fault)
                return
        self.mode[index] = mode
        self.driving[index] = mode not in _OPEN
        self._within.discard(index)
        if mode == Mode.POSITION:
            self._obey_position(index, command, starting=before != Mode.POSITION)
        elif mode == Mode.STAY_WITHIN:
            self._damp(index, 0.0)
            self._push(index, command)
            self._within.add(index)
            self._feed(index, command)
        elif mode == Mode.TIMEOUT:
            self._time_out(index, command)
        else:
            self._set_due(index, math.inf)
            self._damp(index, command.kd_scale if mode == Mode.ZERO_VELOCITY else 0.0)
            self._closed_loop[index] = mode == Mode.ZERO_VELOCITY
            if mode == Mode.CURRENT:
                constant = self.configs[index].torque_constant_nm_per_a
                pull = command._replace(feedforward=constant * command.q_current)
                self._push(index, pull._replace(maximum_torque=math.nan))

    def _obey_position(self, index: int, command: ServoCommand, starting: bool) -> None:
        speed, accel = self._limits(index, command)
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
        self._kp[index] = self.configs[index].kp_nm_per_rev * finite(command.kp_scale)
        self._kd[index] = self.configs[index].kd_nm_s_per_rev * finite(command.kd_scale)
        self._feedforward[index] = finite(command.feedforward)
        self._cap(index, command.maximum_torque)
        self._feed(index, command)
        self._held[index] = None if limited or rate else command[_BEYOND_GOAL:]

    def _time_out(self, index: int, command: ServoCommand) -> None:
        """Enter mode 11: what is done in it is configured, and only STOPPED leaves it."""
        config = self.configs[index]
        self.mode[index] = Mode.TIMEOUT
        self._within.discard(index)
        if config.timeout_mode == Mode.POSITION:
            # Slows down to a stand and stays there, with the configured limits and full torque.
            self._commands[index] = ServoCommand(Mode.POSITION, position=math.nan)
            self._obey_position(index, self._commands[index], starting=True)
        elif config.timeout_mode == Mode.ZERO_VELOCITY:
            self._damp(index, command.kd_scale)
        elif config.timeout_mode == Mode.BRAKE:
            self._damp(index, 0.0)
            self._closed_loop[index] = 0.0
        else:
            self._release(index)
        self._held[index] = None
        self._due[index] = math.inf

    def _limits(self, index: int, command: ServoCommand) -> tuple[float, float]:
        """Velocity and acceleration limit in effect; NaN or negative: none."""
        speed, accel = command.velocity_limit, command.accel_limit
        speed = speed if speed == speed else self.configs[index].default_velocity_limit_rev_s
        accel = accel if accel == accel else self.configs[index].default_accel_limit_rev_s2
        return speed, accel

    def _ring(self) -> None:
        """Something was due: a controller has finished enabling, or a watchdog has expired."""
        for index, due in enumerate(self._due):
            if self.time < due - TIME_TOLERANCE:
                continue
            self._due[index] = math.inf
            command = self._commands[index]
            if self.mode[index] == Mode.ENABLING:
                self._obey(index, command)
            elif self.mode[index] in WATCHED:
                self._time_out(index, command)
        self._alarm = min(self._due) - TIME_TOLERANCE

    def _advance(self, dt: float) -> None:
        """Move the set-points of those controllers whose goal moves or is approached in time."""
        for index in self.moving:
            command = self._commands[index]
            speed, accel = self._limits(index, command)
            now = self.set_point(index)
            if speed >= 0 or accel >= 0:
                aim = advance_free(self._aims[index], math.nan, dt)
                self._aims[index] = aim
                now = advance_limited(now, aim, speed, accel, dt)
            else:
                now = advance_free(now, command.stop_position, dt)
            self._goal[index], self._rate[index] = now
