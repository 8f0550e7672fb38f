"""How a servo's registers move its motor: torque, modes, goals and the frame of its positions.

Source: ROBOTIS e-manual, X series: Operating Mode (11) and its note on Present Position (132),
Homing Offset (20), Torque Enable (64), Bus Watchdog (98), Drive Mode (10).
"""

from __future__ import annotations

import math

from drivers.dynamixel.constants import COUNTS_PER_TURN, DriveMode, OperatingMode
from drivers.dynamixel.control_table import TABLES
from sim.firmware.dynamixel.control import ServoControl
from sim.firmware.dynamixel.law import ACTIVE_GOAL, POSITION_MODES, law_of
from sim.firmware.dynamixel.memory import ControlMemory
from sim.firmware.dynamixel.profile import (
    ACCELERATION_UNIT_COUNTS_S2,
    UNLIMITED,
    VELOCITY_UNIT_COUNTS_S,
    limits_from_registers,
)
from sim.firmware.dynamixel.rules import GAINS, PROFILE

HOMING_LIMIT_IN_POSITION_MODE = COUNTS_PER_TURN // 4
"""Homing offsets beyond it, either way, are ignored in position mode (Homing Offset (20))."""
BY_GOAL_FIRMWARE = 45
"""From it on a goal may switch torque on (Drive Mode (10))."""

_X430 = TABLES[1020].by_name
_FIRMWARE, _MODE = _X430["firmware_version"].address, _X430["operating_mode"].address
_TORQUE = _X430["torque_enable"].address
_DRIVE_MODE = _X430["drive_mode"].address
# Plain numbers: the flags' own operators take a microsecond each, and these are asked every tick.
_REVERSE, _TIME_BASED = int(DriveMode.REVERSE), int(DriveMode.TIME_BASED_PROFILE)
_BY_GOAL = int(DriveMode.TORQUE_ON_BY_GOAL)
_MODES = {int(mode): mode for mode in OperatingMode}
_GOAL_OF_MODE = {int(mode): name for mode, name in ACTIVE_GOAL.items()}
_POSITION_MODES = frozenset(int(mode) for mode in POSITION_MODES)
_PROFILE = slice(
    _X430["profile_acceleration"].address,
    _X430["profile_velocity"].address + _X430["profile_velocity"].size,
)
_NO_PROFILE = bytes(_PROFILE.stop - _PROFILE.start)


class ServoMotion:
    """The motion of servo number `index` of `control`, as its `memory` asks for.

    Attributes:
        current_scale_a: one count of its current registers, A; 0 if it measures none.
        stopped: the watchdog has stopped it; it rests until its goal is written anew.
    """

    def __init__(self, memory: ControlMemory, control: ServoControl, index: int) -> None:
        self._memory, self._control, self._index = memory, control, index
        table = memory.layout.table
        self.current_scale_a = table["goal_current"].scale if "goal_current" in table else 0.0
        self.stopped = False

    @property
    def torque(self) -> bool:
        """Register 64."""
        return self._memory.data[_TORQUE] != 0

    @property
    def mode(self) -> OperatingMode:
        """Register 11."""
        return _MODES[self._memory.data[_MODE]]

    @property
    def positioning(self) -> bool:
        """Whether its mode follows goal_position."""
        return self._memory.data[_MODE] in _POSITION_MODES

    @property
    def moving(self) -> bool:
        """Register 122: the shaft turns, or a profile is going on."""
        speed = abs(float(self._control.v[self._index]))
        threshold = self._memory["moving_threshold"] * VELOCITY_UNIT_COUNTS_S
        return speed > threshold or self._control.moving(self._index)

    def wake(self) -> None:
        """As after power-up: position within one turn, torque off, goals at rest."""
        self.stopped = False
        self._control.switch(self._index, False)
        self.set_frame()
        self.wrap()
        self._reset_goals()

    def torque_on(self) -> None:
        """Hold the shaft, then set off for the goal of the mode: wherever that is."""
        self._memory["torque_enable"] = 1
        if self.mode is OperatingMode.POSITION:
            self.wrap()
        self._control.switch(self._index, True)
        self.reload()
        if not self.stopped:
            self._pursue()

    def torque_off(self) -> None:
        """Let go of the shaft."""
        self._memory["torque_enable"] = 0
        self._control.switch(self._index, False)

    def stop(self) -> None:
        """The watchdog's stop: at once, without a profile, holding with what the mode has.

        Clearing the watchdog does not set the servo off again, writing its goal does.
        """
        self.stopped = True
        self._control.hold(self._index)
        self.reload()

    def goal_written(self, name: str, may_switch_on: bool) -> None:
        """Follow a goal that was written, if it is the one of the mode."""
        if name != _GOAL_OF_MODE[self._memory.data[_MODE]]:
            return
        self.stopped = False
        by_goal = self._memory.data[_DRIVE_MODE] & _BY_GOAL
        if self.torque:
            self._pursue()
        elif by_goal and may_switch_on and self._memory.data[_FIRMWARE] >= BY_GOAL_FIRMWARE:
            self.torque_on()

    def change_mode(self) -> None:
        """Bring gains, profile and goals to those of the new mode."""
        memory = self._memory
        for name in (*GAINS, *PROFILE):
            register = memory.layout.table[name]
            memory.put(register, register.default or 0)
        self.set_frame()
        if self.mode is OperatingMode.POSITION:
            self.wrap()
        self._reset_goals()

    def set_frame(self) -> None:
        """Count from the home and in the direction that the registers tell."""
        offset = self._memory["homing_offset"]
        if self.mode is OperatingMode.POSITION and abs(offset) > HOMING_LIMIT_IN_POSITION_MODE:
            offset = 0
        reverse = bool(self._memory.data[_DRIVE_MODE] & _REVERSE)
        self._control.set_frame(self._index, reverse, offset)

    def wrap(self) -> None:
        """Take the position back into one turn."""
        self._control.wrap(self._index)

    def clear_turns(self) -> None:
        """The same by instruction; a position goal moves along, so that nothing turns.

        What the goal does is not documented.
        """
        before = float(self._control.x[self._index])
        self.wrap()
        if self.positioning:
            shift = round(float(self._control.x[self._index]) - before)
            self._memory["goal_position"] = self._memory["goal_position"] + shift

    def reload(self) -> None:
        """Let the loop use the registers as they are now."""
        if self.torque:
            law = law_of(self._memory, self.mode, self.current_scale_a, self.stopped)
            self._control.set_law(self._index, law)

    def _pursue(self) -> None:
        """Set off for the goal of the mode."""
        memory, control, index = self._memory, self._control, self._index
        mode = memory.data[_MODE]
        if mode in _POSITION_MODES:
            goal = float(memory["goal_position"])
            if memory.data[_PROFILE] == _NO_PROFILE:
                control.go_to(index, goal, UNLIMITED)
                return
            time_based = bool(memory.data[_DRIVE_MODE] & _TIME_BASED)
            distance = goal - control.set_point(index).position
            velocity, acceleration = memory["profile_velocity"], memory["profile_acceleration"]
            limits = limits_from_registers(velocity, acceleration, time_based, distance)
            control.go_to(index, goal, limits)
        elif mode == OperatingMode.VELOCITY:
            acceleration = memory["profile_acceleration"] * ACCELERATION_UNIT_COUNTS_S2
            goal = memory["goal_velocity"] * VELOCITY_UNIT_COUNTS_S
            control.spin(index, goal, acceleration or math.inf)
        else:
            self.reload()

    def _reset_goals(self) -> None:
        """PWM and current goals at their limits, as the manual has it, the others at rest."""
        memory = self._memory
        memory["goal_pwm"] = memory["pwm_limit"]
        if "goal_current" in memory.layout.table:
            memory["goal_current"] = memory["current_limit"]
        memory["goal_velocity"] = 0
        memory["goal_position"] = int(self._control.x[self._index])
