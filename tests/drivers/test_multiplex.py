"""Golden frames: mjbots/moteus docs/protocol/can.md, and captures of the maker's own client."""

import contextlib
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.moteus.multiplex import (
    Read,
    RegisterError,
    Reply,
    Subframe,
    Write,
    encode,
    from_count,
    pad,
    parse,
    quantity_of,
    reply_size,
    reply_values,
    to_count,
    varuint,
    varuint_at,
)
from drivers.moteus.registers import FRAME_SIZES, REGISTERS, Quantity, Register, Resolution

INT8, INT16, INT32, FLOAT = Resolution
INTEGERS = (INT8, INT16, INT32)


def test_documented_command() -> None:
    frame = bytes.fromhex("01000a07206000200150ff140400130d")
    write_mode, write_command, read_state, read_power = parse(frame)
    assert write_mode == Write(Register.MODE, INT8, (10.0,))
    assert isinstance(write_command, Write)
    assert write_command.register == Register.COMMAND_POSITION
    assert write_command.values == pytest.approx((0.0096, 0.072, -1.76))
    assert read_state == Read(Register.MODE, INT16, 4)
    assert read_power == Read(Register.VOLTAGE, INT8, 3)
    assert encode(parse(frame)) == frame


def test_documented_reply() -> None:
    frame = bytes.fromhex("2404000a005000000170ff230d181400")
    values, errors = reply_values(frame)
    assert not errors
    assert values == pytest.approx(
        {0: 10, 1: 0.008, 2: 0.064, 3: -1.44, 0x0D: 12.0, 0x0E: 20.0, 0x0F: 0.0}
    )


def test_default_query_and_its_reply_as_captured() -> None:
    query = [
        Read(Register.MODE, INT8),
        Read(Register.POSITION, FLOAT, 3),
        Read(Register.VOLTAGE, INT8, 3),
    ]
    assert encode(query) == bytes.fromhex("11001F01130D")
    reply = (
        bytes.fromhex("21000A 2F01")
        + struct.pack("<3f", 0.25, -1.0, 0.5)
        + bytes.fromhex("230D 201900 5050")
    )
    values, _ = reply_values(reply)
    assert values == {0: 10, 1: 0.25, 2: -1.0, 3: 0.5, 0x0D: 16.0, 0x0E: 25.0, 0x0F: 0.0}


def test_discovery_query_as_captured() -> None:
    query = [Read(Register.UUID_1, INT32, 4), Read(Register.UUID_MASK_CAPABLE, INT8)]
    assert encode(query) == bytes.fromhex("1804D002 11D802")


def test_register_errors() -> None:
    assert parse(bytes.fromhex("31D00201")) == [RegisterError(0x150, 1, writing=False)]
    assert parse(bytes.fromhex("300102")) == [RegisterError(1, 2, writing=True)]


@pytest.mark.parametrize(
    ("value", "encoded"), [(0, "00"), (0x7F, "7F"), (0x80, "8001"), (0x150, "D002")]
)
def test_varuint(value: int, encoded: str) -> None:
    assert varuint(value) == bytes.fromhex(encoded)


def test_varuints_are_read_where_they_are() -> None:
    for value in (0, 0x7F, 0x80, 0x3FFF, 0x4000, 0x1FFFFF, 0xFFFF_FFFF, 2**35 - 1):
        encoded = varuint(value)
        assert len(encoded) == max(1, -(-value.bit_length() // 7))
        assert varuint_at(b"ab" + encoded + b"\xff", 2) == (value, 2 + len(encoded))
    with pytest.raises(ValueError, match="not negative"):
        varuint(-1)


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        ("80", "cut short"),
        ("", "cut short"),
        ("8080808080", "longer than five bytes"),
        ("808080808001", "longer than five bytes"),
    ],
)
def test_a_varuint_that_is_none(frame: str, told: str) -> None:
    with pytest.raises(ProtocolError, match=told):
        varuint_at(bytes.fromhex(frame), 0)


@pytest.mark.parametrize("count", [1, 3, 4, 127, 128])
@pytest.mark.parametrize("register", [0, 0x7F, 0x80, 0x150])
@pytest.mark.parametrize("resolution", Resolution)
def test_the_size_of_a_reply(count: int, register: int, resolution: Resolution) -> None:
    numbers = (1 if count < 4 else 2 if count < 128 else 3) + (1 if register < 0x80 else 2)
    size = numbers + count * (1, 2, 4, 4)[resolution]
    read = Read(register, resolution, count)
    assert reply_size(read) == size
    if size <= 64:
        frame = encode([Reply(register, resolution, (0.0,) * count)])
        assert frame == pad(frame[:size])
        assert parse(frame) == [Reply(register, resolution, (0.0,) * count)]


def test_whole_numbers_are_read_in_the_unit_of_their_register() -> None:
    for resolution in INTEGERS:
        subframes = [
            Write(Register.POSITION, resolution, (0.25, -0.5)),
            Reply(Register.VOLTAGE, resolution, (12.0, 30.0, 3.0)),
            Reply(0x3000, resolution, (5.0, -7.0)),
        ]
        found = parse(encode(subframes))
        for given_, again in zip(subframes, found, strict=True):
            assert (type(again), again.register) == (type(given_), given_.register)
            assert isinstance(again, Write | Reply)
            assert again.values == pytest.approx(given_.values, abs=0.06)
            assert again.resolution is resolution
    assert quantity_of(0x3000) is Quantity.INTEGER
    assert quantity_of(Register.VOLTAGE) is Quantity.VOLTAGE


def test_only_replies_and_refusals_tell_of_registers() -> None:
    frame = encode(
        [
            Write(1, INT16, (0.5,)),
            Read(2, INT16),
            Reply(0x3000, INT16, (7.0, 8.0)),
            RegisterError(9, 3, writing=True),
            RegisterError(10, 1, writing=False),
        ]
    )
    values, errors = reply_values(frame)
    assert values == {0x3000: 7.0, 0x3001: 8.0}
    assert errors == [RegisterError(9, 3, writing=True), RegisterError(10, 1, writing=False)]


@pytest.mark.parametrize(
    "subframe", [Read(1, INT8, 0), Write(1, FLOAT, ()), Reply(1, INT8, ()), Read(1, INT8, -1)]
)
def test_a_subframe_without_registers_is_refused(subframe: Subframe) -> None:
    with pytest.raises(ValueError, match="at least one register"):
        encode([subframe])
    assert Read(1, INT8).count == 1


@pytest.mark.parametrize("kind", [0x32, 0x33, 0x3F, 0x40, 0x51, 0xFF])
def test_an_unknown_subframe_is_told(kind: int) -> None:
    with pytest.raises(ProtocolError, match=f"unknown subframe 0x{kind:02x} at byte 1"):
        parse(bytes([0x50, kind, 1, 1]))


def test_values_that_are_cut_short_are_told() -> None:
    whole = encode([Reply(1, INT32, (0.5, 0.25))])[:10]
    assert parse(whole) == [Reply(1, INT32, (0.5, 0.25))]
    with pytest.raises(ProtocolError, match="2 values are cut short"):
        parse(whole[:-1])


def test_a_float_has_no_count() -> None:
    with pytest.raises(ValueError, match="no integer count"):
        to_count(1.0, Quantity.POSITION, FLOAT)


@pytest.mark.parametrize("quantity", Quantity)
@pytest.mark.parametrize("resolution", INTEGERS)
def test_nan_saturation_and_rounding(quantity: Quantity, resolution: Resolution) -> None:
    scale = quantity.scale[resolution]
    largest = (127, 32767, 2147483647)[resolution]
    assert to_count(math.nan, quantity, resolution) == -largest - 1
    assert to_count(math.inf, quantity, resolution) == largest
    assert to_count(-1e12, quantity, resolution) == -largest
    assert to_count(1.4 * scale, quantity, resolution) == 1
    assert math.isnan(from_count(-largest - 1, quantity, resolution))
    assert from_count(-largest, quantity, resolution) == pytest.approx(-largest * scale)


@pytest.mark.parametrize(
    ("quantity", "counts"),
    [  # registers.md, mappings: counts of one unit
        (Quantity.POSITION, (100, 10_000, 100_000)),
        (Quantity.VELOCITY, (10, 4000, 100_000)),
        (Quantity.ACCELERATION, (20, 1000, 100_000)),
        (Quantity.TORQUE, (2, 100, 1000)),
        (Quantity.VOLTAGE, (2, 10, 1000)),
        (Quantity.TEMPERATURE, (1, 10, 1000)),
        (Quantity.TIME, (100, 1000, 1_000_000)),
        (Quantity.CURRENT, (1, 10, 1000)),
        (Quantity.SCALE, (127, 32767, 2147483647)),
        (Quantity.POWER, (0, 20, 10_000)),
    ],
)
def test_scales(quantity: Quantity, counts: tuple[int, int, int]) -> None:
    assert tuple(to_count(1.0, quantity, resolution) for resolution in INTEGERS) == counts


def test_every_named_register_is_in_the_table() -> None:
    assert set(REGISTERS) == {int(register) for register in Register}
    assert REGISTERS[Register.Q_CURRENT].quantity is Quantity.CURRENT


@pytest.mark.parametrize(
    "frame", ["01", "0100", "0D20000000", "24", "2404", "240400 0A00", "60", "30", "1180808080 80"]
)
def test_broken_frames_are_refused(frame: str) -> None:
    with pytest.raises(ProtocolError):
        parse(bytes.fromhex(frame))


def test_padding_reaches_the_next_frame_size() -> None:
    assert [len(pad(bytes(length))) for length in (0, 8, 9, 25, 33, 64)] == [0, 8, 12, 32, 48, 64]
    assert pad(bytes(9))[9:] == b"\x50\x50\x50"
    with pytest.raises(ValueError, match="64"):
        pad(bytes(65))


def subframes() -> st.SearchStrategy[Subframe]:
    registers, types = st.integers(0, 0x3FFF), st.sampled_from(Resolution)
    floats = st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Write, registers, st.just(FLOAT), floats),
        st.builds(Reply, registers, st.just(FLOAT), floats),
        st.builds(Read, registers, types, st.integers(1, 200)),
        st.builds(RegisterError, registers, st.integers(0, 255), st.booleans()),
    )


@given(st.lists(subframes(), max_size=3))
def test_encoded_frames_parse_back(row: list[Subframe]) -> None:
    frame = encode(row)
    assert len(frame) in FRAME_SIZES
    assert parse(frame) == row


@given(st.binary(max_size=64))
def test_any_bytes_parse_or_raise_protocol_error(frame: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert all(isinstance(subframe, Subframe) for subframe in parse(frame))
