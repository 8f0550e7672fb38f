"""Golden bytes: VN-100 user manual UM001, and the maker's C library (its uart_protocol example)."""

import struct

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.vectornav.codec import (
    BAUDS,
    ERRORS,
    FRAME_SIZE,
    IMU_RATE_HZ,
    LONGEST_ASCII,
    Check,
    StreamParser,
    checked,
    encode_command,
    parse_frame,
    parse_message,
)
from drivers.vectornav.layout import STANDARD, Field, Layout

# Mask 0x0131: time 1 s, quaternion (0, 0, 0, 1), gyro (1, -2, 0.5), accel (0, 0, -9.75).
# The payload is IEEE 754 by hand.
FRAME = bytes.fromhex(
    "fa013101 00ca9a3b00000000 000000000000000000000000 0000803f"
    "0000803f 000000c0 0000003f 00000000 00000000 00001cc1"
)


def crc(data: bytes) -> int:
    """The manual's CRC by its definition, bit by bit: x^16 + x^12 + x^5 + 1, start 0."""
    value = 0
    for bit in range(len(data) * 8):
        ahead = data[bit // 8] >> (7 - bit % 8) & 1
        value = value << 1 ^ (0x1021 if value >> 15 ^ ahead else 0)
        value &= 0xFFFF
    return value


FRAME += crc(FRAME[1:]).to_bytes(2, "big")


def test_frame() -> None:
    assert FRAME_SIZE == len(FRAME) == 54
    frame = parse_frame(FRAME)
    assert frame.startup_ns == 1_000_000_000
    assert frame.quaternion_xyzw == (0.0, 0.0, 0.0, 1.0)
    assert frame.angular_velocity == (1.0, -2.0, 0.5)
    assert frame.acceleration == (0.0, 0.0, -9.75)


@given(st.integers(0, len(FRAME) * 8 - 1))
def test_any_turned_bit_is_noticed(bit: int) -> None:
    damaged = bytearray(FRAME)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProtocolError):
        parse_frame(bytes(damaged))


def test_frames_of_the_makers_own() -> None:
    angles = bytes.fromhex("fa010800 93502e42 833ef13f 48b504bb 9288")
    values = checked(angles, Layout(Field.YAW_PITCH_ROLL))
    assert values == pytest.approx((43.578686, 1.884720, -0.002025), abs=1e-6)
    timed = bytes.fromhex("fa010900 700500030a000000 480e2c42 084c37c1 10388bc2 d4cb")
    values = checked(timed, Layout(Field.STARTUP, Field.YAW_PITCH_ROLL))
    assert values[0] == 0x0A_03000570
    assert values[1:] == pytest.approx((43.013947, -11.456062, -69.609497), abs=1e-6)


@given(st.integers(0, len(FRAME) - 1), st.binary(min_size=1, max_size=80))
def test_a_piece_of_a_frame_is_refused(start: int, tail: bytes) -> None:
    for damaged in (FRAME[:start], FRAME + tail, tail + FRAME):
        with pytest.raises(ProtocolError):
            parse_frame(damaged)


@given(st.binary(max_size=120))
def test_any_bytes_are_a_frame_or_a_protocol_error(data: bytes) -> None:
    for start in (b"", FRAME[:4]):
        with pytest.raises(ProtocolError):
            parse_frame(start + data)


@pytest.mark.parametrize(
    "message",
    [
        "$VNRRG,11*73",
        "$VNWNV*57",
        "$VNRFS*5F",
        "$VNRST*4D",
        "$VNKMD,1*47",
        "$VNERR,03*72",
        "$VNWRG,07,2*6F",
        "$VNRRG,01,VN-200T-CR*31",
        "$VNRRG,30,0,0,0,0,1,0,1*6C",
        "$VNRRG,32,3,0,0,0,6,1,0,100000000,0*6B",
        "$VNRRG,35,1,1,1,1*75",
        "$VNYMR,+100.949,-007.330,+000.715,-00.0049,-00.2449,+00.5397,-01.258,-00.100,-09.701,"
        "-00.000018,+00.001122,-00.000551*69",
    ],
)
def test_messages_of_the_manual(message: str) -> None:
    body = message[1:-3]
    assert encode_command(body) == f"{message}\r\n".encode()
    assert parse_message(f"{message}\r\n".encode()) == body.split(",")


def test_sixteen_bit_check() -> None:
    digits = f"{crc(b'VNRRG,11'):04X}".encode()
    assert encode_command("VNRRG,11", Check.CRC16) == b"$VNRRG,11*" + digits + b"\r\n"
    assert parse_message(b"$VNRRG,11*" + digits + b"\r\n") == ["VNRRG", "11"]
    with pytest.raises(ProtocolError, match="checksum"):
        parse_message(b"$VNRRG,12*" + digits + b"\r\n")


@pytest.mark.parametrize(
    "bad",
    [
        *(b"$VNRRG,11*74\r\n", b"VNRRG,11*73", b"$VNRRG,11\r\n", b"$\xff*FF\r\n", b"$*\r\n"),
        *(b"$VNRRG,11*XX\r\n", b"$VNRRG,11*XXXX\r\n", b"$VNRRG,11*0x73\r\n", b"$VNRRG,11*+73\r\n"),
        *(
            b"$VNRRG,11*073\r\n",
            b"$VNRRG,11* 73\r\n",
            b"$VNRRG,11*73 \r\n",
            b"$VNRRG,11*73X\r\n",
            b"X$VNRRG,11*73\r\n",
            b"$$VNRRG,11*73\r\n",
            b"",
            b"*",
            b"$",
            b"*00",
        ),
    ],
)
def test_what_is_no_message_or_bypasses_the_check_is_refused(bad: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_message(bad)


@given(st.binary(max_size=80) | st.from_regex(rb"\$[ -~]{0,40}\*[0-9A-Fa-f]{0,5}\r?\n?"))
def test_any_bytes_are_a_message_or_a_protocol_error(data: bytes) -> None:
    try:
        parts = parse_message(data)
    except ProtocolError:
        return
    assert ",".join(parts).encode() in data


def frame_at(time_ns: int) -> bytes:
    body = FRAME[1:4] + struct.pack("<Q", time_ns) + FRAME[12:-2]
    return b"\xfa" + body + crc(body).to_bytes(2, "big")


MESSAGE = b"$VNRRG,11*73\r\n"


def test_numbers_of_the_manual() -> None:
    assert IMU_RATE_HZ == 800
    assert set(BAUDS) == {9600, 19200, 38400, 57600, 115200, 128000, 230400, 460800, 921600}
    assert len(BAUDS) == 9
    assert BAUDS[0] == 115200
    assert set(ERRORS) == {*range(1, 13), 255}
    assert (ERRORS[1], ERRORS[12]) == ("hard fault", "insufficient baud rate")
    assert [int(check) for check in Check] == [1, 3]


def test_a_star_in_the_text_is_text() -> None:
    assert parse_message(encode_command("A*B,C")) == ["A*B", "C"]


def test_a_message_may_be_as_long_as_a_frame() -> None:
    command = encode_command("VNWRG," + "0" * (FRAME_SIZE - 12))
    assert len(command) == FRAME_SIZE
    parser = StreamParser()
    assert parser.feed(command)[1] == [["VNWRG", "0" * (FRAME_SIZE - 12)]]
    assert parser.skipped == 0


@pytest.mark.parametrize("more", [0, 1])
def test_a_message_longer_than_the_longest_is_none(more: int) -> None:
    command = encode_command("A" * (LONGEST_ASCII - 6 + more))
    assert len(command) == LONGEST_ASCII + more == 256 + more
    parser = StreamParser()
    messages = parser.feed(command + MESSAGE)[1]
    assert messages[-1] == ["VNRRG", "11"]
    assert len(messages) == 2 - more
    assert parser.skipped == (0, len(command))[more]


def test_what_cannot_become_a_message_is_not_kept() -> None:
    parser = StreamParser()
    parser.feed(b"$" + b"a" * (LONGEST_ASCII - 2))
    assert parser.skipped == 0
    parser.feed(b"a")
    assert parser.skipped == LONGEST_ASCII
    parser.feed(b"$\x80")
    assert parser.skipped == LONGEST_ASCII + 2
    parser.feed(b"$abc")
    parser.clear()
    assert parser.feed(MESSAGE)[1] == [["VNRRG", "11"]]
    assert parser.skipped == LONGEST_ASCII + 2


@pytest.mark.parametrize("before", [b"a", b"ab", b"\x00\xfb$", b"ab\xfa\x01a"])
def test_garbage_ends_where_a_message_begins(before: bytes) -> None:
    parser = StreamParser()
    assert parser.feed(before)[1] == []
    assert parser.feed(MESSAGE + before + frame_at(1) + before + MESSAGE) == (
        [parse_frame(frame_at(1))],
        [["VNRRG", "11"]] * 2,
    )
    assert parser.skipped == 3 * len(before)
    assert parser.feed(before + MESSAGE + MESSAGE)[1] == [["VNRRG", "11"]] * 2


@given(st.data())
def test_stream_is_understood_however_it_is_cut(data: st.DataObject) -> None:
    stream = frame_at(1) + MESSAGE + frame_at(2) + frame_at(3) + MESSAGE
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    parser = StreamParser()
    frames, messages = [], []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        new_frames, new_messages = parser.feed(stream[start:end])
        frames += new_frames
        messages += new_messages
    assert [frame.startup_ns for frame in frames] == [1, 2, 3]
    assert messages == [["VNRRG", "11"]] * 2
    assert parser.skipped == 0


@given(st.integers(0, FRAME_SIZE))
def test_joining_in_mid_stream_loses_only_the_first_frame(start: int) -> None:
    parser = StreamParser()
    frames, _ = parser.feed((frame_at(1) + frame_at(2) + frame_at(3))[start:])
    assert [frame.startup_ns for frame in frames] == ([1, 2, 3] if start == 0 else [2, 3])
    assert parser.skipped == (FRAME_SIZE - start) % FRAME_SIZE


@given(st.binary(max_size=200))
def test_after_any_garbage_frames_are_found_again(garbage: bytes) -> None:
    parser = StreamParser()
    stream = garbage + b"".join(frame_at(index) for index in range(8))
    frames, _ = parser.feed(stream)
    assert [frame.startup_ns for frame in frames][-3:] == [5, 6, 7]


def test_a_frame_hidden_in_a_damaged_one_is_found() -> None:
    """A cut-off frame takes the start of the next one into its length; the next must survive."""
    parser = StreamParser()
    frames, _ = parser.feed(frame_at(1)[:20] + frame_at(2) + frame_at(3))
    assert [frame.startup_ns for frame in frames] == [2, 3]
    assert parser.skipped == 20


@given(st.lists(st.binary(max_size=300) | st.sampled_from([b"$", b"\xfa", b"\xfa\x01\x31\x01"])))
def test_no_stream_makes_it_raise_or_remember_much(pieces: list[bytes]) -> None:
    parser = StreamParser()
    for piece in pieces:
        frames, messages = parser.feed(piece)
        assert frames == []
        # A message with its right check is no garbage: hypothesis has come upon `$NRSTV*4D`.
        assume(not messages)
    total = sum(map(len, pieces))
    assert total - LONGEST_ASCII < parser.skipped <= total or total <= LONGEST_ASCII
    parser.clear()
    assert [frame.startup_ns for frame in parser.feed(frame_at(9))[0]] == [9]


def test_endless_garbage_is_not_kept() -> None:
    parser = StreamParser()
    for _ in range(200):
        parser.feed(b"$" * 700 + b"\xfa\x01" * 300)
    assert parser.skipped > 200 * 1300 - 2 * LONGEST_ASCII


@given(st.data())
def test_a_turned_bit_in_a_stream_never_gives_another_frame(data: st.DataObject) -> None:
    stream = bytearray(b"".join(frame_at(time) for time in range(1, 7)))
    bit = data.draw(st.integers(0, len(stream) * 8 - 1))
    stream[bit // 8] ^= 1 << bit % 8
    frames, messages = StreamParser().feed(bytes(stream))
    hit = bit // 8 // FRAME_SIZE + 1
    assert [frame.startup_ns for frame in frames] == [n for n in range(1, 7) if n != hit]
    assert all(frame[1:] == parse_frame(FRAME)[1:] for frame in frames)
    assert messages == []


@pytest.mark.parametrize("start", [b"\xfa", b"\xfa\x01\x31\x01", b"$", b"$VNRRG,11", b"\xfa$\xfa"])
def test_a_false_start_does_not_swallow_what_follows(start: bytes) -> None:
    parser = StreamParser()
    frames, _ = parser.feed(start + frame_at(1) + frame_at(2))
    assert [frame.startup_ns for frame in frames] == [1, 2]
    assert parser.skipped == len(start)


def test_other_fields_travel_beside_motion() -> None:
    layout = Layout(*STANDARD.fields, Field.VPE_STATUS, Field.IMU_TEMPERATURE)
    body = bytes.fromhex("05 3111 1000") + FRAME[4:-2] + struct.pack("<Hf", 0x8001, 31.5)
    wire = b"\xfa" + body + crc(body).to_bytes(2, "big")
    frames, _ = StreamParser(layout).feed(wire)
    assert frames[0][:4] == parse_frame(FRAME)[:4]
    assert frames[0].extra == {"vpe_status": (0x8001,), "temperature_c": (31.5,)}
    assert parse_frame(FRAME).extra == {}
    with pytest.raises(ValueError, match="QUATERNION"):
        StreamParser(Layout(Field.STARTUP, Field.ANGULAR_RATE, Field.ACCELERATION))
