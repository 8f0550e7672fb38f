"""The quadruped's ladder: arm as it lies, get up, stand; and a person at its end."""

import math

import numpy as np
import pytest

from robosac.errors import ArmingError, NotArmedError, RobosacError
from robosac.hal import Drive, Fault, JointCommand
from robosac.reasons import Reason
from robosac.settings import WalkSection
from robosac.states import SafetyState
from robosac.tasks.falls import FallCount
from robosac.tasks.get_up import GET_UPS
from robosac.tasks.posture import Posture
from robosac.tasks.walk_reset import WalkReset
from robosac.ticks import Tick
from tests.robosac.walk_rig import BACK, LEFT, NOWHERE, QUICK, STANCE, UPRIGHT, WalkRig

LIMP = STANCE + np.tile([-1.9, 1.3], 4)
"""Legs that hang where they may not be."""


def test_an_upright_robot_stands_up_without_anybody() -> None:
    rig = WalkRig()
    rig.robot.position = STANCE - 0.4
    tick = rig.reset.run(STANCE, 0)
    assert tick.safety is SafetyState.ACTIVE
    assert not tick.reasons & Reason.RECOVERING
    np.testing.assert_allclose(rig.robot.position, STANCE)
    assert rig.helper.calls == []
    assert rig.reset.get_ups == rig.reset.operator_calls == 0


def test_limp_legs_are_brought_in_by_key_frames() -> None:
    rig = WalkRig()
    rig.robot.position = LIMP
    tick = rig.reset.run(STANCE, 0)
    assert tick.safety is SafetyState.ACTIVE
    assert rig.helper.calls == []
    assert (rig.reset.get_ups, rig.reset.attempts) == (1, 1)
    powered = [c for c in rig.robot.commands if c.drive is Drive.POSITION]
    steps = np.abs(np.diff([c.position for c in powered], axis=0))
    assert steps.max() < 0.05, "the way in is a slow one"


@pytest.mark.parametrize(
    ("orientation", "cause"),
    [(LEFT, "fallen_on_left"), (BACK, "fallen_on_back"), (NOWHERE, "arming")],
)
def test_a_person_is_called_from_where_there_is_no_way_up(
    orientation: tuple[float, float, float, float], cause: str
) -> None:
    rig = WalkRig()
    rig.robot.orientation = orientation
    tick = rig.reset.run(STANCE, 0)
    assert tick.safety is SafetyState.ACTIVE
    assert rig.helper.calls == [(cause,)]
    assert rig.helper.drives == [Drive.STOP], "nothing drives when the person comes"
    assert rig.reset.operator_calls == 1
    assert rig.reset.get_ups == 0


def test_each_attempt_is_another_script_and_the_last_is_a_person() -> None:
    """A robot that stays pitched whatever its legs do."""
    rig = WalkRig()
    rig.robot.orientation = (math.cos(0.6), 0.0, math.sin(0.6), 0.0)
    goals: list[tuple[float, ...]] = []

    def note(command: JointCommand) -> None:
        if command.drive is Drive.POSITION:
            goals.append(tuple(np.round(command.position, 6)))

    rig.robot.told.append(note)
    rig.reset.run(STANCE, 0)
    assert rig.reset.attempts == QUICK.get_up_retries + 1
    for script in GET_UPS[Posture.PITCHED]:
        for frame in script:
            assert tuple(np.round(frame.joints, 6)) in goals
    assert rig.helper.calls == [("fallen",)]


def test_a_robot_that_falls_while_standing_up_is_not_called_standing() -> None:
    rig = WalkRig()

    def tip(command: JointCommand) -> None:
        if (command.max_torque > 3.0).any():
            rig.robot.orientation = (math.cos(0.3), math.sin(0.3), 0.0, 0.0)

    rig.robot.told.append(tip)
    rig.reset.run(STANCE, 0)
    assert rig.helper.calls == [("fallen",)]


def test_a_latched_fault_is_a_persons_affair_before_anything_moves() -> None:
    rig = WalkRig()
    rig.executor.arm()
    rig.robot.faults = (Fault("motor_fault", "joint_1", "test"),)
    rig.executor.tick()
    assert rig.executor.safety is SafetyState.FAULT
    count = len(rig.robot.commands)
    rig.reset.run(STANCE, 0)
    assert rig.helper.calls == [("motor_fault",)]
    assert len(rig.robot.commands) > count
    assert rig.executor.faults == ()


def test_three_falls_in_a_minute_call_a_person() -> None:
    rig = WalkRig(falls=FallCount())
    for _ in range(3):
        rig.reset.run(STANCE, 0)
        rig.robot.orientation = LEFT
        rig.executor.tick()
        assert rig.executor.safety is SafetyState.DAMPED
        rig.reset.rest(fallen=True)
        assert rig.executor.safety is SafetyState.DISARMED
        rig.robot.orientation = UPRIGHT
    rig.reset.run(STANCE, 0)
    assert rig.helper.calls == [("falls",)]
    rig.reset.run(STANCE, 0)
    assert rig.helper.calls == [("falls",)], "the person has looked"


def test_a_fallen_robot_is_damped_until_it_rests() -> None:
    rig = WalkRig()
    rig.reset.run(STANCE, 0)
    rig.robot.orientation, rig.robot.spin = LEFT, 1.0
    rig.executor.tick()
    before = rig.clock.now()
    rig.reset.rest(fallen=True)
    assert rig.executor.safety is SafetyState.DISARMED
    assert 1.4 < rig.clock.now() - before < 2.0


def trips_at(rig: WalkRig, exchange: int) -> list[int]:
    """Trip the gate before that exchange; how many commands had been sent by then."""
    sent: list[int] = []

    def trip(command: JointCommand) -> None:
        del command
        if len(rig.robot.commands) == exchange:
            rig.gate.trip("test")
            sent.append(exchange)

    rig.robot.told.append(trip)
    return sent


# Arming, its ramp, the look, each key frame, the stance and the settling of a robot that gets up.
@pytest.mark.parametrize("exchange", [0, 1, 3, 15, 30, 44, 100, 300, 440, 475, 490, 515])
def test_the_gate_stops_every_rung_and_nothing_moves_after(exchange: int) -> None:
    rig = WalkRig()
    rig.robot.position = LIMP
    sent = trips_at(rig, exchange)
    rig.helper.helps = False
    with pytest.raises(NotArmedError, match="e-stop is still tripped"):
        rig.reset.run(STANCE, 0)
    assert sent == [exchange], "the exchange was reached"
    assert all(c.drive is Drive.STOP for c in rig.robot.commands[exchange + 1 :])
    assert rig.robot.drive is Drive.STOP
    assert rig.executor.safety is SafetyState.FAULT
    with pytest.raises(RobosacError):
        rig.reset.run(STANCE, 0)
    assert all(c.drive is Drive.STOP for c in rig.robot.commands[exchange + 1 :])


@pytest.mark.parametrize("exchange", [0, 2, 10, 30, 45, 60])
def test_the_gate_stops_the_stand_up_in_a_persons_hands(exchange: int) -> None:
    rig = WalkRig(WalkSection(stand_up_s=0.1, settle_s=0.1))
    sent = trips_at(rig, exchange)
    rig.helper.helps = False
    with pytest.raises(RobosacError):
        rig.reset.run(STANCE, 0)
    assert sent == [exchange]
    assert all(c.drive is Drive.STOP for c in rig.robot.commands[exchange + 1 :])
    assert rig.executor.safety is SafetyState.FAULT


def test_a_fault_in_any_rung_ends_with_torque_off_and_a_person() -> None:
    for exchange in (15, 50, 300):
        rig = WalkRig()
        rig.robot.position = LIMP

        def overheat(command: JointCommand, rig: WalkRig = rig, at: int = exchange) -> None:
            del command
            if len(rig.robot.commands) == at:
                rig.robot.faults = (Fault("motor_fault", "joint_2", "test"),)

        rig.robot.told.append(overheat)
        rig.reset.run(STANCE, 0)
        assert len(rig.helper.calls) == 1
        assert rig.helper.drives == [Drive.STOP]


def test_a_robot_that_a_person_sets_up_each_time_is_armed_as_ever() -> None:
    rig = WalkRig(WalkSection())
    rig.robot.orientation = LEFT
    rig.helper.helps = False
    with pytest.raises(ArmingError, match="tilt"):
        rig.reset.run(STANCE, 0)
    assert rig.helper.calls == [(), ("tilt",), ("tilt",)], "told why, and asked again"
    assert all(c.drive is Drive.STOP for c in rig.robot.commands)
    assert not rig.reset.alone


def test_a_person_may_try_again_where_it_did_not_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = WalkRig(WalkSection())
    rig.robot.orientation = LEFT
    place = rig.helper.place

    def the_second_time(seed: int, faults: tuple[str, ...]) -> None:
        rig.helper.helps = bool(rig.helper.calls)
        place(seed, faults)

    monkeypatch.setattr(rig.helper, "place", the_second_time)
    assert rig.reset.run(STANCE, 0).safety is SafetyState.ACTIVE
    assert rig.helper.calls == [(), ("tilt",)]
    assert rig.helper.drives == [Drive.STOP, Drive.STOP], "torque is off whenever a person comes"


def test_what_a_climb_returns_is_a_standing_robot_or_torque_off() -> None:
    for orientation in (UPRIGHT, LEFT, BACK, NOWHERE):
        rig = WalkRig()
        rig.robot.orientation = orientation
        reset: WalkReset = rig.reset
        done = reset.climb(STANCE)
        standing = rig.executor.safety is SafetyState.ACTIVE
        assert isinstance(done, Tick) is standing is (orientation is UPRIGHT)
        assert (rig.robot.drive is Drive.STOP) is not standing
