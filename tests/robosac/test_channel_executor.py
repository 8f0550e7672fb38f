"""Signs of life of an actor at the other end of the channel, on a clock that tests move."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from robosac.channel import Channel
from robosac.channel_executor import ChannelExecutor
from robosac.channel_layout import Layout
from robosac.estop import EStopGate
from robosac.reasons import Reason
from robosac.requests import ExecutorSettings
from robosac.states import SafetyState
from robosac.ticks import Tick
from tests.robosac.executor_rig import PERIOD
from tests.robosac.fake_robot import JOINTS, FakeRobot, ManualClock

SILENCE_S = 0.08


class Ends:
    """Both ends of one channel."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.channel = Channel.create(Layout(JOINTS))
        # Only the silence shall hold it here, not the age of a goal.
        settings = replace(
            ExecutorSettings(), silence=SILENCE_S, hold_after=5.0, damp_after=6.0, stop_after=7.0
        )
        robot = FakeRobot(self.clock)
        self.executor = ChannelExecutor(
            robot, self.clock, EStopGate(), PERIOD, settings, self.channel
        )
        self.executor.arm()
        self.channel.put_request(1, np.zeros(JOINTS), 0.0, self.clock.now())

    def run(self, seconds: float, looking: bool) -> list[Tick]:
        ticks: list[Tick] = []
        for _ in range(round(seconds / PERIOD)):
            if looking:
                self.channel.put_pulse(self.clock.now())
            ticks.append(self.executor.tick())
        return ticks


@pytest.fixture
def ends() -> Iterator[Ends]:
    both = Ends()
    yield both
    both.executor.close()
    both.channel.close()


def test_an_actor_that_looks_is_followed_however_long_its_goal_takes(ends: Ends) -> None:
    assert {tick.safety for tick in ends.run(1.0, looking=True)} == {SafetyState.ACTIVE}


def test_an_actor_that_stops_looking_holds_the_robot_in_time(ends: Ends) -> None:
    ends.run(0.2, looking=True)
    stopped_at = ends.clock.now()
    ticks = ends.run(0.2, looking=False)
    held = [tick for tick in ticks if tick.safety is SafetyState.HOLD]
    assert SILENCE_S - PERIOD <= held[0].time - stopped_at <= SILENCE_S + 2 * PERIOD
    assert ticks[-1].safety is SafetyState.HOLD
    assert ticks[-1].reasons & Reason.AGE
    assert ends.run(0.1, looking=True)[-1].safety is SafetyState.ACTIVE


def test_arming_counts_as_a_look(ends: Ends) -> None:
    ends.run(0.5, looking=False)
    ends.executor.disarm()
    ends.executor.arm()
    assert ends.run(SILENCE_S / 2, looking=False)[-1].safety is SafetyState.ACTIVE


@pytest.mark.parametrize("lead_s", [1.0, math.inf, math.nan])
def test_a_time_that_has_not_come_is_no_look(ends: Ends, lead_s: float) -> None:
    ends.channel.put_pulse(ends.clock.now() + lead_s)
    assert ends.run(0.2, looking=False)[-1].safety is SafetyState.HOLD


@pytest.mark.parametrize("made_s", [0.0, 0.3 * PERIOD, 0.9 * PERIOD])
def test_a_goal_is_reached_in_the_same_steps_wherever_in_a_tick_it_was_made(
    ends: Ends, made_s: float
) -> None:
    ends.run(0.2, looking=True)
    start = ends.executor.commanded_position
    goal = start + 0.004
    ends.channel.put_request(2, goal, 4 * PERIOD, ends.clock.now() + made_s - PERIOD)
    ticks = ends.run(4 * PERIOD, looking=True)
    shares = [float((np.asarray(tick.target) - start)[0] / 0.004) for tick in ticks]
    np.testing.assert_allclose(shares, [0.25, 0.5, 0.75, 1.0], atol=1e-6)
