"""Queries and replies of a moteus in every layout: the firmware's own and any other."""

from __future__ import annotations

import math
from typing import Any

import pytest

from drivers.errors import ProtocolError
from drivers.moteus.multiplex import Read, RegisterError, Reply, Subframe, encode
from drivers.moteus.readings import (
    NEVER,
    REFUSED,
    REPLY_SIZE,
    TAGS,
    UNKNOWN_MODE,
    ServoReading,
    parse_block,
    parse_reading,
    query,
)
from drivers.moteus.registers import Register, Resolution
from tests.drivers.test_moteus_readings import OTHER_TAG, TAG, frame

INT8, INT16, INT32, FLOAT = Resolution


def test_tags_are_the_registers_of_a_position_command() -> None:
    """Writing 0x020 to 0x029 sets position, velocity, torque, gains and limits (registers.md)."""
    assert TAGS == (0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29)
    assert (REFUSED, UNKNOWN_MODE, REPLY_SIZE) == (-1, -1, 32)
    assert (NEVER.mode, NEVER.fault) == (-1, 0)
    assert all(map(math.isnan, NEVER[2:]))


@pytest.mark.parametrize("tag", TAGS)
def test_a_query_asks_for_what_a_reading_is(tag: int) -> None:
    wanted = [
        Read(Register.MODE, INT8),
        Read(Register.POSITION, FLOAT, 3),
        Read(Register.POWER, INT16),
        Read(Register.VOLTAGE, INT16, 3),
        Read(tag, INT8),
    ]
    assert encode(wanted).startswith(query(tag))
    assert len(query(tag)) == 10


def reply(*left_out: int, tags: tuple[int, ...] = (TAG,), more: tuple[Subframe, ...] = ()) -> bytes:
    """A reading in a layout that is not the firmware's own."""
    values = {
        Register.FAULT: 33.0,
        Register.MODE: 10.0,
        Register.POSITION: 0.25,
        Register.VELOCITY: -1.0,
        Register.TORQUE: 0.5,
        Register.POWER: 10.0,
        Register.VOLTAGE: 16.0,
        Register.TEMPERATURE: 25.0,
    }
    told: list[Subframe] = [
        Reply(register, INT16, (value,))
        for register, value in values.items()
        if register not in left_out
    ]
    return encode([*told, *(Reply(tag, INT8, (7.0,)) for tag in tags), *more])


def test_a_reply_in_any_layout_is_the_same_reading() -> None:
    reading, tag = parse_reading(reply())
    assert reading == pytest.approx((10, 33, 0.25, -1.0, 0.5, 10.0, 16.0, 25.0), abs=1e-3)
    assert tag == TAG
    assert isinstance(reading, ServoReading)
    own, _ = parse_reading(frame(fault=33))
    assert own == pytest.approx(tuple(reading), abs=1e-3)


def test_a_reply_that_refuses_a_register_says_so() -> None:
    refusal = RegisterError(Register.MODE, 2, writing=True)
    assert parse_reading(reply(tags=(), more=(refusal,)))[1] == REFUSED
    assert parse_reading(reply(more=(refusal,)))[1] == REFUSED


@pytest.mark.parametrize("register", [0x00, 0x01, 0x02, 0x03, 0x07, 0x0D, 0x0E, 0x0F])
def test_a_reply_that_lacks_a_register_is_none(register: int) -> None:
    with pytest.raises(ProtocolError, match=rf"without registers \[{register}\]"):
        parse_reading(reply(register))


@pytest.mark.parametrize("tags", [(), (TAG, OTHER_TAG), (0x2A,), (0x1F,)])
def test_a_reply_has_one_tag(tags: tuple[int, ...]) -> None:
    with pytest.raises(ProtocolError, match="reply with tags"):
        parse_reading(reply(tags=tags))


def test_a_reply_in_the_firmwares_layout_has_a_tag_of_ours() -> None:
    with pytest.raises(ProtocolError, match="reply with tags"):
        parse_reading(frame(tag=0x2A))
    for tag in TAGS:
        assert parse_reading(frame(tag=tag))[1] == tag


@pytest.mark.parametrize(
    "what",
    [{"mode": -128}, {"power": -32768}, {"volts": -32768}, {"heat": -32768}, {"fault": -32768}],
)
def test_the_most_negative_count_is_no_number(what: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError, match="not finite"):
        parse_reading(frame(**what))
    nearly = {name: value + 1 for name, value in what.items()}
    assert all(map(math.isfinite, parse_reading(frame(**nearly))[0]))


def test_counts_are_scaled_as_documented() -> None:
    """Power in steps of 0.05 W, voltage of 0.1 V, temperature of 0.1 degrees (registers.md)."""
    reading, _ = parse_reading(frame(power=-7, volts=241, heat=-3, fault=33, mode=5))
    expected = (5, 33, 0.25, -1.0, 0.5, -7 * 0.05, 241 * 0.1, -3 * 0.1)
    assert tuple(reading) == expected
    row = parse_block(frame(power=-7, volts=241, heat=-3, fault=33, mode=5), 1, TAG)
    assert row is not None
    assert row.shape == (8, 1)
    assert row[:, 0].tolist() == list(expected)


def test_a_block_of_another_length_is_none() -> None:
    assert parse_block(frame(), 2, TAG) is None
    assert parse_block(frame() + frame() + b"\x50", 2, TAG) is None
    assert parse_block(3 * frame(), 2, TAG) is None
