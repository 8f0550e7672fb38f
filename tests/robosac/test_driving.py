"""The policy's period on an executor that ticks on while the actor thinks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from robosac.states import SafetyState
from robosac.tasks.driving import Driver, let_through
from robosac.tasks.motion import Motion
from robosac.ticks import Tick
from tests.robosac.executor_rig import PERIOD, Rig
from tests.robosac.fake_robot import JOINTS

POLICY_PERIOD = 4 * PERIOD


class LateMotion:
    """An executor elsewhere: the goal misses as many ticks as the test says."""

    period = PERIOD

    def __init__(self, pattern: Tick) -> None:
        self._pattern = pattern
        self.number = 0
        self.miss = 0
        self.stop_at: int | None = None

    def request(self, goal: Any, ramp: float = 0.0) -> None:
        assert ramp == POLICY_PERIOD
        self.number += self.miss

    def tick(self) -> Tick:
        self.number += 1
        stopped = self.number == self.stop_at
        safety = SafetyState.FAULT if stopped else SafetyState.ACTIVE
        # A tick begins a little late, as on any machine.
        return replace(self._pattern, time=(self.number + 0.3) * PERIOD, safety=safety)


@pytest.fixture
def motion() -> LateMotion:
    executor = Rig().executor
    try:
        return LateMotion(executor.tick())
    finally:
        executor.close()


@pytest.fixture
def driver(motion: LateMotion) -> Driver:
    return Driver(cast(Motion, motion), POLICY_PERIOD)


def periods(driver: Driver, motion: LateMotion, misses: list[int]) -> list[int]:
    """Ticks from each period's end to the next one's."""
    ends = []
    for miss in misses:
        motion.miss = miss
        driver.drive(np.zeros(JOINTS))
        ends.append(motion.number)
    return np.diff([0, *ends]).tolist()


def test_a_goal_in_time_has_its_whole_period(driver: Driver, motion: LateMotion) -> None:
    assert periods(driver, motion, [0] * 3) == [4, 4, 4]


def test_a_goal_that_misses_a_tick_or_two_does_not_stretch_the_period(
    driver: Driver, motion: LateMotion
) -> None:
    assert periods(driver, motion, [0, 1, 1, 2, 0, 1]) == [4, 4, 4, 4, 4, 4]


def test_after_more_than_half_a_period_a_whole_one_begins(
    driver: Driver, motion: LateMotion
) -> None:
    assert periods(driver, motion, [0, 3, 0, 40, 0]) == [4, 7, 4, 44, 4]


def test_the_first_period_is_whole_however_long_nobody_drove(
    driver: Driver, motion: LateMotion
) -> None:
    assert periods(driver, motion, [2, 0]) == [6, 4]


def test_a_robot_that_stops_ends_the_period(driver: Driver, motion: LateMotion) -> None:
    motion.stop_at = 2
    ticks = driver.drive(np.zeros(JOINTS))
    assert [tick.safety for tick in ticks] == [SafetyState.ACTIVE, SafetyState.FAULT]
    motion.stop_at = motion.number + 2
    motion.miss = 1
    assert len(driver.drive(np.zeros(JOINTS))) == 1, "the first tick of a late goal may stop too"


def test_what_was_let_through_is_told_joint_by_joint(motion: LateMotion) -> None:
    tick = motion.tick()
    asked = tick.executed.copy()
    asked[0] += 0.02
    told = let_through(replace(tick, target=asked), 0.01)
    assert told.tolist() == [False] + [True] * (len(asked) - 1)
    assert not let_through(replace(tick, target=None), 0.01).any()
    assert not let_through(replace(tick, target="walk"), 0.01).any()
