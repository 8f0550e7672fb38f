"""Lines are from mjbots/fdcanusb README.md and moteus docs/integration/uart.md."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.checksum import crc8
from drivers.errors import ProtocolError
from drivers.moteus.fdcanusb import (
    LONGEST_LINE,
    Accepted,
    CanFrame,
    LineSplitter,
    Refused,
    encode_send,
    parse_line,
)


def test_send_line() -> None:
    assert encode_send(0x8001, bytes.fromhex("11001f01130d")) == b"can send 8001 11001f01130d\n"


def test_an_id_has_four_digits_and_data_may_be_empty() -> None:
    assert encode_send(0x1, b"") == b"can send 0001 \n"


def test_send_line_with_checksum_covers_the_space() -> None:
    line = encode_send(0x8001, b"\x01\x00\x00", checksum=True)
    head, star, digits = line.partition(b"*")
    assert head == b"can send 8001 010000 "
    assert star == b"*"
    assert digits == b"%02X\n" % crc8(head)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"OK", Accepted()),
        (b"ERR unknown flag", Refused("unknown flag")),
        (b"ERRbad", Refused("bad")),
        (b"ERR \xff", Refused("\ufffd")),
        (b"rcv 100 2404000a E B F", CanFrame(0x100, bytes.fromhex("2404000a"))),
        (b"rcv 0100 2404000A e b F r x-1", CanFrame(0x100, bytes.fromhex("2404000a"))),
        (b"rcv 100 2404000a t1234 f00 whatever", CanFrame(0x100, bytes.fromhex("2404000a"))),
        (b"rcv 0100  e B F", CanFrame(0x100, b"")),
    ],
)
def test_lines_from_the_device(line: bytes, expected: object) -> None:
    assert parse_line(line) == expected


@pytest.mark.parametrize(
    "line", [b"rcv", b"rcv 0100", b"rcv 0100 2", b"rcv zz 24", b"hello", b"\xff"]
)
def test_damaged_lines_are_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_line(line)


@pytest.mark.parametrize("line", [b"rcv zz 24", b"rcv 0100", b"rcv 0100 2"])
def test_a_damaged_frame_is_named(line: bytes) -> None:
    with pytest.raises(ProtocolError, match="damaged rcv line"):
        parse_line(line)


def test_checksum_dialect() -> None:
    starred = b"ERR a*b "
    assert parse_line(starred + b"*%02X" % crc8(starred), checksum=True) == Refused("a*b")
    assert parse_line(b"OK *BD", checksum=True) == Accepted()
    for line in (b"OK *BE", b"OK", b"OK *", b"OK *ZZ", b"\xff *BD"):
        with pytest.raises(ProtocolError):
            parse_line(line, checksum=True)


@given(st.lists(st.sampled_from([b"OK", b"rcv 0100 24 e"]), max_size=6), st.data())
def test_splitter_does_not_mind_where_chunks_end(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\r\n" for line in lines)
    cut = data.draw(st.integers(0, len(stream)))
    splitter = LineSplitter()
    assert splitter.feed(stream[:cut]) + splitter.feed(stream[cut:]) == lines


def test_empty_lines_are_left_out_and_a_cleared_rest_is_forgotten() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"\n\r\nOK\n\nrcv 1") == [b"OK"]
    splitter.clear()
    assert splitter.feed(b"ERR X\r\n") == [b"ERR X"]
    assert splitter.feed(b"ERR\n") == [b"ERR"]


def test_splitter_bounds_what_it_keeps() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"x" * 10_000) == []
    (line,) = splitter.feed(b"\n")
    assert len(line) == LONGEST_LINE == 512
