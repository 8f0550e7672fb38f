"""Learning to turn a valve: the hand's task of Haarnoja et al. 2018 as a Gymnasium environment.

An action is nine joint targets for the servos' own position loops (arXiv 1812.05905, 7.3), counted
from where each joint is, or, as in ROBEL, from the middle of its range. A target may run ahead of
its joint by no more than a servo can follow in one period: that is part of what an action means, so
an action counts as executed for each joint whose target the limiter let through by the period's
end. (Were a joint that got there a few ticks late recorded as a shorter action, no action near the
edge of the box would ever be recorded in fast motion, and the critic would be asked about actions
it never saw.)

The valve's servo measures the angle. It serves reset and reward; the policy sees it only without a
camera. What is not known is not made up: if the angle, or the picture, is too old or wrong, the
episode ends, truncated, with a code of its own. The hand holds where it is, and nothing is learned
from that step. Nor is anything from a step after which the camera still shows the picture of before
it: young enough to act on, it shows nothing of what the action did.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict

from robosac.errors import RobotError
from robosac.hal import FloatArray, Frame, RobotState
from robosac.observation import IMAGE, STATE, Observation
from robosac.reasons import union
from robosac.settings import TurnSection
from robosac.states import SafetyState
from robosac.tasks.driving import Driver, let_through
from robosac.tasks.ends import EpisodeEnd
from robosac.tasks.motion import Motion
from robosac.tasks.operator import Attendant
from robosac.tasks.turn_definitions import (
    CENTRE,
    FINGERS,
    RANGE,
    SEEN_BOUND,
    Goal,
    Sight,
    definition_of,
)
from robosac.tasks.turn_reset import ClawReset
from robosac.ticks import Tick

VALVE = "valve"
LOST = ("joint_lost", "joint_stale", "motor_not_released")
"""Faults of a joint that does not answer, or only with old values, or does not let go."""
CAMERA_WAIT_S = 5.0
"""How long a hand at rest waits for a picture before an episode, s."""
HOLD_S = 0.2
"""How long the hand is held where it is after a fault, before torque goes, s."""
LET_THROUGH_RAD = 0.01
"""How near to what the limiter was given a joint's executed goal counts as the same, rad."""


class ClawTurn(gymnasium.Env[Any, np.ndarray]):
    """`robosac/ClawTurn-v0` and its variants: 9 actions in [-1, 1].

    Args:
        executor: owns the hand; nine finger joints, then the valve.
        attendant: helps when the automatic reset cannot.
        settings: definition, episode, reset, reward weights.
        picture: (height, width) of the camera's picture, with which the valve's angle is not seen;
            None: no picture is.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own declaration)

    def __init__(
        self,
        executor: Motion,
        attendant: Attendant,
        settings: TurnSection,
        picture: tuple[int, int] | None = None,
    ) -> None:
        self.executor, self.attendant, self.settings = executor, attendant, settings
        self.definition = definition_of(settings)
        self.picture = picture
        self._driver = Driver(executor, settings.control_period_s)
        self.setup = ClawReset(executor, attendant, settings.reset, settings.control_period_s)
        """The automatic reset, with its counts of calls for help."""
        self.observation_space = self._space()
        self.action_space = Box(-1.0, 1.0, (FINGERS,), np.float32)
        self.ticks: list[Tick] = []
        """The executor's ticks of the last control period, oldest first."""
        self._goal = Goal(0.0, 0.0)
        self._last_action = np.zeros(FINGERS)
        self._pictured_at = -math.inf
        """Time of the picture that was observed last, s."""
        self._steps = 0
        self._over = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Set hand and valve up by themselves; see `ClawReset`.

        Raises:
            RobotError: that did not work, or the camera shows nothing.
        """
        super().reset(seed=seed)
        self._goal = self.definition.draw(self.np_random)
        self.setup.stop()
        self.attendant.begin(int(self.np_random.integers(2**31)))
        tick = self.setup.run(self._goal.start_rad, int(self.np_random.integers(2**31)))
        tick = self._await_picture(tick)
        if tick.safety is not SafetyState.ACTIVE:
            raise RobotError(f"the hand did not stay ready: {tick.safety}, faults {tick.faults}")
        self._last_action = np.zeros(FINGERS)
        self._steps, self._over = 0, False
        self.ticks = [tick]
        self._pictured_at = -math.inf
        self._shows_news(tick.state)
        sight = self._sight(tick.state)
        return self._observe(sight), {
            "angle_error": sight.error,
            "operator_calls": self.setup.operator_calls,
        }

    def step(self, action: np.ndarray) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Drive for one control period.

        Info: `terms` (reward by name), `rewarded` (False: the valve's angle or a new picture could
        not be had, so that nothing may be learned from this step), `executed_action`, `reasons`,
        `end` (EpisodeEnd or None), `angle_error` (rad; NaN if not known), `success`, `joint_age_s`
        and, with a camera, `frame_age_s` (s), `operator_calls`. Every executor tick of the period
        is in `ticks`.
        """
        if self._over:
            raise gymnasium.error.ResetNeeded("the episode is over; call reset() first")
        action = np.clip(np.asarray(action, dtype=np.float64), -1.0, 1.0)
        measured = self._measured()
        self.ticks = ticks = self._driver.drive(self._targets(action))
        tick, reasons = ticks[-1], union(tick.reasons for tick in ticks)
        executed = self._executed(tick.executed[:FINGERS], measured)
        self._last_action = np.where(let_through(tick, LET_THROUGH_RAD)[:FINGERS], action, executed)
        self._steps += 1
        fault = self._fault(tick)
        sight = self._sight(tick.state)
        terms = {} if fault else self.definition.reward(sight)
        end = fault or (
            EpisodeEnd.TRUNCATED if self._steps >= self.definition.episode_steps else None
        )
        observation = self._observe(sight)
        age = self._frame_age(tick.state)
        self._over = end is not None
        if end is not None:
            self._rest(faulty=fault is not None)
        error = math.nan if fault else sight.error
        info = {
            "terms": terms,
            "rewarded": self._shows_news(tick.state) and fault is None,
            "executed_action": self._last_action.astype(np.float32),
            "reasons": reasons,
            "end": end,
            "angle_error": error,
            "success": abs(error) < self.definition.success_rad,
            "joint_age_s": _age(tick.state, float(tick.state.joints.time.min())),
            "operator_calls": self.setup.operator_calls,
        }
        if age is not None:
            info["frame_age_s"] = age
        return observation, sum(terms.values()), False, self._over, info

    def close(self) -> None:
        self.executor.close()

    @property
    def sight(self) -> Sight:
        """What is known of hand and valve now, the valve's angle included."""
        return self._sight(self.ticks[-1].state)

    def vector(self, sight: Sight) -> np.ndarray:
        """What a policy sees that is told the valve's angle, float32."""
        seen = [self.definition.fingers_seen(sight), self.definition.valve_seen(sight)]
        return np.nan_to_num(np.concatenate(seen)).astype(np.float32)

    def _space(self) -> gymnasium.Space[Any]:
        """Bounds of what is seen; clipped to them."""
        blind = Sight(np.zeros(FINGERS), np.zeros(FINGERS), 0.0, 0.0, np.zeros(FINGERS))
        seen = self.definition.fingers_seen(blind)
        if self.picture is None:
            seen = np.concatenate([seen, self.definition.valve_seen(blind)])
        bound = np.full(len(seen), SEEN_BOUND, dtype=np.float32)
        if self.picture is None:
            return Box(-bound, bound, dtype=np.float32)
        image = Box(0, 255, (*self.picture, 3), np.uint8)
        return Dict({IMAGE: image, STATE: Box(-bound, bound, dtype=np.float32)})

    def action_to(self, targets: FloatArray) -> FloatArray:
        """The action that leads towards the fingers' `targets` (9,), rad, in [-1, 1]."""
        if self.definition.relative_actions:
            return np.clip((targets - self._measured()) / self._ahead, -1.0, 1.0)
        return np.clip((targets - CENTRE) / RANGE, -1.0, 1.0)

    def _measured(self) -> FloatArray:
        assert self.executor.state is not None
        return self.executor.state.joints.position[:FINGERS]

    @property
    def _ahead(self) -> float:
        """How far a target may run ahead of its joint, rad."""
        return self.settings.speed_rad_s * self.settings.control_period_s

    def _targets(self, action: FloatArray) -> FloatArray:
        """Joint targets (rad) of an action, near enough to the joints to be followed."""
        measured, ahead = self._measured(), self._ahead
        if self.definition.relative_actions:
            wanted = measured + ahead * action
        else:
            wanted = np.clip(CENTRE + RANGE * action, measured - ahead, measured + ahead)
        goal = self.executor.commanded_position.copy()
        goal[:FINGERS] = np.clip(wanted, CENTRE - RANGE, CENTRE + RANGE)
        return goal

    def _executed(self, joints: FloatArray, measured: FloatArray) -> FloatArray:
        """The action whose targets were `joints` (rad); may leave [-1, 1] slightly."""
        if self.definition.relative_actions:
            return (joints - measured) / self._ahead
        return (joints - CENTRE) / RANGE

    def _sight(self, state: RobotState) -> Sight:
        joints, angle = state.joints, float(state.joints.position[FINGERS])
        return Sight(
            fingers=joints.position[:FINGERS],
            speeds=joints.velocity[:FINGERS],
            angle=angle,
            error=self._goal.error(angle, self._steps * self.settings.control_period_s),
            last_action=self._last_action,
        )

    def _observe(self, sight: Sight) -> Observation:
        """What the policy sees; a picture that cannot be had is black."""
        seen = self.definition.fingers_seen(sight)
        if self.picture is None:
            seen = np.concatenate([seen, self.definition.valve_seen(sight)])
            space = self.observation_space
        else:
            assert isinstance(self.observation_space, Dict)
            space = self.observation_space[STATE]
        assert isinstance(space, Box)
        state = np.clip(np.nan_to_num(seen), space.low, space.high).astype(np.float32)
        if self.picture is None:
            return state
        frame = self._frame(self.ticks[-1].state)
        image = np.zeros((*self.picture, 3), np.uint8) if frame is None else frame.image
        return {IMAGE: image, STATE: state}

    def _frame(self, state: RobotState) -> Frame | None:
        """The camera's picture, if it is young enough and of the right size."""
        frame = None if state.camera is None else state.camera.frame
        if frame is None or not state.time - frame.time <= self.settings.frame_age_s:
            return None
        return frame if frame.image.shape[:2] == self.picture else None

    def _shows_news(self, state: RobotState) -> bool:
        """Whether the picture is another than the one observed last; True without pictures."""
        if self.picture is None:
            return True
        frame, before = self._frame(state), self._pictured_at
        if frame is not None:
            self._pictured_at = frame.time
        return frame is not None and frame.time > before

    def _frame_age(self, state: RobotState) -> float | None:
        """Of the picture, s; NaN: there is none. None: there is no camera."""
        if state.camera is None:
            return None
        frame = state.camera.frame
        return math.nan if frame is None else _age(state, frame.time)

    def _fault(self, tick: Tick) -> EpisodeEnd | None:
        """What ends the episode beside time."""
        names = {fault.name for fault in tick.faults}
        if "servo_overload" in names:
            return EpisodeEnd.SERVO_OVERLOADED
        lost = {fault.source for fault in tick.faults if fault.name in LOST}
        joints = tick.state.joints
        age = _age(tick.state, float(joints.time[FINGERS]))
        unknown = not (age <= self.settings.joint_age_s and math.isfinite(joints.position[FINGERS]))
        if "bus_dead" in names or lost - {VALVE}:
            return EpisodeEnd.COMMUNICATION_LOSS
        if lost or unknown:
            return EpisodeEnd.VALVE_LOST
        if tick.safety is not SafetyState.ACTIVE:
            return EpisodeEnd.SAFETY_STOP
        if self.picture is None or self._frame(tick.state) is not None:
            return None
        camera = tick.state.camera
        return EpisodeEnd.of_camera((camera and camera.fault) or "late")

    def _rest(self, faulty: bool) -> None:
        """Hold for a moment after a fault; then torque off, for nobody drives between episodes."""
        executor = self.executor
        if faulty and executor.safety is SafetyState.ACTIVE:
            self._driver.move(executor.commanded_position, HOLD_S)
        if executor.safety is not SafetyState.FAULT:
            # A servo that does not confirm is latched, so that a person is called before anything
            # arms again; the episode's end must be told all the same.
            with contextlib.suppress(RobotError):
                executor.disarm()

    def _await_picture(self, tick: Tick) -> Tick:
        """Rest until a picture shows the valve where it is now; the last tick."""
        if self.picture is None:
            return tick
        ready = tick.state.time
        for _ in range(round(CAMERA_WAIT_S / self.settings.control_period_s)):
            frame = self._frame(tick.state)
            if tick.safety is not SafetyState.ACTIVE or (frame and frame.time >= ready):
                return tick
            tick = self._driver.move(self.executor.commanded_position, 0.0)
        self.executor.disarm()
        fault = tick.state.camera.fault if tick.state.camera else "there is none"
        raise RobotError(
            f"the camera gave no picture younger than {self.settings.frame_age_s:g} s of the size"
            f" {self.picture} in {CAMERA_WAIT_S:g} s ({fault or 'late'}); see that it is plugged in"
        )


def _age(state: RobotState, time: float) -> float:
    """Age of what was measured at `time` (s), in whole nanoseconds; see `requests.interval`."""
    return round(state.time - time, 9)
