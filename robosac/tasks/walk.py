"""Learning to walk: the quadruped task of Haarnoja et al. 2018 as a Gymnasium environment.

State: "the current and past five observations and actions", since latency and contacts make the
system non-Markovian; yaw is left out, for it drifts and does not matter. The environment drives the
robot only through the executor, and reads nothing that the robot does not sense.

The forward velocity comes from an overhead tracker, which may lose the robot. What it would have
been is then not known, and calling it 0 m/s would teach that the last steps were bad ones. So a
step without a young enough fix ends the episode, truncated: the robot could have walked on, so the
value of where it is must not be cut. The step itself is marked as not `rewarded` and nothing is
learned from it; all steps before it are as good as any.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from robosac.errors import RobotError
from robosac.hal import RobotState
from robosac.reasons import union
from robosac.settings import WalkSection
from robosac.states import SafetyState
from robosac.tasks.driving import Driver, let_through
from robosac.tasks.ends import EpisodeEnd
from robosac.tasks.falls import FallCount
from robosac.tasks.legs import FRONT_LEGS, FloatArray, joints_from_legs, legs_from_joints
from robosac.tasks.motion import Motion
from robosac.tasks.operator import Attendant
from robosac.tasks.walk_reset import WalkReset
from robosac.tasks.walk_reward import walk_reward
from robosac.ticks import Tick

OBSERVATION_BOUNDS = np.array([2 * np.pi] * 8 + [np.pi] * 2 + [50.0] * 2)
"""Eight joint angles (rad), roll, pitch (rad), roll rate, pitch rate (rad/s); clipped to +-."""
OBSERVATION_SIZE = len(OBSERVATION_BOUNDS)
ACTION_SIZE = 8
"""Swing of each leg, then extension of each leg."""
ACTION_BOUND = 10.0
"""Of an executed action; the joint limits keep it well inside."""
SAME_RAD = 1e-6
"""How near to what the limiter was given a joint's executed goal is the same, rad: rounding."""
TRACKER_LOST = "tracker_lost"
TRACKER_WAIT_S = 5.0
"""How long a standing robot waits for the tracker to see it before an episode, s: a camera that was
lost is opened again in less."""


class MinitaurWalk(gymnasium.Env[np.ndarray, np.ndarray]):
    """`robosac/MinitaurWalk-v0`: walk forward; 8 actions in [-1, 1], 112 observations.

    Args:
        executor: owns the robot.
        operator: sets the robot up between episodes, or helps where it does so itself.
        settings: episode, action box, reset, reward weights.
        falls: see `WalkReset`.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 (Gymnasium's own declaration)

    def __init__(
        self,
        executor: Motion,
        operator: Attendant,
        settings: WalkSection,
        falls: FallCount | None = None,
    ) -> None:
        self.executor, self.operator, self.settings = executor, operator, settings
        self.setup = WalkReset(executor, operator, settings, falls)
        """How it comes to stand, with counts of calls for help."""
        self._driver = Driver(executor, settings.control_period_s)
        bounds = np.concatenate(
            [
                np.tile(OBSERVATION_BOUNDS, settings.history + 1),
                np.full(ACTION_SIZE * settings.history, ACTION_BOUND),
            ]
        ).astype(np.float32)
        self.observation_space = Box(-bounds, bounds, dtype=np.float32)
        self.action_space = Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)
        self._observations: deque[FloatArray] = deque(maxlen=settings.history + 1)
        self._actions: deque[FloatArray] = deque(maxlen=max(settings.history, 3))
        self.ticks: list[Tick] = []
        """The executor's ticks of the last control period, oldest first."""
        self._steps = 0
        self._over = True

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        settings, setup = self.settings, self.setup
        stance = self.joints_from_action(np.zeros(ACTION_SIZE))
        if setup.alone:
            setup.stop()
            self.operator.begin(int(self.np_random.integers(2**31)))
        seed_of_help = int(self.np_random.integers(2**31))
        tick = self._await_tracker(setup.run(stance, seed_of_help), stance)
        if setup.alone and self._velocity(tick.state) is None:
            # It may have walked out of the picture, which takes a person's hands.
            tick = self._await_tracker(setup.helped(stance, seed_of_help, (TRACKER_LOST,)), stance)
        if tick.safety is not SafetyState.ACTIVE:
            setup.stop()
            raise RobotError(f"the robot did not stay up: {tick.safety}, faults {tick.faults}")
        if self._velocity(tick.state) is None:
            self.executor.disarm()
            raise RobotError(
                f"the overhead tracker gave no fix younger than {settings.tracker_age_s:g} s in"
                f" {TRACKER_WAIT_S:g} s, and walking is rewarded by it; see that the camera is"
                " there, and the robot's marker in its picture"
            )
        self._observations.extend([self._sense(tick.state)] * (settings.history + 1))
        self._actions.extend([np.zeros(ACTION_SIZE)] * max(settings.history, 3))
        self._steps, self._over = 0, False
        self.ticks = [tick]
        return self._stacked(), self._helps()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Drive for one control period.

        Info: `terms` (reward by name), `rewarded` (False: a term could not be measured and is left
        out), `executed_action`, `reasons`, `end` (EpisodeEnd or None), `forward_velocity` (m/s; NaN
        if not known); where the robot sets itself up, `operator_calls` and `get_ups`. Every
        executor tick of the period is in `self.ticks`.
        """
        if self._over:
            raise gymnasium.error.ResetNeeded("the episode is over; call reset() first")
        action = np.asarray(action, dtype=np.float64)
        self.ticks = ticks = self._driver.drive(self.joints_from_action(action))
        state = ticks[-1].state
        executed = self._executed(action, ticks[-1])
        self._observations.append(self._sense(state))
        self._actions.append(executed)
        self._steps += 1
        velocity = self._velocity(state)
        terms = walk_reward(
            self.settings.reward,
            velocity,
            float(self._observations[-1][9]),
            state.joints.position,
            np.array(self._actions)[-3:],
        )
        end = self._end(state, ticks[-1], velocity is not None)
        self._over = end is not None
        if end is not None:
            self.setup.rest(fallen=end is EpisodeEnd.TERMINATED)
        info = {
            "terms": terms,
            "rewarded": velocity is not None,
            "executed_action": executed.astype(np.float32),
            "reasons": union(tick.reasons for tick in ticks),
            "end": end,
            "forward_velocity": math.nan if velocity is None else velocity,
            **self._helps(),
        }
        terminated = end is EpisodeEnd.TERMINATED
        return self._stacked(), sum(terms.values()), terminated, self._over and not terminated, info

    def close(self) -> None:
        self.executor.close()

    def joints_from_action(self, action: FloatArray) -> FloatArray:
        """Joint targets (rad) of an action in [-1, 1]^8."""
        settings = self.settings
        swing = settings.swing_centre_rad + settings.swing_range_rad * action[:4]
        extension = settings.extension_centre_rad + settings.extension_range_rad * action[4:]
        return joints_from_legs(swing, extension)

    def action_from_joints(self, joints: FloatArray) -> FloatArray:
        """The action whose targets are `joints` (rad).

        A motor that lags behind can leave the box of actions: then slightly outside [-1, 1].
        """
        settings = self.settings
        swing, extension = legs_from_joints(joints)
        action = np.empty(ACTION_SIZE)
        action[:4] = (swing - settings.swing_centre_rad) / settings.swing_range_rad
        action[4:] = (extension - settings.extension_centre_rad) / settings.extension_range_rad
        return action

    def _executed(self, action: FloatArray, tick: Tick) -> FloatArray:
        """The action as far as it was let through; for each other leg what its joints were told."""
        legs = let_through(tick, SAME_RAD).reshape(4, 2).all(axis=1)
        return np.where(np.tile(legs, 2), action, self.action_from_joints(tick.executed))

    def _helps(self) -> dict[str, Any]:
        """How often it was helped and helped itself, where it sets itself up."""
        setup = self.setup
        if not setup.alone:
            return {}
        return {"operator_calls": setup.operator_calls, "get_ups": setup.get_ups}

    def _await_tracker(self, tick: Tick, stance: FloatArray) -> Tick:
        """Stand until the tracker sees the robot, or for TRACKER_WAIT_S; the last tick."""
        period = self.settings.control_period_s
        for _ in range(round(TRACKER_WAIT_S / period)):
            if tick.safety is not SafetyState.ACTIVE or self._velocity(tick.state) is not None:
                break
            tick = self._driver.move(stance, period)
        return tick

    def _velocity(self, state: RobotState) -> float | None:
        """Forward velocity, m/s; None: there is no fix young enough to tell it."""
        fix = state.tracker
        if fix is None or not state.time - fix.time <= self.settings.tracker_age_s:
            return None
        return fix.forward_velocity if math.isfinite(fix.forward_velocity) else None

    def _sense(self, state: RobotState) -> FloatArray:
        """One observation; an IMU that never spoke cannot pass arming."""
        imu = state.imu
        observation = np.empty(OBSERVATION_SIZE)
        observation[:8] = state.joints.position
        if imu is None:
            observation[8:] = 0.0
        else:
            observation[8:] = imu.roll, imu.pitch, imu.angular_velocity[0], imu.angular_velocity[1]
        return np.clip(observation, -OBSERVATION_BOUNDS, OBSERVATION_BOUNDS)

    def _stacked(self) -> np.ndarray:
        history = self.settings.history
        actions = list(self._actions)[len(self._actions) - history :]
        return np.concatenate([*self._observations, *actions]).astype(np.float32)

    def _fallen(self, state: RobotState) -> bool:
        """True for a tilted body, and for front legs folded back under it.

        The second is what the paper calls the commonest failure that needs a person's hand.
        """
        swing, _ = legs_from_joints(state.joints.position)
        folded = float(swing[list(FRONT_LEGS)].min()) < -self.settings.fold_angle_rad
        tilted = state.imu is not None and state.imu.tilt > self.settings.fall_angle_rad
        return folded or tilted

    def _end(self, state: RobotState, tick: Tick, rewarded: bool) -> EpisodeEnd | None:
        if self._fallen(state):
            return EpisodeEnd.TERMINATED
        if tick.safety is not SafetyState.ACTIVE:
            return EpisodeEnd.SAFETY_STOP
        if not rewarded:
            return EpisodeEnd.SENSOR_LOST
        if self._steps >= self.settings.episode_steps:
            return EpisodeEnd.TRUNCATED
        return None
