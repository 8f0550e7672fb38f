"""How well the joints follow, of one episode: where the robot stood, and how far it lags."""

from __future__ import annotations

import math

import numpy as np

from robosac.hal import FloatArray
from robosac.states import SafetyState
from robosac.ticks import Tick

ROLL, PITCH = "roll", "pitch"
"""The body's attitude among what `standing` tells."""
LEAST_RAD_S = 0.05
"""RMS speed of a joint's goal below which its lag is not told: it was hardly sent anywhere."""


def standing(tick: Tick, names: tuple[str, ...]) -> dict[str, float]:
    """Goal minus reading of every joint, and the body's roll and pitch, rad, as an episode begins.

    Every episode begins at the same stance, so that the policy has no part in it. What is not known
    is left out: a joint that did not answer, or was let go.

    Args:
        tick: the last of the reset.
        names: of the joints.
    """
    joints, free = tick.state.joints, _free(tick)
    error = tick.executed - joints.position
    known = joints.valid & ~free & np.isfinite(error)
    told = {name: float(error[i]) for i, name in enumerate(names) if known[i]}
    if tick.state.imu is not None:
        attitude = {ROLL: tick.state.imu.roll, PITCH: tick.state.imu.pitch}
        told |= {name: float(value) for name, value in attitude.items() if math.isfinite(value)}
    return told


class Lag:
    """How far each joint stays behind its goal, by how fast it is sent; sums, nothing per tick.

    RMS distance by RMS speed of the goal, s: a joint that follows each goal t seconds late, or a
    spring and damper that pull it, has about the same lag however fast the policy moves it.

    Args:
        period: executor period, s.
    """

    def __init__(self, period: float) -> None:
        self._period = period
        self._before: FloatArray | None = None
        self._distance: FloatArray | None = None
        self._speed: FloatArray | None = None
        self._ticks: FloatArray | None = None

    def add(self, tick: Tick) -> None:
        """Count one tick; only of a robot that follows its goals."""
        if tick.safety is not SafetyState.ACTIVE:
            self._before = None
            return
        if self._before is not None:
            speed = (tick.executed - self._before) / self._period
            error = tick.executed - tick.state.joints.position
            good = tick.state.joints.valid & ~_free(tick) & np.isfinite(error * speed)
            if self._distance is None or self._speed is None or self._ticks is None:
                self._distance, self._speed, self._ticks = np.zeros((3, len(error)))
            self._distance += np.where(good, error, 0.0) ** 2
            self._speed += np.where(good, speed, 0.0) ** 2
            self._ticks += good
        self._before = tick.executed

    def seconds(self, names: tuple[str, ...]) -> dict[str, float]:
        """The lag of every joint that was sent anywhere, s."""
        if self._distance is None or self._speed is None or self._ticks is None:
            return {}
        moved = self._speed > self._ticks * LEAST_RAD_S**2
        return {
            name: math.sqrt(self._distance[i] / self._speed[i])
            for i, name in enumerate(names)
            if moved[i]
        }


def _free(tick: Tick) -> np.ndarray:
    """Joints that were let go."""
    free = None if tick.decision is None else tick.decision.command.free
    return np.zeros(len(tick.executed), dtype=np.bool_) if free is None else free
