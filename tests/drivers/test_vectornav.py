"""Golden bytes: VN-100 user manual UM001."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.vectornav import FRAME_SIZE, StreamParser, encode_command, parse_frame, parse_message

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


def test_commands_have_the_manuals_checksum() -> None:
    assert encode_command("VNRRG,11") == b"$VNRRG,11*73\r\n"


def test_messages() -> None:
    assert parse_message(b"$VNRRG,11*73\r\n") == ["VNRRG", "11"]
    for bad in (b"$VNRRG,11*74\r\n", b"VNRRG,11*73", b"$VNRRG,11\r\n", b"$\xff*FF\r\n", b"$*\r\n"):
        with pytest.raises(ProtocolError):
            parse_message(bad)


def frame_at(time_ns: int) -> bytes:
    body = FRAME[1:4] + struct.pack("<Q", time_ns) + FRAME[12:-2]
    return b"\xfa" + body + crc(body).to_bytes(2, "big")


MESSAGE = b"$VNRRG,11*73\r\n"


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
