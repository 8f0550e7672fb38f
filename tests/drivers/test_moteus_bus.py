"""The bus against scripted lines: what it does when the wire misbehaves."""

import math
import struct

import numpy as np
import pytest

from drivers.errors import BusTimeout, DeviceError, WireClosed
from drivers.moteus import (
    Command,
    Damp,
    MoteusBus,
    Register,
    Resolution,
    ServoInfo,
    ServoReadings,
    Stop,
)
from drivers.moteus.multiplex import Read, Write
from drivers.moteus.readings import UNKNOWN_MODE
from drivers.motor_bus import MotorBus
from tests.drivers.scripted_wire import ScriptedWire


def reply(id: int, position: float = 0.25, mode: int = 10) -> bytes:
    """A line from the device; layout of moteus docs/protocol/can.md."""
    frame = bytes([0x21, 0x00, mode, 0x2F, 0x01]) + struct.pack("<3f", position, -1.0, 0.5)
    frame += bytes.fromhex("2507 c800 270d a000 fa00 0000 505050")
    return f"rcv {id << 8:04X} {frame.hex().upper()} e B F r x-1\r\n".encode()


def bus_with(*answers: bytes, ids: tuple[int, ...] = (1, 2)) -> tuple[MoteusBus, ScriptedWire]:
    script = iter(answers)
    wire = ScriptedWire(lambda _: next(script, b""))
    return MoteusBus(wire, ids, wire.now), wire


BOTH = b"OK\r\n" + reply(1) + b"OK\r\n" + reply(2, 0.5)


def test_one_write_for_all_and_one_reading_each() -> None:
    bus, wire = bus_with(BOTH)
    readings = bus.exchange(Stop(), 0.004)
    assert wire.written == [
        b"can send 8001 01000011001f011507170d50\ncan send 8002 01000011001f011507170d50\n"
    ]
    assert readings.valid.all()
    np.testing.assert_allclose(readings.position_rev, [0.25, 0.5])
    np.testing.assert_allclose(readings.power_w, 10.0)
    assert readings.mode.tolist() == [10, 10]
    assert wire.time == 0.0, "an exchange that has heard everyone must not wait"


@pytest.mark.parametrize(
    "answer",
    [
        reply(2, 0.5) + reply(1) + b"OK\r\nOK\r\n",
        b"\r\n" + BOTH,
        b"".join([reply(9), BOTH]),
        b"rcv 0100 zz\r\n" + BOTH,
        reply(1, math.nan) + BOTH,
        b"noise \xff\xfe\r\n" + BOTH,
    ],
    ids=["order", "empty line", "stranger", "bad hex", "not finite", "noise"],
)
def test_what_must_not_disturb(answer: bytes) -> None:
    bus, _ = bus_with(answer)
    readings = bus.exchange(Stop(), 0.004)
    assert readings.valid.all()
    np.testing.assert_allclose(readings.position_rev, [0.25, 0.5])


def test_a_lost_servo_keeps_its_old_values_with_their_old_time() -> None:
    bus, wire = bus_with(BOTH, reply(2, 0.75), b"")
    bus.exchange(Stop(), 0.004)
    wire.time = 1.0
    readings = bus.exchange(Stop(), 1.004)
    assert readings.valid.tolist() == [False, True]
    assert readings.time.tolist() == [0.0, 1.0]
    np.testing.assert_allclose(readings.position_rev, [0.25, 0.75])
    last = bus.last_readings()
    assert not last.valid.any()
    np.testing.assert_allclose(last.position_rev, [0.25, 0.75])


def test_never_heard_is_never_mistaken_for_stopped() -> None:
    bus, _ = bus_with()
    readings = bus.exchange(Stop(), 0.004)
    assert readings.time.tolist() == [-math.inf, -math.inf]
    assert readings.mode.tolist() == [UNKNOWN_MODE, UNKNOWN_MODE]
    assert np.isnan(readings.position_rev).all()


def test_a_reply_that_comes_late_is_never_taken_for_the_next_one() -> None:
    bus, wire = bus_with(reply(2), b"")
    assert bus.exchange(Stop(), 0.004).valid.tolist() == [False, True]
    wire.arrived.append(reply(1, 9.0))
    readings = bus.exchange(Stop(), 0.008)
    assert not readings.valid.any()
    assert not (readings.position_rev == 9.0).any()
    assert bus.statistics.late == 1
    assert bus.statistics.resyncs == 1


def test_replies_sent_twice_do_not_answer_the_next_exchange() -> None:
    bus, wire = bus_with(BOTH, BOTH)
    bus.exchange(Stop(), 0.004)
    wire.arrived.append(reply(1, 9.0) + reply(2, 9.0))
    readings = bus.exchange(Stop(), 0.009)
    np.testing.assert_allclose(readings.position_rev, [0.25, 0.5])
    assert (bus.statistics.late, bus.statistics.resyncs) == (2, 0)


def test_after_a_miss_the_line_must_fall_silent_before_the_next_write() -> None:
    bus, wire = bus_with(reply(2), BOTH)
    bus.exchange(Stop(), 0.004)
    wire.arrived.extend([reply(1, 9.0)[:10], reply(1, 9.0)[10:]])
    readings = bus.exchange(Stop(), 0.010)
    assert readings.valid.all()
    np.testing.assert_allclose(readings.position_rev, [0.25, 0.5])


def test_readings_are_fresh_arrays() -> None:
    bus, _ = bus_with(BOTH, BOTH)
    first = bus.exchange(Stop(), 0.004)
    first.position_rev[:] = 77.0
    first.time[:] = 77.0
    np.testing.assert_allclose(bus.exchange(Stop(), 0.008).position_rev, [0.25, 0.5])
    assert bus.last_readings().time.tolist() == [0.0, 0.0]


def test_a_babbling_line_cannot_hold_the_tick() -> None:
    wire = ScriptedWire(lambda _: b"")
    reads = 0

    def babble(deadline: float) -> bytes:
        nonlocal reads
        reads += 1
        wire.time += 0.001
        return b"babble\r\n"

    wire.read = babble
    bus = MoteusBus(wire, (1,), wire.now)
    bus.exchange(Stop(), 0.004)
    assert reads <= 5
    assert bus.statistics.corrupt == reads


def test_counters() -> None:
    bus, _ = bus_with(b"ERR not in BusOn state\r\n" + reply(1) + reply(1), b"garbage\r\n")
    bus.exchange(Stop(), 0.004)
    bus.exchange(Stop(), 0.008)
    counted = bus.statistics
    assert (counted.exchanges, counted.lost, counted.late) == (2, 3, 1)
    assert (counted.refused, counted.corrupt, counted.resyncs) == (1, 1, 1)


def test_checksum_dialect_refuses_lines_without_one() -> None:
    wire = ScriptedWire(lambda _: BOTH)
    bus = MoteusBus(wire, (1, 2), wire.now, checksum=True)
    assert not bus.exchange(Stop(), 0.004).valid.any()
    assert wire.written[0].count(b" *") == 2


def test_stop_all_names_who_did_not_confirm() -> None:
    bus, wire = bus_with(reply(1, mode=10) + reply(2, mode=10), reply(1, mode=0), reply(1, mode=0))
    assert bus.stop_all(3) == [2]
    assert len(wire.written) == 3
    bus, wire = bus_with(reply(1, mode=11), reply(1, mode=0), reply(2, mode=0))
    assert bus.stop_all(20) == []
    assert len(wire.written) == 3, "confirmation may come in different tries"


def test_read_tries_again_and_gives_up() -> None:
    bus, wire = bus_with(b"", b"rcv 0100 2D0700002041 e B F\r\n")
    assert bus.read(1, Register.POWER) == 10.0
    assert wire.written[0] == b"can send 8001 1d07\n"
    with pytest.raises(BusTimeout, match="controller 2"):
        bus.read(2, Register.POWER)


def test_refusals_are_device_errors() -> None:
    bus, _ = bus_with(b"rcv 0100 310701 e B F\r\n", b"rcv 0100 300102 e B F\r\n")
    with pytest.raises(DeviceError, match="controller 1"):
        bus.read(1, Register.POWER)
    with pytest.raises(DeviceError, match="controller 1"):
        bus.write(1, Register.POSITION, 0.5)


def answer(frame: str, id: int = 1) -> bytes:
    return f"rcv {id << 8:04X} {frame.replace(' ', '').upper()} e B F r x-1\r\n".encode()


def test_several_registers_in_one_frame() -> None:
    bus, wire = bus_with(b"OK\r\n" + answer("21000a 2d25 00006040"))
    blocks = [
        Read(Register.MODE, Resolution.INT8),
        Read(Register.COMMAND_MAXIMUM_TORQUE, Resolution.FLOAT),
        Read(Register.POWER, Resolution.INT16),
    ]
    with pytest.raises(DeviceError, match="0x007"):
        bus.read_many(1, blocks)
    assert wire.written == [b"can send 8001 11001d251507\n"]
    bus, _ = bus_with(answer("21000a 2d25 00006040 2507 c800"))
    assert bus.read_many(1, blocks) == {0: 10.0, 0x25: 3.5, 7: 10.0}


def test_a_reply_that_cannot_fit_is_not_asked_for() -> None:
    bus, wire = bus_with()
    with pytest.raises(ValueError, match="66 bytes"):
        bus.read_many(1, [Read(0x20, Resolution.FLOAT, 15), Read(0x00, Resolution.INT8)])
    assert not wire.written


def test_several_registers_are_written_in_one_frame() -> None:
    bus, wire = bus_with(answer("5050"))
    bus.write_many(
        1,
        [
            Write(Register.MODE, Resolution.INT8, (10.0,)),
            Write(Register.COMMAND_KP_SCALE, Resolution.FLOAT, (1.0, 0.5)),
        ],
    )
    assert wire.written == [b"can send 8001 01000a0e230000803f0000003f505050\n"]


STOPPED, DRIVING = answer("210000"), answer("21000a")


def test_a_new_zero_is_set_and_read_back() -> None:
    bus, wire = bus_with(STOPPED, answer("50"), answer("2d01 0000803e 210c02"))
    assert bus.rezero(1, 0.25, exact=True) == 0.25
    assert wire.written == [
        b"can send 8001 1100\n",
        b"can send 8001 0db1020000803e\n",  # as moteus.Controller.make_set_output_exact
        b"can send 8001 1d01110c\n",
    ]
    bus, wire = bus_with(STOPPED, answer("50"), answer("2d01 000080be 210c02"))
    assert bus.rezero(1, 0.25) == -0.25, "whole turns of the rotor leave up to half a turn"
    assert wire.written[1] == b"can send 8001 0db0020000803e\n"


def test_a_new_zero_makes_any_position_plausible() -> None:
    bus, _ = bus_with(
        BOTH, STOPPED, answer("50"), answer("2d01 0000c040 210c02"), reply(1, 6.0) + reply(2, 0.5)
    )
    bus.exchange(Stop(), 0.004)
    bus.rezero(1, 6.0, exact=True)
    readings = bus.exchange(Stop(), 0.1)
    assert readings.valid.all()
    np.testing.assert_allclose(readings.position_rev, [6.0, 0.5])


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ((DRIVING,), "mode 10; stop it"),
        ((STOPPED, answer("30b10201")), "no such register"),
        ((STOPPED, answer("50"), answer("2d01 0000003f 210c02")), "reads back 0.5"),
        ((STOPPED, answer("50"), answer("2d01 0000c07f 210c02")), "reads back nan"),
        ((STOPPED, answer("50"), answer("2d01 0000803e 210c01")), "home state 1"),
    ],
)
def test_a_new_zero_that_fails_is_told(answers: tuple[bytes, ...], message: str) -> None:
    bus, _ = bus_with(*answers)
    with pytest.raises(DeviceError, match=message):
        bus.rezero(1, 0.25, exact=True)


def test_impossible_zeros_are_refused() -> None:
    bus, wire = bus_with()
    with pytest.raises(ValueError, match="finite"):
        bus.rezero(1, math.nan)
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        bus.rezero(3, 0.0)
    assert not wire.written


def test_recapture_only_while_stopped() -> None:
    bus, wire = bus_with(STOPPED, answer("50"), DRIVING)
    bus.recapture(1)
    # As moteus.Controller.make_recapture_position_velocity.
    assert wire.written[1] == b"can send 8001 01b30201\n"
    with pytest.raises(DeviceError, match="stop it"):
        bus.recapture(1)


def test_implausible_replies_are_not_valid_and_counted() -> None:
    far = reply(1, 0.75) + reply(2, 0.5)
    bus, wire = bus_with(BOTH, far, far)
    bus.exchange(Stop(), 0.004)
    wire.time = 0.002
    readings = bus.exchange(Stop(), 0.004)
    assert readings.valid.tolist() == [False, True]
    np.testing.assert_allclose(readings.position_rev, [0.25, 0.5])
    assert (bus.statistics.implausible, bus.statistics.lost) == (1, 1)
    wire.time = 0.1
    assert bus.exchange(Stop(), 0.104).valid.all(), "after 0.1 s it can have come so far"


def test_a_row_of_replies_in_another_layout_is_understood() -> None:
    floats = struct.pack("<3f", 0.5, -1.0, 0.5).hex()
    other = answer(f"2d07 00002041 230d 201900 21000a 2f01 {floats}", 2)
    bus, _ = bus_with(reply(1) + other)
    readings = bus.exchange(Stop(), 0.004)
    assert readings.valid.all()
    np.testing.assert_allclose(readings.position_rev, [0.25, 0.5])


def test_durations_are_by_the_bus_clock() -> None:
    bus, _ = bus_with(BOTH, b"")
    bus.exchange(Stop(), 0.004)
    bus.exchange(Stop(), 0.004)
    statistics = bus.statistics
    assert sum(statistics.cycles) == statistics.exchanges == 2
    assert statistics.longest_s == 0.004
    assert statistics.cycles[0] == 1


def test_it_is_a_motor_bus() -> None:
    """The type checker proves it; here it only has to run."""
    bus: MotorBus[Command, ServoReadings, ServoInfo] = bus_with()[0]
    assert bus.ids == (1, 2)


def test_after_reopening_positions_may_be_anywhere() -> None:
    bus, wire = bus_with(BOTH, b"", reply(1, 5.0) + reply(2, 6.0))
    bus.exchange(Stop(), 0.004)
    wire.close()
    with pytest.raises(WireClosed):
        bus.exchange(Stop(), 0.008)
    bus.reopen()
    assert not bus.exchange(Stop(), 0.012).valid.any()
    np.testing.assert_allclose(bus.exchange(Stop(), 0.016).position_rev, [5.0, 6.0])


def test_probe_leaves_out_the_silent() -> None:
    answer = "2a8002 04000000 0d010000 2ba002 01000000 02000000 03000000 5050505050505050".replace(
        " ", ""
    )
    bus, _ = bus_with(f"rcv 0100 {answer} e B F\r\n".encode())
    found = bus.probe()
    assert set(found) == {1}
    assert (found[1].model, found[1].firmware, found[1].serial) == (4, 0x10D, (1, 2, 3))


def test_a_closed_wire_is_told_at_once() -> None:
    bus, wire = bus_with(BOTH)
    bus.exchange(Stop(), 0.004)
    bus.close()
    bus.close()
    with pytest.raises(WireClosed):
        bus.exchange(Damp(1.0, 0.1), 0.008)
    assert bus.last_readings().position_rev.tolist() == [0.25, 0.5]
    assert wire.written


@pytest.mark.parametrize("ids", [(1, 1), (0,), (127,)])
def test_impossible_ids_are_refused(ids: tuple[int, ...]) -> None:
    wire = ScriptedWire(lambda _: b"")
    with pytest.raises(ValueError, match="distinct"):
        MoteusBus(wire, ids, wire.now)
