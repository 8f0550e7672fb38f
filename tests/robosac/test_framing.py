"""Frames: what goes in comes out, whatever the pieces; anything else is refused."""

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robosac import framing
from robosac.errors import LinkError
from robosac.framing import HEADER_BYTES, MAX_PAYLOAD_BYTES, FrameReader, frame

payloads = st.lists(st.binary(max_size=60), max_size=6)


@settings(deadline=None)
@given(payloads, st.lists(st.integers(1, 40)))
def test_round_trip_in_pieces_of_any_size(sent: list[bytes], sizes: list[int]) -> None:
    stream, reader, got = b"".join(map(frame, sent)), FrameReader(), []
    for size in sizes:
        got += reader.feed(stream[:size])
        stream = stream[size:]
    got += reader.feed(stream)
    assert got == sent
    assert not reader.unfinished


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4), st.data())
def test_a_changed_bit_is_never_taken_for_a_message(sent: list[bytes], data: st.DataObject) -> None:
    stream = bytearray(b"".join(map(frame, sent)))
    bit = data.draw(st.integers(0, 8 * len(stream) - 1))
    stream[bit // 8] ^= 1 << bit % 8
    reader, got = FrameReader(), []
    try:
        got = reader.feed(bytes(stream))
    except LinkError:
        return
    # A longer length makes the reader wait for what never comes: seen at the end of the stream.
    assert reader.unfinished
    assert got == sent[: len(got)]
    assert len(got) < len(sent)


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_cut_frame_is_told(payload: bytes, data: st.DataObject) -> None:
    framed = frame(payload)
    reader = FrameReader()
    assert reader.feed(framed[: data.draw(st.integers(1, len(framed) - 1))]) == []
    assert reader.unfinished


def test_an_oversize_frame_is_refused_before_its_content_comes() -> None:
    header = struct.pack("<II", MAX_PAYLOAD_BYTES + 1, 0)
    with pytest.raises(LinkError, match="announces"):
        FrameReader().feed(header)
    assert len(header) == HEADER_BYTES


def test_the_bytes_of_a_frame() -> None:
    crc = zlib.crc32(b"\x02\x00\x00\x00ab")
    assert frame(b"ab") == b"\x02\x00\x00\x00" + crc.to_bytes(4, "little") + b"ab"
    assert (HEADER_BYTES, MAX_PAYLOAD_BYTES) == (8, 16 << 20)


def test_the_longest_message_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_PAYLOAD_BYTES", 10)
    assert FrameReader().feed(frame(bytes(10))) == [bytes(10)]
    with pytest.raises(LinkError, match="announces 11 bytes"):
        FrameReader().feed(struct.pack("<II", 11, 0))


def test_an_oversize_message_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(framing, "MAX_PAYLOAD_BYTES", 10)
    assert len(frame(bytes(10))) == HEADER_BYTES + 10
    with pytest.raises(LinkError, match="at most 10"):
        frame(bytes(11))
