"""The automatic reset: it does by itself what it can, and calls a person only at the end."""

import contextlib
import math

import numpy as np
import pytest

from robosac.errors import RobosacError, RobotError
from robosac.states import SafetyState
from robosac.tasks.turn_reset import ClawReset
from sim.claw import DT, ClawTwin
from tests.robosac.turn_rig import FAITHFUL, TurnRig, make_rig

QUICK = ("task.reset.let_go_s=0.2", "task.reset.retries=2")


def watched(rig: TurnRig, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Every call for a person, with what was wrong."""
    calls: list[tuple[str, ...]] = []
    alive = rig.twin.place

    def place(seed: int, faults: tuple[str, ...] = ()) -> None:
        calls.append(faults)
        alive(seed, faults)

    monkeypatch.setattr(rig.twin, "place", place)
    return calls


@pytest.mark.parametrize("start", [-3.1, -1.0, 0.0, 2.0, 3.1])
def test_the_valve_is_driven_to_any_start_by_its_own_servo(start: float) -> None:
    rig = make_rig("claw", *FAITHFUL)
    rig.twin.begin(4)
    tick = rig.env.setup.run(start, 0)
    assert tick.safety is SafetyState.ACTIVE
    off = math.remainder(rig.twin.plant.valve_angle - start, math.tau)
    assert abs(off) < math.radians(5.0)
    assert not rig.twin.line.servo(50).motion.torque
    assert rig.env.setup.operator_calls == rig.env.setup.disentangled == 0


def test_a_stuck_valve_climbs_the_ladder_and_ends_with_a_person(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = make_rig("claw", *FAITHFUL, *QUICK)
    calls = watched(rig, monkeypatch)
    rig.twin.begin(4)
    rig.twin.jam_valve(True)
    with pytest.raises(RobotError, match="valve_stuck"):
        rig.env.setup.run(rig.twin.plant.valve_angle + 1.0, 0)
    assert calls == [("valve_stuck",)]
    assert rig.env.setup.disentangled == 4
    assert rig.env.executor.safety is SafetyState.DISARMED
    assert not any(servo.motion.torque for servo in rig.twin.line.servos)


def test_a_person_who_mends_it_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = make_rig("claw", *FAITHFUL, *QUICK)
    rig.twin.begin(4)
    rig.twin.jam_valve(True)

    def mended(seed: int, faults: tuple[str, ...] = ()) -> None:
        rig.twin.jam_valve(False)
        ClawTwin.place(rig.twin, seed, faults)

    monkeypatch.setattr(rig.twin, "place", mended)
    assert rig.env.setup.run(1.0, 0).safety is SafetyState.ACTIVE
    assert rig.env.setup.operator_calls == 1


def test_a_valve_whose_servo_does_not_let_go_is_a_persons_affair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = make_rig("claw", *FAITHFUL, *QUICK)
    calls = watched(rig, monkeypatch)
    motion = rig.twin.line.servo(50).motion
    monkeypatch.setattr(motion, "torque_off", motion.torque_on)
    with pytest.raises(RobotError, match="motor_not_released"):
        rig.env.setup.run(1.0, 0)
    assert [faults[0] for faults in calls] == ["motor_not_released"]
    monkeypatch.undo()
    rig.env.reset(seed=0)
    assert not rig.twin.line.servo(50).motion.torque
    assert rig.env.setup.operator_calls == 2


def test_a_valve_whose_encoder_is_stuck_is_found_by_the_next_reset(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It answers in time and with a running clock, like a valve at rest: no episode can tell."""
    rig = make_rig("claw", *FAITHFUL, *QUICK)
    calls = watched(rig, monkeypatch)
    rig.env.reset(seed=0)
    rig.twin.faults.jam_encoder(50, True)
    assert rig.env.executor.state is not None
    away = rig.env.executor.state.joints.position[9] + 1.0
    with pytest.raises(RobotError):
        rig.env.setup.run(away, 0)
    assert len(calls) == 1
    assert calls[0][0] in ("valve_stuck", "encoder_frozen")


def test_a_caught_finger_is_disentangled_without_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something holds a finger until everybody has let go once."""
    rig = make_rig("claw", *FAITHFUL, *QUICK)
    calls = watched(rig, monkeypatch)
    rig.twin.begin(4)
    caught = rig.twin.plant.joint_position[1]

    def hold(now: float) -> None:
        del now
        torque = rig.twin.line.servo(11).motion.torque
        released.append(not torque)
        if not any(released[20:]):
            data = rig.twin.plant.data
            data.qfrc_applied[1] = 60.0 * (caught - data.qpos[1])
        else:
            rig.twin.plant.data.qfrc_applied[1] = 0.0

    released: list[bool] = []
    rig.twin.on_step.append(hold)
    rig.env.executor.arm()
    released.clear()
    assert rig.env.setup._climb(0.5) == ""
    assert rig.env.setup.disentangled >= 1
    assert calls == []


def test_every_motion_of_the_reset_obeys_the_gate() -> None:
    rig = make_rig("claw", *FAITHFUL)
    rig.twin.begin(4)
    ticks = 0
    alive = rig.env.executor.tick

    def tripping():  # type: ignore[no-untyped-def]
        nonlocal ticks
        ticks += 1
        if ticks == 30:
            rig.stage.gate.trip("test")
        return alive()

    rig.env.executor.tick = tripping  # type: ignore[method-assign]
    with pytest.raises(RobosacError, match="e-stop is still tripped"):
        rig.env.setup.run(1.0, 0)
    assert not any(servo.motion.torque for servo in rig.twin.line.servos)
    before = rig.twin.plant.valve_angle
    rig.twin.clock.wait_until(rig.twin.clock.now() + 0.3)
    assert abs(rig.twin.plant.valve_angle - before) < 0.3
    assert np.isfinite(before)


@pytest.mark.parametrize(
    "rung", ["_arm", "_set_up", "_disentangle", "_let_go_of_valve"], ids=lambda name: name[1:]
)
@pytest.mark.parametrize("after_s", [0.0, 0.05])
def test_the_gate_stops_each_rung_and_nothing_moves_after(
    monkeypatch: pytest.MonkeyPatch, rung: str, after_s: float
) -> None:
    """Tripped so long after a rung was entered, the ladder ends with every servo limp."""
    rig = make_rig("claw", *FAITHFUL, *QUICK)
    rig.twin.begin(4)
    rig.twin.jam_valve(rung == "_disentangle")
    entered, driven, told = [], [], []
    alive = getattr(ClawReset, rung)
    monkeypatch.setattr(rig.twin, "place", lambda seed, faults=(): told.append(faults))

    def entering(setup: ClawReset, *arguments: float) -> object:
        entered.append(rig.twin.clock.now())
        return alive(setup, *arguments)

    def watch(now: float) -> None:
        if entered and now >= entered[0] + after_s and not rig.stage.gate.tripped:
            rig.stage.gate.trip("test")
        if rig.stage.gate.tripped:
            driven.append(any(servo.motion.torque for servo in rig.twin.line.servos))

    monkeypatch.setattr(ClawReset, rung, entering)
    rig.twin.on_step.append(watch)
    with contextlib.suppress(RobosacError):
        rig.env.setup.run(rig.twin.plant.valve_angle + 0.6, 0)
    for _ in range(3):
        rig.env.executor.tick()
    assert entered
    assert [entry.fault.name for entry in rig.env.executor.faults] == ["estop"]
    # The order to stop is on the line within a tick; from then on nothing pushes any more.
    within = round(0.03 / DT)
    assert not any(driven[within:])
    rig.twin.clock.wait_until(rig.twin.clock.now() + 0.2)
    assert len(driven) > within
    assert not any(driven[within:])
