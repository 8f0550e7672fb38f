"""What the monitor finds reaches the executor, and what it latches stays as long as its cause."""

from __future__ import annotations

import numpy as np
import pytest

from robosac.errors import ArmingError, NotArmedError
from robosac.hal import Drive
from robosac.reasons import Reason
from robosac.requests import ExecutorSettings
from robosac.states import SafetyState
from robosac.watch import WatchSettings
from tests.robosac.executor_rig import PERIOD, Rig
from tests.robosac.fake_robot import JOINTS


def test_over_temperature_is_cleared_only_when_it_has_cooled() -> None:
    rig = Rig().armed()
    rig.robot.temperature = 79.0
    assert rig.run(1).safety is SafetyState.FAULT
    for celsius in (79.0, 71.0):
        rig.robot.temperature = celsius
        with pytest.raises(NotArmedError, match=r"valid is below 70; let it cool"):
            rig.executor.clear("over_temperature")
        with pytest.raises(ArmingError, match="over_temperature"):
            rig.executor.arm()
    # Nobody has looked since: clearing does.
    rig.robot.temperature = 69.0
    rig.executor.clear("over_temperature")
    rig.executor.arm()
    assert rig.run(3).safety is SafetyState.ACTIVE


def test_a_warm_motor_is_told_and_drives_on() -> None:
    rig = Rig().armed()
    rig.robot.temperature = 72.0
    tick = rig.run(3)
    assert tick.safety is SafetyState.ACTIVE
    assert {fault.name for fault in tick.faults} == {"motor_warm"}


@pytest.mark.parametrize(("volts", "name"), [(7.0, "under_voltage"), (51.0, "over_voltage")])
def test_a_peak_of_the_supply_cuts_within_50_ms(volts: float, name: str) -> None:
    rig = Rig().armed()
    rig.run(5)
    rig.robot.voltage = volts
    ticks = 0
    while rig.executor.safety is SafetyState.ACTIVE:
        rig.run(1)
        ticks += 1
    assert ticks * PERIOD <= 0.05
    assert rig.robot.drive is Drive.STOP
    assert [latched.fault.name for latched in rig.executor.faults] == [name] * JOINTS


def test_goals_far_off_for_long_hold_and_are_given_another_chance() -> None:
    rig = Rig(ExecutorSettings(astray_rad=0.3)).armed()
    states: list[SafetyState] = []
    reasons = Reason.NONE
    for _ in range(600):
        if rig.executor.safety in (SafetyState.ACTIVE, SafetyState.HOLD):
            rig.executor.request(np.full(JOINTS, 5.0))
        tick = rig.executor.tick()
        states.append(tick.safety)
        reasons |= tick.reasons
    first = states.index(SafetyState.HOLD)
    assert 0.5 <= first * PERIOD <= 1.0
    # What is asked for stays out of reach, so that it holds again.
    again = states.index(SafetyState.ACTIVE, first)
    assert SafetyState.HOLD in states[again:]
    assert reasons & Reason.DISTANCE
    assert rig.executor.faults == ()


def test_a_frozen_encoder_cuts_torque() -> None:
    rig = Rig(ExecutorSettings(watch=WatchSettings(freeze_ticks=4))).armed()
    rig.run(3)
    exchange = rig.robot.exchange

    def frozen(command, deadline):  # type: ignore[no-untyped-def]
        state = exchange(command, deadline)
        state.joints.position[1] = 0.0
        return state

    rig.robot.exchange = frozen  # type: ignore[method-assign]
    for _ in range(40):
        if rig.executor.safety is SafetyState.FAULT:
            break
        rig.executor.request(np.full(JOINTS, 0.8), 0.2)
        rig.executor.tick()
    assert {latched.fault.name for latched in rig.executor.faults} == {"encoder_frozen"}
    assert rig.executor.faults[0].fault.source == "joint_1"
