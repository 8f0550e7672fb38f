"""The controllers' behaviour, driven through frames written here as bytes."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.moteus.command import Brake, Damp, StayWithin, Stop, encode
from drivers.moteus.readings import TAGS
from drivers.moteus.registers import FaultCode, Mode
from sim.firmware.moteus import usual as moteus_usual
from sim.firmware.moteus.bank import MoteusConfig
from tests.sim.moteus_bench import (
    DT,
    KD,
    KP,
    STOP,
    VOLTS_PER_NM,
    ZERO_VELOCITY,
    Bench,
    goto,
)


def test_law_is_the_machines_own_voltage_law() -> None:
    """V = R/Kt * torque equals 16 V * (1.0 * error in rad) for these gains (Tan et al. 2018)."""
    bench = Bench()
    error_rad = 0.1
    assert bench.drive(goto(error_rad / math.tau)) == pytest.approx(16.0 * error_rad, rel=1e-3)


def test_law_with_every_term() -> None:
    bench = Bench()
    bench.position[:], bench.velocity[:] = 0.05, 0.5
    bench.drive(goto(0.04, 0.0, feedforward=0.3, kp=0.5, kd=0.25))
    torque = 0.5 * KP * (0.04 - 0.05) + 0.25 * KD * (0.0 - 0.5) + 0.3
    assert bench.run(DT) == pytest.approx(VOLTS_PER_NM * torque, rel=1e-5)


def test_kd_scale_may_exceed_kp_scale() -> None:
    """The documents say otherwise; the firmware (simple_pid.h) does not limit it."""
    bench = Bench()
    bench.velocity[:] = 1.0
    assert bench.drive(goto(kp=0.0, kd=1.0)) == pytest.approx(-VOLTS_PER_NM * KD, rel=1e-5)


def test_maximum_torque_and_supply_bound_the_voltage() -> None:
    bench = Bench()
    assert bench.drive(goto(9.0, torque=2.0)) == pytest.approx(2.0 * VOLTS_PER_NM)
    assert bench.drive(goto(-9.0, torque=100.0)) == pytest.approx(-9.54 * VOLTS_PER_NM, abs=2.7)
    bench.supply = 10.0
    assert bench.drive(goto(-9.0, torque=100.0)) == -10.0


def test_closed_current_loop_makes_up_for_back_emf() -> None:
    bench = Bench(MoteusConfig(kp_nm_per_rev=KP, kd_nm_s_per_rev=0.0, voltage_mode_control=False))
    bench.velocity[:] = 5.0
    expected = VOLTS_PER_NM * KP * 0.01 + 0.0954 * math.tau * 5.0
    assert bench.drive(goto(0.01)) == pytest.approx(expected, rel=1e-5)


def test_replies_tell_the_state_before_their_command() -> None:
    bench = Bench()
    assert bench.send(goto())[2] == Mode.STOPPED
    assert bench.send(goto())[2] == Mode.ENABLING
    assert not bench.bank.driving[0]
    bench.run(0.012)
    assert bench.send(goto())[2] == Mode.POSITION
    assert bench.bank.driving[0]
    assert bench.send(STOP)[2] == Mode.POSITION
    assert not bench.bank.driving[0]
    assert bench.send(STOP)[2] == Mode.STOPPED


@pytest.mark.parametrize(("counts", "seconds"), [(100, 0.1), (250, 0.25), (0, 0.1)])
def test_watchdog_expires_to_the_millisecond(counts: int, seconds: float) -> None:
    bench = Bench()
    bench.drive(goto(timeout=counts))
    bench.send(goto(timeout=counts))
    bench.run(seconds - DT)
    assert bench.mode is Mode.POSITION
    bench.run(DT)
    assert bench.mode is Mode.TIMEOUT


def test_watchdog_nan_never_expires_and_mode_12_has_none() -> None:
    bench = Bench()
    bench.drive(goto(timeout=-32768))
    bench.run(2.0)
    assert bench.mode is Mode.POSITION
    bench.send(ZERO_VELOCITY)
    bench.run(2.0)
    assert bench.mode is Mode.ZERO_VELOCITY


def test_each_command_feeds_the_watchdog() -> None:
    bench = Bench()
    for _ in range(50):
        bench.send(goto())
        bench.run(0.09)
    assert bench.mode is Mode.POSITION


def test_timeout_damps_is_latched_and_only_stop_clears_it() -> None:
    bench = Bench()
    bench.drive(goto(0.2))
    bench.velocity[:] = 1.0
    bench.run(0.2)
    assert bench.mode is Mode.TIMEOUT
    assert bench.bank.driving[0]
    damping = -VOLTS_PER_NM * KD
    assert bench.run(DT) == pytest.approx(damping, rel=1e-5)
    bench.send(goto(0.2))
    bench.run(0.05)
    bench.send(ZERO_VELOCITY)
    assert bench.mode is Mode.TIMEOUT, "a position command must not clear it"
    assert bench.run(DT) == pytest.approx(damping, rel=1e-5)
    bench.send(STOP)
    assert bench.mode is Mode.STOPPED
    bench.drive(goto(0.2))
    assert bench.mode is Mode.POSITION


def test_damping_is_capped_by_the_configured_torque_whatever_is_commanded() -> None:
    bench = Bench(MoteusConfig(kd_nm_s_per_rev=KD, timeout_max_torque_nm=1.0))
    damp = bytes.fromhex("01000c 0d25 00004040 50 50 50")
    bench.velocity[:] = 10.0
    assert bench.drive(damp) == pytest.approx(-1.0 * VOLTS_PER_NM)


def test_writing_the_mode_resets_every_command_register() -> None:
    bench = Bench()
    bench.drive(goto(0.2, feedforward=0.5, kp=0.5))
    bench.position[:] = 0.1
    bare = bytes.fromhex("01000a 0d29 000080bf 50")
    assert bench.drive(bare) == pytest.approx(-VOLTS_PER_NM * KP * 0.1, rel=1e-5)
    reply = bench.send(bytes.fromhex("1e20 1d25"))
    position, velocity = struct.unpack("<2f", reply[2:10])
    assert (position, velocity) == (0.0, 0.0)
    assert math.isnan(struct.unpack("<f", reply[12:16])[0])


def test_the_default_acceleration_limit_filters_unless_switched_off() -> None:
    """TRAP: 50 rev/s^2 stands between a policy and its motor, unless a negative limit is sent."""
    goal = 0.25
    unlimited, limited = Bench(), Bench()
    for bench, accel in ((unlimited, -1000), (limited, -32768)):
        bench.drive(goto(0.0, kd=0.0, accel=accel))
        bench.send(goto(goal, kd=0.0, torque=100.0, accel=accel))
    assert unlimited.run(DT) == 16.0
    assert abs(limited.run(DT)) < 0.1
    elapsed = 2 * math.sqrt(goal / 50.0)
    limited.run(0.5 * elapsed - 0.002)
    reply = limited.send(bytes.fromhex("1e38"))
    position, velocity = struct.unpack("<2f", reply[2:10])
    assert position == pytest.approx(goal / 2, abs=0.02)
    assert velocity == pytest.approx(math.sqrt(goal * 50.0), rel=0.1)


def test_velocity_limit_and_moving_goal() -> None:
    bench = Bench()
    bench.drive(goto(0.0, speed=2000))
    bench.send(goto(1.0, speed=2000, timeout=-32768))
    bench.run(0.1)
    assert struct.unpack("<f", bench.send(b"\x1d\x38")[2:6])[0] == pytest.approx(0.05, rel=1e-6)
    bench.send(goto(0.0, velocity=2.0, timeout=-32768))
    bench.run(0.1)
    assert struct.unpack("<f", bench.send(b"\x1d\x38")[2:6])[0] == pytest.approx(0.2, rel=1e-6)


def full(stop: float, accel: float, velocity: float = 1.0) -> bytes:
    values = (0.0, velocity, 0.0, 1.0, 1.0, 3.5, stop, math.nan, math.nan, accel)
    return bytes.fromhex("01000a0c0a20") + struct.pack("<10f", *values)


def test_stop_position_holds_the_goal_but_faults_with_a_limit() -> None:
    bench = Bench()
    bench.drive(full(0.05, accel=-1.0))
    bench.run(0.2)
    assert struct.unpack("<f", bench.send(b"\x1d\x38")[2:6])[0] == pytest.approx(0.05)
    bench.send(full(0.05, accel=math.nan))
    assert (bench.mode, bench.bank.faults[0]) == (Mode.FAULT, FaultCode.STOP_POSITION_DEPRECATED)


def test_nan_position_holds_where_the_motor_is() -> None:
    bench = Bench()
    bench.position[:] = 0.3
    assert bench.drive(goto(math.nan, velocity=math.nan)) == 0.0
    bench.position[:] = 0.31
    assert bench.run(DT) == pytest.approx(-VOLTS_PER_NM * KP * 0.01, rel=1e-5)


@pytest.mark.parametrize(("supply", "code"), [(3.9, 40), (60.0, 34)])
def test_supply_faults_are_latched_and_spare_the_stopped(supply: float, code: int) -> None:
    bench = Bench(count=2)
    bench.drive(goto())
    bench.supply = supply
    bench.run(DT)
    assert bench.bank.modes == (Mode.FAULT, Mode.STOPPED)
    assert bench.bank.faults[0] == code
    bench.supply = 16.0
    bench.send(goto())
    bench.run(0.05)
    assert bench.mode is Mode.FAULT
    bench.send(STOP)
    assert (bench.mode, bench.bank.faults[0]) == (Mode.STOPPED, 0)


def test_overheat_from_outside_and_from_the_sensor() -> None:
    bench = Bench(count=2)
    bench.drive(goto())
    bench.bank.trip(0, FaultCode.OVER_TEMPERATURE)
    assert (bench.mode, bench.bank.driving[0]) == (Mode.FAULT, False)
    assert bench.run(DT) == 0.0
    assert bench.send(STOP)[2] == Mode.FAULT
    bench.drive(goto())
    bench.sense(temperature_c=76.0)
    assert bench.bank.faults == (38, 0), "heat spares the stopped"


def test_reply_byte_for_byte() -> None:
    bench = Bench()
    bench.sense(
        position_rev=0.25, velocity_rev_s=-1.0, torque_nm=0.5, power_w=10, temperature_c=25.0
    )
    assert bench.send(STOP) == (
        bytes.fromhex("210000 2f01 0000803e 000080bf 0000003f 2507 c800 270d a000 fa00 0000 505050")
    )


def test_a_torque_limit_is_reported_as_a_code_that_is_no_fault() -> None:
    bench = Bench()
    bench.drive(goto(9.0))
    reply = bench.send(goto(9.0))
    assert reply[2] == Mode.POSITION
    assert int.from_bytes(reply[27:29], "little") == FaultCode.LIMIT_MAX_TORQUE


def test_unknown_read_only_and_impossible_writes_are_refused() -> None:
    bench = Bench()
    assert bench.send(bytes.fromhex("11fe07"))[:4] == bytes.fromhex("31fe0701")
    assert bench.send(bytes.fromhex("010105"))[:3] == bytes.fromhex("300102")
    assert bench.send(bytes.fromhex("010007"))[:3] == bytes.fromhex("300003")
    assert bench.send(bytes.fromhex("1d8002"))[:4] == bytes.fromhex("31800201"), "int32 only"
    assert bench.mode is Mode.STOPPED


def test_broadcast_discovery_is_answered_by_everyone() -> None:
    bench = Bench(count=3)
    replies = bench.bank.handle_frame(0x807F, bytes.fromhex("1804D002 11D802"))
    assert [reply_id for reply_id, _ in replies] == [0x100, 0x200, 0x300]
    assert len({data for _, data in replies}) == 3
    assert all(data.startswith(bytes.fromhex("2804D002")) for _, data in replies)
    assert all(data[20:24] == bytes.fromhex("21D80201") for _, data in replies)


def test_strangers_and_unwanted_replies() -> None:
    bench = Bench()
    assert bench.bank.handle_frame(0x8005, STOP) == []
    assert bench.bank.handle_frame(0x0001, goto()) == []
    assert bench.mode is Mode.ENABLING


def test_power_cycle_forgets_everything() -> None:
    bench = Bench()
    bench.drive(goto(0.2))
    bench.bank.trip(0, 38)
    bench.bank.power_cycle()
    assert (bench.mode, bench.bank.faults[0]) == (Mode.STOPPED, 0)
    assert bench.run(DT) == 0.0


def test_usual_reply_byte_for_byte() -> None:
    """Scales of moteus docs/protocol/registers.md as int8; NaN is the lowest integer."""
    bench = Bench()
    told = {0x20: "19", 0x21: "ec", 0x22: "01", 0x23: "7f", 0x24: "00"}
    told |= {0x25: "07", 0x26: "80", 0x27: "0a", 0x28: "80", 0x29: "ec"}
    for tag, value in told.items():
        frame = goto(0.25, -2.0, feedforward=0.5, kd=0.0, torque=3.5, tag=tag)
        assert moteus_usual.is_usual(frame)
        reply = bench.send(frame)
        assert len(reply) == 32
        assert reply[29:] == bytes([0x21, tag]) + bytes.fromhex(value)


def test_a_query_with_another_tag_is_not_the_usual_one() -> None:
    for tag in (0x1F, 0x2A, 0x50):
        assert not moteus_usual.is_usual(goto(tag=tag))


numbers = st.floats(-4, 4, width=32) | st.sampled_from([math.nan])
counts = st.integers(-32768, 32767)
goals = st.tuples(numbers, numbers, numbers, numbers, numbers, numbers)
Goal = tuple[float, float, float, float, float, float]


limits_of = st.tuples(counts, counts, counts)
tags = st.integers(0x20, 0x29)


@given(st.lists(st.tuples(goals, limits_of, tags, tags), min_size=1, max_size=4))
def test_short_cut_equals_the_long_way(
    commands: list[tuple[Goal, tuple[int, int, int], int, int]],
) -> None:
    """The usual frame skips the register machinery; nothing may tell the difference."""
    quick, slow = Bench(), Bench()
    for bench in (quick, slow):
        bench.sense(position_rev=0.1, velocity_rev_s=2.0, power_w=-3.3, temperature_c=40.0)
    for goal, limits, *both in commands:
        # The second time nothing is new but the tag, which has a short cut of its own.
        for tag in both:
            frame = goto(*goal, *limits, tag)
            assert moteus_usual.is_usual(frame)
            assert quick.send(frame) == slow.bank.handle_any(0, frame)
        registers = bytes.fromhex("1c0a20")
        assert quick.send(registers) == slow.send(registers)
        for _ in range(12):
            for bench in (quick, slow):
                bench.position += 0.001
            assert quick.run(DT) == slow.run(DT)
        assert quick.bank.modes == slow.bank.modes


def asking(written: bytes, tag: int) -> bytes:
    """What is written, the usual query, and NOP up to a size of CAN-FD."""
    frame = written + bytes.fromhex("11001f01 1507170d11") + bytes([tag])
    return frame.ljust(next(size for size in (16, 24, 48) if size >= len(frame)), b"\x50")


others = st.one_of(
    st.sampled_from([bytes.fromhex("010000"), bytes.fromhex("01000f")]),
    st.builds(
        lambda torque, valid: (
            bytes.fromhex("01000c0d25") + struct.pack("<f", torque)
            + b"\x05\x27" + struct.pack("<h", valid)
        ),
        numbers, counts,
    ),
    st.builds(
        lambda values: bytes.fromhex("01000d0c0740") + struct.pack("<7f", *values),
        st.tuples(*[numbers] * 7),
    ),
)  # fmt: skip
"""Stop, brake, damp, stay within bounds."""


@given(st.lists(st.none() | others, min_size=1, max_size=8), st.data())
def test_short_cut_of_what_does_not_drive_equals_the_long_way(
    commands: list[bytes | None], data: st.DataObject
) -> None:
    """Whatever came before it, and whatever state it meets; the next goal starts afresh."""
    quick, slow = Bench(), Bench()
    for bench in (quick, slow):
        bench.sense(position_rev=0.1, velocity_rev_s=2.0, power_w=-3.3, temperature_c=40.0)
    for written in commands:
        tag = data.draw(tags)
        frame = goto(0.25, tag=tag) if written is None else asking(written, tag)
        assert moteus_usual.is_usual(frame) is (written is None)
        assert moteus_usual.other(frame) == (None if written is None else (written, tag))
        assert quick.send(frame) == slow.bank.handle_any(0, frame)
        if data.draw(st.booleans()):
            for bench in (quick, slow):
                bench.bank.trip(0, 38)
        registers = bytes.fromhex("1c0a20")
        assert quick.send(registers) == slow.send(registers)
        assert quick.run(0.011) == slow.run(0.011)
        assert quick.bank.modes == slow.bank.modes
        assert list(quick.bank.faults) == list(slow.bank.faults)


def test_the_drivers_frames_take_the_short_cut() -> None:
    """And one that asks for anything else, or writes a little more, does not."""
    one = np.ones(1)
    for command in (Stop(), Brake(), Damp(3.5, 0.1), StayWithin(*[one] * 7)):
        for tag in TAGS:
            (frame,) = encode(command, 1, tag)
            found = moteus_usual.other(frame)
            assert found is not None, command
            assert found[1] == tag
            assert moteus_usual.other(found[0] + b"\x50" + frame[len(found[0]) :]) is None
            assert moteus_usual.other(frame.replace(bytes([0x11, tag]), b"\x11\x50")) is None


@given(st.lists(st.binary(max_size=64), max_size=5))
def test_no_bytes_upset_the_firmware(frames: list[bytes]) -> None:
    bench = Bench()
    for frame in frames:
        bench.send(frame)
        voltage = bench.run(0.012)
        assert math.isfinite(voltage)
        assert abs(voltage) <= 16.0
