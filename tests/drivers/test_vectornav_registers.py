"""Examples: VN-100 user manual UM001, section 5.2, and the maker's C library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.vectornav.registers import (
    BAUD,
    MODEL,
    PROTOCOL,
    REFERENCE_ROTATION,
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
    with pytest.raises(ValueError, match=complaint):
        format_values(register, values)


@given(st.sampled_from(ALL), st.lists(st.text(max_size=12), max_size=12))
def test_any_answer_is_values_or_a_protocol_error(register: Register, parts: list[str]) -> None:
    try:
        values = parse_values(register, parts)
    except ProtocolError:
        return
    assert len(values) == len(parts)


@pytest.mark.parametrize("part", ["", "nan", "inf", "1_0", "0x10", "-1", "1.5", "²", "１"])
def test_what_is_no_whole_number(part: str) -> None:
    with pytest.raises(ProtocolError):
        parse_values(BAUD, [part])


def test_rounding_by_the_sensor_is_not_another_value() -> None:
    assert same_values((0.3333333, 1), (0.33333, 1, 0))
    assert not same_values((0.3333333, 1), (0.3343, 1))
    assert not same_values((1, 2), (1,))
