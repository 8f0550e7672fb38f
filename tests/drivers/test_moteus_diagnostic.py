"""Frames: mjbots/mjlib mjlib/multiplex/format.h, and captures of the maker's own client."""

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.moteus.diagnostic import (
    LARGEST_POLL,
    LARGEST_WRITE,
    LONGEST_ANSWER,
    LONGEST_LINE,
    LineReader,
    StreamChunk,
    check_name,
    encode_flow_poll,
    encode_poll,
    encode_text,
    format_value,
    parse_chunk,
    parse_value,
)


def test_frames_as_captured() -> None:
    text = bytes.fromhex("40010f636f6e66206765742069642e69640a")
    assert encode_text(b"conf get id.id\n") == text + b"\x50\x50"
    assert encode_poll(48) == bytes.fromhex("420130")
    assert encode_flow_poll(7, 48) == bytes.fromhex("44010730")
    assert encode_flow_poll(255, 48) == bytes.fromhex("4401ff30")


def test_lengths_that_the_controller_takes() -> None:
    assert (LARGEST_WRITE, LARGEST_POLL, LONGEST_LINE, LONGEST_ANSWER) == (61, 48, 99, 16384)
    assert encode_poll() == bytes.fromhex("420130")
    assert encode_flow_poll(0) == bytes.fromhex("44010030")


def test_longest_text() -> None:
    assert len(encode_text(b"x" * 61)) == 64
    with pytest.raises(ValueError, match="61"):
        encode_text(b"x" * 62)


@pytest.mark.parametrize(
    ("frame", "chunk"),
    [
        ("410100", StreamChunk(b"", None)),
        ("410103 310d0a 5050", StreamChunk(b"1\r\n", None)),
        ("43010504 4f4b0d0a", StreamChunk(b"OK\r\n", 5)),
        ("4301ff00", StreamChunk(b"", 255)),
    ],
)
def test_output_of_the_console(frame: str, chunk: StreamChunk) -> None:
    assert parse_chunk(bytes.fromhex(frame)) == chunk


@pytest.mark.parametrize(
    "frame",
    ["", "41", "4101", "41010531", "410203313233", "4301", "430105", "2101", "410180808080"],
)
def test_broken_output_is_refused(frame: str) -> None:
    with pytest.raises(ProtocolError):
        parse_chunk(bytes.fromhex(frame))


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ("", "no console output"),
        ("42010131", "no console output"),
        ("44010131", "no console output"),
        ("41020131", "channel 2 instead of 1"),
        ("4301", "console output is cut short"),
        ("41010231", "2 bytes of console output are cut short"),
        ("4301050231", "2 bytes of console output are cut short"),
    ],
)
def test_what_is_wrong_with_output_is_told(frame: str, told: str) -> None:
    with pytest.raises(ProtocolError, match=told):
        parse_chunk(bytes.fromhex(frame))


@given(st.binary(max_size=64))
def test_any_bytes_are_output_or_a_protocol_error(frame: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert len(parse_chunk(frame).data) <= len(frame)


@given(st.data())
def test_lines_do_not_depend_on_how_they_arrive(data: st.DataObject) -> None:
    stream = b"10.000000\r\nservo.max 4\nOK\r\nrest"
    reader = LineReader()
    lines: list[str] = []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        lines += reader.feed(stream[:cut])
        stream = stream[cut:]
    assert lines == ["10.000000", "servo.max 4", "OK"]


def test_an_answer_without_end_is_refused() -> None:
    reader = LineReader()
    assert reader.feed(b"x" * LONGEST_ANSWER) == []
    with pytest.raises(ProtocolError, match=str(LONGEST_ANSWER)):
        reader.feed(b"x")
    reader.clear()
    assert reader.feed(b"OK\n") == ["OK"]
    assert reader.feed(b"x" * (LONGEST_ANSWER - 3)) == []
    with pytest.raises(ProtocolError, match="longer"):
        reader.feed(b"x")
    reader.clear()
    assert reader.feed(b"x" * LONGEST_ANSWER) == [], "as much again after a clear"


def test_lines_end_with_either_and_what_is_no_ascii_is_replaced() -> None:
    reader = LineReader()
    assert reader.feed(b"one\rtwo\n\r\nthr\xffee\r\nrest") == ["one", "two", "thr\ufffdee"]
    reader.clear()
    assert reader.feed(b"four\n") == ["four"]


@pytest.mark.parametrize(
    "name", ["", "servo", "servo.kp 3", "servo.kp\nd pos 1 1 1", "1.2", "a..b"]
)
def test_only_names_reach_the_console(name: str) -> None:
    with pytest.raises(ValueError, match=r"servo\.max_current_A"):
        check_name(name)
    assert check_name("servo.pid_position.kp") == "servo.pid_position.kp"
    assert check_name("motor_position.sources.0.sign") == "motor_position.sources.0.sign"


@pytest.mark.parametrize(
    ("value", "text"), [(12.0, "12"), (-1.0, "-1"), (0.25, "0.25"), (math.nan, "nan"), (1, "1")]
)
def test_values_as_the_console_takes_them(value: float, text: str) -> None:
    assert format_value(value) == text
    assert parse_value(text) == value or math.isnan(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567890.0, "1234567890"),
        (-1234567890.0, "-1234567890"),
        (2.0**53 - 1.0, "9007199254740991"),
        (2.0**53, "9.00719925e+15"),
        (-(2.0**53), "-9.00719925e+15"),
        (0.1234567891, "0.123456789"),
    ],
)
def test_great_and_precise_values(value: float, text: str) -> None:
    assert format_value(value) == text


def test_infinite_values_are_no_options() -> None:
    with pytest.raises(ValueError, match="finite"):
        format_value(math.inf)


@pytest.mark.parametrize(
    "line", ["", "OK", "ERR error reading", "1 2", "0x10", "1_0", "--1", "n an"]
)
def test_answers_that_are_no_values(line: str) -> None:
    with pytest.raises(ProtocolError):
        parse_value(line)


@given(st.floats(allow_infinity=False, width=32))
def test_values_survive_the_console(value: float) -> None:
    again = parse_value(format_value(value))
    assert again == pytest.approx(value, rel=1e-7, nan_ok=True)


@given(st.text(max_size=40))
def test_any_line_is_a_value_or_a_protocol_error(line: str) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(parse_value(line), float)
