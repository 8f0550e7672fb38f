"""Modes, bounds and limits, by mjbots/moteus fw/bldc_servo_control.h and docs registers.md."""

import math
import struct
from dataclasses import replace

import pytest

from drivers.moteus.registers import FaultCode, Mode
from sim.firmware.moteus.bank import MoteusConfig
from tests.sim.moteus_bench import (
    BRAKE,
    CONFIG,
    DT,
    KD,
    KP,
    STOP,
    VOLTS_PER_NM,
    ZERO_VELOCITY,
    Bench,
    goto,
    within,
)

BOUNDED = replace(CONFIG, position_min_rev=-0.1, position_max_rev=0.2)


def test_within_the_bounds_only_the_feedforward_pulls() -> None:
    bench = Bench()
    bench.velocity[:] = 1.0
    assert bench.drive(within(-0.1, 0.1, feedforward=0.25)) == pytest.approx(VOLTS_PER_NM * 0.25)
    assert bench.mode is Mode.STAY_WITHIN


@pytest.mark.parametrize(("position", "bound"), [(0.15, 0.1), (-0.13, -0.1)])
def test_outside_the_bounds_the_nearer_one_is_held(position: float, bound: float) -> None:
    bench = Bench()
    bench.position[:], bench.velocity[:] = position, 0.5
    torque = KP * (bound - position) - KD * 0.5 + 0.25
    assert bench.drive(within(-0.1, 0.1, 0.25)) == pytest.approx(VOLTS_PER_NM * torque, rel=1e-5)
    bench.position[:] = 0.0
    assert bench.run(DT) == pytest.approx(VOLTS_PER_NM * 0.25)


def test_a_bound_that_is_nan_is_none_and_torque_is_capped() -> None:
    bench = Bench()
    bench.position[:] = 9.0
    assert bench.drive(within(-0.1, math.nan)) == 0.0
    assert bench.drive(within(-0.1, 0.1, torque=2.0)) == pytest.approx(-2.0 * VOLTS_PER_NM)


def test_stay_within_times_out_and_latches() -> None:
    bench = Bench()
    bench.drive(within(-0.1, 0.1, timeout=0.05))
    bench.run(0.048)
    assert bench.mode is Mode.STAY_WITHIN
    bench.run(DT)
    assert bench.mode is Mode.TIMEOUT
    for frame in (within(-0.1, 0.1), goto(), ZERO_VELOCITY, BRAKE, bytes.fromhex("010009")):
        bench.send(frame)
        bench.run(DT)
        assert bench.mode is Mode.TIMEOUT, "only stop leaves it"
    bench.send(STOP)
    assert bench.mode is Mode.STOPPED


def test_its_registers_shadow_those_of_position_mode() -> None:
    bench = Bench()
    bench.send(within(-0.5, 0.75, feedforward=0.25, torque=2.0, timeout=0.5))
    assert [bench.read_float(register) for register in (0x40, 0x41)] == [-0.5, 0.75]
    for shadow, register in ((0x42, 0x22), (0x43, 0x23), (0x44, 0x24), (0x45, 0x25), (0x46, 0x27)):
        assert bench.read_float(shadow) == bench.read_float(register)
    assert bench.read_float(0x46) == 0.5


def test_the_brake_shorts_the_phases_without_a_watchdog() -> None:
    bench = Bench(replace(CONFIG, voltage_mode_control=False))
    bench.velocity[:] = 3.0
    assert bench.drive(BRAKE) == 0.0
    assert bench.bank.driving[0]
    bench.run(2.0)
    assert bench.mode is Mode.BRAKE


def test_a_current_drives_on_without_a_watchdog() -> None:
    bench = Bench()
    current = bytes.fromhex("010009 0e1c") + struct.pack("<2f", 5.0, 1.0)
    assert bench.drive(current) == pytest.approx(5.0 * 0.186)
    assert bench.read_float(0x1C) == 5.0
    bench.run(2.0)
    assert bench.mode is Mode.CURRENT
    assert bench.run(DT) == pytest.approx(5.0 * 0.186), "which is why it is not safe"
    bench.drive(bytes.fromhex("010009 0d1c") + struct.pack("<f", 1000.0))
    assert bench.read_int(0x0F) == FaultCode.LIMIT_MAX_CURRENT


def test_mode_11_can_be_commanded_and_is_latched() -> None:
    bench = Bench()
    bench.velocity[:] = 1.0
    assert bench.drive(bytes.fromhex("01000b")) == pytest.approx(-VOLTS_PER_NM * KD)
    bench.send(goto())
    assert bench.mode is Mode.TIMEOUT


@pytest.mark.parametrize(
    ("timeout_mode", "driving", "damped"),
    [(0, False, False), (10, True, True), (12, True, True), (15, True, False)],
)
def test_what_a_timeout_does_is_configured(timeout_mode: int, driving: bool, damped: bool) -> None:
    bench = Bench(replace(CONFIG, timeout_mode=timeout_mode))
    bench.drive(goto(0.2, timeout=50))
    bench.position[:] = 0.1
    bench.velocity[:] = 1.0
    voltage = bench.run(0.2)
    assert bench.mode is Mode.TIMEOUT
    assert bench.bank.driving[0] == driving
    assert (voltage != 0.0) == damped
    bench.run(5.0)
    assert bench.mode is Mode.TIMEOUT
    bench.send(goto(0.2))
    assert bench.mode is Mode.TIMEOUT
    bench.send(STOP)
    assert not bench.bank.driving[0]


def test_a_timeout_may_hold_the_position() -> None:
    bench = Bench(replace(CONFIG, timeout_mode=10))
    bench.drive(goto(0.2, timeout=50))
    bench.position[:] = 0.1
    bench.run(0.3)
    assert bench.run(DT) == pytest.approx(0.0, abs=1e-6)
    bench.position[:] = 0.11
    assert bench.run(DT) == pytest.approx(-VOLTS_PER_NM * KP * 0.01, rel=1e-3)


@pytest.mark.parametrize("frame", [goto(0.0), within(-0.1, 0.1)])
@pytest.mark.parametrize(("position", "fault"), [(0.21, 39), (-0.11, 39), (0.2, 0), (-0.1, 0)])
def test_position_control_does_not_start_outside_its_bounds(
    frame: bytes, position: float, fault: int
) -> None:
    bench = Bench(BOUNDED)
    bench.position[:] = position
    bench.run(DT)
    bench.drive(frame)
    assert bench.fault == fault
    assert (bench.mode is Mode.FAULT) == bool(fault)


def test_bounds_may_be_ignored_and_damping_has_none() -> None:
    bench = Bench(BOUNDED)
    bench.position[:] = 0.5
    ignore = bytes.fromhex("01000a 0d29 000080bf 012d01")
    assert bench.drive(ignore) == -16.0, "all the current there is, and no derating"
    assert bench.mode is Mode.POSITION
    bench = Bench(BOUNDED)
    bench.position[:] = 0.5
    bench.drive(ZERO_VELOCITY)
    assert bench.mode is Mode.ZERO_VELOCITY


def test_bounds_that_cannot_be_represented() -> None:
    bench = Bench(replace(CONFIG, position_min_rev=-1.0, position_max_rev=40000.0))
    bench.drive(goto())
    assert bench.fault == FaultCode.INVALID_LIMITS


def test_the_set_point_stops_at_a_bound() -> None:
    bench = Bench(BOUNDED)
    bench.position[:] = 0.19
    bench.drive(goto(0.9))
    assert bench.run(DT) == pytest.approx(VOLTS_PER_NM * KP * 0.01, rel=1e-4)
    assert bench.read_float(0x38) == pytest.approx(0.2)
    bench.drive(goto(0.0, velocity=2.0, timeout=-32768))
    bench.run(1.0)
    assert bench.read_float(0x38) == pytest.approx(0.2)
    assert bench.read_float(0x39) == 0.0


def test_torque_outward_fades_beyond_a_bound_and_inward_does_not() -> None:
    bench = Bench(BOUNDED)
    bench.drive(goto(0.2, kp=0.0, feedforward=1.0))
    bench.position[:] = 0.205
    assert bench.run(DT) == pytest.approx(0.75 * VOLTS_PER_NM)
    assert bench.read_int(0x0F) == FaultCode.LIMIT_POSITION_BOUNDS
    assert bench.mode is Mode.POSITION, "a limit is no fault"
    bench.position[:] = 0.25
    assert bench.run(DT) == 0.0
    bench.send(goto(0.2, kp=0.0, feedforward=-1.0))
    assert bench.run(DT) == pytest.approx(-VOLTS_PER_NM)
    bench.position[:] = 0.0
    bench.run(DT)
    assert bench.read_int(0x0F) == 0


def test_a_hot_board_gives_less_current_and_then_none() -> None:
    bench = Bench()
    bench.drive(goto(9.0, torque=100.0))
    full = 9.54
    bench.sense(temperature_c=50.0)
    bench.run(DT)
    assert bench.read_float(0x34) == pytest.approx(full)
    assert bench.read_int(0x0F) == FaultCode.LIMIT_MAX_CURRENT
    # From 100 A at 50 degrees to -20 A at 75: 52 A at 60.
    bench.sense(temperature_c=60.0)
    bench.run(DT)
    assert bench.read_float(0x34) == pytest.approx(52.0 * 0.0954)
    assert bench.read_int(0x0F) == FaultCode.LIMIT_FAULT_TEMPERATURE
    bench.send(goto(9.0, torque=2.0))
    bench.run(DT)
    assert bench.read_int(0x0F) == FaultCode.LIMIT_MAX_TORQUE, "the lower limit counts"
    bench.send(goto(9.0, torque=100.0))
    bench.sense(temperature_c=74.0)
    assert bench.run(DT) == 0.0
    bench.sense(temperature_c=40.0)
    bench.run(DT)
    assert bench.read_float(0x34) == pytest.approx(full), "it recovers"
    bench.sense(temperature_c=75.5)
    assert bench.fault == FaultCode.OVER_TEMPERATURE


def test_a_command_of_another_mode_is_never_taken_for_the_usual_tick() -> None:
    bench = Bench()
    same = bytes.fromhex("0d29 000080bf 50")
    bench.drive(bytes.fromhex("01000a") + same)
    bench.send(bytes.fromhex("01000c") + same)
    assert bench.mode is Mode.ZERO_VELOCITY


def test_the_usual_tick_follows_no_command_but_its_own() -> None:
    bench = Bench()
    bench.drive(goto(0.1))
    bench.send(goto(0.1))
    half = bytes.fromhex("01000a0c0620") + struct.pack("<6f", 0.1, 0.0, 0.0, 0.5, 1.0, 3.5)
    bench.send(half + bytes.fromhex("072764000080 18fc"))
    assert bench.run(DT) == pytest.approx(0.5 * VOLTS_PER_NM * KP * 0.1, rel=1e-5)
    bench.send(goto(0.1))
    assert bench.run(DT) == pytest.approx(min(3.5, KP * 0.1) * VOLTS_PER_NM, rel=1e-5)
    bench.say("d pos 0.2 0 3.5 p0.25 a-1")
    bench.send(goto(0.1))
    assert bench.run(DT) == pytest.approx(min(3.5, KP * 0.1) * VOLTS_PER_NM, rel=1e-5)


def test_a_trajectory_says_when_it_is_complete() -> None:
    bench = Bench()
    bench.drive(goto(0.0, accel=-32768))
    assert bench.read_int(0x0B) == 1
    bench.send(goto(0.1, accel=-32768, timeout=-32768))
    bench.run(0.01)
    assert bench.read_int(0x0B) == 0
    bench.run(0.2)
    assert bench.read_int(0x0B) == 1


def test_the_position_can_be_called_another() -> None:
    bench = Bench()
    bench.position[:] = 0.3
    bench.sense(position_rev=0.3, torque_nm=0.5)
    assert bench.read_int(0x0C) == 1
    bench.send(bytes.fromhex("0db102") + struct.pack("<f", 2.0))
    assert bench.read_float(0x01) == 2.0
    assert bench.read_float(0x03) == 0.5
    assert bench.read_int(0x0C) == 2
    bench.send(bytes.fromhex("0db002") + struct.pack("<f", 0.1))
    assert bench.read_float(0x01) == pytest.approx(0.0), "whole turns from 2.0: nearest to 0.1"
    bench.position[:] = 0.31
    bench.sense(position_rev=0.31)
    assert bench.read_float(0x01) == pytest.approx(0.01)
    assert bench.drive(goto(0.02)) == pytest.approx(VOLTS_PER_NM * KP * 0.01, rel=1e-4)
    bench.send(bytes.fromhex("01b20201"))
    assert bench.read_float(0x01) == pytest.approx(0.31)
    assert bench.read_int(0x0C) == 1


def test_a_new_zero_does_not_move_the_motor() -> None:
    bench = Bench()
    bench.position[:] = 0.3
    bench.sense(position_rev=0.3)
    before = bench.drive(goto(0.31))
    bench.send(bytes.fromhex("0db102") + struct.pack("<f", 5.0))
    assert bench.run(DT) == pytest.approx(before)


def test_recapture_starts_from_the_output() -> None:
    bench = Bench()
    bench.drive(goto(0.1, timeout=-32768))
    bench.velocity[:] = 0.04
    bench.run(DT)
    bench.send(bytes.fromhex("01b30201"))
    assert bench.read_float(0x38) == 0.0
    assert bench.read_float(0x39) == 0.0, "so slow counts as still"
    bench.velocity[:] = 0.5
    bench.run(DT)
    bench.send(bytes.fromhex("01b30201"))
    bench.run(0.1)
    assert bench.read_float(0x38) == pytest.approx(0.05)
    bench.send(goto(0.1))
    assert bench.read_float(0x38) == pytest.approx(0.1)


def test_power_cycling_forgets_the_zero_and_unsaved_options() -> None:
    bench = Bench()
    bench.sense(position_rev=0.3)
    bench.send(bytes.fromhex("0db102") + struct.pack("<f", 5.0))
    assert bench.say("conf set servo.max_current_A 7") == "OK\r\n"
    bench.bank.power_cycle()
    bench.sense(position_rev=0.3)
    assert bench.read_float(0x01) == pytest.approx(0.3)
    assert bench.say("conf get servo.max_current_A") == "100.000000\r\n"


def test_milliseconds_wrap_within_their_type() -> None:
    bench = Bench()
    bench.run(0.2)
    assert struct.unpack("<b", bench.send(bytes.fromhex("1170"))[2:3])[0] == 200 - 256
    assert struct.unpack("<h", bench.send(bytes.fromhex("1570"))[2:4])[0] == 200
    assert bench.read_float(0x70) == 200.0


def test_a_block_with_an_unknown_register_is_refused_whole() -> None:
    """As in the firmware, which also reads no further in that frame."""
    bench = Bench()
    assert bench.send(bytes.fromhex("1307 1100"))[:4] == bytes.fromhex("310801")
    assert bench.send(bytes.fromhex("10020d"))[:5] == bytes.fromhex("20020d0019")


def test_a_block_that_does_not_fit_is_refused_and_the_next_is_not() -> None:
    bench = Bench()
    assert bench.send(bytes.fromhex("1c1020 1100"))[:6] == bytes.fromhex("312002 210000")


@pytest.mark.parametrize(("id", "answered"), [(2, [0x200]), (9, [])])
def test_a_uuid_mask_silences_everybody_else(id: int, answered: list[int]) -> None:
    bench = Bench(count=3)
    mask = b"".join(
        bytes([0x09])
        + bytes([0x80 | (0x54 + part) & 0x7F, 2])
        + struct.pack("<i", (0x150 + part) << 16 | id)
        for part in range(4)
    )
    order = bytes.fromhex("0d2500004040 1d25")
    replies = bench.bank.handle_frame(0x807F, mask + order)
    assert [reply_id for reply_id, _ in replies] == answered
    assert [bench.send(b"\x1d\x25", each) for each in (1, 3)] == 2 * [
        bytes.fromhex("2d25 0000c07f")
    ]


def test_the_uuid_mask_is_write_only() -> None:
    assert Bench().send(bytes.fromhex("19d402"))[:4] == bytes.fromhex("31d40201")


def test_each_controller_has_its_own_options() -> None:
    bench = Bench(MoteusConfig(kp_nm_per_rev=KP, kd_nm_s_per_rev=KD), count=2)
    assert bench.say("conf set servo.pid_position.kp 10", id=2) == "OK\r\n"
    for id in (1, 2):
        bench.send(goto(0.01), id)
    bench.run(0.012)
    for id in (1, 2):
        bench.send(goto(0.01), id)
    voltages = bench.bank.control(bench.position, bench.velocity, 16.0, DT)
    assert voltages.tolist() == pytest.approx(
        [VOLTS_PER_NM * KP * 0.01, VOLTS_PER_NM * 10.0 * 0.01], rel=1e-5
    )
