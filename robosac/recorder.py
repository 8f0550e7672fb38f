"""Adds up one episode: speed, power, torque, limiter activity, and the trace of its joints."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from robosac.metrics import EpisodeResult
from robosac.reasons import Reason
from robosac.tasks.ends import EpisodeEnd
from robosac.ticks import Tick
from robosac.trace import Trace
from robosac.transition import Transition

REASONS = tuple(reason for reason in Reason if reason.value)
OVERHEAT = "motor_fault"


class EpisodeRecorder:
    """Takes each transition with its `info`; nothing is kept per tick but sums.

    Args:
        continuous_torque: torque above which time is counted, N m, one value for all joints.
        period: executor period, s.
    """

    def __init__(self, continuous_torque: float = math.inf, period: float = 0.0) -> None:
        self.total_reward = 0.0
        self.length = 0
        self.end: EpisodeEnd | None = None
        self.terms: dict[str, float] = {}
        self._continuous_torque, self._period = continuous_torque, period
        self._speeds: list[float] = []
        self._actions: list[np.ndarray] = []
        self._ticks = 0
        self._reasons: dict[Reason, int] = {}
        self._energy = self._work = 0.0
        self._above: np.ndarray | None = None
        self._longest_above = 0.0
        self._faults: set[tuple[str, str]] = set()

    def add(self, transition: Transition, info: dict[str, Any]) -> None:
        """Count one step."""
        self.total_reward += transition.reward
        self.length += 1
        self.end = transition.end
        for name, value in transition.terms.items():
            self.terms[name] = self.terms.get(name, 0.0) + value
        speed = info.get("forward_velocity", math.nan)
        if math.isfinite(speed):
            self._speeds.append(speed)
        self._actions.append(transition.executed_action)
        for tick in info["ticks"]:
            self._add_tick(tick)

    @property
    def speed(self) -> float | None:
        """Mean forward velocity, m/s."""
        return sum(self._speeds) / len(self._speeds) if self._speeds else None

    @property
    def power(self) -> float | None:
        """Mean electrical power, W."""
        return self._energy / self._ticks if self._ticks else None

    @property
    def mechanical_power(self) -> float | None:
        """Mean of the sum of |torque * velocity|, W: the figure published for the machine."""
        return self._work / self._ticks if self._ticks else None

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

    def result(self) -> EpisodeResult:
        """The episode as an evaluation keeps it; the episode must be over."""
        assert self.end is not None, "the episode is not over"
        return EpisodeResult(
            length=self.length,
            return_=self.total_reward,
            end=self.end,
            speed_m_s=self.speed,
            power_w=self.power,
            mechanical_power_w=self.mechanical_power,
            seconds_above_continuous_torque=self._longest_above if self._ticks else None,
            overheats=sum(name == OVERHEAT for name, _ in self._faults),
        )

    def _add_tick(self, tick: Tick) -> None:
        self._ticks += 1
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


class TraceRecorder:
    """Keeps every policy step of one episode on the robot, for plots."""

    def __init__(self, joint_names: tuple[str, ...]) -> None:
        self._joint_names = joint_names
        self._rows: list[dict[str, Any]] = []

    def add(self, transition: Transition, info: dict[str, Any]) -> None:
        """Keep one step; `info` is the walking task's."""
        tick: Tick = info["ticks"][-1]
        state = tick.state
        self._rows.append(
            {
                "time_s": state.time,
                "joint_position": state.joints.position,
                "requested": tick.requested,
                "executed": tick.executed,
                "action_requested": transition.requested_action,
                "action_executed": transition.executed_action,
                "reasons": sum(1 << i for i, r in enumerate(REASONS) if r in info["reasons"]),
                "forward_velocity": info["forward_velocity"],
                "roll": state.imu.roll if state.imu else math.nan,
                "pitch": state.imu.pitch if state.imu else math.nan,
                "torque": state.joints.torque,
                "power_w": float(state.joints.power.sum()),
                "reward": transition.reward,
            }
        )

    def trace(self) -> Trace:
        """The episode as arrays."""
        names = self._rows[0].keys()
        columns = {name: np.array([row[name] for row in self._rows]) for name in names}
        columns["time_s"] = columns["time_s"] - columns["time_s"][0]
        return Trace(
            **columns,
            joint_names=self._joint_names,
            reason_names=tuple(str(reason.name).lower() for reason in REASONS),
        )
