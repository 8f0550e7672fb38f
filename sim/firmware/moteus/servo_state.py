"""The state of a row of moteus controllers: options, gains, limits, and what bounds them.

Source of the behaviour: mjbots/moteus fw/bldc_servo.cc and fw/bldc_servo_control.h (revision
db1a762).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from drivers.moteus.registers import FaultCode, Mode
from sim.firmware.moteus.config import MoteusConfig, ServoCommand
from sim.firmware.moteus.trajectory import SetPoint

FloatArray = NDArray[np.float64]

RADIANS_PER_TURN = 2.0 * math.pi
LARGEST_BOUND_REV = 32768.0
"""A position bound beyond this is fault 48."""
TIME_TOLERANCE = 1e-9
"""Closer than this to a due time it has come: rounding, not time left, s."""
OFF = (Mode.STOPPED, Mode.FAULT)
WATCHED = (Mode.POSITION, Mode.STAY_WITHIN)
"""Modes that the watchdog ends, and that may not start outside the position bounds."""


class ServoState:
    """`count` controllers, each with its own options, mode, gains, set-point and limits.

    Attributes:
        configs: the options of each; change them with `configure`.
        mode: `Mode` of each.
        fault: `FaultCode` of each; 0 while there is none.
        driving: shape (count,); False where the phases are open. Changes in place.
        moving: those whose set-point moves by itself.
        torque: what each control law asked for in the last step, N m. Changes in place.
        time: s since power came.
    """

    def __init__(self, count: int, config: MoteusConfig) -> None:
        self.configs = [config] * count
        self._count = count
        self._torque_limit = [0.0] * count
        self._volts_per_nm, self._volts_s_per_rev = np.zeros(count), np.zeros(count)
        self.driving = np.zeros(count, dtype=np.bool_)
        self.torque = np.zeros(count)
        self._goal, self._rate, self._position = (np.zeros(count) for _ in range(3))
        self._kp, self._kd, self._feedforward = (np.zeros(count) for _ in range(3))
        self._upper, self._lower = np.zeros(count), np.zeros(count)
        self._closed_loop = np.zeros(count)
        self._voltage, self._scratch, self._velocity = (np.zeros(count) for _ in range(3))
        self._supply_upper, self._supply_lower = np.zeros(count), np.zeros(count)
        self._held: list[tuple[float, ...] | None] = [None] * count
        """What each position command said besides its goal, where nothing else is going on."""
        self._bounded: set[int] = set()
        self._pushed_back: set[int] = set()
        self._derated: set[int] = set()
        self._any_closed_loop = False
        self.warm_from_c = math.inf
        """No controller minds a temperature up to this, degrees C."""
        for index in range(count):
            self.configure(index, config)
        self.power_cycle()

    def configure(self, index: int, config: MoteusConfig) -> None:
        """Give one controller other options; gains and limits hold from its next command on."""
        self.configs[index] = config
        constant = config.torque_constant_nm_per_a
        self._volts_per_nm[index] = config.phase_resistance_ohm / constant
        # Back-EMF per revolution/s, which a closed current loop makes up for.
        self._volts_s_per_rev[index] = (
            0.0 if config.voltage_mode_control else constant * RADIANS_PER_TURN
        )
        self._any_closed_loop = not all(each.voltage_mode_control for each in self.configs)
        self._torque_limit[index] = config.max_current_a * constant
        self._derated.discard(index)
        self._held[index] = None
        self._supply = math.nan
        if math.isnan(config.position_min_rev) and math.isnan(config.position_max_rev):
            self._bounded.discard(index)
            self._pushed_back.discard(index)
        else:
            self._bounded.add(index)
        self.warm_from_c = min(
            each.fault_temperature_c - each.temperature_margin_c for each in self.configs
        )

    def power_cycle(self) -> None:
        """Every controller as it wakes up: stopped, without fault, command registers at default."""
        count = self._count
        self.mode: list[int] = [Mode.STOPPED] * count
        self.fault: list[int] = [FaultCode.NONE] * count
        self._commands = [ServoCommand()] * count
        self._held = [None] * count
        self._asked_cap = [math.nan] * count
        self._limit_code = [FaultCode.LIMIT_MAX_CURRENT] * count
        self._due = [math.inf] * count
        self._alarm = math.inf
        self.time = 0.0
        self.awake_since = [0.0] * count
        self.moving: set[int] = set()
        self._within: set[int] = set()
        self._pushed_back.clear()
        self._aims = [SetPoint(0.0, 0.0)] * count
        self._supply = math.nan
        self._supply_faults = [FaultCode.NONE] * count
        self._supply_bad = False
        self._position.fill(0.0)
        self._velocity.fill(0.0)
        for index in range(count):
            self._release(index)

    def trip(self, index: int, code: int) -> None:
        """Go into fault with `code`; latched until STOPPED is commanded."""
        self.mode[index], self.fault[index] = Mode.FAULT, code
        self._release(index)

    def limiting(self, index: int) -> int:
        """The fault register: the fault, or which limit holds the output back, or 0."""
        if self.fault[index] or not self.driving[index]:
            return self.fault[index]
        if index in self._pushed_back:
            return FaultCode.LIMIT_POSITION_BOUNDS
        at_limit = abs(self.torque[index]) >= self._upper[index] > 0.0
        return self._limit_code[index] if at_limit else FaultCode.NONE

    def set_point(self, index: int) -> SetPoint:
        """Where the control law of one controller aims."""
        return SetPoint(float(self._goal[index]), float(self._rate[index]))

    def terms(self, index: int) -> tuple[float, float, float]:
        """Proportional, derivative and feed-forward torque in the last step, N m."""
        proportional = self._kp[index] * (self._goal[index] - self._position[index])
        derivative = self._kd[index] * (self._rate[index] - self._velocity[index])
        return float(proportional), float(derivative), float(self._feedforward[index])

    def shift(self, index: int, turns: float) -> None:
        """The output's position is called `turns` more than before; nothing moves for that."""
        self._position[index] += turns
        self._goal[index] += turns
        position, velocity = self._aims[index]
        self._aims[index] = SetPoint(position + turns, velocity)

    def warm(self, index: int, temperature_c: float) -> None:
        """How hot a board is: near the limit it gives less current, beyond it is in fault."""
        config = self.configs[index]
        if temperature_c > config.fault_temperature_c and self.mode[index] not in OFF:
            self.trip(index, FaultCode.OVER_TEMPERATURE)
        start = config.fault_temperature_c - config.temperature_margin_c
        amps = config.max_current_a
        if temperature_c > start:
            share = (temperature_c - start) / config.temperature_margin_c
            amps = max(0.0, amps + share * (config.derate_current_a - amps))
            self._derated.add(index)
        elif index in self._derated:
            self._derated.remove(index)
        else:
            return
        self._torque_limit[index] = amps * config.torque_constant_nm_per_a
        self._cap(index, self._asked_cap[index])

    @property
    def any_derated(self) -> bool:
        """True while a hot controller gives less current."""
        return bool(self._derated)

    def _push(self, index: int, command: ServoCommand) -> None:
        """Give the feed-forward torque alone, within the command's torque limit."""
        self._closed_loop[index] = 1.0
        self._feedforward[index] = finite(command.feedforward)
        self._cap(index, command.maximum_torque)

    def _damp(self, index: int, kd_scale: float) -> None:
        """Resist motion; with a scale of 0 the phases are shorted, which is what a brake does."""
        self.moving.discard(index)
        self._within.discard(index)
        self._held[index] = None
        self._kp[index] = self._feedforward[index] = self._rate[index] = 0.0
        self._goal[index] = self._position[index]
        self._kd[index] = self.configs[index].kd_nm_s_per_rev * finite(kd_scale)
        self._cap(index, self.configs[index].timeout_max_torque_nm)

    def _release(self, index: int) -> None:
        self._damp(index, 0.0)
        self._closed_loop[index] = 0.0
        self._due[index] = math.inf
        self.driving[index] = False

    def _cap(self, index: int, torque: float) -> None:
        """Bound the torque by what was asked for (NaN: nothing) and by the current limit."""
        most = self._torque_limit[index]
        self._asked_cap[index] = torque
        if torque == torque and abs(torque) <= most:
            limit, code = abs(torque), FaultCode.LIMIT_MAX_TORQUE
        elif index in self._derated:
            limit, code = most, FaultCode.LIMIT_FAULT_TEMPERATURE
        else:
            limit, code = most, FaultCode.LIMIT_MAX_CURRENT
        self._upper[index], self._lower[index] = limit, -limit
        self._limit_code[index] = code

    def _feed(self, index: int, command: ServoCommand) -> None:
        """Give the watchdog the command's time."""
        timeout = command.timeout or self.configs[index].default_timeout_s
        self._set_due(index, self.time + timeout if timeout == timeout else math.inf)

    def _set_due(self, index: int, time: float) -> None:
        self._due[index] = time
        # May ring early once a due time has moved on; _ring then finds nothing to do.
        self._alarm = min(self._alarm, time - TIME_TOLERANCE)

    def _stay_within(self) -> None:
        """Where an output is outside the commanded bounds, push it back to the nearer one."""
        for index in self._within:
            command, config = self._commands[index], self.configs[index]
            position = float(self._position[index])
            violated = position < command.lower_bound or position > command.upper_bound
            below = position < command.lower_bound
            self._goal[index] = command.lower_bound if below else command.upper_bound
            self._kp[index] = violated * config.kp_nm_per_rev * finite(command.kp_scale)
            self._kd[index] = violated * config.kd_nm_s_per_rev * finite(command.kd_scale)
            if not violated:
                self._goal[index] = position

    def _outside_bounds(self, index: int) -> int:
        """The fault of starting position control where the position is, or 0."""
        if index not in self._bounded:
            return FaultCode.NONE
        config, position = self.configs[index], self._position[index]
        lowest, highest = config.position_min_rev, config.position_max_rev
        if position < lowest or position > highest:
            return FaultCode.OUTSIDE_LIMIT
        if abs(lowest) > LARGEST_BOUND_REV or abs(highest) > LARGEST_BOUND_REV:
            return FaultCode.INVALID_LIMITS
        return FaultCode.NONE

    def _hold_goals_in_bounds(self) -> None:
        """A set-point that reaches a position bound stops there."""
        for index in self._bounded:
            if self.mode[index] not in WATCHED or self._commands[index].ignore_bounds:
                continue
            config, goal = self.configs[index], self._goal[index]
            if goal < config.position_min_rev:
                self._goal[index], self._rate[index] = config.position_min_rev, 0.0
            elif goal > config.position_max_rev:
                self._goal[index], self._rate[index] = config.position_max_rev, 0.0

    def _push_back_into_bounds(self) -> None:
        """Outside the position bounds, torque that drives further out fades away."""
        self._pushed_back.clear()
        for index in self._bounded:
            if self._commands[index].ignore_bounds:
                continue
            config, torque = self.configs[index], self.torque[index]
            position = self._position[index]
            beyond = 0.0
            if position > config.position_max_rev and torque > 0.0:
                beyond = position - config.position_max_rev
            elif position < config.position_min_rev and torque < 0.0:
                beyond = config.position_min_rev - position
            if beyond > 0.0:
                self.torque[index] = torque * max(0.0, 1.0 - beyond / config.position_derate_rev)
                self._pushed_back.add(index)

    def _set_supply(self, supply_v: float) -> None:
        self._supply = supply_v
        self._supply_upper.fill(supply_v)
        self._supply_lower.fill(-supply_v)
        self._supply_faults = [
            FaultCode.UNDER_VOLTAGE
            if supply_v < config.undervoltage_v
            else FaultCode.OVER_VOLTAGE
            if supply_v > config.overvoltage_v
            else FaultCode.NONE
            for config in self.configs
        ]
        self._supply_bad = any(self._supply_faults)

    def _trip_driven(self) -> None:
        """Faults of the supply, which a stopped controller does not mind."""
        for index, code in enumerate(self._supply_faults):
            if code and self.mode[index] not in OFF:
                self.trip(index, code)


def finite(value: float) -> float:
    """A gain or torque that is not finite counts as none; what firmware does is not documented."""
    return value if math.isfinite(value) else 0.0
