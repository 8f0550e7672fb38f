"""The bus against scripted lines: what it does when the wire misbehaves."""

import math
import struct

import numpy as np
import pytest

from drivers.errors import WireClosed
from drivers.moteus import (
    Command,
    Damp,
    MoteusBus,
    ServoInfo,
    ServoReadings,
    Stop,
)
from drivers.moteus.readings import TAGS, UNKNOWN_MODE
from drivers.motor_bus import MotorBus
from tests.drivers.moteus_script import BOTH, answer, bus_with, reply
from tests.drivers.scripted_wire import ScriptedWire


def test_one_write_for_all_and_one_reading_each() -> None:
    bus, wire = bus_with(BOTH)
    readings = bus.exchange(Stop(), 0.004)
    assert wire.written == [
        b"can send 8001 01000011001f011507170d1120505050\n"
        b"can send 8002 01000011001f011507170d1120505050\n"
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
    wire.arrived.append(reply(1, 9.0, tag=TAGS[1]))
    readings = bus.exchange(Stop(), 0.008)
    assert not readings.valid.any(), "it was there before its question"
    assert not (readings.position_rev == 9.0).any()
    assert bus.statistics.late == 1
    assert bus.statistics.resyncs == 1


def test_each_exchange_asks_with_the_next_tag() -> None:
    bus, wire = bus_with()
    for _ in range(2 * len(TAGS)):
        bus.exchange(Stop(), wire.time)
    lines = [written.splitlines() for written in wire.written]
    asked = [[int(line.partition(b"170d11")[2][:2], 16) for line in pair] for pair in lines]
    assert asked == [[tag, tag] for tag in (*TAGS, *TAGS)]


@pytest.mark.parametrize("age", range(1, len(TAGS)))
@pytest.mark.parametrize("start", [0, 4])
def test_a_reply_with_the_tag_of_another_query_is_late(age: int, start: int) -> None:
    """It arrives right behind our question, as if it were the answer."""
    answers = [BOTH] * (start + age)
    tag = TAGS[start % len(TAGS)]
    old = reply(1, 0.26, tag=tag)
    row = reply(1, 0.26, tag=tag) + reply(2, 0.51, tag=tag)
    bus, _ = bus_with(*answers, old + reply(2, 0.5), row, old + BOTH)
    for _ in answers:
        bus.exchange(Stop(), 0.004)
    before = bus.last_readings()
    one = bus.exchange(Stop(), 0.004)
    assert one.valid.tolist() == [False, True]
    assert one.time[0] == before.time[0]
    np.testing.assert_allclose(one.position_rev, [0.25, 0.5])
    assert (bus.statistics.late, bus.statistics.lost) == (1, 1)
    if age < len(TAGS) - 2:
        whole = bus.exchange(Stop(), 0.008)
        assert not whole.valid.any(), "a whole row, in order, is no less late"
        assert bus.statistics.late == 3
        both = bus.exchange(Stop(), 0.012)
        assert both.valid.all(), "a late reply does not stand in the way of the true one"
        np.testing.assert_allclose(both.position_rev, [0.25, 0.5])


def test_a_reply_that_refuses_is_counted_and_not_valid() -> None:
    """Older firmware has no register 0x028: it refuses the write, and the read that is our tag."""
    motion = struct.pack("<3f", 0.26, -1.0, 0.5).hex()
    told = f"21000a 2f01 {motion} 2507 c800 270d a000 fa00 0000"
    bus, _ = bus_with(
        BOTH, answer(f"{told} 312801") + reply(2, 0.5), answer(f"302801 {told} 2122 07")
    )
    bus.exchange(Stop(), 0.004)
    readings = bus.exchange(Stop(), 0.008)
    assert readings.valid.tolist() == [False, True]
    assert readings.position_rev[0] == 0.25
    assert not bus.exchange(Stop(), 0.012).valid.any()
    assert (bus.statistics.refused, bus.statistics.lost) == (2, 3)
    assert (bus.statistics.late, bus.statistics.corrupt) == (0, 0)


def test_a_reply_without_a_tag_is_not_understood() -> None:
    untagged = reply(1).replace(b"21??07", b"505050")
    bus, _ = bus_with(untagged + reply(2))
    assert bus.exchange(Stop(), 0.004).valid.tolist() == [False, True]
    assert (bus.statistics.corrupt, bus.statistics.lost) == (1, 1)


def test_replies_sent_twice_do_not_answer_the_next_exchange() -> None:
    bus, wire = bus_with(BOTH, BOTH)
    bus.exchange(Stop(), 0.004)
    wire.arrived.append(reply(1, 9.0, tag=TAGS[0]) + reply(2, 9.0, tag=TAGS[0]))
    readings = bus.exchange(Stop(), 0.009)
    np.testing.assert_allclose(readings.position_rev, [0.25, 0.5])
    assert (bus.statistics.late, bus.statistics.resyncs) == (2, 0)


def test_after_a_miss_the_line_must_fall_silent_before_the_next_write() -> None:
    bus, wire = bus_with(reply(2), BOTH)
    bus.exchange(Stop(), 0.004)
    late = reply(1, 9.0, tag=TAGS[0])
    wire.arrived.extend([late[:10], late[10:]])
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
    bus, wire = bus_with(BOTH, checksum=True)
    assert not bus.exchange(Stop(), 0.004).valid.any()
    assert wire.written[0].count(b" *") == 2


def test_stop_all_names_who_did_not_confirm() -> None:
    bus, wire = bus_with(reply(1, mode=10) + reply(2, mode=10), reply(1, mode=0), reply(1, mode=0))
    assert bus.stop_all(3) == [2]
    assert len(wire.written) == 3
    bus, wire = bus_with(reply(1, mode=11), reply(1, mode=0), reply(2, mode=0))
    assert bus.stop_all(20) == []
    assert len(wire.written) == 3, "confirmation may come in different tries"


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
    other = answer(f"2d07 00002041 230d 201900 21000a 2f01 {floats} 2120 07", 2)
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
