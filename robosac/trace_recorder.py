"""Keeps one episode on the robot step by step, for plots."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

from robosac.reasons import Reason
from robosac.ticks import Tick
from robosac.trace import Trace
from robosac.transition import Transition

REASONS = tuple(reason for reason in Reason if reason.value)


class TraceRecorder:
    """Keeps every policy step of one episode on the robot, for plots.

    Every single number in the task's `info` becomes a signal of the trace, and the body's tilt.

    Args:
        joint_names: the robot's joints.
    """

    def __init__(self, joint_names: tuple[str, ...]) -> None:
        self._joint_names = joint_names
        self._rows: list[dict[str, Any]] = []
        self._signals: list[dict[str, float]] = []

    def add(self, transition: Transition, info: Mapping[str, Any]) -> None:
        """Keep one step."""
        tick: Tick = info["ticks"][-1]
        state = tick.state
        self._rows.append(
            {
                "time_s": state.time,
                "joint_position": state.joints.position,
                "requested": self._goal(tick.requested),
                "executed": tick.executed,
                "action_requested": transition.requested_action,
                "action_executed": transition.executed_action,
                "reasons": sum(1 << i for i, r in enumerate(REASONS) if r in info["reasons"]),
                "torque": state.joints.torque,
                "power_w": float(state.joints.power.sum()),
                "reward": transition.reward,
            }
        )
        signals = {name: float(value) for name, value in info.items() if _is_number(value)}
        if state.imu is not None:
            signals["roll"], signals["pitch"] = state.imu.roll, state.imu.pitch
        self._signals.append(signals)

    def trace(self) -> Trace:
        """The episode as arrays."""
        names = self._rows[0].keys()
        columns = {name: np.array([row[name] for row in self._rows]) for name in names}
        columns["time_s"] = columns["time_s"] - columns["time_s"][0]
        signals = dict.fromkeys(name for row in self._signals for name in row)
        return Trace(
            **columns,
            joint_names=self._joint_names,
            reason_names=tuple(str(reason.name).lower() for reason in REASONS),
            signals={
                name: np.array([row.get(name, math.nan) for row in self._signals])
                for name in signals
            },
        )

    def _goal(self, requested: object) -> np.ndarray:
        """The raw goal, rad; NaN for one that the limiter had to set aside whole."""
        shape = (len(self._joint_names),)
        if isinstance(requested, np.ndarray) and requested.shape == shape:
            return requested.astype(np.float64)
        return np.full(shape, math.nan)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
