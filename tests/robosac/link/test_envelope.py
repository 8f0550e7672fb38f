"""Envelopes: what is damaged, lost, doubled or out of order is not accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosac.errors import ProtocolError
from robosac.link.envelope import ENVELOPE_BYTES, LENGTH_BYTES, SHARED_BYTES, Opener, Sealer

Envelopes = st.lists(st.lists(st.binary(max_size=50), min_size=1, max_size=5), max_size=5)


@given(Envelopes)
def test_there_and_back(envelopes: list[list[bytes]]) -> None:
    sealer, opener = Sealer(), Opener()
    assert [opener.open(sealer.seal(payloads)) for payloads in envelopes] == envelopes


def crc32(data: bytes) -> int:
    """Bit by bit, by its definition (reflected, polynomial 0x04C11DB7), not zlib's."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_the_layout_is_as_documented() -> None:
    sealer = Sealer()
    sealer.seal([b""])
    rest = b"\x01\0\0\0\x03\0\0\0abc\0\0\0\0"
    assert sealer.seal([b"abc", b""]) == crc32(rest).to_bytes(4, "little") + rest


@given(st.binary(max_size=50), st.data())
def test_one_changed_bit_is_noticed(payload: bytes, data: st.DataObject) -> None:
    sealed = bytearray(Sealer().seal([payload]))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(ProtocolError, match="damaged"):
        Opener().open(bytes(sealed))


@given(st.binary(max_size=50), st.data())
def test_a_part_is_noticed(payload: bytes, data: st.DataObject) -> None:
    sealed = Sealer().seal([payload])
    with pytest.raises(ProtocolError):
        Opener().open(sealed[: data.draw(st.integers(0, len(sealed) - 1))])


def test_lost_doubled_and_exchanged_messages_are_noticed() -> None:
    sealer = Sealer()
    first, second = sealer.seal([b"a"]), sealer.seal([b"b"])
    with pytest.raises(ProtocolError, match="envelope 1 came where 0"):
        Opener().open(second)
    opener = Opener()
    opener.open(first)
    with pytest.raises(ProtocolError, match="envelope 0 came where 1"):
        opener.open(first)
    assert len(first) == ENVELOPE_BYTES + 1


@pytest.mark.parametrize("rest", [b"", b"\x04\0\0\0abc", b"\xff\xff\xff\xffabc", b"\0\0\0\0\0"])
def test_lengths_that_do_not_fit_are_noticed(rest: bytes) -> None:
    rest = bytes(4) + rest
    with pytest.raises(ProtocolError):
        Opener().open(crc32(rest).to_bytes(4, "little") + rest)


@pytest.mark.parametrize(
    ("rest", "told"),
    [
        (b"\0\0\0", "11 bytes are no envelope of 12 or more"),
        (b"\x04\0\0\0abc", "of 15 bytes claims a message that ends at 16"),
        (b"\0\0\0\0\0\0\0", "of 15 bytes ends within a length"),
        (b"\x01\0\0\0a\x02\0\0\0b", "of 18 bytes claims a message that ends at 19"),
    ],
)
def test_what_does_not_fit_is_told(rest: bytes, told: str) -> None:
    rest = bytes(4) + rest
    with pytest.raises(ProtocolError, match=told):
        Opener().open(crc32(rest).to_bytes(4, "little") + rest)


def test_sizes_that_both_ends_count_by() -> None:
    assert (ENVELOPE_BYTES, LENGTH_BYTES, SHARED_BYTES) == (12, 4, 262144)
    assert Opener().open(Sealer().seal([b""])) == [b""]


def test_numbers_begin_anew_after_the_last() -> None:
    sealer, opener = Sealer(), Opener()
    sealer._next = opener._next = 0xFFFF_FFFF
    for payload in (b"last", b"first", b"second"):
        assert opener.open(sealer.seal([payload])) == [payload]
    assert sealer._next == opener._next == 2
