"""The overhead tracker: late, noisy, and never the simulator's own velocity."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from drivers.tracker import PlanarFix, Tracker
from sim.plant import PlanarPose
from sim.tracker import OverheadTracker, TrackerSettings

DT = 0.001
SPEED, YAW = 0.3, 0.5


class Walker:
    """Moves straight along its heading."""

    def __init__(self) -> None:
        self.time = 0.0

    def pose(self) -> PlanarPose:
        along = SPEED * self.time
        return PlanarPose(along * math.cos(YAW), along * math.sin(YAW), YAW)


def record(tracker: OverheadTracker, walker: Walker, seconds: float) -> list[PlanarFix]:
    """Step both and return each distinct fix in the order of arrival."""
    fixes: list[PlanarFix] = []
    for step in range(round(seconds / DT)):
        walker.time = step * DT
        tracker.step(walker.time)
        fix = tracker.newest(walker.time)
        if fix is not None and (not fixes or fix is not fixes[-1]):
            assert walker.time - fix.time >= 0.05 - 1e-9
            assert walker.time - fix.time < 0.05 + 1 / 60 + 2 * DT
            fixes.append(fix)
    return fixes


def test_fixes_come_at_the_cameras_rate_and_late() -> None:
    walker = Walker()
    tracker: Tracker = OverheadTracker(walker.pose)
    assert tracker.newest(0.0) is None
    assert isinstance(tracker, OverheadTracker)
    fixes = record(tracker, walker, 10.0)
    assert len(fixes) == pytest.approx(60 * 9.95, abs=2)


def test_errors_have_the_stated_size() -> None:
    walker = Walker()
    fixes = record(OverheadTracker(walker.pose), walker, 60.0)
    x = np.array([fix.x - SPEED * fix.time * math.cos(YAW) for fix in fixes])
    yaw = np.array([fix.yaw - YAW for fix in fixes])
    assert x.std() == pytest.approx(0.002, rel=0.05)
    assert yaw.std() == pytest.approx(0.005, rel=0.05)
    assert abs(x.mean()) < 2e-4


def test_velocity_is_right_on_average_noisy_and_starts_from_rest() -> None:
    walker = Walker()
    fixes = record(OverheadTracker(walker.pose), walker, 60.0)
    assert fixes[0].forward_velocity == 0.0
    settled = np.array([fix.forward_velocity for fix in fixes[60:]])
    assert settled.mean() == pytest.approx(SPEED, abs=0.005)
    assert 0.005 < settled.std() < 0.04


def test_velocity_lags_by_the_filters_time_constant() -> None:
    walker, quiet = Walker(), replace(TrackerSettings(), position_noise_m=0.0, yaw_noise_rad=0.0)
    fixes = record(OverheadTracker(walker.pose, quiet), walker, 2.0)
    at = {round(fix.time, 2): fix.forward_velocity for fix in fixes}
    assert at[0.1] == pytest.approx(SPEED * (1 - math.exp(-1)), rel=0.1)


def test_a_restart_with_the_same_seed_repeats_to_the_bit() -> None:
    walker = Walker()
    tracker = OverheadTracker(walker.pose)
    runs: list[list[PlanarFix]] = []
    for seed in (1, 1, 2):
        tracker.reset(np.random.default_rng(seed), 0.0)
        assert tracker.newest(100.0) is None
        runs.append(record(tracker, walker, 1.0))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_unread_fixes_do_not_pile_up_and_the_newest_is_still_found() -> None:
    walker = Walker()
    tracker = OverheadTracker(walker.pose)
    for step in range(5000):
        walker.time = step * DT
        tracker.step(walker.time)
    fix = tracker.newest(walker.time)
    assert fix is not None
    assert walker.time - fix.time < 0.05 + 1 / 60 + DT


def test_yaw_wraps() -> None:
    tracker = OverheadTracker(lambda: PlanarPose(0.0, 0.0, math.pi - 1e-4))
    yaws = []
    for step in range(1000):
        tracker.step(step * DT)
        fix = tracker.newest(step * DT)
        if fix is not None:
            yaws.append(fix.yaw)
    assert all(-math.pi <= yaw <= math.pi for yaw in yaws)
    assert min(yaws) < -3.0
    assert max(yaws) > 3.0
