"""Examples: VN-100 user manual UM001, section 5.2, and the maker's C library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.vectornav.registers import (
    ACCELERATION_BIAS,
    ASYNC_RATE,
    ASYNC_TYPE,
    BAUD,
    BINARY_OUTPUTS,
    FIRMWARE,
    GYRO_BIAS,
    HARDWARE,
    MODEL,
    PROTOCOL,
    REFERENCE_ROTATION,
    SERIAL,
    STARTUP_BIAS,
    SYNC,
    VPE_BASIC,
    Register,
    Value,
    format_values,
    parse_values,
    same_values,
)

ALL = (BAUD, MODEL, PROTOCOL, REFERENCE_ROTATION, STARTUP_BIAS, SYNC, VPE_BASIC)


@pytest.mark.parametrize(
    ("register", "text", "values"),
    [
        (MODEL, "VN-200T-CR", ("VN-200T-CR",)),
        (BAUD, "115200", (115200,)),
        (PROTOCOL, "0,0,0,0,1,0,1", (0, 0, 0, 0, 1, 0, 1)),
        (SYNC, "3,0,0,0,6,1,0,100000000,0", (3, 0, 0, 0, 6, 1, 0, 100000000, 0)),
        (VPE_BASIC, "1,1,1,1", (1, 1, 1, 1)),
        (REFERENCE_ROTATION, "1,0,0,0,1,0,0,0,-1", (1, 0, 0, 0, 1, 0, 0, 0, -1)),
        (STARTUP_BIAS, "+0.01,-2e-3,0", (0.01, -0.002, 0)),
    ],
)
def test_the_manuals_examples(register: Register, text: str, values: tuple[Value, ...]) -> None:
    assert parse_values(register, text.split(",")) == values
    if register.writable:
        assert same_values(
            values, parse_values(register, format_values(register, values).split(","))
        )


@pytest.mark.parametrize(
    ("register", "values", "complaint"),
    [
        (MODEL, ("VN-100",), "read only"),
        (BAUD, (250000,), "valid are"),
        (BAUD, (115200, 1), "takes 1 values, got 2"),
        (BAUD, (115200.0,), "whole numbers"),
        (VPE_BASIC, (1, 3, 1, 1), "value 1: valid are"),
        (SYNC, (3, 0, -1, 0, 6, 1, 0, 0, 0), "from 0 to"),
        (REFERENCE_ROTATION, (1, 0, 0, 0, float("nan"), 0, 0, 0, 1), "finite"),
        (STARTUP_BIAS, (0, 0), "takes 7 values, got 2"),
    ],
)
def test_what_may_not_be_written_is_refused(
    register: Register, values: tuple[Value, ...], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint) as refused:
        format_values(register, values)
    assert str(refused.value).startswith(f"register {register.id} ({register.name})")


@given(st.sampled_from(ALL), st.lists(st.text(max_size=12), max_size=12))
def test_any_answer_is_values_or_a_protocol_error(register: Register, parts: list[str]) -> None:
    try:
        values = parse_values(register, parts)
    except ProtocolError:
        return
    assert len(values) == len(parts)


# Number, kinds of values, and which values are valid (UM001, sections 5.2, 6.2, 7.2 and 8.2).
BAUDS = {9600, 19200, 38400, 57600, 115200, 128000, 230400, 460800, 921600}
RATES = {1, 2, 4, 5, 10, 20, 25, 40, 50, 100, 200}
MANUAL: list[tuple[Register, int, str, dict[int, set[int]]]] = [
    (MODEL, 1, "s", {}),
    (HARDWARE, 2, "u", {}),
    (SERIAL, 3, "s", {}),
    (FIRMWARE, 4, "s", {}),
    (BAUD, 5, "u", {0: BAUDS}),
    (ASYNC_TYPE, 6, "u", {}),
    (ASYNC_RATE, 7, "u", {0: RATES}),
    (ACCELERATION_BIAS, 25, "ffffffffffff", {}),
    (REFERENCE_ROTATION, 26, "fffffffff", {}),
    (PROTOCOL, 30, "uuuuuuu", {4: {1, 3}, 6: {0, 1, 2}}),
    (SYNC, 32, "uuuuuuuuu", {0: {3, 4, 5, 6}, 1: {0, 1}, 5: {0, 1}}),
    (VPE_BASIC, 35, "uuuu", {0: {0, 1}, 1: {0, 1, 2}, 2: {0, 1}, 3: {0, 1}}),
    (STARTUP_BIAS, 74, "fffffff", {}),
    (GYRO_BIAS, 84, "ffffffffffff", {}),
]


@pytest.mark.parametrize(("register", "id", "kinds", "choices"), MANUAL)
def test_registers_are_those_of_the_manual(
    register: Register, id: int, kinds: str, choices: dict[int, set[int]]
) -> None:
    assert (register.id, register.kinds) == (id, kinds)
    assert register.writable == (id > 4)
    assert register.optional == (4 if id == 74 else 0)
    assert dict(register.choices) == choices


def test_the_binary_outputs_are_three_registers() -> None:
    assert BINARY_OUTPUTS == (75, 76, 77)


def test_numbers_at_the_ends_of_what_may_be_written() -> None:
    assert format_values(ASYNC_TYPE, (0,)) == "0"
    assert format_values(ASYNC_TYPE, (0xFFFF_FFFF,)) == "4294967295"
    for wrong in (-1, 0x1_0000_0000, 1.0, "1"):
        with pytest.raises(ValueError, match="takes whole numbers from 0 to 4294967295"):
            format_values(ASYNC_TYPE, (wrong,))
    for wrong in (float("inf"), float("-inf"), "0"):
        with pytest.raises(ValueError, match="finite"):
            format_values(STARTUP_BIAS, (0.0, 0.0, wrong))


def test_numbers_are_written_as_the_sensor_reads_them() -> None:
    bias = (0.012345678912, -2, 1e-7, 0, 0, 0, 0.5)
    assert format_values(STARTUP_BIAS, bias) == "0.012345679,-2,1e-07,0,0,0,0.5"
    assert format_values(SYNC, (3, 0, 0, 0, 6, 1, 0, 100000000, 0)) == "3,0,0,0,6,1,0,100000000,0"


@pytest.mark.parametrize(("count", "valid"), [(2, False), (3, True), (7, True), (8, False)])
def test_how_many_values_a_register_with_optional_ones_has(count: int, valid: bool) -> None:
    if valid:
        assert parse_values(STARTUP_BIAS, ["0.5"] * count) == (0.5,) * count
        assert format_values(STARTUP_BIAS, (0.5,) * count) == ",".join(["0.5"] * count)
        return
    with pytest.raises(ProtocolError, match="has 7 values"):
        parse_values(STARTUP_BIAS, ["0.5"] * count)
    with pytest.raises(ValueError, match="takes 7 values"):
        format_values(STARTUP_BIAS, (0.5,) * count)


@pytest.mark.parametrize("part", ["", "nan", "-inf", "1e999", "1,5", "abc"])
def test_what_is_no_finite_number(part: str) -> None:
    with pytest.raises(ProtocolError, match="no number"):
        parse_values(STARTUP_BIAS, ["0", part, "0"])


def test_blanks_around_a_value_do_not_matter() -> None:
    assert parse_values(MODEL, [" VN-100T \r"]) == ("VN-100T",)
    assert parse_values(BAUD, [" 115200 "]) == (115200,)
    assert parse_values(STARTUP_BIAS, [" 1 ", "2 ", " 3"]) == (1.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("written", "kept", "same"),
    [
        ((0.0,), (0.00009,), True),
        ((0.0,), (0.00011,), False),
        ((5000.0,), (5000.4,), True),
        ((5000.0,), (5000.6,), False),
        ((1.0,), (1,), True),
        ((1.0, 2.0), (1.0, 3.0), False),
        # Whole numbers and text are kept as they are or not at all.
        ((1,), (1.00001,), False),
        ((0.5,), ("0.5",), False),
        (("a",), ("a",), True),
        (("a",), ("b",), False),
        ((1,), (1, 2), True),
        ((1, 2), (1,), False),
    ],
)
def test_what_counts_as_kept(
    written: tuple[Value, ...], kept: tuple[Value, ...], same: bool
) -> None:
    assert same_values(written, kept) is same


@pytest.mark.parametrize("part", ["", "nan", "inf", "1_0", "0x10", "-1", "1.5", "²", "１"])
def test_what_is_no_whole_number(part: str) -> None:
    with pytest.raises(ProtocolError):
        parse_values(BAUD, [part])


def test_rounding_by_the_sensor_is_not_another_value() -> None:
    assert same_values((0.3333333, 1), (0.33333, 1, 0))
    assert not same_values((0.3333333, 1), (0.3343, 1))
    assert not same_values((1, 2), (1,))
