"""The bus against scripted servos: one exchange a tick, telemetry in turn, stopping, probing."""

import math

import numpy as np
import pytest

from drivers.dynamixel import (
    Command,
    CurrentGoal,
    DynamixelBus,
    DynamixelReadings,
    GoalLimits,
    Observe,
    OperatingMode,
    PositionGoal,
    ServoInfo,
    TorqueOff,
    VelocityGoal,
)
from drivers.dynamixel.telemetry import UNKNOWN
from drivers.errors import DeviceError, WireClosed
from drivers.motor_bus import MotorBus
from tests.drivers.dynamixel_rig import IDS, RAD, TICK, PacketWire, TickRig, without_telemetry
from tests.drivers.scripted_servos import ScriptedServos, status_bytes
from tests.drivers.scripted_wire import ScriptedWire


def test_an_exchange_is_one_sync_write_and_one_sync_read() -> None:
    rig = TickRig()
    rig.place(11, 2048, -3, -1)
    readings = without_telemetry(rig, PositionGoal(np.array([0.0, math.pi, 1.0])))
    assert len(rig.wire.written) == 2
    assert rig.wire.written[0][:12] == bytes.fromhex("FFFFFD00 FE 1600 83 7400 0400")
    assert [rig.servos.get(id, 116, 4) for id in IDS] == [0, 2048, round(1 / RAD)]
    assert readings.valid.all()
    np.testing.assert_allclose(readings.position_rad, np.array([1000, 2048, 3000]) * RAD)
    assert readings.velocity_rad_s[1] == pytest.approx(-3 * 0.0239809, rel=1e-5)
    assert readings.effort[1] == pytest.approx(-0.00269)
    assert readings.torque_nm[1] == pytest.approx(-0.00269 * 4.1 / 2.3)
    assert readings.time.tolist() == [rig.wire.time] * 3
    assert not readings.alert.any()


def test_the_bytes_that_need_stuffing_are_read() -> None:
    # current -1 is FF FF, the velocity that follows ends in FD: a header in the middle.
    rig = TickRig()
    rig.place(10, 0x00FD, -1, 5)
    rig.place(11, 2000, -3, -1)
    readings = without_telemetry(rig)
    assert readings.valid.all()
    assert readings.position_rad[0] == pytest.approx(0xFD * RAD)


def test_goals_that_need_stuffing_arrive() -> None:
    rig = TickRig()
    rig.bus.exchange(VelocityGoal(np.array([-3, -2, -1]) * 0.229 * math.pi / 30), 1.0)
    assert [rig.servos.get(id, 104, 4, signed=True) for id in IDS] == [-3, -2, -1]
    rig.bus.exchange(CurrentGoal(np.array([-1, 0, 1]) * 0.00269), 2.0)
    assert [rig.servos.get(id, 102, 2, signed=True) for id in IDS] == [-1, 0, 1]


def test_load_stands_in_for_current_where_there_is_no_sensor() -> None:
    rig = TickRig(model=1060)
    rig.place(10, 1000, 0, -500)
    readings = without_telemetry(rig)
    assert readings.effort[0] == pytest.approx(-0.5)
    assert np.isnan(readings.torque_nm).all()
    with pytest.raises(ValueError, match="without current sensor"):
        rig.bus.exchange(CurrentGoal(np.zeros(3)), 1.0)


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("chain_breaks", [False, True])
@pytest.mark.parametrize("dead", IDS)
def test_one_dead_servo_leaves_its_neighbours_alive(
    dead: int, chain_breaks: bool, fast: bool
) -> None:
    rig = TickRig(fast=fast)
    rig.servos.chain_breaks = chain_breaks
    before = without_telemetry(rig)
    assert before.valid.all()
    rig.servos.silent = {dead}
    without_telemetry(rig)
    place = IDS.index(dead)
    others = [i for i in range(3) if i != place]
    rig.place(IDS[others[0]], 1005 + 1000 * others[0])
    readings = rig.tick()
    assert not readings.valid[place]
    assert readings.valid[others].all(), "a dead servo moves to the end of the request"
    assert readings.time[place] == before.time[place]
    assert readings.position_rad[place] == before.position_rad[place]
    assert readings.position_rad[others[0]] == pytest.approx((1005 + 1000 * others[0]) * RAD)
    rig.servos.silent = set()
    assert rig.tick().valid.all(), "and comes back by itself"


def test_a_servo_that_stays_dead_costs_no_more_than_a_moment() -> None:
    rig = TickRig()
    rig.servos.silent = {11}
    for _ in range(4):
        rig.tick()
    started, resyncs = rig.wire.time + TICK, rig.bus.statistics.resyncs
    readings = rig.tick(seconds=0.5)
    assert rig.wire.time - started < 0.005
    assert readings.valid.tolist() == [True, False, True]
    assert rig.bus.statistics.resyncs == resyncs, "the silence has been heard already"
    assert 0 < rig.bus.statistics.cycle_time_s(0.5) <= TICK


def test_a_lost_servo_keeps_its_values_with_their_time() -> None:
    rig = TickRig()
    rig.servos.silent = {10, 11, 12}
    readings = rig.tick()
    assert readings.time.tolist() == [-math.inf] * 3
    assert np.isnan(readings.position_rad).all()
    assert not readings.valid.any()
    last = rig.bus.last_readings()
    assert np.isnan(last.position_rad).all()
    assert rig.bus.statistics.lost >= 3


def test_telemetry_goes_round_with_a_time_for_each_value() -> None:
    rig = TickRig()
    for id in IDS:
        rig.servos.set(id, 64, 1, 1)
        rig.servos.set(id, 98, 1, 5)
    assert rig.tick().telemetry.watchdog.tolist() == [UNKNOWN] * 3
    asked = rig.wire.time
    first = rig.tick().telemetry
    assert first.watchdog.tolist() == [5, UNKNOWN, UNKNOWN], "taken by the next exchange"
    assert first.watchdog_time.tolist() == [asked, -math.inf, -math.inf]
    seen = [rig.tick().telemetry for _ in range(2 * 20)][-1]
    assert seen.torque_enabled.tolist() == [1] * 3
    assert seen.hardware_error.tolist() == [0] * 3
    np.testing.assert_allclose(seen.voltage_v, 12.0)
    np.testing.assert_allclose(seen.temperature_c, 35.0)
    assert (seen.supply_time > seen.hardware_error_time).all()
    rig.servos.set(12, 98, 1, -1)
    rig.servos.set(10, 64, 1, 0)
    seen = [rig.tick().telemetry for _ in range(2 * 21)][-1]
    assert seen.watchdog.tolist() == [5, 5, -1], "a trip is noticed"
    assert seen.torque_enabled.tolist() == [0, 1, 1], "and torque that went off"
    with pytest.raises(ValueError, match="read-only"):
        seen.watchdog[0] = 0


def test_telemetry_takes_only_time_that_is_left() -> None:
    rig = TickRig()
    without_telemetry(rig)
    assert [instruction for instruction, _, _ in rig.servos.log] == [0x82]
    rig.tick()
    rig.tick()
    assert [instruction for instruction, _, _ in rig.servos.log] == [0x82, 0x82, 0x82, 0x02]


def test_an_answer_on_its_way_is_not_spoken_into() -> None:
    rig = TickRig()
    answers: list[bytes] = []

    def slow(packet: bytes) -> bytes:
        reply = rig.servos.answer(packet)
        if packet[7] != 0x02:
            return reply
        answers.append(reply)
        return b""

    rig.wire.answer = slow
    rig.servos.set(10, 98, 1, 5)
    rig.tick()
    rig.wire.time -= TICK
    asked, spoken = rig.wire.time, len(rig.wire.written)
    at_first_write: list[float] = []

    def arrive(deadline: float) -> bytes:
        if answers:
            assert len(rig.wire.written) == spoken, "nobody speaks before it is there"
            rig.wire.time += 0.001
            at_first_write.append(rig.wire.time)
            return answers.pop()
        return PacketWire.read(rig.wire, deadline)

    rig.wire.read = arrive
    readings = rig.tick(seconds=0.1)
    assert readings.telemetry.watchdog.tolist() == [5, UNKNOWN, UNKNOWN]
    assert readings.telemetry.watchdog_time[0] == pytest.approx(asked + TICK)
    assert at_first_write
    assert readings.valid.all()


@pytest.mark.parametrize("at_once", [False, True])
def test_telemetry_that_does_not_come_costs_time_only_while_it_may_still_come(
    at_once: bool,
) -> None:
    rig = TickRig()
    rig.hook(lambda _: b"", 0x02)
    rig.tick()
    if at_once:
        rig.wire.time -= TICK
    before = rig.wire.time
    readings = rig.tick(seconds=0.1)
    assert readings.valid.all()
    assert (rig.wire.time > before + TICK) == at_once
    assert (rig.bus.statistics.lost, rig.bus.statistics.resyncs) == (1, int(at_once))


def test_what_comes_with_the_telemetry_is_old() -> None:
    rig = TickRig()
    rig.servos.set(10, 98, 1, 5)
    stray = status_bytes(11, bytes(16))
    rig.hook(lambda reply: reply + stray, 0x02)
    rig.tick()
    readings = rig.tick()
    assert readings.telemetry.watchdog[0] == 5
    assert readings.valid.all()
    assert (rig.bus.statistics.late, rig.bus.statistics.resyncs) == (1, 1)


def test_stopping_waits_for_telemetry_on_its_way() -> None:
    rig = TickRig()
    rig.hook(lambda _: b"", 0x02)
    rig.tick()
    before = rig.wire.time
    rig.hook(lambda reply: reply, 0x02)
    assert rig.bus.stop_all(1) == []
    assert 0.0 < rig.wire.time - before < 0.02


def test_an_impossible_telemetry_value_is_not_kept() -> None:
    rig = TickRig()
    rig.servos.set(10, 98, 1, -7)
    rig.tick()
    assert rig.tick().telemetry.watchdog[0] == UNKNOWN
    assert rig.bus.statistics.implausible == 1


def test_fast_sync_read_only_where_everyone_can() -> None:
    new, old = TickRig(fast=True), TickRig(fast=True, firmware=44)
    assert without_telemetry(new).valid.all()
    assert without_telemetry(old).valid.all()
    assert new.wire.written[-1][7] == 0x8A
    assert old.wire.written[-1][7] == 0x82


@pytest.mark.parametrize("bad", [np.zeros(2), np.zeros((3, 1)), np.array([0.0, math.nan, 0.0])])
def test_malformed_commands_are_refused_before_a_byte_is_sent(bad: np.ndarray) -> None:
    rig = TickRig()
    for command in (PositionGoal(bad), VelocityGoal(bad), CurrentGoal(bad)):
        with pytest.raises(ValueError, match=r"shape|must be"):
            rig.bus.exchange(command, 1.0)
    assert rig.wire.written == []


def test_goals_are_held_to_limits_on_both_sides() -> None:
    rig = TickRig()
    low, high = 1.0, 2.0
    rig.bus.limit_goals([GoalLimits(OperatingMode.POSITION, low, high)] * 3)
    for goal in (low, high):
        rig.bus.exchange(PositionGoal(np.full(3, goal)), 1.0)
    for goal in (low - 0.001, high + 0.001):
        with pytest.raises(ValueError, match=r"servo 11 must be 0\.999\d to 2"):
            rig.bus.exchange(PositionGoal(np.array([1.5, goal, 1.5])), 1.0)
    with pytest.raises(ValueError, match="servo 10 in POSITION"):
        rig.bus.exchange(VelocityGoal(np.zeros(3)), 1.0)
    rig.bus.limit_goals(None)
    rig.bus.exchange(PositionGoal(np.full(3, -500.0)), 1.0)
    with pytest.raises(ValueError, match="goal_position of servo 10"):
        rig.bus.exchange(PositionGoal(np.full(3, 1e4)), 1.0)


def test_readings_are_fresh_arrays() -> None:
    rig = TickRig()
    first = without_telemetry(rig)
    first.position_rad[:] = 77.0
    first.time[:] = 77.0
    assert without_telemetry(rig).position_rad[0] == pytest.approx(1000 * RAD)


def test_stop_all_reads_torque_back_from_every_servo() -> None:
    rig = TickRig()
    for id in IDS:
        rig.servos.set(id, 64, 1, 1)
    assert rig.bus.stop_all(3) == []
    assert [rig.servos.get(id, 64, 1) for id in IDS] == [0, 0, 0]
    assert rig.wire.written[0][7] == 0x83


def test_stop_all_tries_again_and_names_who_did_not_confirm() -> None:
    rig = TickRig()
    for id in IDS:
        rig.servos.set(id, 64, 1, 1)
    lost = [0x83]

    def drop_first(packet: bytes) -> bytes:
        if packet[7] in lost:
            lost.remove(packet[7])
            return b""
        return rig.servos.answer(packet)

    rig.wire.answer = drop_first
    rig.servos.silent = {12}
    assert rig.bus.stop_all(1) == [10, 11, 12]
    assert rig.bus.stop_all(2) == [12]
    rig.servos.silent = set()
    assert rig.bus.stop_all(1) == []


def test_probe_reads_models_and_leaves_out_the_silent() -> None:
    servos = ScriptedServos(IDS)
    wire = ScriptedWire(servos.answer)
    bus = DynamixelBus(wire, IDS, wire.now)
    with pytest.raises(DeviceError, match="probe"):
        bus.exchange(Observe(), 1.0)
    assert np.isnan(bus.last_readings().position_rad).all()
    servos.silent = {11}
    assert set(bus.probe(1)) == {10, 12}
    with pytest.raises(DeviceError, match=r"known are only \[10, 12\]"):
        bus.exchange(Observe(), 1.0)
    servos.silent = set()
    found = bus.probe(1)
    assert (found[11].model, found[11].firmware, found[11].name) == (1020, 48, "XM430-W350")
    assert bus.exchange(Observe(), 2.0).valid.all()
    servos.set(10, 0, 2, 29)
    with pytest.raises(DeviceError, match=r"model 29; known are .*XL430"):
        bus.probe(1)


def test_a_closed_wire_is_told_at_once() -> None:
    rig = TickRig()
    without_telemetry(rig)
    bus: MotorBus[Command, DynamixelReadings, ServoInfo] = rig.bus
    bus.close()
    bus.close()
    for call in (
        lambda: rig.tick(TorqueOff()),
        lambda: rig.bus.stop_all(3),
        lambda: rig.bus.probe(),
    ):
        with pytest.raises(WireClosed):
            call()
    assert rig.bus.last_readings().position_rad[0] == pytest.approx(1000 * RAD)


def test_after_reopening_everything_is_read_anew() -> None:
    rig = TickRig()
    rig.tick()
    rig.bus.close()
    rig.bus.reopen()
    with pytest.raises(DeviceError, match="probe"):
        rig.tick()
    last = rig.bus.last_readings()
    assert last.position_rad[0] == pytest.approx(1000 * RAD)
    assert last.telemetry.watchdog.tolist() == [UNKNOWN] * 3
    rig.place(10, 5000)
    rig.servos.set(11, 0, 2, 1030)
    assert rig.bus.probe()[11].name == "XM430-W210"
    assert rig.tick().valid.all(), "positions of before are no measure"


@pytest.mark.parametrize("ids", [(), (1, 1), (-1,), (253,)])
def test_impossible_ids_are_refused(ids: tuple[int, ...]) -> None:
    wire = ScriptedWire(lambda _: b"")
    with pytest.raises(ValueError, match="distinct"):
        DynamixelBus(wire, ids, wire.now)
