"""The quadruped sets itself up: stands up, gets up after a fall, and calls a person if it cannot.

A ladder like the hand's (`turn_reset`): arm as one that may lie, look which side is down, bring the
legs under the body, stand; try again in another way; at its end a person. Every motion goes through
the executor. With `task.reset: operator` a person sets it up each time, as in arXiv 1812.05905.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from robosac.errors import ArmingError, NotArmedError, RobotError
from robosac.hal import FloatArray
from robosac.settings import WalkSection
from robosac.states import SafetyState
from robosac.tasks.driving import Driver
from robosac.tasks.falls import FallCount
from robosac.tasks.get_up import GET_UPS
from robosac.tasks.motion import Motion
from robosac.tasks.operator import Attendant
from robosac.tasks.posture import UPRIGHT_RAD, Posture, posture_of
from robosac.ticks import Tick
from robosac.watch import body_tilt

REST_S: Final = 1.5
"""How long a fallen robot is damped, at most, before torque goes and its legs hang limp, s."""
RESTING_RAD_S: Final = 0.5
"""Speed of joints below which it has come to rest, rad/s."""
LOOK_S: Final = 0.1
"""How long it holds still before its attitude is believed, s."""
NO_WAY: Final = "fallen_on_"
"""Begins what is wrong where no further attempt would help."""
PLACINGS: Final = 3
"""Times a person may set it up for one episode."""
STANCE_RAD: Final = 0.35
"""How far from the stance a joint of a standing robot may be, rad."""


class WalkReset:
    """Brings the robot to its stance, by itself or by a person's hands.

    Args:
        executor: owns the robot.
        attendant: who sets it up, or helps when the ladder has ended.
        settings: who sets up, durations, retries.
        falls: counts falls, for too many in a row are a person's affair; None: not counted, as
            where each episode's robot is another one.

    Attributes:
        operator_calls: how often a person was called for help.
        get_ups: how often it got up by itself from where it could not simply be armed.
        attempts: how many the last climb took.
    """

    def __init__(
        self,
        executor: Motion,
        attendant: Attendant,
        settings: WalkSection,
        falls: FallCount | None = None,
    ) -> None:
        self.operator_calls = self.get_ups = self.attempts = 0
        self._executor, self._attendant, self._settings = executor, attendant, settings
        self._falls = falls
        self._driver = Driver(executor, settings.control_period_s)

    @property
    def alone(self) -> bool:
        """True where the robot sets itself up."""
        return self._settings.reset == "self"

    def run(self, stance: FloatArray, seed: int) -> Tick:
        """Set up, standing by itself at `stance` (rad); the last tick.

        Args:
            stance: joint positions, rad.
            seed: what a twin's attendant draws from.

        Raises:
            ArmingError: it cannot be armed even after a person was there.
            RobotError: it does not stand even then. Torque is off.
        """
        self.stop()
        if not self.alone:
            return self.placed(stance, seed, self._faults())
        done = self._person_needed() or self.climb(stance)
        if isinstance(done, Tick):
            return done
        return self.helped(stance, seed, (done.split(":")[0],))

    def helped(self, stance: FloatArray, seed: int, causes: tuple[str, ...]) -> Tick:
        """Call a person for help, because of `causes`; otherwise like `placed`."""
        self.operator_calls += 1
        if self._falls is not None:
            self._falls.forget()
        return self.placed(stance, seed, tuple(dict.fromkeys((*self._faults(), *causes))))

    def placed(self, stance: FloatArray, seed: int, causes: tuple[str, ...]) -> Tick:
        """A person holds the body while it moves to `stance` (rad), then lets go; the last tick.

        What fails while the person is there is told, and tried again when the person says so; the
        last of PLACINGS raises what `run` says.
        """
        for placing in range(PLACINGS - 1):
            try:
                return self._placed_once(stance, seed + placing, causes)
            except (ArmingError, NotArmedError, RobotError) as error:
                # One that comes from a dead executor is raised again by its safety state.
                self.stop()
                causes = self._faults() or (str(error).split(":")[0],)
        return self._placed_once(stance, seed + PLACINGS - 1, causes)

    def _placed_once(self, stance: FloatArray, seed: int, causes: tuple[str, ...]) -> Tick:
        settings, driver = self._settings, self._driver
        self.stop()
        self._attendant.place(seed, causes)
        for name in self._faults():
            self._executor.clear(name)
        self._executor.arm()
        tick = driver.move(stance, settings.stand_up_s)
        while tick.safety is SafetyState.ACTIVE and not self._attendant.released():
            tick = driver.move(stance, settings.control_period_s)
        if tick.safety is SafetyState.ACTIVE:
            tick = driver.move(stance, settings.settle_s)
        if tick.safety is not SafetyState.ACTIVE:
            self.stop()
            raise RobotError(f"the robot did not stand up: {tick.safety}, faults {tick.faults}")
        return tick

    def stop(self) -> None:
        """Torque off, whatever still runs; before anyone touches the robot."""
        if self._executor.safety not in (SafetyState.DISARMED, SafetyState.FAULT):
            self._executor.disarm()

    def rest(self, fallen: bool) -> None:
        """An episode is over: nobody drives until the next, however long that takes.

        A robot that sets itself up is damped until it lies still first: legs that went limp in
        the middle of a fall would be thrown about.
        """
        executor = self._executor
        if fallen and self._falls is not None:
            self._falls.note(executor.state.time if executor.state else 0.0)
        if executor.safety is SafetyState.FAULT:
            return
        if self.alone and fallen:
            for _ in range(round(REST_S / executor.period)):
                if executor.safety is not SafetyState.DAMPED:
                    break
                speed = np.abs(executor.tick().state.joints.velocity)
                if (speed <= RESTING_RAD_S).all():
                    break
        if executor.safety is not SafetyState.FAULT:
            executor.disarm()

    def _faults(self) -> tuple[str, ...]:
        """Names of the latched faults, each once."""
        return tuple(dict.fromkeys(latched.fault.name for latched in self._executor.faults))

    def _person_needed(self) -> str:
        """What only a person may see to, before anything moves."""
        faults = self._faults()
        if faults:
            return faults[0]
        state = self._executor.state
        if self._falls is not None and state is not None and self._falls.too_many(state.time):
            return "falls"
        return ""

    def climb(self, stance: FloatArray) -> Tick | str:
        """Try, each time in another way, without a person.

        Returns the last tick, standing under the robot's own bounds; or what is wrong at the end,
        with torque off.
        """
        done: Tick | str = ""
        for attempt in range(self._settings.get_up_retries + 1):
            self.stop()
            self.attempts = attempt + 1
            done = self._rise(stance, attempt)
            if isinstance(done, Tick):
                return done
            if self._executor.safety is SafetyState.FAULT or done.startswith(NO_WAY):
                break
        self.stop()
        return done

    def _rise(self, stance: FloatArray, attempt: int) -> Tick | str:
        """Arm where it lies, get the legs under the body, stand: the last tick, or what is wrong.

        The first attempt spares a robot that is upright on its legs the key frames.
        """
        executor = self._executor
        try:
            executor.arm(recovering=True)
        except ArmingError as error:
            return f"arming: {error}"
        tick = self._driver.move(executor.commanded_position, LOOK_S)
        if problem := _stopped(tick):
            return problem
        if attempt == 0 and not self._leave():
            return self._stand(stance)
        if problem := self._get_up(posture_of(tick.state.imu), attempt):
            return problem
        done = self._stand(stance)
        self.get_ups += isinstance(done, Tick)
        return done

    def _get_up(self, posture: Posture, attempt: int) -> str:
        """The key frames for this posture, then the robot's own bounds again."""
        scripts = GET_UPS.get(posture, ())
        if not scripts:
            return f"{NO_WAY}{posture}: it has no way to get up from there"
        for frame in scripts[attempt % len(scripts)]:
            if problem := _stopped(self._driver.move(frame.joints, frame.seconds)):
                return problem
        return self._leave()

    def _leave(self) -> str:
        """End the recovery if the robot is upright and its legs are where they may be."""
        state = self._executor.state
        if state is None or state.imu is None or not body_tilt(state.imu) <= UPRIGHT_RAD:
            return "fallen: the body is not upright"
        try:
            self._executor.recovered()
        except ArmingError as error:
            return f"fallen: {error}"
        except NotArmedError as error:
            # It was stopped since the tick that was looked at.
            return f"stopped: {error}"
        return ""

    def _stand(self, stance: FloatArray) -> Tick | str:
        """Move to the stance and stand there: the last tick, or what is wrong then."""
        way = float(np.abs(stance - self._executor.commanded_position).max())
        seconds = max(self._settings.stand_up_s, way / self._settings.get_up_speed_rad_s)
        tick = self._driver.move(stance, seconds)
        if tick.safety is SafetyState.ACTIVE:
            tick = self._driver.move(stance, self._settings.settle_s)
        if problem := _stopped(tick):
            return problem
        state = tick.state
        tilt = body_tilt(state.imu) if state.imu else np.inf
        if not tilt <= self._settings.fall_angle_rad:
            return f"fallen: tilt {tilt:.2f} rad at the stance"
        off = float(np.abs(state.joints.position - stance).max())
        return tick if off <= STANCE_RAD else f"fallen: a joint is {off:.2f} rad off its stance"


def _stopped(tick: Tick) -> str:
    """Why the executor stopped the motion; empty while it goes on."""
    if tick.safety is SafetyState.ACTIVE:
        return ""
    names = dict.fromkeys(fault.name for fault in tick.faults)
    return f"stopped: {', '.join(names) or tick.safety.value}"
