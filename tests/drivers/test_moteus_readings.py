"""What a reading can be, one at a time and a whole row at once."""

import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.moteus.readings import (
    TAGS,
    UNKNOWN_MODE,
    Plausibility,
    ReadingTable,
    ServoReading,
    ServoReadings,
    parse_block,
    parse_reading,
)

STOPPED, ENABLING, POSITION = 0, 2, 10
TAG, OTHER_TAG = 0x25, 0x28


def frame(
    position: float = 0.25,
    velocity: float = -1.0,
    torque: float = 0.5,
    mode: int = POSITION,
    power: int = 200,
    volts: int = 160,
    heat: int = 250,
    fault: int = 0,
    tag: int = TAG,
    told: int = 7,
) -> bytes:
    """The reply to a query, by moteus docs/protocol/can.md."""
    motion = struct.pack("<3f", position, velocity, torque)
    return (
        bytes([0x21, 0x00, mode & 0xFF, 0x2F, 0x01])
        + motion
        + (b"\x25\x07" + struct.pack("<h", power))
        + (b"\x27\x0d" + struct.pack("<3h", volts, heat, fault))
        + struct.pack("<2Bb", 0x21, tag, told)
    )


def take(table: ReadingTable, index: int, data: bytes, time: float) -> bool:
    return table.take(index, parse_reading(data)[0], time)


def known(table: ReadingTable) -> ServoReadings:
    return table.readings(np.ones(2, dtype=np.bool_))


counts = st.integers(-32767, 32767)
numbers = st.floats(-1e6, 1e6, width=32)
frames = st.builds(
    frame,
    *(numbers, numbers, numbers, st.integers(-127, 127), counts, counts, counts, counts),
    told=st.integers(-128, 127),
)


@given(st.lists(frames, min_size=1, max_size=9))
def test_a_block_is_the_same_as_its_frames(row: list[bytes]) -> None:
    table = parse_block(b"".join(row), len(row), TAG)
    assert table is not None
    for index, each in enumerate(row):
        assert (tuple(table[:, index]), TAG) == parse_reading(each)


@given(st.binary(max_size=100), st.integers(1, 3), st.sampled_from(TAGS))
def test_any_bytes_are_a_block_or_none(data: bytes, count: int, tag: int) -> None:
    table = parse_block(data, count, tag)
    assert table is None or table.shape == (8, count)


@pytest.mark.parametrize("at", [0, 1, 3, 4, 17, 18, 21, 22, 29, 30])
def test_a_block_in_another_layout_is_none(at: int) -> None:
    damaged = bytearray(frame())
    damaged[at] ^= 0x04
    assert parse_block(frame() + bytes(damaged), 2, TAG) is None


def test_a_block_with_another_tag_is_none() -> None:
    row = frame() + frame(tag=OTHER_TAG)
    assert parse_block(row, 2, TAG) is None
    assert parse_block(row, 2, OTHER_TAG) is None
    assert parse_block(2 * frame(tag=OTHER_TAG), 2, OTHER_TAG) is not None
    table = ReadingTable(2, Plausibility())
    assert not table.take_all(row, TAG, 1.0)
    assert known(table).time.tolist() == [-math.inf, -math.inf]


USUAL = ServoReading(10, 0, 0.25, -1.0, 0.5, 10.0, 16.0, 25.0)


@pytest.mark.parametrize(
    ("name", "lowest", "highest"),
    [
        ("mode", 0, 15),
        ("fault", 0, 255),
        ("position_rev", -32768.0, 32768.0),
        ("velocity_rev_s", -50.0, 50.0),
        ("torque_nm", -100.0, 100.0),
        ("power_w", -1638.36, 1638.4),
        ("voltage_v", 0.0, 60.0),
        ("temperature_c", -40.0, 150.0),
    ],
)
def test_a_reading_may_be_as_far_as_its_bounds(name: str, lowest: float, highest: float) -> None:
    for end, beyond in ((lowest, -0.01), (highest, 0.01)):
        table = ReadingTable(1, Plausibility())
        assert table.take(0, USUAL._replace(**{name: end}), 1.0)
        table = ReadingTable(1, Plausibility())
        assert not table.take(0, USUAL._replace(**{name: end + beyond}), 1.0)
        assert not table.take(0, USUAL._replace(**{name: math.nan}), 1.0)
        assert table.implausible == 2


@pytest.mark.parametrize("whole_row", [True, False])
def test_fifty_revolutions_a_second_and_a_twentieth_of_one(whole_row: bool) -> None:
    """The defaults, exactly; 1/64 s at 50 rev/s are 0.78125 rev."""
    reach = 50.0 / 64 + 0.05

    def moves(to: float, mode: int = POSITION) -> bool:
        table = ReadingTable(1, Plausibility())
        assert table.take_all(frame(0.0, mode=mode), TAG, 1.0)
        if whole_row:
            return table.take_all(frame(to, mode=mode), TAG, 1.0 + 1 / 64)
        return table.take(0, USUAL._replace(position_rev=to, mode=mode), 1.0 + 1 / 64)

    assert moves(reach - 1e-6)
    assert not moves(reach + 1e-6)
    assert not moves(reach + 1e-6, mode=5), "PWM is the first mode that drives"
    assert moves(9.0, mode=4)


@pytest.mark.parametrize("whole_row", [True, False])
def test_exactly_as_far_as_it_can_is_not_too_far(whole_row: bool) -> None:
    table = ReadingTable(2, Plausibility(maximum_speed_rev_s=16.0, position_slack_rev=0.25))
    assert table.take_all(frame(0.0) + frame(0.0), TAG, 1.0)
    if whole_row:
        assert table.take_all(frame(0.5) + frame(0.0), TAG, 1.0 + 1 / 64)
    else:
        assert table.take(0, USUAL._replace(position_rev=0.5), 1.0 + 1 / 64)


def test_each_reading_has_its_own_time() -> None:
    """Joint 0 was last heard long ago and may have moved far, joint 1 just now."""
    table = ReadingTable(2, Plausibility(maximum_speed_rev_s=16.0, position_slack_rev=0.25))
    assert table.take(0, USUAL._replace(position_rev=0.0), 1.0)
    assert table.take(1, USUAL._replace(position_rev=0.0), 1.5)
    assert known(table).time.tolist() == [1.0, 1.5]
    assert not table.take_all(frame(0.0) + frame(4.0), TAG, 1.5 + 1 / 64)
    assert table.take_all(frame(4.0) + frame(0.0), TAG, 1.5 + 1 / 64)
    assert known(table).time.tolist() == [1.5 + 1 / 64] * 2
    assert known(table).position_rev.tolist() == [4.0, 0.0]
    assert not table.take_all(frame(4.0) + frame(4.0), TAG, 1.5 + 2 / 64)


def test_a_row_after_single_readings_is_judged_one_by_one() -> None:
    table = ReadingTable(2, Plausibility(maximum_speed_rev_s=16.0, position_slack_rev=0.25))
    assert table.take_all(frame(0.0) + frame(0.0), TAG, 1.0)
    assert table.take(1, USUAL._replace(position_rev=0.0), 2.0)
    assert table.take_all(frame(15.0) + frame(0.25), TAG, 2.0)


def test_what_was_told_is_not_changed_by_what_comes() -> None:
    table = ReadingTable(2, Plausibility())
    before = known(table)
    assert before.mode.tolist() == [UNKNOWN_MODE] * 2
    assert before.fault.tolist() == [0, 0]
    assert take(table, 0, frame(), 1.0)
    first = known(table)
    assert take(table, 0, frame(0.26, fault=33), 2.0)
    table.forget_position(0)
    assert first.time.tolist() == [1.0, -math.inf]
    assert first.position_rev[0] == 0.25
    assert known(table).time[0] == 2.0
    assert (first.fault[0], known(table).fault[0]) == (0, 33)
    assert first.mode.dtype == first.fault.dtype == np.int64


def test_every_value_is_told_by_its_name() -> None:
    table = ReadingTable(2, Plausibility())
    assert table.implausible == 0
    values = ServoReading(10, 33, 0.5, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert table.take(1, values, 7.0)
    told = table.readings(np.array([False, True]))
    for name, value in values._asdict().items():
        assert getattr(told, name)[1] == value
    assert told.valid.tolist() == [False, True]


IMPOSSIBLE: dict[str, dict[str, Any]] = {
    "mode": {"mode": 16},
    "negative mode": {"mode": -1},
    "fault": {"fault": 256},
    "velocity": {"velocity": 50.5},
    "torque": {"torque": -101.0},
    "position": {"position": 40000.0},
    "supply below zero": {"volts": -1},
    "supply": {"volts": 601},
    "cold": {"heat": -401},
    "hot": {"heat": 1501},
}
POSSIBLE: dict[str, dict[str, Any]] = {
    "mode": {"mode": 15},
    "fault": {"fault": 103},
    "velocity": {"velocity": -50.0},
    "torque": {"torque": 100.0},
    "no supply": {"volts": 0},
    "supply": {"volts": 600},
    "cold": {"heat": -400},
    "hot": {"heat": 1500},
    "power": {"power": 32767},
    "power fed back": {"power": -32767},
}


@pytest.mark.parametrize("what", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_impossible_values_are_not_taken(what: dict[str, Any]) -> None:
    table = ReadingTable(2, Plausibility())
    assert not table.take_all(frame() + frame(**what), TAG, 1.0)
    assert take(table, 0, frame(), 1.0)
    assert not take(table, 1, frame(**what), 1.0)
    assert table.implausible == 1
    assert known(table).time.tolist() == [1.0, -math.inf]
    assert math.isnan(known(table).position_rev[1])


@pytest.mark.parametrize("what", POSSIBLE.values(), ids=POSSIBLE)
def test_possible_values_are_taken(what: dict[str, Any]) -> None:
    table = ReadingTable(2, Plausibility())
    assert table.take_all(frame() + frame(**what), TAG, 1.0)
    assert take(table, 1, frame(**what), 1.0)
    assert table.implausible == 0


@pytest.mark.parametrize("whole_row", [True, False])
def test_a_driven_motor_moves_no_faster_than_it_can(whole_row: bool) -> None:
    limits = Plausibility(maximum_speed_rev_s=10.0, position_slack_rev=0.05)

    def moves(distance: float, elapsed: float, mode: int = POSITION) -> bool:
        table = ReadingTable(2, limits)
        assert table.take_all(frame() + frame(), TAG, 1.0)
        moved = frame(0.25 + distance, mode=mode)
        if whole_row:
            return table.take_all(moved + frame(), TAG, 1.0 + elapsed)
        return take(table, 0, moved, 1.0 + elapsed)

    assert moves(0.099, 0.005)
    assert moves(-0.099, 0.005)
    assert not moves(0.101, 0.005)
    assert not moves(-0.101, 0.005)
    assert moves(1.0, 0.1), "the reach grows with the time since the last reading"
    assert moves(3.0, 0.005, STOPPED), "who is not driven may have been switched off or turned"
    assert moves(3.0, 0.005, ENABLING)


def test_after_a_new_zero_any_position_is_taken_once() -> None:
    table = ReadingTable(2, Plausibility())
    table.take_all(frame() + frame(), TAG, 1.0)
    table.forget_position(0)
    assert not table.take_all(frame(7.0) + frame(), TAG, 1.005), "left to one at a time"
    assert take(table, 0, frame(7.0), 1.005)
    assert not take(table, 0, frame(9.0), 1.010)
    assert take(table, 1, frame(0.26), 1.010)
    assert table.implausible == 1


def test_what_is_refused_leaves_everything_as_it_was() -> None:
    table = ReadingTable(2, Plausibility())
    table.take_all(frame(0.1) + frame(0.2), TAG, 1.0)
    assert not table.take_all(frame(0.11) + frame(9.0), TAG, 1.005)
    np.testing.assert_allclose(known(table).position_rev, [0.1, 0.2], rtol=1e-6)
    assert known(table).time.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_not_finite_is_a_damaged_reply(bad: float) -> None:
    table = ReadingTable(2, Plausibility())
    assert not table.take_all(frame() + frame(bad), TAG, 1.0)
    with pytest.raises(ProtocolError):
        take(table, 1, frame(bad), 1.0)
    assert table.implausible == 0
