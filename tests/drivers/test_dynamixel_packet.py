"""Framing, stuffing and CRC of Protocol 2.0, against the e-manual's packets and at random."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.dynamixel.constants import BROADCAST_ID, Instruction
from drivers.dynamixel.packet import (
    MAX_PACKET,
    Status,
    StatusParser,
    decode_status,
    encode,
    stuff,
    unstuff,
)
from drivers.errors import ProtocolError
from tests.drivers import dynamixel_vectors as vectors
from tests.drivers.scripted_servos import crc_bit_by_bit, status_bytes, stuffed

STATUSES = [
    (vectors.PING_REPLY_1, Status(1, 0, False, b"\x06\x04\x26")),
    (vectors.PING_REPLY_2, Status(2, 0, False, b"\x06\x04\x26")),
    (vectors.READ_REPLY_1, Status(1, 0, False, b"\xa6\x00\x00\x00")),
    (vectors.READ_REPLY_2, Status(2, 0, False, b"\x1f\x08\x00\x00")),
    (vectors.OK_1, Status(1, 0, False, b"")),
    (vectors.BULK_REPLY_1, Status(1, 0, False, b"\x77\x00")),
    (vectors.BULK_REPLY_2, Status(2, 0, False, b"\x24")),
]
# Bytes that make headers, stuffing and lengths likely.
nasty = st.lists(st.sampled_from([0xFF, 0xFD, 0x00, 0x01, 0x07, 0x55, 0xFE]), max_size=60).map(
    bytes
)
noise = st.binary(max_size=60) | nasty
status_packets = st.builds(
    status_bytes, st.integers(0, 252), nasty | st.binary(max_size=20), st.integers(0, 255)
)


@pytest.mark.parametrize(("packet", "status"), STATUSES)
def test_the_manuals_status_packets(packet: bytes, status: Status) -> None:
    assert decode_status(packet) == status
    assert status_bytes(status.id, status.parameters) == packet, "the helper agrees too"


def test_error_and_alert_are_apart() -> None:
    assert decode_status(status_bytes(3, b"", 0x87)) == Status(3, 7, True, b"")
    assert decode_status(status_bytes(3, b"", 0x07)) == Status(3, 7, False, b"")
    assert decode_status(status_bytes(3, b"", 0x80)) == Status(3, 0, True, b"")


@pytest.mark.parametrize("length", range(1, 9))
def test_stuffing_is_exact_for_every_short_body(length: int) -> None:
    for symbols in itertools.product((0xFF, 0xFD, 0x01), repeat=length):
        body = bytes(symbols)
        assert stuff(body) == stuffed(body)
        assert unstuff(stuff(body)) == body


def test_stuffing_as_written_out_by_hand() -> None:
    # LEN and CRC belong to the stuffed bytes; the SDK 4.1.0 sends these unstuffed (see peers).
    packet = encode(1, Instruction.WRITE, bytes.fromhex("E000 FFFFFD FFFFFD"))
    head = bytes.fromhex("FFFFFD00 01 0D00 03 E000 FFFFFDFD FFFFFDFD")
    assert packet == head + crc_bit_by_bit(head).to_bytes(2, "little")


@given(noise)
def test_stuffing_round_trip_hides_every_header(body: bytes) -> None:
    assert unstuff(stuff(body)) == body
    assert b"\xff\xff\xfd\x00" not in stuff(body)


@given(status_packets)
def test_every_stuffed_status_comes_back(packet: bytes) -> None:
    (status,) = StatusParser().feed(packet)
    assert decode_status(packet) == status
    error = status.error | status.alert << 7
    assert status_bytes(status.id, status.parameters, error) == packet


MARK = b"\xff\xff\xfd"


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        (MARK, 0),
        (b"\x01" + MARK + MARK + b"\xfd", 0),
        (MARK[1:] + b"\x02", 0xFF),
        (MARK[1:], 0xFF),
        (MARK[1:] + b"\xfd", 0x7F),
        (bytes(range(256)) + bytes(300), 0x80),
        (bytes(MAX_PACKET - 11), 0),
    ],
)
@pytest.mark.parametrize("id", [0, 1, 252])
def test_marks_long_answers_and_every_id(parameters: bytes, error: int, id: int) -> None:
    packet = status_bytes(id, parameters, error)
    status = Status(id, error & 0x7F, error >= 0x80, parameters)
    assert decode_status(packet) == status
    assert StatusParser().feed(packet) == [status]


@pytest.mark.parametrize("id", [253, 254])
def test_no_servo_has_an_id_above_252(id: int) -> None:
    packet = status_bytes(id, b"\x01")
    with pytest.raises(ProtocolError, match="wrong length or id"):
        decode_status(packet)
    parser = StatusParser()
    for size in range(5, len(packet)):
        assert parser.feed(packet[:size]) == []
        assert parser.empty, "known for none by its fifth byte"
    assert parser.feed(packet) == []


def with_crc(packet: str) -> bytes:
    head = bytes.fromhex(packet)
    return head + crc_bit_by_bit(head).to_bytes(2, "little")


@pytest.mark.parametrize(
    ("packet", "told"),
    [
        ("FFFFFD01 01 0400 55 00", "no status packet"),
        ("55" * 20, "no status packet"),
        ("FFFFFD00 01 0400", "no status packet"),
        ("FFFFFD00 01 0400 55 00 01", "wrong length or id"),
        ("FFFFFD00 01 0600 55 00 01", "wrong length or id"),
        ("FFFFFD00 01 0300 55 00", "wrong length or id"),
        ("FFFFFD00 01 0401 55 00", "wrong length or id"),
        ("FFFFFD00 01 0400 54 00", "wrong checksum or instruction"),
    ],
)
def test_what_is_wrong_in_spite_of_a_right_crc_is_told(packet: str, told: str) -> None:
    with pytest.raises(ProtocolError, match=told):
        decode_status(with_crc(packet))
    assert StatusParser().feed(with_crc(packet)) == []


@pytest.mark.parametrize("length", [0, 3, MAX_PACKET - 6, 0x0FFF])
def test_an_impossible_length_is_known_as_soon_as_it_is_there(length: int) -> None:
    parser = StatusParser()
    parser.feed(bytes.fromhex("FFFFFD00 01") + length.to_bytes(2, "little"))
    assert parser.empty
    assert (parser.discarded, parser.corrupt) == (7, 1)


def test_a_checksum_may_look_like_the_end_of_a_header() -> None:
    # Its CRC is FD 00 behind FF FF, worked out bit by bit.
    packet = status_bytes(1, bytes.fromhex("BFFF00 FFFF"))
    assert packet.endswith(bytes.fromhex("FFFFFD00"))
    assert decode_status(packet) == Status(1, 0, False, packet[9:-2])
    assert StatusParser().feed(packet) == [decode_status(packet)]


def test_a_body_that_ends_in_a_bare_mark_is_none() -> None:
    # No servo sends it: the mark would be stuffed. With the CRC, 00 FE, it makes a header.
    packet = with_crc("FFFFFD00 01 0900 55 00 3110 FFFFFD")
    assert packet.endswith(b"\xfe")
    assert packet[-2] == 0
    with pytest.raises(ProtocolError):
        decode_status(packet)
    assert StatusParser().feed(packet) == []


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_beginning_of_a_header_waits_and_nothing_else(size: int) -> None:
    parser = StatusParser()
    assert parser.feed(b"noise" + vectors.PING_REPLY_1[:size]) == []
    assert (parser.discarded, parser.corrupt, parser.empty) == (5, 1, False)
    assert parser.feed(vectors.PING_REPLY_1[size:]) == [STATUSES[0][1]]
    assert (parser.discarded, parser.corrupt, parser.empty) == (5, 1, True)


def test_the_end_of_a_packet_is_no_beginning_of_a_header() -> None:
    packet = status_bytes(1, bytes.fromhex("FC4900"))
    assert packet.endswith(b"\xff\xff"), "its CRC"
    parser = StatusParser()
    assert parser.feed(packet) == [decode_status(packet)]
    assert (parser.discarded, parser.empty) == (0, True)


def test_runs_of_garbage_are_counted_apart() -> None:
    parser = StatusParser()
    parser.feed(b"one" + vectors.OK_1 + b"two" + vectors.OK_1)
    assert (parser.discarded, parser.corrupt) == (6, 2)
    parser.feed(b"three")
    parser.feed(b"goes on")
    assert parser.corrupt == 3
    parser.clear()
    parser.feed(b"four")
    assert parser.corrupt == 4


def test_what_is_cleared_is_forgotten() -> None:
    parser = StatusParser()
    parser.clear()
    assert (parser.discarded, parser.empty) == (0, True)
    parser.feed(vectors.OK_1[:-1])
    assert not parser.empty
    parser.clear()
    parser.clear()
    assert (parser.discarded, parser.corrupt, parser.empty) == (10, 1, True)
    assert parser.feed(vectors.OK_1[-1:]) == []
    assert parser.discarded == 11


@given(st.lists(status_packets | noise, max_size=6), st.data())
def test_any_split_of_the_stream_gives_the_same(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(parts)
    whole = StatusParser()
    expected = whole.feed(stream)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    split, found = StatusParser(), list[Status]()
    for begin, end in itertools.pairwise([0, *cuts, len(stream)]):
        found += split.feed(stream[begin:end])
    assert found == expected
    assert (split.discarded, split.corrupt) == (whole.discarded, whole.corrupt)


@given(noise)
def test_noise_is_counted_and_never_raises(data: bytes) -> None:
    parser = StatusParser()
    found = parser.feed(data)
    parser.clear()
    if not found:
        assert parser.discarded == len(data)
        assert parser.corrupt == (len(data) > 0)


@given(noise, status_packets)
def test_noise_before_a_packet_swallows_nothing_of_it(data: bytes, packet: bytes) -> None:
    parser = StatusParser()
    found = parser.feed(data + packet)
    assert decode_status(packet) in found


def test_a_false_header_does_not_hold_back_what_follows() -> None:
    parser = StatusParser()
    cut = bytes.fromhex("FFFFFD00 01 0002 55 00 1234")
    assert parser.feed(cut) == []
    assert parser.feed(vectors.PING_REPLY_1) == [STATUSES[0][1]]
    assert (parser.discarded, parser.corrupt) == (len(cut), 1)


@pytest.mark.parametrize("at", range(len(vectors.READ_REPLY_1)))
@pytest.mark.parametrize("bit", range(8))
def test_no_single_flipped_bit_is_believed(at: int, bit: int) -> None:
    packet = bytearray(vectors.READ_REPLY_1)
    packet[at] ^= 1 << bit
    parser = StatusParser()
    assert parser.feed(bytes(packet) + vectors.PING_REPLY_1) == [STATUSES[0][1]]
    assert parser.corrupt == 1
    with pytest.raises(ProtocolError):
        decode_status(bytes(packet))


def test_memory_is_bounded() -> None:
    parser = StatusParser()
    longest = bytes.fromhex("FFFFFD00 01") + (MAX_PACKET - 7).to_bytes(2, "little") + b"\x55"
    parser.feed(longest + bytes(2000))
    assert parser.discarded > 2000 - MAX_PACKET
    parser.clear()
    assert parser.discarded == len(longest) + 2000
    too_long = bytes.fromhex("FFFFFD00 01") + (MAX_PACKET - 6).to_bytes(2, "little") + b"\x55"
    assert parser.feed(too_long + vectors.PING_REPLY_1) == [STATUSES[0][1]]


def test_instruction_packets_of_others_are_no_answers() -> None:
    parser = StatusParser()
    assert parser.feed(vectors.PING_1 + vectors.READ_1 + vectors.READ_REPLY_1) == [STATUSES[2][1]]
    assert parser.discarded == len(vectors.PING_1 + vectors.READ_1)


@given(noise)
def test_decode_raises_only_protocol_errors(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_status(data)


@pytest.mark.parametrize("id", [-1, 253, 255, 256])
def test_impossible_ids_are_refused(id: int) -> None:
    with pytest.raises(ValueError, match="id"):
        encode(id, Instruction.PING)


@pytest.mark.parametrize("id", [0, 252, BROADCAST_ID])
def test_every_id_and_all_servos_can_be_spoken_to(id: int) -> None:
    assert encode(id, Instruction.PING) == with_crc(f"FFFFFD00 {id:02X} 0300 01")


def test_packets_that_are_too_long_are_refused() -> None:
    longest = encode(1, Instruction.WRITE, bytes(MAX_PACKET - 10))
    assert len(longest) == MAX_PACKET
    assert longest == with_crc("FFFFFD00 01 F903 03" + "00" * (MAX_PACKET - 10))
    with pytest.raises(ValueError, match="1024"):
        encode(1, Instruction.WRITE, bytes(MAX_PACKET - 9))
