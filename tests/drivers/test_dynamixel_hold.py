"""Single servos held and let go within the tick: against the firmware, motors and joints."""

import math

import numpy as np
import pytest

from drivers.dynamixel import (
    GoalLimits,
    HardwareError,
    Observe,
    OperatingMode,
    PositionGoal,
    TorqueOff,
)
from drivers.errors import WireClosed
from sim.fault_spec import Kind
from sim.firmware.dynamixel.line import LineOptions
from sim.servo_joint import JointParameters
from sim.wire import Direction
from tests.drivers.dynamixel_rig import TickRig, without_telemetry
from tests.drivers.held_servos import CURRENT_LIMIT_A, OFF, ON, HeldServos
from tests.sim.dynamixel_bench import FREE

COUNT = math.tau / 4096
TRIPPED = -1


def test_switching_on_does_not_move_the_shaft() -> None:
    rig = HeldServos(joint=FREE)
    for place, counts in enumerate((700.0, 2600.0, -9000.0)):
        rig.bench.turn(counts, place)
        rig.bus.forget(rig.ids[place])
    assert rig.exchange(Observe()).valid.all(), "wherever they were turned to"
    goal = PositionGoal(rig.stands(), np.full(3, 0.4), np.ones(3, dtype=np.bool_))
    before = rig.bench.joints.position.copy()
    rig.exchange(goal)
    assert rig.torque() == [True] * 3, "at once"
    for _ in range(50):
        rig.exchange(goal)
        assert np.abs(rig.bench.joints.position - before).max() < COUNT


def test_one_is_let_go_and_held_again_while_the_others_hold() -> None:
    rig = HeldServos()
    readings = rig.hold(ON, ON, ON, times=10)
    assert readings.holding.tolist() == [True] * 3
    for held in (OFF, ON, OFF):
        readings = rig.hold(ON, ON, held)
        assert rig.torque() == [True, True, held]
        assert readings.holding.tolist() == [True, True, False], "not before it has said so"
        assert not readings.free.any()
        readings = rig.hold(ON, ON, held, times=3)
        assert readings.holding.tolist() == [True, True, held]
        assert readings.free.tolist() == [False, False, not held]


def test_watchdogs_are_armed_and_stop_who_hears_nothing() -> None:
    rig = HeldServos()
    rig.bus.watch(0.06)
    rig.hold(ON, ON, OFF, times=10)
    assert rig.watchdogs() == [3, 3, 0]
    rig.bench.run(0.09)
    assert rig.watchdogs() == [TRIPPED, TRIPPED, 0]
    readings = rig.hold(ON, ON, OFF, times=40)
    assert rig.watchdogs() == [TRIPPED, TRIPPED, 0], "nobody sets off again by himself"
    assert not readings.holding.any()
    rig.exchange(TorqueOff())
    assert set(rig.arming.prepare()) == {10, 11}
    rig.exchange(Observe())
    assert rig.hold(ON, ON, OFF, times=10).holding.tolist() == [True, True, False]


@pytest.mark.parametrize("seconds", [0.0, 0.009, 2.56])
def test_a_watchdog_there_must_be(seconds: float) -> None:
    with pytest.raises(ValueError, match="watchdog"):
        HeldServos().bus.watch(seconds)


@pytest.mark.parametrize("lost", [64, 98])
def test_a_lost_switch_or_watchdog_is_sent_again(lost: int) -> None:
    rig = HeldServos()
    dropped: list[bytes] = []

    def heard(instruction: int, address: int, packet: bytes) -> bool:
        if (instruction, address) == (0x83, lost) and len(dropped) < 2:
            dropped.append(packet)
            return False
        return True

    rig.listen(heard)
    rig.hold(ON, OFF, ON)
    assert rig.torque() == [lost != 64, False, lost != 64]
    assert rig.watchdogs()[0] == (5 if lost == 64 else 0)
    rig.hold(ON, OFF, ON, times=2)
    assert dropped[0] == dropped[1]
    assert (rig.torque(), rig.watchdogs()) == ([True, False, True], [5, 0, 5])
    readings = rig.hold(ON, OFF, ON, times=10)
    assert readings.holding.tolist() == [True, False, True]


def test_all_is_as_wanted_through_a_bad_cable() -> None:
    rig = HeldServos()
    for kind in (Kind.DROP, Kind.FLIP):
        for way in Direction:
            rig.line.set_rate(kind, way, 0.1)
    rng = np.random.default_rng(1)
    for _ in range(12):
        held = rng.integers(0, 2, 3).astype(np.bool_)
        readings, torque = rig.bus.last_readings(), np.array(rig.torque())
        for _ in range(60):
            readings = rig.exchange(PositionGoal(rig.stands(), hold=held))
            torque = np.array(rig.torque())
            assert not (readings.holding & ~torque).any()
            assert not (readings.free & torque).any()
        assert torque.tolist() == held.tolist()
        assert (readings.holding | readings.free).all()


def test_a_servo_that_restarted_stays_off() -> None:
    rig = HeldServos()
    rig.hold(ON, ON, ON, times=10)
    rig.servo(1).reboot()
    readings = rig.hold(ON, ON, ON, times=150)
    assert readings.valid.all(), "it is back"
    assert rig.torque() == [True, False, True]
    assert readings.holding.tolist() == [True, False, True]
    assert readings.free.tolist() == [False, True, False]
    rig.hold(ON, OFF, ON)
    assert rig.hold(ON, ON, ON, times=10).holding.all(), "unless it is asked to anew"


def test_a_shutdown_is_known_soon_and_final() -> None:
    rig = HeldServos()
    rig.hold(ON, ON, ON, times=10)
    rig.servo(1).health.inject(HardwareError.ELECTRICAL_SHOCK)
    readings = rig.hold(ON, ON, ON, times=5)
    assert readings.alert.tolist() == [False, True, False]
    assert readings.holding.tolist() == [True, False, True]
    rig.hold(ON, ON, ON, times=50)
    assert rig.torque() == [True, False, True]


def test_who_refuses_torque_does_not_silence_the_telemetry_of_the_others() -> None:
    rig = HeldServos()
    rig.servo(1).health.inject(HardwareError.ELECTRICAL_SHOCK)
    rig.bench.run(0.02)
    rig.hold(OFF, ON, ON)
    asked = rig.bench.clock.now()
    telemetry = rig.hold(OFF, ON, ON, times=150).telemetry
    assert not rig.torque()[1]
    for times in (telemetry.watchdog_time, telemetry.hardware_error_time, telemetry.supply_time):
        assert (times > asked).all()


def test_who_should_be_free_and_holds_is_let_go_again() -> None:
    rig = HeldServos()
    rig.hold(ON, OFF, ON, times=10)
    rig.arming.registers.write_raw(11, "torque_enable", 1)
    assert rig.torque()[1]
    readings = rig.hold(ON, OFF, ON, times=80)
    assert rig.torque() == [True, False, True]
    assert readings.free.tolist() == [False, True, False]


@pytest.mark.parametrize("most_a", [0.1, 0.35])
def test_the_most_current_is_the_most_that_flows(most_a: float) -> None:
    rig = HeldServos(joint=JointParameters(coulomb_nm=1e3))
    goal = PositionGoal(rig.stands() + 1.0, np.full(3, most_a), np.ones(3, dtype=np.bool_))
    flowing, readings = 0.0, rig.exchange(goal)
    for _ in range(30):
        readings = rig.exchange(goal)
        flowing = max(flowing, np.abs(rig.bench.motors.current_a).max())
    assert flowing == pytest.approx(most_a, abs=0.00134)
    np.testing.assert_allclose(readings.effort, most_a, atol=0.002)


def test_without_a_most_current_the_last_one_stays() -> None:
    rig = HeldServos()
    rig.hold(ON, ON, ON, most_a=0.2)
    rig.hold(ON, ON, ON, most_a=None)
    assert rig.servo(0).memory["goal_current"] == round(0.2 / 0.00134)


def test_goals_do_nothing_to_who_is_free() -> None:
    rig = HeldServos(joint=FREE)
    rig.hold(ON, OFF, ON, times=10)
    before = rig.bench.joints.position[1]
    hold = np.array([ON, OFF, ON])
    for step in range(30):
        goal = rig.stands()
        goal[1] += 0.1 * step
        rig.exchange(PositionGoal(goal, np.full(3, CURRENT_LIMIT_A), hold))
        assert not rig.torque()[1]
    assert rig.bench.joints.position[1] == before
    rig.bench.joints.velocity[1] = 3.0
    rig.bench.run(0.01)
    assert rig.bench.joints.velocity[1] == pytest.approx(3.0), "nothing brakes it"


@pytest.mark.parametrize("most_a", [-0.01, CURRENT_LIMIT_A + 0.002, math.nan])
def test_currents_out_of_range_are_refused(most_a: float) -> None:
    rig = HeldServos()
    with pytest.raises(ValueError, match=r"goal_current of servo 10 must be -0\.0007 to 0\.60"):
        rig.hold(ON, ON, ON, most_a=most_a)
    assert rig.torque() == [False] * 3


@pytest.mark.parametrize("hold", [np.ones(2, dtype=np.bool_), np.ones(3), np.ones((3, 1), bool)])
def test_malformed_holds_are_refused(hold: np.ndarray) -> None:
    rig = HeldServos()
    with pytest.raises(ValueError, match="hold must be bool"):
        rig.exchange(PositionGoal(rig.stands(), hold=hold))


def test_the_order_within_one_write() -> None:
    rig = TickRig()
    command = PositionGoal(
        np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.269, 3.2]), np.array([ON, OFF, ON])
    )
    without_telemetry(rig, command)
    current, position, torque, watchdog = rig.wire.written[:4]
    assert current[:12] == bytes.fromhex("FFFFFD00 FE 1000 83 6600 0200")
    assert current[12:-2] == bytes.fromhex("0A 0000 0B 6400 0C A604")
    assert position[7:12] == bytes.fromhex("83 7400 0400")
    assert torque[:-2] == bytes.fromhex("FFFFFD00 FE 0D00 83 4000 0100 0A01 0B00 0C01")
    assert watchdog[:-2] == bytes.fromhex("FFFFFD00 FE 0B00 83 6200 0100 0A05 0C05")
    assert rig.wire.written[4][7] == 0x82, "the sync read comes last"


def test_a_short_tick_asks_nothing_and_tells_again() -> None:
    rig = TickRig()
    command = PositionGoal(np.ones(3), hold=np.array([ON, OFF, ON]))
    for _ in range(5):
        readings = without_telemetry(rig, command)
        assert [packet[8] for packet in rig.wire.written[:3]] == [116, 64, 98]
        assert not readings.holding.any()
        rig.wire.written.clear()


def test_most_current_is_for_one_mode_and_for_models_that_measure_current() -> None:
    goal = PositionGoal(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="without current sensor"):
        TickRig(model=1060).tick(goal)
    rig = TickRig()
    rig.bus.limit_goals([GoalLimits(OperatingMode.POSITION, 0.0, 6.0)] * 3)
    with pytest.raises(ValueError, match="goal_current is of no use to servo 10 in POSITION"):
        rig.tick(goal)
    assert rig.wire.written == []
    rig.bus.limit_goals(None)
    with pytest.raises(ValueError, match=r"to 3\.21"):
        rig.tick(PositionGoal(np.ones(3), np.full(3, 3.22)))


def test_after_all_were_stopped_nothing_is_taken_for_known() -> None:
    rig = HeldServos()
    rig.hold(ON, ON, ON, times=10)
    assert rig.bus.stop_all(3) == []
    last = rig.bus.last_readings()
    assert not last.holding.any()
    assert not last.free.any()
    readings = rig.hold(ON, ON, ON)
    assert rig.torque() == [True] * 3, "told anew"
    assert not readings.holding.any()
    assert rig.hold(ON, ON, ON, times=10).holding.all()


def test_a_question_of_before_is_no_answer_about_after() -> None:
    rig = HeldServos()
    # The pass: torque of 10, 11, 12, then the watchdog of 12, which is asked in the last of these.
    rig.hold(OFF, OFF, ON, times=3)
    assert rig.bus.stop_all(3) == []
    readings = rig.exchange(Observe())
    assert not readings.holding.any()
    assert not readings.free.any()


def test_torque_off_for_all_lets_go_of_all_wishes() -> None:
    rig = HeldServos()
    rig.hold(ON, ON, ON, times=10)
    rig.exchange(TorqueOff())
    assert rig.torque() == [False] * 3
    for _ in range(39):
        rig.exchange(TorqueOff())
    assert rig.exchange(TorqueOff()).free.all()
    assert rig.torque() == [False] * 3
    assert rig.hold(ON, ON, ON, times=10).holding.all()


def test_after_reopening_nothing_is_known() -> None:
    rig = HeldServos()
    rig.hold(ON, ON, ON, times=10)
    rig.wire.unplug()
    with pytest.raises(WireClosed):
        rig.hold(ON, ON, ON)
    rig.wire.plug_in()
    rig.bus.reopen()
    assert not rig.bus.last_readings().holding.any()


def test_the_usual_exchange_says_no_more_than_goals_and_questions() -> None:
    rig = HeldServos()
    rig.hold(ON, ON, OFF, times=12)
    said: list[tuple[int, int]] = []

    def heard(instruction: int, address: int, packet: bytes) -> bool:
        said.append((instruction, address))
        return True

    rig.listen(heard)
    rig.hold(ON, ON, OFF, times=10)
    assert [address for code, address in said if code == 0x83] == [102, 116] * 10
    assert len([code for code, _ in said if code == 0x02]) == 5, "every other time"


def test_a_hand_on_a_slow_line_is_held_in_a_third_of_a_second() -> None:
    options = LineOptions(timed=True, host_baud=1_000_000)
    rig = HeldServos(10, options, counts=(2048.0,) * 10)
    readings = rig.hold(*[ON] * 10)
    exchanges = 1
    while not readings.holding.all():
        readings = rig.hold(*[ON] * 10)
        assert readings.valid.all()
        exchanges += 1
    assert exchanges <= 30
    readings = rig.hold(*[ON] * 9, OFF)
    while not readings.free[9]:
        readings = rig.hold(*[ON] * 9, OFF)
        exchanges += 1
    assert exchanges <= 33
