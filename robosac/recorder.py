"""Adds up one episode: speed or angle error, power, torque, limiter activity."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from typing import Any

import numpy as np

from robosac.hal import Fault
from robosac.metrics import EpisodeResult, EpisodeRow, Number
from robosac.reasons import Reason
from robosac.tasks.ends import EpisodeEnd
from robosac.ticks import Tick
from robosac.tracking import Lag, standing
from robosac.transition import Transition

OVERHEAT = "motor_fault"


class EpisodeRecorder:
    """Takes each transition with its `info`; nothing is kept per tick but sums.

    What the task does not tell in `info` stays unknown: None.

    Args:
        continuous_torque: torque above which time is counted, N m, one value for all joints.
        period: executor period, s.
        joint_names: the robot's; without them nothing is told of how joints follow.
    """

    def __init__(
        self,
        continuous_torque: float = math.inf,
        period: float = 0.0,
        joint_names: tuple[str, ...] = (),
    ) -> None:
        self.total_reward = 0.0
        self.length = 0
        self.end: EpisodeEnd | None = None
        self.terms: dict[str, float] = {}
        self._continuous_torque, self._period = continuous_torque, period
        self._joint_names = joint_names
        self._lag = Lag(period)
        self._standing: dict[str, float] = {}
        self.success: bool | None = None
        """Whether the goal was held after the last step."""
        self.start_error: float | None = None
        """|angle error| that the reset left, rad."""
        self._last_error: float | None = None
        self._speeds: list[float] = []
        self._errors: list[float] = []
        self._frame_ages: list[float] = []
        self._joint_age: float | None = None
        self._actions: list[np.ndarray] = []
        self._last_faults: tuple[Fault, ...] = ()
        self._ticks = 0
        self._reasons: dict[Reason, int] = {}
        self._energy = self._work = 0.0
        self._above: np.ndarray | None = None
        self._longest_above = 0.0
        self._faults: set[tuple[str, str]] = set()

    def begin(self, info: Mapping[str, Any]) -> None:
        """Take what the reset told, before the first step."""
        self.start_error = _size(info, "angle_error")
        ticks = info.get("ticks")
        if ticks and self._joint_names:
            self._standing = standing(ticks[-1], self._joint_names)

    def add(self, transition: Transition, info: Mapping[str, Any]) -> None:
        """Count one step."""
        self.total_reward += transition.reward
        self.length += 1
        self.end = transition.end
        for name, value in transition.terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + value
        speed = info.get("forward_velocity", math.nan)
        if math.isfinite(speed):
            self._speeds.append(speed)
        self._add_turn(info)
        self._actions.append(transition.executed_action)
        self._last_faults = info["ticks"][-1].faults if info["ticks"] else ()
        for tick in info["ticks"]:
            self._add_tick(tick)

    @property
    def speed(self) -> float | None:
        """Mean forward velocity, m/s."""
        return sum(self._speeds) / len(self._speeds) if self._speeds else None

    @property
    def fell(self) -> bool:
        """True for a walk that ended in a fall; other tasks end otherwise."""
        return self.end is EpisodeEnd.TERMINATED and self.speed is not None

    @property
    def angle_error(self) -> float | None:
        """|angle error| after the last step, rad; None: not measured then."""
        return self._last_error

    @property
    def median_angle_error(self) -> float | None:
        """Median |angle error| over the rollout, rad."""
        return statistics.median(self._errors) if self._errors else None

    @property
    def frame_age(self) -> float | None:
        """Mean age of the camera's pictures in observations, s."""
        return sum(self._frame_ages) / len(self._frame_ages) if self._frame_ages else None

    @property
    def power(self) -> float | None:
        """Mean electrical power, W."""
        return self._per_tick(self._energy)

    @property
    def mechanical_power(self) -> float | None:
        """Mean of the sum of |torque * velocity|, W: the figure published for the machine."""
        return self._per_tick(self._work)

    @property
    def smoothness(self) -> float | None:
        """Mean |second difference| of the executed actions."""
        if len(self._actions) < 3:
            return None
        return float(np.abs(np.diff(np.array(self._actions), n=2, axis=0)).mean())

    @property
    def limited(self) -> dict[str, float]:
        """Share of ticks in which each reason was given."""
        return {str(r.name).lower(): n / self._ticks for r, n in self._reasons.items()}

    @property
    def robot_seconds(self) -> float:
        """Time the robot moved under the policy, s."""
        return self._ticks * self._period

    def result(self, seed: int | None = None) -> EpisodeResult:
        """The episode as an evaluation keeps it; the episode must be over.

        Args:
            seed: what the environment was reset with.
        """
        assert self.end is not None, "the episode is not over"
        return EpisodeResult(
            length=self.length,
            return_=self.total_reward,
            end=self.end,
            seed=seed,
            speed_m_s=self.speed,
            power_w=self.power,
            mechanical_power_w=self.mechanical_power,
            seconds_above_continuous_torque=self._longest_above if self._ticks else None,
            overheats=sum(name == OVERHEAT for name, _ in self._faults),
            start_error_rad=self.start_error,
            angle_error_rad=self.angle_error,
            angle_error_median_rad=self.median_angle_error,
            success=self.success,
            frame_age_mean_s=self.frame_age,
            frame_age_max_s=max(self._frame_ages, default=None),
        )

    def row(
        self,
        *,
        step: int,
        wall_s: float,
        robot_s: float,
        episode: int,
        operator_calls: int | None = None,
        get_ups: int | None = None,
    ) -> EpisodeRow:
        """The episode as training's metrics keep it; the episode must be over.

        Args:
            step, wall_s, robot_s: where the run stands; see `metrics.Row`.
            episode: number of the episode.
            operator_calls: times a person was called for since the run began.
            get_ups: times the robot got up by itself since the run began.
        """
        assert self.end is not None, "the episode is not over"
        return EpisodeRow(
            step=step,
            wall_s=wall_s,
            robot_s=robot_s,
            episode=episode,
            length=self.length,
            return_=self.total_reward,
            end=self.end,
            speed_m_s=self.speed,
            terms=dict(self.terms),
            limited=self.limited,
            smoothness=self.smoothness,
            start_error_rad=self.start_error,
            angle_error_rad=self.angle_error,
            angle_error_median_rad=self.median_angle_error,
            success=self.success,
            frame_age_mean_s=self.frame_age,
            frame_age_max_s=max(self._frame_ages, default=None),
            joint_age_max_s=self._joint_age,
            operator_calls=operator_calls,
            get_ups=get_ups,
            standing_rad=dict(self._standing),
            lag_s=dict(self._lag.seconds(self._joint_names)),
            faults=tuple(f"{fault.name} ({fault.source})" for fault in self._last_faults),
        )

    def _add_turn(self, info: Mapping[str, Any]) -> None:
        if "success" in info:
            self.success = bool(info["success"])
        self._last_error = _size(info, "angle_error")
        if self._last_error is not None:
            self._errors.append(self._last_error)
        age = _size(info, "frame_age_s")
        if age is not None:
            self._frame_ages.append(age)
        age = _size(info, "joint_age_s")
        if age is not None:
            self._joint_age = max(age, self._joint_age or 0.0)

    def _per_tick(self, total: float) -> Number:
        """None also where the motors do not tell."""
        return total / self._ticks if self._ticks and math.isfinite(total) else None

    def _add_tick(self, tick: Tick) -> None:
        self._ticks += 1
        if self._joint_names:
            self._lag.add(tick)
        joints = tick.state.joints
        self._energy += float(joints.power.sum())
        self._work += float(np.abs(joints.torque * joints.velocity).sum())
        if self._above is None:
            self._above = np.zeros(len(joints.torque))
        # The longest unbroken time counts: that is what the motor's own cut-off measures.
        self._above += self._period
        self._above *= np.abs(joints.torque) > self._continuous_torque
        self._longest_above = max(self._longest_above, float(self._above.max()))
        if tick.reasons:
            for reason in tick.reasons:
                self._reasons[reason] = self._reasons.get(reason, 0) + 1
        self._faults.update((fault.name, fault.source) for fault in tick.state.faults)


def _size(info: Mapping[str, Any], name: str) -> float | None:
    """Absolute value of a number in `info`; None: not there, or not finite."""
    value = abs(float(info.get(name, math.nan)))
    return value if math.isfinite(value) else None
