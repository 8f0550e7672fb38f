"""The servo's parser and encoder, against the manual's bytes and against garbage."""

import itertools

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sim.firmware.dynamixel.frames import (
    LONGEST_PACKET,
    FastSlot,
    Packet,
    PacketParser,
    crc16,
    fast_status,
    status_packet,
)
from tests.sim.dynamixel_bench import instruction, status

WRITE_512 = bytes.fromhex("FFFFFD000109000374000002 0000CA89")
"""Manual, Write: id 1, goal position 512."""
IDS = st.integers(0, 252) | st.just(0xFE)
STUFFY = st.lists(st.sampled_from([0xFF, 0xFD, 0x00, 0x55]), max_size=40).map(bytes)


def parse(data: bytes, now: float = 0.0) -> list[Packet]:
    return PacketParser().feed(data, now)


def test_crc_check_value() -> None:
    assert crc16(b"123456789") == 0xFEE8


def test_manuals_write_packet() -> None:
    packet = Packet(1, 3, bytes.fromhex("740000020000"), True, 16)
    assert parse(WRITE_512) == [packet]


def test_manuals_status_packets() -> None:
    assert status_packet(1, 0) == bytes.fromhex("FFFFFD00010400 5500A10C")
    expected = bytes.fromhex("FFFFFD000107005500060426655D")
    assert status_packet(1, 0, b"\x06\x04\x26") == expected


def test_manuals_fast_sync_read_answer() -> None:
    slots = [
        FastSlot(3, 0, bytes.fromhex("A6000000")),
        FastSlot(7, 0, bytes.fromhex("1F080000")),
        FastSlot(4, 0, bytes.fromhex("FF030000")),
    ]
    first, second, third = fast_status(24, slots)
    assert first == bytes.fromhex("FFFFFD00FE19005500 03A6000000 8408")
    assert second == bytes.fromhex("00071F08000016CA")
    assert third == bytes.fromhex("0004FF030000D19E")


@settings(deadline=None)
@given(id=IDS, code=st.integers(0, 255), parameters=STUFFY | st.binary(max_size=60))
def test_stuffed_packets_come_out_as_they_went_in(id: int, code: int, parameters: bytes) -> None:
    (packet,) = parse(instruction(id, code, parameters))
    assert packet[:4] == (id, code, parameters, True)


@settings(deadline=None)
@given(id=st.integers(0, 252), error=st.integers(0, 255), parameters=STUFFY)
@example(0, 0xFF, b"\xff\xfd")
def test_status_is_stuffed_as_the_manual_says(id: int, error: int, parameters: bytes) -> None:
    assert status_packet(id, error, parameters) == status(id, error, parameters)


def test_unstuffed_header_inside_a_packet_is_dropped() -> None:
    """What dynamixel-sdk 4.1.0 sends for such data; a servo hunts for the next header."""
    body = b"\x03\x74\x00\xff\xff\xfd\xff\xff\xfd"
    head = b"\xff\xff\xfd\x00\x01" + (len(body) + 2).to_bytes(2, "little")
    packet = head + body + crc16(head + body).to_bytes(2, "little")
    assert parse(packet) == []
    assert [found.id for found in parse(packet + WRITE_512)] == [1]


@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 32), max_size=6), gap=st.floats(0.0, 0.0015))
def test_a_packet_may_come_in_pieces(cuts: list[int], gap: float) -> None:
    data = WRITE_512 * 2
    parser, found, now = PacketParser(), list[Packet](), 0.0
    edges = [0, *sorted(cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        found += parser.feed(data[start:end], now)
        now += gap
    assert found == parse(WRITE_512) * 2


def test_a_gap_of_more_than_1500_us_drops_the_packet() -> None:
    for gap, count in ((0.0015, 1), (0.0016, 0)):
        parser = PacketParser()
        assert parser.feed(WRITE_512[:9], 0.0) == []
        assert len(parser.feed(WRITE_512[9:], gap)) == count
    parser = PacketParser()
    parser.feed(WRITE_512[:9], 0.0)
    assert len(parser.feed(WRITE_512, 0.0016)) == 1


@pytest.mark.parametrize("index", range(len(WRITE_512)))
def test_no_flipped_bit_is_taken_for_right(index: int) -> None:
    for bit in range(8):
        damaged = bytearray(WRITE_512)
        damaged[index] ^= 1 << bit
        assert not any(packet.intact for packet in parse(bytes(damaged)))


def test_a_wrong_crc_is_told_with_its_id() -> None:
    (packet,) = parse(WRITE_512[:-1] + b"\x00")
    assert packet == Packet(1, 3, b"", False, 16)


@pytest.mark.parametrize("id", [0xFD, 0xFF])
def test_forbidden_ids_begin_no_packet(id: int) -> None:
    assert [packet.id for packet in parse(instruction(id, 1) + WRITE_512)] == [1]


@pytest.mark.parametrize("length", [0, 1, 2, LONGEST_PACKET - 6, 0xFFFF])
def test_impossible_lengths_begin_no_packet(length: int) -> None:
    head = b"\xff\xff\xfd\x00\x01" + length.to_bytes(2, "little") + b"\x01"
    assert [packet.id for packet in parse(head + WRITE_512)] == [1]


@settings(deadline=None)
@given(noise=st.binary(max_size=80).filter(lambda data: b"\xff\xff\xfd\x00" not in data))
def test_noise_without_a_header_hides_no_packet(noise: bytes) -> None:
    if noise[-3:] != b"\xff\xff\xfd":
        assert parse(noise + WRITE_512)[-1] == parse(WRITE_512)[0]


@settings(deadline=None)
@given(pieces=st.lists(st.binary(max_size=300), max_size=20), step=st.floats(0.0, 0.01))
def test_parser_takes_anything_and_holds_little(pieces: list[bytes], step: float) -> None:
    parser = PacketParser()
    for index, piece in enumerate([b"\xff\xff\xfd\x00\x01\xf0\x03", *pieces]):
        for packet in parser.feed(piece, index * step):
            assert 10 <= packet.size <= LONGEST_PACKET
    assert len(parser.feed(b"", 1e9)) == 0
