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


def test_packets_that_are_too_long_are_refused() -> None:
    assert len(encode(1, Instruction.WRITE, bytes(MAX_PACKET - 10))) == MAX_PACKET
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


@given(noise)
def test_fast_decoding_raises_only_protocol_errors(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_fast_reply(data, (3, 7, 4), (4, 4, 4))
