"""Framing, stuffing and CRC of Protocol 2.0, against the e-manual's packets and at random."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.dynamixel.constants import BROADCAST_ID, Instruction
from drivers.dynamixel.fast_reply import FastReply, decode_fast_reply
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


FAST = [
    Status(3, 0, False, b"\xa6\x00\x00\x00"),
    Status(7, 0, False, b"\x1f\x08\x00\x00"),
    Status(4, 0, False, b"\xff\x03\x00\x00"),
]


def test_the_manuals_fast_reply() -> None:
    assert decode_fast_reply(vectors.FAST_REPLY, (3, 7, 4), (4, 4, 4)) == FAST
    assert vectors.FAST_REPLY[4] == BROADCAST_ID


@given(noise, st.lists(st.integers(0, 80), max_size=8))
def test_fast_replies_survive_splits_and_noise_before(before: bytes, cuts: list[int]) -> None:
    stream = before + vectors.FAST_REPLY
    reply, found = FastReply((3, 7, 4), (4, 4, 4)), list[Status]()
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(stream)]):
        found += reply.feed(stream[begin:end])
    assert found == FAST
    assert reply.done
    assert reply.discarded == len(before)


@pytest.mark.parametrize(("size", "heard"), [(17, 0), (16, 1), (24, 2), (25, 2), (31, 2)])
def test_a_fast_reply_that_breaks_off_keeps_its_beginning(size: int, heard: int) -> None:
    cut = vectors.FAST_REPLY[:size] if size != 17 else vectors.FAST_REPLY[:15]
    assert FastReply((3, 7, 4), (4, 4, 4)).feed(cut) == FAST[:heard]


def test_a_damaged_part_ends_a_fast_reply() -> None:
    packet = bytearray(vectors.FAST_REPLY)
    packet[19] ^= 1
    reply = FastReply((3, 7, 4), (4, 4, 4))
    assert reply.feed(bytes(packet)) == FAST[:1]
    assert reply.done
    assert reply.discarded > 0
    assert reply.feed(b"more") == []


HEAD = vectors.FAST_REPLY[:8]


def fast_stream(*parts: tuple[int, int, bytes]) -> bytes:
    """A reply of servos that say error, id and data; each CRC runs over all before it."""
    stream = HEAD
    for error, id, data in parts:
        stream += bytes([error, id]) + data
        stream += crc_bit_by_bit(stream).to_bytes(2, "little")
    return stream


def fast() -> FastReply:
    return FastReply((3, 7, 4), (4, 4, 4))


def test_a_servo_that_is_missing_is_left_out_and_does_not_come_later() -> None:
    reply = fast()
    assert reply.done is False
    assert reply.feed(fast_stream((0, 7, b"7777"))) == [Status(7, 0, False, b"7777")]
    assert reply.done is False
    late = fast_stream((0, 7, b"7777"), (0, 3, b"3333"))
    assert reply.feed(late[-8:-6]) == []
    assert (reply.done, reply.discarded) == (True, 2), "known by its second byte"
    reply = fast()
    found = reply.feed(fast_stream((0, 3, b"3333"), (0, 4, b"4444")))
    assert [status.id for status in found] == [3, 4]
    assert (reply.done, reply.discarded) == (True, 0)


@pytest.mark.parametrize(
    ("byte", "error", "alert"), [(0, 0, False), (0x07, 7, False), (0x7F, 127, False)]
)
def test_errors_and_alerts_of_a_fast_reply(byte: int, error: int, alert: bool) -> None:
    for bit in (0, 0x80):
        (status,) = fast().feed(fast_stream((byte | bit, 3, b"3333")))
        assert status == Status(3, error, alert or bit > 0, b"3333")


def test_each_servo_has_its_own_size() -> None:
    reply = FastReply((1, 2), (1, 3))
    head = bytes.fromhex("FFFFFD00 FE 0D00 55")
    first = head + bytes([0, 1]) + b"a"
    first += crc_bit_by_bit(first).to_bytes(2, "little")
    both = first + bytes([0, 2]) + b"bcd"
    both += crc_bit_by_bit(both).to_bytes(2, "little")
    found = [status for byte in both for status in reply.feed(bytes([byte]))]
    assert found == [Status(1, 0, False, b"a"), Status(2, 0, False, b"bcd")]
    with pytest.raises(ValueError, match="shorter"):
        FastReply((1, 2), (1,))


def test_what_follows_a_fast_reply_is_counted() -> None:
    reply = fast()
    assert reply.feed(vectors.FAST_REPLY + b"more") == FAST
    assert (reply.done, reply.discarded) == (True, 4)
    assert reply.feed(b"and more") == []
    assert reply.discarded == 12


def test_before_its_head_a_reply_keeps_what_may_be_its_beginning() -> None:
    reply = fast()
    reply.feed(b"abc")
    assert reply.discarded == 0
    reply.feed(b"defghij")
    assert reply.discarded == 3
    reply.feed(b"klmn")
    assert reply.discarded == 7
    assert reply.feed(vectors.FAST_REPLY) == FAST
    assert reply.discarded == 14


def test_what_follows_the_first_head_must_be_its_parts() -> None:
    reply = fast()
    assert reply.feed(HEAD + vectors.FAST_REPLY) == []
    assert (reply.done, reply.discarded) == (True, len(vectors.FAST_REPLY))


@pytest.mark.parametrize("wrong", [b"x" + vectors.FAST_REPLY, vectors.FAST_REPLY + b"x"])
def test_a_packet_that_is_more_than_the_reply_is_none(wrong: bytes) -> None:
    with pytest.raises(ProtocolError, match="no fast reply of servos"):
        decode_fast_reply(wrong, (3, 7, 4), (4, 4, 4))
    with pytest.raises(ProtocolError, match="no fast reply of servos"):
        decode_fast_reply(fast_stream((0, 3, b"3333")), (3, 7, 4), (4, 4, 4))


@given(noise)
def test_fast_decoding_raises_only_protocol_errors(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_fast_reply(data, (3, 7, 4), (4, 4, 4))
