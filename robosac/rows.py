"""A run's rows by kind, and the running figures that plots draw through them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robosac.metrics import AnyRow, EpisodeRow, EvaluationRow, LearnerRow, Number, Row, TimingRow

FloatArray = NDArray[np.float64]
MEAN_EPISODES = 10


class Rows:
    """A run's rows by kind, and the axis they share: robot minutes, or steps without a robot."""

    def __init__(self, rows: Sequence[AnyRow]) -> None:
        self.episodes = [row for row in rows if isinstance(row, EpisodeRow)]
        self.learner = [row for row in rows if isinstance(row, LearnerRow)]
        # By step: `robosac evaluate` may have judged an earlier policy later.
        self.evaluations = sorted(
            (row for row in rows if isinstance(row, EvaluationRow)), key=lambda row: row.step
        )
        self.timing = [row for row in rows if isinstance(row, TimingRow)]
        self.has_robot = any(row.robot_s > 0 for row in rows)
        self.axis_label = "robot time [min]" if self.has_robot else "environment steps"

    def axis(self, rows: Sequence[Row]) -> FloatArray:
        """Where the rows stand on the shared axis."""
        return np.array([row.robot_s / 60 if self.has_robot else row.step for row in rows])

    @property
    def has_speed(self) -> bool:
        """True where the task measures a forward velocity."""
        return any(row.speed_m_s is not None for row in [*self.episodes, *self.evaluations])

    @property
    def has_angle(self) -> bool:
        """True where the task measures an angle's error."""
        both = [*self.episodes, *self.evaluations]
        return any(row.angle_error_median_rad is not None for row in both)

    @property
    def has_ages(self) -> bool:
        """True where the task tells how old the pictures or joint values were that it showed."""
        return any(
            row.frame_age_max_s is not None or row.joint_age_max_s is not None
            for row in self.episodes
        )


def numbers(values: Sequence[Number]) -> FloatArray:
    """None becomes NaN, which plots as a gap."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def running_mean(values: FloatArray, window: int = MEAN_EPISODES) -> FloatArray:
    """Mean of each value and up to `window` - 1 before it; NaN are left out."""
    valid = np.isfinite(values)
    total = np.cumsum(np.where(valid, values, 0.0))
    count = np.cumsum(valid)
    total[window:] -= total[:-window].copy()
    count[window:] -= count[:-window].copy()
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def running_median(values: FloatArray, window: int) -> FloatArray:
    """Median of each value and up to `window` - 1 before it; NaN are left out."""
    found = np.full(len(values), np.nan)
    for index in range(len(values)):
        recent = values[max(0, index + 1 - window) : index + 1]
        known = recent[np.isfinite(recent)]
        if len(known):
            found[index] = np.median(known)
    return found
