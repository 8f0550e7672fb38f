"""Golden bytes: the example in HiPNUC's own Python parser (products repository)."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.hipnuc.codec import (
    BAUDS,
    DIVISORS,
    FRAME_SIZE,
    G_M_S2,
    LONGEST_LINE,
    SAMPLING_RATE_HZ,
    TICK_NS,
    TICKS,
    Status,
    StreamParser,
    attitude_to_ned,
    encode_command,
    parse_frame,
    parse_identity,
    vector_to_frd,
)

FRAME = bytes.fromhex(
    "5AA54C00 14BB 91 0815 23 09A2C447 08151C00"
    "CCE861BE 9A35563E 65EA723F 31D07CBD 75DDC5BB 6BD724BC 8988FC40 01006A41 AB2A70C2"
    "96D45041 ED034341 41F4F4C2 CCCAF8BE 736A19BE F0001C3D 8D375C3F"
)


def crc(data: bytes) -> int:
    """x^16 + x^12 + x^5 + 1, start 0, bit by bit."""
    value = 0
    for bit in range(len(data) * 8):
        ahead = data[bit // 8] >> (7 - bit % 8) & 1
        value = (value << 1 ^ (0x1021 if value >> 15 ^ ahead else 0)) & 0xFFFF
    return value


def frame_at(time_ms: int) -> bytes:
    body = FRAME[6:14] + struct.pack("<I", time_ms) + FRAME[18:]
    return FRAME[:4] + crc(FRAME[:4] + body).to_bytes(2, "little") + body


def test_the_vendors_example() -> None:
    frame = parse_frame(FRAME)
    assert len(FRAME) == FRAME_SIZE == 82
    assert (frame.status, frame.temperature_c, frame.time_ms) == (0x1508, 35.0, 1_840_392)
    assert Status.GYRO_BIAS_NOT_CONVERGED in Status(frame.status)
    assert frame.pressure_pa == pytest.approx(100676.07, abs=0.01)
    in_g = (-0.2206146, 0.2091888, 0.9488891)
    assert frame.acceleration == pytest.approx([9.8 * value for value in in_g], abs=1e-5)
    in_deg_s = (-0.0617220, -0.0060384, -0.0100611)
    assert frame.angular_velocity == pytest.approx([math.radians(v) for v in in_deg_s], abs=1e-8)
    assert frame.magnetic_field_t == pytest.approx((7.89167e-6, 14.625e-6, -60.0417e-6), rel=1e-4)
    in_deg = (13.0519009, 12.1884584, -122.4770584)
    assert frame.roll_pitch_yaw == pytest.approx([math.radians(v) for v in in_deg], abs=1e-6)
    assert frame.quaternion_wxyz == pytest.approx(
        (-0.485922, -0.149820, 0.038087, 0.860223), abs=1e-5
    )


def test_the_example_proves_the_axes() -> None:
    """Its sensor was at rest, so up in sensor axes is where the force points: RFU in a z-up world.

    The Euler angles agree with pitch about the first axis and roll about the second.
    """
    frame = parse_frame(FRAME)
    w, x, y, z = frame.quaternion_wxyz
    up = (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y))
    force = [value / math.hypot(*frame.acceleration) for value in frame.acceleration]
    assert force == pytest.approx(up, abs=0.01)
    roll, pitch, _ = frame.roll_pitch_yaw
    assert up[1] == pytest.approx(math.sin(pitch), abs=1e-4)
    assert up[0] == pytest.approx(-math.sin(roll) * math.cos(pitch), abs=1e-4)


def test_axes_are_swapped_both_ways() -> None:
    assert vector_to_frd((1.0, 2.0, 3.0)) == (2.0, 1.0, -3.0)
    assert vector_to_frd(vector_to_frd((1.0, 2.0, 3.0))) == (1.0, 2.0, 3.0)
    assert attitude_to_ned((1.0, 0.0, 0.0, 0.0)) == (0.0, 0.0, 0.0, 1.0)
    quarter = math.sqrt(0.5)
    # Turned left about up is turned left about down the other way round.
    assert attitude_to_ned((quarter, 0.0, 0.0, quarter)) == (0.0, 0.0, -quarter, quarter)


@given(st.integers(0, FRAME_SIZE * 8 - 1))
def test_any_turned_bit_is_noticed(bit: int) -> None:
    damaged = bytearray(FRAME)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProtocolError):
        parse_frame(bytes(damaged))


@given(st.binary(max_size=120))
def test_any_bytes_are_a_frame_or_a_protocol_error(data: bytes) -> None:
    for start in (b"", FRAME[:7]):
        with pytest.raises(ProtocolError):
            parse_frame(start + data)


def test_another_tag_is_another_frame() -> None:
    body = b"\x92" + FRAME[7:]
    with pytest.raises(ProtocolError, match="not a HI91"):
        parse_frame(FRAME[:4] + crc(FRAME[:4] + body).to_bytes(2, "little") + body)


def test_numbers_of_the_vendors_documents() -> None:
    assert SAMPLING_RATE_HZ == 1000
    assert DIVISORS == (1, 2, 4, 5, 10, 20, 50, 100, 200, 500, 1000)
    assert set(BAUDS) == {
        *(4800, 9600, 19200, 38400, 57600, 115200),
        *(230400, 256000, 460800, 921600),
    }
    assert (len(BAUDS), BAUDS[0]) == (10, 115200)
    assert G_M_S2 == 9.8
    assert (TICK_NS, TICKS) == (1_000_000, 2**32)
    bits = {status.name: status.value.bit_length() - 1 for status in Status}
    assert bits == {
        "GYRO_BIAS_NOT_CONVERGED": 3,
        "MAGNETIC_DISTURBANCE": 4,
        "ACCELERATION_SATURATED": 5,
        "ANGULAR_RATE_SATURATED": 6,
        "ATTITUDE_NOT_CONVERGED": 7,
        "STATIC": 9,
        "MAGNETIC_AIDING": 10,
        "TIME_NOT_SYNCHRONISED": 11,
        "SYNC_OUT_PULSE": 12,
    }
    assert all(status.value.bit_count() == 1 for status in Status)


def with_crc(head: bytes, body: bytes) -> bytes:
    return head + crc(head + body).to_bytes(2, "little") + body


@pytest.mark.parametrize(
    "frame",
    [
        with_crc(FRAME[:4], FRAME[6:] + b"\x00"),
        with_crc(FRAME[:4], FRAME[6:-1]),
        with_crc(b"\x5a\xa5\x4d\x00", FRAME[6:]),
        with_crc(b"\x5b\xa5\x4c\x00", FRAME[6:]),
    ],
)
def test_another_length_or_header_is_another_frame_whatever_its_crc(frame: bytes) -> None:
    with pytest.raises(ProtocolError, match="not a HI91"):
        parse_frame(frame)


@pytest.mark.parametrize("before", [b"\xa5", b"a\xa5", b"\x5a", b"\x5a\x5a", b"\x5a\xa5\x4c\x01"])
def test_frames_are_found_behind_what_looks_like_them(before: bytes) -> None:
    parser = StreamParser()
    frames, lines = parser.feed(before + frame_at(1) + before + frame_at(2))
    assert [frame.time_ms for frame in frames] == [1, 2]
    assert lines == []


def test_every_byte_of_a_damaged_frame_is_counted() -> None:
    parser = StreamParser()
    frames, lines = parser.feed(FRAME[:4] + b"\x80" * 78 + frame_at(2))
    assert [frame.time_ms for frame in frames] == [2]
    assert (lines, parser.skipped) == ([], FRAME_SIZE)


def test_a_line_may_be_as_long_as_the_longest() -> None:
    parser = StreamParser()
    assert LONGEST_LINE == 256
    assert parser.feed(b"a" * 256 + b"\r\n")[1] == ["a" * 256]
    assert parser.skipped == 0
    assert parser.feed(b"a" * 257 + b"\r\n")[1] == []
    assert parser.skipped == 257 + 2
    assert parser.feed(b"b" * 256)[1] == []
    assert parser.skipped == 259
    assert parser.feed(b"\nc\n")[1] == ["b" * 256, "c"]
    assert parser.feed(b"d" * 257)[1] == []
    assert parser.skipped == 259 + 257
    assert parser.feed(b"e\n")[1] == ["e"]


def test_what_is_no_text_is_counted_and_empty_lines_are_not() -> None:
    parser = StreamParser()
    assert parser.feed(b"\r\n\n\rOK\r\n\r\nXYX\r\n")[1] == ["OK", "XYX"]
    assert parser.skipped == 0
    assert parser.feed(b"\x07OK\r\nOK\n")[1] == ["OK"]
    assert parser.skipped == 5
    assert parser.feed(b"ab\x80")[1] == []
    assert parser.skipped == 8
    assert parser.feed(b"cd\x80\nOK\n")[1] == ["OK"]
    assert parser.skipped == 12


def test_what_is_cleared_is_forgotten() -> None:
    parser = StreamParser()
    parser.feed(b"half a li" + frame_at(1)[:40])
    parser.clear()
    assert parser.feed(b"OK\n" + frame_at(2))[1] == ["OK"]
    assert parser.skipped == 0


@given(st.data())
def test_a_stream_is_understood_however_it_is_cut(data: st.DataObject) -> None:
    stream = frame_at(1) + b"PNAME=HI14\r\n" + frame_at(2) + frame_at(3) + b"OK\r\n" + frame_at(4)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    parser = StreamParser()
    frames, lines = [], []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        new_frames, new_lines = parser.feed(stream[start:end])
        frames += new_frames
        lines += new_lines
    assert [frame.time_ms for frame in frames] == [1, 2, 3, 4]
    assert lines == ["PNAME=HI14", "OK"]
    assert parser.skipped == 0


@given(st.binary(max_size=200))
def test_after_any_garbage_frames_are_found_again(garbage: bytes) -> None:
    frames, _ = StreamParser().feed(garbage + b"".join(frame_at(n) for n in range(1, 5)))
    assert [frame.time_ms for frame in frames] == [1, 2, 3, 4]


@given(st.data())
def test_a_turned_bit_in_a_stream_never_gives_another_frame(data: st.DataObject) -> None:
    stream = bytearray(b"".join(frame_at(time) for time in range(1, 6)))
    bit = data.draw(st.integers(0, len(stream) * 8 - 1))
    stream[bit // 8] ^= 1 << bit % 8
    frames, _ = StreamParser().feed(bytes(stream))
    hit = bit // 8 // FRAME_SIZE + 1
    assert [frame.time_ms for frame in frames] == [n for n in range(1, 6) if n != hit]


@given(st.lists(st.binary(max_size=300) | st.sampled_from([b"\x5a", b"\x5a\xa5\x4c\x00", b"OK\r"])))
def test_no_stream_makes_it_raise_or_remember_much(pieces: list[bytes]) -> None:
    parser = StreamParser()
    said = 0
    for piece in pieces:
        frames, lines = parser.feed(piece)
        assert frames == []
        said += sum(len(line) + 2 for line in lines) + piece.count(b"\n") + piece.count(b"\r")
    held = sum(map(len, pieces)) - parser.skipped - said
    assert held <= LONGEST_LINE + FRAME_SIZE
    parser.clear()
    assert [frame.time_ms for frame in parser.feed(frame_at(9))[0]] == [9]


def test_garbage_is_not_text() -> None:
    parser = StreamParser()
    assert parser.feed(b"\x80OK\r\nOK\r\n" + b"x" * 400 + b"OK\r\n\x07OK\n")[1] == ["OK"]
    assert parser.skipped > 400


def test_commands_and_the_answer_to_who_are_you() -> None:
    assert encode_command("LOG VERSION") == b"LOG VERSION\r\n"
    lines = ["PNAME=HI14", "APP_VER=172", "noise", "UUID = a=b"]
    assert parse_identity(lines) == {"PNAME": "HI14", "APP_VER": "172", "UUID": "a=b"}
    assert parse_identity([" pname = Hi14 ", "A="]) == {"PNAME": "Hi14", "A": ""}
