"""The hand sets itself up: fingers home, valve to its start angle, and what to do if that fails.

The ladder of ROBEL's hardware reset (Ahn et al. 2019, arXiv 1909.11639): try, look, disentangle,
try again, and only at its end call a person. Every motion goes through the executor.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from robosac.errors import ArmingError, RobotError
from robosac.hal import BoolArray, FloatArray
from robosac.settings.claw import ResetSection
from robosac.states import SafetyState
from robosac.tasks.driving import Driver
from robosac.tasks.motion import Motion
from robosac.tasks.operator import Attendant
from robosac.tasks.turn_definitions import FINGERS, HOME, wrapped
from robosac.ticks import Tick

SPREAD_RAD: Final = 0.45
"""Where base joints go first when fingers are caught in each other, rad."""
STAGE_S: Final = 0.75
"""Time for each stage of disentangling, s (ROBEL)."""
FREE_SETTLE_S: Final = 0.1
"""How long the valve is watched after it was let go, s."""


class ClawReset:
    """Brings hand and valve to where an episode begins.

    Args:
        executor: owns the robot; its first nine joints are the fingers', the tenth is the valve.
        attendant: who helps when the ladder has ended, or a fault is latched.
        settings: speeds, tolerance, retries.
        period_s: control period, s.

    Attributes:
        operator_calls: how often a person was called.
        disentangled: how often fingers were disentangled.
    """

    def __init__(
        self, executor: Motion, attendant: Attendant, settings: ResetSection, period_s: float
    ) -> None:
        self.operator_calls = self.disentangled = 0
        self._executor, self._attendant, self._settings = executor, attendant, settings
        self._driver = Driver(executor, period_s)
        self._ready: Tick | None = None
        joints = len(executor.limits.names)
        self._nobody: BoolArray = np.zeros(joints, dtype=np.bool_)
        self._fingers, self._valve = self._nobody.copy(), self._nobody.copy()
        self._fingers[:FINGERS], self._valve[FINGERS] = True, True

    def run(self, start_rad: float, seed: int) -> Tick:
        """Set up with the valve at `start_rad` and free; the last tick.

        Args:
            start_rad: the valve's angle, rad.
            seed: what a twin's attendant draws from.

        Raises:
            RobotError: it did not work even after a person was there; the message says what is
                wrong. Torque is off.
        """
        self.stop()
        self._settle_faults(seed)
        problem = self._climb(start_rad)
        if problem:
            self.stop()
            self._call(seed, self._latched() or (problem.split(":")[0],))
            problem = self._climb(start_rad)
        if problem:
            self.stop()
            raise RobotError(f"the hand could not be set up: {problem}")
        assert self._ready is not None
        return self._ready

    def stop(self) -> None:
        """Torque off, whatever still runs; before the attendant touches anything."""
        if self._executor.safety not in (SafetyState.DISARMED, SafetyState.FAULT):
            self._executor.disarm()

    def _settle_faults(self, seed: int) -> None:
        """Latched faults are a person's affair."""
        if faults := self._latched():
            self._call(seed, faults)

    def _latched(self) -> tuple[str, ...]:
        """Faults by name, each once, in the order they came."""
        return tuple(dict.fromkeys(latched.fault.name for latched in self._executor.faults))

    def _call(self, seed: int, faults: tuple[str, ...]) -> None:
        """Call a person, who sees to the causes of `faults`."""
        self.operator_calls += 1
        self._attendant.place(seed, faults)
        for name in sorted(self._latched()):
            self._executor.clear(name)

    def _climb(self, start_rad: float) -> str:
        """Try, and disentangle before each further try; what is wrong at the end, or empty."""
        problem = ""
        for attempt in range(self._settings.retries + 1):
            if attempt:
                self._disentangle()
            problem = self._arm() or self._set_up(start_rad) or self._let_go_of_valve()
            if not problem or self._executor.safety is SafetyState.FAULT:
                break
        return problem

    def _arm(self) -> str:
        if self._executor.safety is SafetyState.ACTIVE:
            return ""
        self.stop()
        try:
            self._executor.arm()
        except ArmingError as error:
            return f"arming: {error}"
        return ""

    def _set_up(self, start_rad: float) -> str:
        """Fingers home, valve to its angle; what is wrong with where they are then."""
        settings, here = self._settings, self._executor.commanded_position
        goal = np.concatenate([HOME, here[FINGERS:]])
        way = float(np.abs(goal - here).max())
        tick = self._driver.move(goal, way / settings.finger_speed_rad_s + settings.settle_s / 2)
        # The short way round.
        way = wrapped(start_rad - float(here[FINGERS]))
        goal[FINGERS] = here[FINGERS] + way
        if tick.safety is SafetyState.ACTIVE:
            tick = self._driver.move(goal, abs(way) / settings.valve_speed_rad_s)
        if tick.safety is SafetyState.ACTIVE:
            tick = self._driver.move(goal, settings.settle_s)
        return self._problem(tick, goal)

    def _problem(self, tick: Tick, goal: FloatArray) -> str:
        if tick.safety is not SafetyState.ACTIVE:
            return _stopped(tick)
        joints = tick.state.joints
        off = np.abs(joints.position - goal)
        if (off <= self._settings.tolerance_rad).all():
            return ""
        worst = int(np.argmax(np.where(np.isfinite(off), off, math.inf)))
        name = self._executor.limits.names[worst]
        return (
            f"{name}_stuck: {joints.position[worst]:.3f} rad in place of {goal[worst]:.3f}, valid"
            f" is within {self._settings.tolerance_rad:.3f}"
        )

    def _disentangle(self) -> None:
        """Everybody lets go; then bases spread, middles rise, tips fold, one after the other."""
        if self._executor.safety is not SafetyState.ACTIVE:
            return
        self.disentangled += 1
        self._executor.free(self._fingers | self._valve)
        self._driver.move(self._executor.commanded_position, self._settings.let_go_s)
        if self._executor.safety is not SafetyState.ACTIVE:
            return
        self._executor.free(self._nobody)
        goal = self._executor.commanded_position.copy()
        for part, angle in enumerate((SPREAD_RAD, HOME[1], HOME[2])):
            goal[part:FINGERS:3] = angle
            if self._driver.move(goal, STAGE_S).safety is not SafetyState.ACTIVE:
                return

    def _let_go_of_valve(self) -> str:
        """The valve turns freely from here on; what is wrong if it does not, or empty."""
        executor = self._executor
        executor.free(self._valve)
        self._ready = tick = self._driver.move(executor.commanded_position, FREE_SETTLE_S)
        return "" if tick.safety is SafetyState.ACTIVE else _stopped(tick)


def _stopped(tick: Tick) -> str:
    """Why the executor is not ACTIVE."""
    causes = "; ".join(str(fault) for fault in tick.faults) or tick.safety.value
    return f"stopped: {causes}"
