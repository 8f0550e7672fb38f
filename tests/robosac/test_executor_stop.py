"""The executor's stops: e-stop, errors, leaving; and that torque never stays on."""

from __future__ import annotations

import math
from typing import Any

import pytest

import robosac.course
from robosac.errors import ArmingError, NotArmedError, RobotError, SlowLimiterError
from robosac.executor import ExecutorSettings
from robosac.hal import Drive, Fault
from robosac.states import TRANSITIONS, SafetyState, allowed
from tests.robosac.executor_rig import Rig


@pytest.fixture
def rig() -> Rig:
    return Rig()


def trip_and_tick(rig: Rig) -> None:
    rig.gate.trip("button")
    rig.executor.tick()


@pytest.mark.parametrize("state", ["disarmed", "active", "hold", "damped"])
def test_estop_cuts_torque_from_every_state(rig: Rig, state: str) -> None:
    if state != "disarmed":
        rig.armed().run({"active": 1, "hold": 30, "damped": 110}[state], keep_requesting=False)
    assert rig.executor.safety.value == state
    trip_and_tick(rig)
    assert rig.executor.safety is SafetyState.FAULT
    assert rig.robot.drive is Drive.STOP
    assert rig.robot.stop_calls == 1
    assert rig.executor.faults[0].fault == Fault("estop", "gate", "button")


@pytest.mark.parametrize(("taken_s", "refused"), [(0.003, False), (0.051, True)])
def test_what_a_slow_limiter_decided_is_not_sent(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, taken_s: float, refused: bool
) -> None:
    limit, end = robosac.course.limit, rig.armed().run(3)

    def slow(*arguments: Any) -> Any:
        rig.clock.wait_until(rig.clock.now() + taken_s)
        return limit(*arguments)

    monkeypatch.setattr(robosac.course, "limit", slow)
    rig.executor.request(end.executed + 0.01)
    sent = len(rig.robot.commands)
    if not refused:
        rig.executor.tick()
        assert rig.robot.commands[-1].drive is Drive.POSITION
        return
    with pytest.raises(SlowLimiterError, match=r"0\.051 s; valid is up to 0\.05 s"):
        rig.executor.tick()
    assert len(rig.robot.commands) == sent
    assert rig.robot.drive is Drive.STOP
    assert [latched.fault.source for latched in rig.executor.faults] == ["SlowLimiterError"]


def test_estop_while_arming_leaves_torque_off(rig: Rig) -> None:
    original = rig.robot.exchange

    def trip(command: object, deadline: float) -> object:
        if len(rig.robot.commands) == 10:
            rig.gate.trip("button")
        return original(command, deadline)  # pyright: ignore[reportArgumentType]

    rig.robot.exchange = trip  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ArmingError, match="e-stop tripped while arming"):
        rig.executor.arm()
    assert rig.executor.safety is SafetyState.FAULT
    assert rig.robot.drive is Drive.STOP


def test_leaving_an_estop_takes_reset_clear_and_arm(rig: Rig) -> None:
    trip_and_tick(rig.armed())
    with pytest.raises(ArmingError, match="estop"):
        rig.executor.arm()
    with pytest.raises(NotArmedError, match="reset the gate"):
        rig.executor.clear("estop")
    rig.gate.reset()
    assert rig.run(3).safety is SafetyState.FAULT
    with pytest.raises(NotArmedError, match="latched are: estop"):
        rig.executor.clear("overspeed")
    rig.executor.clear("estop")
    assert rig.run(3).safety is SafetyState.DISARMED
    assert rig.robot.drive is Drive.STOP
    rig.executor.arm()
    assert rig.run(1).safety is SafetyState.ACTIVE


def test_arming_with_a_tripped_gate_touches_nothing(rig: Rig) -> None:
    rig.gate.trip("button")
    with pytest.raises(ArmingError, match="button"):
        rig.executor.arm()
    assert rig.robot.configured == 0


@pytest.mark.parametrize("error", [OSError("bus"), ZeroDivisionError("bug"), KeyboardInterrupt()])
def test_any_error_in_a_tick_cuts_torque_and_is_raised(rig: Rig, error: BaseException) -> None:
    rig.armed().robot.raises = error
    with pytest.raises(type(error)):
        rig.executor.tick()
    assert rig.executor.safety is SafetyState.FAULT
    assert rig.robot.stop_calls == 1
    assert rig.executor.faults[0].fault.source == type(error).__name__


def test_error_of_the_stop_itself_is_raised_with_its_cause(rig: Rig) -> None:
    rig.armed().robot.raises = OSError("bus")

    def broken() -> bool:
        raise ConnectionError("port gone")

    rig.robot.stop = broken
    with pytest.raises(ConnectionError, match="port gone") as caught:
        rig.executor.tick()
    assert isinstance(caught.value.__context__, OSError)
    assert rig.executor.safety is SafetyState.FAULT


def test_disarm_damps_then_stops(rig: Rig) -> None:
    rig.armed().run(5)
    before = len(rig.robot.commands)
    rig.executor.disarm()
    kinds = {command.drive for command in rig.robot.commands[before:]}
    assert kinds == {Drive.DAMP}
    assert len(rig.robot.commands) - before == pytest.approx(40, abs=1)
    assert rig.executor.safety is SafetyState.DISARMED
    assert rig.robot.stop_calls == 1


def test_unconfirmed_stop_is_a_latched_fault(rig: Rig) -> None:
    rig.armed().robot.stops = False
    with pytest.raises(RobotError, match="read back"):
        rig.executor.disarm()
    assert rig.executor.safety is SafetyState.FAULT
    with pytest.raises(NotArmedError, match="still not read back"):
        rig.executor.clear("stop_unconfirmed")
    rig.robot.stops = True
    rig.executor.clear("stop_unconfirmed")
    assert rig.executor.safety is SafetyState.DISARMED


def test_leaving_the_block_always_ends_with_torque_off(rig: Rig) -> None:
    with rig.executor:
        rig.armed().run(3)
    assert rig.robot.drive is Drive.STOP


def test_an_error_in_the_block_stops_at_once(rig: Rig) -> None:
    rig.armed().run(3)
    before = len(rig.robot.commands)
    with pytest.raises(LookupError), rig.executor:
        raise LookupError("elsewhere")
    assert len(rig.robot.commands) == before
    assert rig.robot.drive is Drive.STOP
    assert rig.executor.safety is SafetyState.DISARMED


def test_close_disarms_and_releases_once(rig: Rig) -> None:
    rig.armed().executor.close()
    rig.executor.close()
    assert rig.robot.drive is Drive.STOP
    assert rig.robot.closed == 1


def test_close_releases_even_when_the_stop_is_not_confirmed(rig: Rig) -> None:
    rig.armed().robot.stops = False
    with pytest.raises(RobotError):
        rig.executor.close()
    assert rig.robot.closed == 1


def test_executed_command_cannot_be_changed_by_its_reader(rig: Rig) -> None:
    tick = rig.armed().run(1)
    with pytest.raises(ValueError, match="read-only"):
        tick.executed[0] = 1.0
    with pytest.raises(ValueError, match="read-only"):
        rig.executor.commanded_position[0] = 1.0


def test_disarmed_ticks_only_listen(rig: Rig) -> None:
    tick = rig.run(3)
    assert {command.drive for command in rig.robot.commands} == {Drive.STOP}
    assert tick.safety is SafetyState.DISARMED
    assert (tick.executed == tick.state.joints.position).all()
    assert rig.executor.state is tick.state


def test_transition_table_is_closed_and_has_no_way_back_by_itself() -> None:
    assert set(TRANSITIONS) == set(SafetyState)
    assert not allowed(SafetyState.DAMPED, SafetyState.ACTIVE)
    assert not allowed(SafetyState.FAULT, SafetyState.ARMING)
    assert set(TRANSITIONS[SafetyState.FAULT]) == {SafetyState.DISARMED}
    assert all(SafetyState.FAULT in TRANSITIONS[s] for s in SafetyState if s.value != "fault")
    assert {s for s in SafetyState if SafetyState.ACTIVE in TRANSITIONS[s]} == {
        SafetyState.ARMING,
        SafetyState.HOLD,
    }


@pytest.mark.parametrize(
    "broken",
    [
        {"hold_after": 0.6},
        {"damp_after": 3.0},
        {"hold_after": math.nan},
        {"deadline_share": 0.0},
        {"deadline_share": 1.1},
    ],
)
def test_settings_refuse_nonsense(broken: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="executor"):
        ExecutorSettings(**broken)  # pyright: ignore[reportArgumentType]
