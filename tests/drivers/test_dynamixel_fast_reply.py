"""Fast replies: the e-manual's, in pieces, with servos missing, and damaged."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.dynamixel.constants import BROADCAST_ID
from drivers.dynamixel.fast_reply import FastReply, decode_fast_reply
from drivers.dynamixel.packet import Status
from drivers.errors import ProtocolError
from tests.drivers import dynamixel_vectors as vectors
from tests.drivers.scripted_servos import crc_bit_by_bit
from tests.drivers.test_dynamixel_packet import noise

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
