"""Several servos on one wire: the manual's packets byte for byte, group instructions, timing."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.firmware.dynamixel.line import OUTPUT_LIMIT, DynamixelLine, LineOptions, Missing
from sim.firmware.dynamixel.servo import BOOT_TIME_S, ServoSpec
from tests.sim.dynamixel_bench import (
    ACCESS,
    ALERT,
    BULK_READ,
    BULK_WRITE,
    CRC,
    EVERYBODY,
    FAST_BULK_READ,
    FAST_SYNC_READ,
    INSTRUCTION,
    OK,
    PING,
    READ,
    REBOOT,
    SYNC_READ,
    SYNC_WRITE,
    WRITE,
    Bench,
    crc,
    instruction,
    span,
    split,
)

OLD = ServoSpec(1, 1030, firmware=38), ServoSpec(2, 1030, firmware=38)
NEW = ServoSpec(1, 1030), ServoSpec(2, 1030)
DONE = "FFFFFD0001040055 00A10C"


def hexed(text: str) -> bytes:
    return bytes.fromhex(text)


# -- the manual's examples, byte for byte ----------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("FFFFFD00010300 01 194E", "FFFFFD00010700 55 00060426 655D"),
        (
            "FFFFFD00FE0300 01 3142",
            "FFFFFD00010700 55 00060426 655D FFFFFD00020700 55 00060426 6F6D",
        ),
        ("FFFFFD00010700 02 84000400 1D15", "FFFFFD00010800 55 00A6000000 8CC0"),
        ("FFFFFD00010900 03 740000020000 CA89", DONE),
        ("FFFFFD00010900 04 6800C8000000 AE8E", DONE),
        ("FFFFFD00010400 06 01 A1E6", DONE),
        ("FFFFFD00010300 08 2F4E", DONE),
        (
            "FFFFFD00FE0900 82 840004000102 CEFA",
            "FFFFFD00010800 55 00A6000000 8CC0 FFFFFD00020800 55 001F080000 BABE",
        ),
        ("FFFFFD00FE1100 83 74000400 0196000000 02AA000000 8287", ""),
        (
            "FFFFFD00FE0D00 92 0190000200 0292000100 1A05",
            "FFFFFD00010600 55 007700 C369 FFFFFD00020500 55 0024 8BA9",
        ),
        ("FFFFFD00FE1000 93 0120000200A000 021F00010050 B768", ""),
    ],
)
def test_examples_of_the_manual(request_: str, answer: str) -> None:
    bench = Bench(*OLD, counts=[166, 2079])
    bench.sense(temperature=36.0, supply=11.9)
    assert bench.say(hexed(request_)) == hexed(answer)


@pytest.mark.parametrize(
    "request_",
    [
        "FFFFFD00010800 10 0144584C22 B1DC",
        "FFFFFD00010800 20 014354524C 16F5",
    ],
)
def test_examples_that_need_newer_firmware(request_: str) -> None:
    assert Bench(*NEW).say(hexed(request_)) == hexed(DONE)


def test_example_of_action_and_restore() -> None:
    bench = Bench(*NEW)
    bench.say(hexed("FFFFFD00010900 04 6800C8000000 AE8E"))
    assert bench.say(hexed("FFFFFD00010300 05 02CE")) == hexed(DONE)
    assert bench.read("goal_velocity") == 200
    bench.say(hexed("FFFFFD00010800 20 014354524C 16F5"))
    # The manual prints 92 F5 here, which is not the CRC of these bytes.
    assert bench.say(hexed("FFFFFD00010800 20 024354524C 9EF5")) == hexed(DONE)


def test_example_of_fast_sync_read() -> None:
    bench = Bench(ServoSpec(3), ServoSpec(7), ServoSpec(4), counts=[166, 2079, 1023])
    answer = bench.say(hexed("FFFFFD00FE0A00 8A 84000400030704 20F2"))
    assert answer == hexed("FFFFFD00FE1900 55 0003A60000008408 00071F08000016CA 0004FF030000D19E")


def test_sync_and_bulk_write_wrote() -> None:
    bench = Bench(*OLD)
    bench.say(hexed("FFFFFD00FE1100 83 74000400 0196000000 02AA000000 8287"))
    assert [bench.read("goal_position", id) for id in (1, 2)] == [150, 170]
    bench.set(1, max_voltage_limit=150)
    bench.set(2, temperature_limit=70)
    bench.say(hexed("FFFFFD00FE1000 93 0120000200A000 021F00010050 B768"))
    assert bench.read("max_voltage_limit", 1) == 160
    assert bench.read("temperature_limit", 2) == 80


def test_answers_are_stuffed_where_readings_look_like_a_header() -> None:
    """Current -1 and velocity -3 are FF FF FD: it happens in normal use."""
    bench = Bench(ServoSpec(1))
    bench.joints.velocity[0] = -3 * 0.229 * math.tau / 60
    bench.run(0.0)
    bench.line.control(bench.joints.position, bench.joints.velocity, 12.0, 0.001)
    bench.sense(current=-0.00269)
    answer = bench.say(instruction(1, READ, span(126, 10)))
    assert answer[8:15] == hexed("00 FFFFFDFD FFFF")
    assert split(answer) == [(1, 0, hexed("FFFF FDFFFFFF 00000000"))]


# -- group reads -----------------------------------------------------------------------------------

THREE = ServoSpec(1), ServoSpec(2), ServoSpec(3)


def ids(data: bytes) -> list[int]:
    return [id for id, _, _ in split(data)]


def test_answers_come_in_the_order_of_the_request() -> None:
    bench = Bench(*THREE)
    assert ids(bench.say(instruction(EVERYBODY, SYNC_READ, span(132, 4) + b"\x03\x01\x02"))) == [
        3,
        1,
        2,
    ]
    bulk = b"".join(bytes([id]) + span(144, 2) for id in (2, 3, 1))
    assert ids(bench.say(instruction(EVERYBODY, BULK_READ, bulk))) == [2, 3, 1]


@pytest.mark.parametrize(("missing", "expected"), [(Missing.SKIP, [1, 3]), (Missing.CHAIN, [1])])
def test_both_ways_to_do_without_a_missing_servo(missing: Missing, expected: list[int]) -> None:
    bench = Bench(*THREE, options=LineOptions(missing=missing))
    for absent in ("silent", "unknown", "rebooting", "level 0"):
        second = 9 if absent == "unknown" else 2
        servo = bench.line.servo(2)
        servo.faults.silent = absent == "silent"
        if absent == "rebooting":
            bench.ask(REBOOT, id=2)
        if absent == "level 0":
            bench.set(2, status_return_level=0)
        request = span(132, 4) + bytes((1, second, 3))
        assert ids(bench.say(instruction(EVERYBODY, SYNC_READ, request))) == expected
        bulk = b"".join(bytes([id]) + span(144, 2) for id in (1, second, 3))
        assert ids(bench.say(instruction(EVERYBODY, BULK_READ, bulk))) == expected
        bench.run(BOOT_TIME_S)


def slots(data: bytes, length: int) -> list[tuple[int, int, bytes]]:
    """Id, error and data of the parts of a fast answer; every running CRC must be right."""
    assert data[:5] == b"\xff\xff\xfd\x00\xfe"
    assert data[7] == 0x55
    found: list[tuple[int, int, bytes]] = []
    at = 8
    while at < len(data):
        end = at + 2 + length
        assert crc(data[:end]) == int.from_bytes(data[end : end + 2], "little")
        found.append((data[at + 1], data[at], data[at + 2 : end]))
        at = end + 2
    return found


@pytest.mark.parametrize(("missing", "expected"), [(Missing.SKIP, [1, 3]), (Missing.CHAIN, [1])])
def test_fast_read_without_one_servo_is_shorter_than_it_says(
    missing: Missing, expected: list[int]
) -> None:
    bench = Bench(*THREE, options=LineOptions(missing=missing))
    bench.line.servo(2).faults.silent = True
    answer = bench.say(instruction(EVERYBODY, FAST_SYNC_READ, span(132, 4) + b"\x01\x02\x03"))
    assert [id for id, _, _ in slots(answer, 4)] == expected
    assert int.from_bytes(answer[5:7], "little") == 25
    silent = bench.say(instruction(EVERYBODY, FAST_SYNC_READ, span(132, 4) + b"\x02\x03"))
    assert silent == b""


def test_fast_bulk_read() -> None:
    bench = Bench(*THREE, counts=[166, 2079, 1023])
    bulk = b"".join(bytes([id]) + span(132, 4) for id in (3, 1))
    answer = bench.say(instruction(EVERYBODY, FAST_BULK_READ, bulk))
    assert slots(answer, 4) == [(3, 0, hexed("FF030000")), (1, 0, hexed("A6000000"))]


def test_fast_read_needs_firmware_45_and_is_never_longer_than_a_packet() -> None:
    bench = Bench(ServoSpec(1, firmware=44), ServoSpec(2))
    request = instruction(EVERYBODY, FAST_SYNC_READ, span(132, 4) + b"\x01\x02")
    assert bench.say(request) == b""
    long = instruction(EVERYBODY, FAST_SYNC_READ, span(0, 65535) + b"\x02")
    assert bench.say(long) == b""


def test_alert_and_errors_show_in_group_answers() -> None:
    bench = Bench(*THREE)
    bench.line.servo(2).memory.data[70] = 0x20
    answer = bench.say(instruction(EVERYBODY, SYNC_READ, span(132, 4) + b"\x01\x02"))
    assert [(id, error) for id, error, _ in split(answer)] == [(1, OK), (2, ALERT)]
    answer = bench.say(instruction(EVERYBODY, SYNC_READ, span(300, 4) + b"\x01\x02"))
    assert split(answer) == [(1, ACCESS, b""), (2, ALERT | ACCESS, b"")]
    fast = bench.say(instruction(EVERYBODY, FAST_SYNC_READ, span(300, 2) + b"\x01\x02"))
    assert slots(fast, 2) == [(1, ACCESS, bytes(2)), (2, ALERT | ACCESS, bytes(2))]


@pytest.mark.parametrize(
    ("code", "parameters"),
    [
        (SYNC_READ, b""),
        (SYNC_READ, b"\x84\x00\x04"),
        (SYNC_READ, b"\x84\x00\x04\x00"),
        (BULK_READ, b"\x01\x84\x00\x04"),
        (SYNC_WRITE, b"\x41\x00\x01\x00\x01\x01\x02"),
        (SYNC_WRITE, b"\x41\x00\x00\x00\x01\x02"),
        (BULK_WRITE, b"\x01\x41\x00\x02\x00\x01"),
        (BULK_WRITE, b"\x01\x41\x00\x01\x00\x01\x02"),
        (FAST_SYNC_READ, b""),
        (FAST_BULK_READ, b""),
    ],
)
def test_group_instructions_that_make_no_sense_do_nothing(code: int, parameters: bytes) -> None:
    bench = Bench(*THREE)
    assert bench.say(instruction(EVERYBODY, code, parameters)) == b""
    assert [bench.read("led", id) for id in (1, 2, 3)] == [0, 0, 0]
    assert bench.ask(code, parameters)[0] == INSTRUCTION


def test_refused_group_writes_leave_no_trace() -> None:
    bench = Bench(*THREE)
    bench.set(2, torque_enable=1)
    write = span(9, 1) + b"\x01\x00\x02\x00\x03\x00"
    assert bench.say(instruction(EVERYBODY, SYNC_WRITE, write)) == b""
    assert [bench.read("return_delay_time", id) for id in (1, 2, 3)] == [0, 250, 0]


def test_broadcast_is_obeyed_and_not_answered() -> None:
    bench = Bench(*THREE)
    for code, parameters in ((WRITE, b"\x41\x00\x01"), (READ, span(0, 2)), (0x77, b"")):
        assert bench.say(instruction(EVERYBODY, code, parameters)) == b""
    assert [bench.read("led", id) for id in (1, 2, 3)] == [1, 1, 1]


def test_broadcast_ping_is_answered_by_rising_id() -> None:
    bench = Bench(ServoSpec(30), ServoSpec(2, 1060), ServoSpec(252), ServoSpec(11))
    assert ids(bench.say(instruction(EVERYBODY, PING))) == [2, 11, 30, 252]


# -- the wire --------------------------------------------------------------------------------------


def test_crc_error_is_told_by_the_servo_addressed_only() -> None:
    bench = Bench(*THREE)
    for id, expected in ((2, [(2, CRC, b"")]), (EVERYBODY, []), (77, [])):
        packet = bytearray(instruction(id, WRITE, b"\x41\x00\x01"))
        packet[-1] ^= 0x10
        assert split(bench.say(bytes(packet))) == expected
    assert [bench.read("led", id) for id in (1, 2, 3)] == [0, 0, 0]


def test_servos_with_the_same_id_talk_over_each_other() -> None:
    bench = Bench(ServoSpec(1, 1020), ServoSpec(1, 1060), ServoSpec(2))
    answer = bench.say(instruction(1, PING))
    assert len(answer) == 14
    assert crc(answer[:-2]) != int.from_bytes(answer[-2:], "little")
    assert bench.ask(PING, id=2)[0] == OK
    twins = Bench(ServoSpec(1), ServoSpec(1))
    assert twins.ask(PING)[0] == OK


def test_a_servo_answers_with_its_old_id_and_hears_its_new_one() -> None:
    bench = Bench()
    assert bench.write("id", 7) == OK
    assert bench.say(instruction(1, PING)) == b""
    assert bench.ask(PING, id=7)[0] == OK


def test_another_baud_rate_is_not_heard() -> None:
    bench = Bench(ServoSpec(1, baud_rate=1), ServoSpec(2, baud_rate=3))
    for baud, expected in ((57_600, [1]), (1_000_000, [2]), (4_500_000, []), (None, [1, 2])):
        bench.line.host_baud = baud
        assert ids(bench.say(instruction(EVERYBODY, PING))) == expected
    bench.line.host_baud = 1_000_000
    assert bench.write("baud_rate", 4, id=2) == OK
    assert bench.say(instruction(2, PING)) == b""
    bench.line.host_baud = 2_000_000
    assert bench.ask(PING, id=2)[0] == OK


def arrivals(bench: Bench, packet: bytes) -> list[tuple[float, int]]:
    """When (s after the request) which servo's answer is there."""
    start = bench.clock.now()
    found: list[tuple[float, int]] = []
    bench.line.receive(packet)
    for _ in range(200):
        found += [(bench.clock.now() - start, id) for id in ids(bench.line.transmit())]
        bench.run(0.001)
    return found


def test_answers_take_their_time_if_asked_to() -> None:
    """At 57600 bit/s a byte takes 174 us; the factory's return delay is 500 us."""
    options = LineOptions(timed=True, host_baud=57_600)
    bench = Bench(ServoSpec(1, baud_rate=1), ServoSpec(2, baud_rate=1), options=options)
    byte = 10 / 57_600
    ping = 10 * byte + 0.00054 + 14 * byte
    ((at, _),) = arrivals(bench, instruction(1, PING))
    assert at == pytest.approx(ping, abs=0.001)
    request = instruction(EVERYBODY, SYNC_READ, span(132, 4) + b"\x01\x02")
    (first, _), (second, _) = arrivals(bench, request)
    assert first == pytest.approx(16 * byte + 0.00054 + 15 * byte, abs=0.001)
    assert second - first == pytest.approx(0.00054 + 15 * byte, abs=0.001)


def test_a_missing_servo_costs_its_time() -> None:
    options = LineOptions(timed=True, host_baud=57_600)
    bench = Bench(ServoSpec(1, baud_rate=1), ServoSpec(2, baud_rate=1), options=options)
    both = arrivals(bench, instruction(EVERYBODY, SYNC_READ, span(132, 4) + b"\x01\x02"))
    gap = arrivals(bench, instruction(EVERYBODY, SYNC_READ, span(132, 4) + b"\x09\x02"))
    assert gap[0][0] == pytest.approx(both[1][0], abs=0.0011)


def test_a_host_that_never_reads_does_not_fill_the_memory() -> None:
    bench = Bench()
    for _ in range(200):
        bench.line.receive(instruction(1, READ, span(0, 662)))
    assert 0 < len(bench.line.transmit()) <= OUTPUT_LIMIT
    assert bench.ask(PING)[0] == OK


def test_specs_out_of_range() -> None:
    with pytest.raises(ValueError, match="0 to 252"):
        ServoSpec(253)
    with pytest.raises(ValueError, match="known are"):
        DynamixelLine([ServoSpec(1, 1020), ServoSpec(2, 77)], lambda: 0.0)
    with pytest.raises(KeyError, match="no servo has id 5"):
        Bench().line.servo(5)


PACKETS = st.builds(
    instruction,
    st.sampled_from([1, 2, 100, EVERYBODY]),
    st.sampled_from([1, 2, 3, 4, 5, 6, 8, 0x10, 0x20, 0x55, 0x82, 0x83, 0x8A, 0x92, 0x93, 0x9A])
    | st.integers(0, 255),
    st.binary(max_size=24)
    | st.builds(
        lambda address, rest: address.to_bytes(2, "little") + rest,
        st.sampled_from([7, 10, 11, 12, 20, 64, 98, 100, 116, 126, 132, 168, 224]),
        st.binary(max_size=14),
    ),
)


@settings(deadline=None, max_examples=60)
@given(pieces=st.lists(PACKETS | st.binary(max_size=60), max_size=15), timed=st.booleans())
def test_line_takes_anything(pieces: list[bytes], timed: bool) -> None:
    """Nothing raises, and a servo that has booted still answers its ping afterwards.

    On a timed line that may take a while: a sync read leaves room for the answers of servos that
    are not there, of up to 65,535 bytes each.
    """
    bench = Bench(ServoSpec(1), ServoSpec(2, 1060), options=LineOptions(timed=timed))
    for piece in pieces:
        bench.line.receive(piece)
        bench.run(0.002)
        bench.line.transmit()
    bench.run(BOOT_TIME_S)
    servo = bench.line.servos[0]
    for _ in range(100):
        bench.run(0.1)
        bench.line.transmit()
        bench.line.receive(instruction(servo.id, PING))
        bench.run(0.1 if timed else 0.0)
        if bench.line.transmit():
            return
    raise AssertionError("no answer")
