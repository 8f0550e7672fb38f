import math
import struct
from dataclasses import replace
from typing import Any

import moteus
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import ProtocolError
from drivers.moteus.command import (
    Brake,
    Command,
    Current,
    Damp,
    PositionCommand,
    StayWithin,
    Stop,
    encode,
)
from drivers.moteus.multiplex import Read, Write, parse
from drivers.moteus.readings import REFUSED, TAGS, parse_reading
from drivers.moteus.registers import Mode, Register, Resolution

TAG = 0x25
QUERY = bytes.fromhex("11001f011507170d")
FLOAT, INT16, INT8 = Resolution.FLOAT, Resolution.INT16, Resolution.INT8


def position(count: int = 1) -> PositionCommand:
    one = np.ones(count)
    return PositionCommand(
        position_rev=0.5 * one,
        velocity_rev_s=0.0 * one,
        feedforward_torque_nm=-0.25 * one,
        kp_scale=one,
        kd_scale=0.5 * one,
        maximum_torque_nm=2.0 * one,
        stop_position_rev=math.nan * one,
        watchdog_timeout_s=0.1 * one,
        velocity_limit=math.nan * one,
        accel_limit=-one,
    )


def test_usual_frame_byte_for_byte() -> None:
    # Subframes from moteus docs/protocol/can.md; the floats are IEEE 754 by hand.
    assert encode(position(2), 2, TAG) == 2 * [
        bytes.fromhex(
            "01000a"  # mode position
            "0c0620 0000003f 00000000 000080be 0000803f 0000003f 00000040"
            "0727 6400 0080 18fc"  # 0.1 s, NaN, -1 rev/s^2
            "1100 1f01 1507 170d"  # the query
            "1125"  # its tag: a register asked for as int8
        )
    ]


def written(frame: bytes) -> dict[int, float]:
    return {
        register: value
        for subframe in parse(frame)
        if isinstance(subframe, Write)
        for register, value in enumerate(subframe.values, subframe.register)
    }


def test_every_frame_carries_the_complete_command() -> None:
    """Writing the mode resets what is not written with it: the position to 0, not to "hold"."""
    stop_position = 0x026
    for frame in encode(position(), 1, TAG):
        assert set(written(frame)) == {0, *range(0x020, 0x02A)} - {stop_position}
        first = parse(frame)[0]
        assert first == Write(Register.MODE, INT8, (Mode.POSITION,))


@pytest.mark.parametrize(
    "change",
    [{"stop_position_rev": 0.75}, {"accel_limit": 50.0}, {"velocity_limit": 10.0}],
)
def test_limits_that_int16_cannot_hold_travel_as_floats(change: dict[str, float]) -> None:
    command = replace(position(), **{key: np.array([value]) for key, value in change.items()})
    (frame,) = encode(command, 1, TAG)
    assert len(frame) == 64
    sent = written(frame)
    assert set(sent) == {0, *range(0x020, 0x02A)}
    (value,) = change.values()
    assert value in sent.values()


def test_stop_and_damp_frames() -> None:
    assert encode(Stop(), 1, TAG) == [bytes.fromhex("010000 11001f011507170d 1125 505050")]
    (frame,) = encode(Damp(maximum_torque_nm=1.5, watchdog_timeout_s=0.1), 1, TAG)
    assert frame == bytes.fromhex("01000c 0d25 0000c03f 0527 6400 11001f011507170d 1125 50")
    frames = encode(Damp(np.array([1.0, 2.0]), 0.1), 2, TAG)
    assert [written(frame)[Register.COMMAND_MAXIMUM_TORQUE] for frame in frames] == [1.0, 2.0]


@pytest.mark.parametrize("tag", TAGS)
def test_query_asks_for_the_eight_registers_and_its_tag(tag: int) -> None:
    for command in (position(), Stop(), Damp(1.0, 0.1), within(), Brake()):
        (frame,) = encode(command, 1, tag)
        reads = [subframe for subframe in parse(frame) if isinstance(subframe, Read)]
        asked = [read.register + i for read in reads for i in range(read.count)]
        assert asked == [0, 1, 2, 3, 7, 0x0D, 0x0E, 0x0F, tag]


def test_tags_are_registers_that_can_be_read_and_that_no_reading_needs() -> None:
    """Registers 0x020 to 0x029 are command registers of position mode (registers.md)."""
    assert tuple(range(0x020, 0x02A)) == TAGS


@pytest.mark.parametrize(
    "name", ["velocity_rev_s", "feedforward_torque_nm", "kp_scale", "kd_scale"]
)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused_by_name(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        encode(replace(position(), **{name: np.array([value])}), 1, TAG)


def test_nan_position_means_hold_and_infinite_is_refused() -> None:
    (frame,) = encode(replace(position(), position_rev=np.array([math.nan])), 1, TAG)
    assert math.isnan(written(frame)[Register.COMMAND_POSITION])
    with pytest.raises(ValueError, match="position_rev"):
        encode(replace(position(), position_rev=np.array([math.inf])), 1, TAG)


def test_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3,\)"):
        encode(position(2), 3, TAG)


def within() -> StayWithin:
    one = np.ones(1)
    return StayWithin(-0.1 * one, 0.25 * one, 0.5 * one, one, 0.5 * one, 2.0 * one, 0.1 * one)


def test_stay_within_brake_and_current_frames() -> None:
    # Subframes from moteus docs/protocol/can.md; the floats are IEEE 754 by hand.
    (frame,) = encode(within(), 1, TAG)
    assert frame == bytes.fromhex(
        "01000d 0c0740 cdccccbd 0000803e 0000003f 0000803f 0000003f 00000040 cdcccc3d"
        "11001f011507170d 1125 50505050"
    )
    assert encode(Brake(), 2, TAG) == 2 * [bytes.fromhex("01000f 11001f011507170d 1125 505050")]
    (frame,) = encode(Current(np.array([1.0]), np.array([0.5])), 1, TAG)
    assert frame == bytes.fromhex("010009 0e1c 0000803f 0000003f 11001f011507170d 1125 50")


@pytest.mark.parametrize(
    "command",
    [
        replace(within(), kp_scale=np.array([math.nan])),
        replace(within(), lower_rev=np.array([math.inf])),
        replace(within(), maximum_torque_nm=np.array([1e39])),
        replace(within(), upper_rev=np.zeros(2)),
        Current(np.array([math.nan]), np.zeros(1)),
        Current(np.zeros(1), np.array([-math.inf])),
        Current(np.zeros(2), np.zeros(2)),
        Damp(math.inf, 0.1),
        replace(position(), accel_limit=np.array([1e300])),
        replace(position(), maximum_torque_nm=np.array([1e39])),
        replace(position(), position_rev=np.array([-1e39])),
    ],
)
def test_commands_that_cannot_travel_are_refused(command: Command) -> None:
    with pytest.raises(ValueError, match=r"finite|NaN|shape"):
        encode(command, 1, TAG)


def test_no_bound_is_said_by_nan() -> None:
    (frame,) = encode(replace(within(), upper_rev=np.array([math.nan])), 1, TAG)
    assert math.isnan(written(frame)[Register.WITHIN_UPPER_BOUND])


floats = st.floats(-(2.0**120), 2.0**120, width=32)
times = st.sampled_from([math.nan, 0.0, 0.1, 0.25, 99.0])
limits = st.sampled_from([math.nan, -1.0, -0.5, 0.0, 12.5])


rows = st.lists(st.tuples(floats, floats, floats, times, limits, limits), min_size=1, max_size=4)


@given(rows, st.sampled_from(TAGS))
def test_frames_of_a_row_are_those_of_each_alone(rows: list[tuple[float, ...]], tag: int) -> None:
    """The row is packed at once; IEEE 754 and the int16 mapping are packed here by hand."""
    count = len(rows)
    table = np.array(rows).T
    command = replace(
        position(count),
        position_rev=table[0],
        kp_scale=table[1],
        maximum_torque_nm=table[2],
        watchdog_timeout_s=table[3],
        velocity_limit=table[4],
        accel_limit=table[5],
    )
    frames = encode(command, count, tag)
    compact = all(not speed >= 0 and not accel >= 0 for *_, speed, accel in rows)
    for frame, (goal, kp, torque, timeout, speed, accel) in zip(frames, rows, strict=True):
        head = struct.pack("<6f", goal, 0.0, -0.25, kp, 0.5, torque)
        if compact:
            raw = [(timeout, 1000), (speed, 4000), (accel, 1000)]
            limits = [-32768 if x != x else max(-32767, min(32767, round(x * k))) for x, k in raw]
            tail = b"\x07\x27" + struct.pack("<3h", *limits)
            assert frame[:38] == bytes.fromhex("01000a0c0620") + head + tail
            assert frame[38:] == QUERY + bytes([0x11, tag])
        else:
            tail = struct.pack("<4f", math.nan, timeout, speed, accel)
            assert frame[:46] == bytes.fromhex("01000a0c0a20") + head + tail
            assert frame[46:] == QUERY + bytes([0x11, tag]) + b"\x50" * 8


client: Any = moteus.Controller(id=1, transport=object())
"""The maker's own client; it needs no port to say what it would send."""


def test_what_the_makers_client_sends() -> None:
    """Where both can say a thing, both say it in the same bytes; behind it we query."""
    goal = {
        "position": 0.5,
        "velocity": 0.0,
        "feedforward_torque": -0.25,
        "kp_scale": 1.0,
        "kd_scale": 0.5,
        "maximum_torque": 2.0,
    }
    limits = {"watchdog_timeout": 0.1, "velocity_limit": 10.0, "accel_limit": -1.0}
    theirs = client.make_position(**goal, stop_position=0.75, **limits).data
    ours = replace(position(), stop_position_rev=np.array([0.75]), velocity_limit=np.array([10.0]))
    assert encode(ours, 1, TAG)[0].startswith(theirs)
    theirs = client.make_position(**goal).data
    assert encode(position(), 1, TAG)[0].startswith(theirs)
    bounds = {"lower_bound": -0.1, "upper_bound": 0.25, "feedforward_torque": 0.5}
    gains = {"kp_scale": 1.0, "kd_scale": 0.5, "maximum_torque": 2.0, "watchdog_timeout": 0.1}
    assert encode(within(), 1, TAG)[0].startswith(client.make_stay_within(**bounds, **gains).data)
    assert encode(Stop(), 1, TAG)[0].startswith(client.make_stop().data)
    assert encode(Brake(), 1, TAG)[0].startswith(client.make_brake().data)
    assert encode(Damp(1.0, 0.1), 1, TAG)[0].startswith(client.make_zero_velocity().data)
    current = Current(np.array([1.0]), np.array([0.5]))
    assert encode(current, 1, TAG)[0].startswith(client.make_current(d_A=0.5, q_A=1.0).data)


REPLY = bytes.fromhex("21000a 2f01") + struct.pack("<3f", 0.25, -1.0, 0.5)
REPLY += bytes.fromhex("2507 c800 270d a000 fa00 0000 2125 07")
OTHER_LAYOUT = bytes.fromhex("2d0700002041 230d20190021000a2f01") + REPLY[5:17]


def test_reading_byte_for_byte() -> None:
    reading, tag = parse_reading(REPLY)
    assert reading.mode == Mode.POSITION
    assert reading.fault == 0
    assert reading[2:] == pytest.approx((0.25, -1.0, 0.5, 10.0, 16.0, 25.0))
    assert tag == TAG


def test_reading_in_another_layout() -> None:
    assert parse_reading(OTHER_LAYOUT + bytes.fromhex("2d25 00006040")) == parse_reading(REPLY)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_readings_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ProtocolError):
        parse_reading(REPLY[:5] + struct.pack("<f", bad) + REPLY[9:])


def test_reading_with_an_integer_nan_is_refused() -> None:
    with pytest.raises(ProtocolError, match="finite"):
        parse_reading(REPLY.replace(bytes.fromhex("a000"), bytes.fromhex("0080")))


def test_reply_without_a_register_names_it() -> None:
    with pytest.raises(ProtocolError, match="7"):
        parse_reading(bytes.fromhex("21000a 310701"))


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("value", ["00", "7f", "80", "ff"])
def test_a_tag_is_known_whatever_its_register_holds(tag: int, value: str) -> None:
    """0x80 stands for not-a-number, which a command register may well be."""
    told = bytes([0x21, tag]) + bytes.fromhex(value)
    for frame in (REPLY[:-3] + told, OTHER_LAYOUT + told):
        assert parse_reading(frame) == (parse_reading(REPLY)[0], tag)


@pytest.mark.parametrize(
    "told", ["505050", "211f07", "212a07", "500000", "2225 0707", "2128002129"]
)
def test_a_reply_to_none_of_our_queries_is_not_understood(told: str) -> None:
    """Without a tag, with another register in its place, with two of them, or cut short."""
    with pytest.raises(ProtocolError):
        parse_reading(REPLY[:-3] + bytes.fromhex(told))


@pytest.mark.parametrize("refusal", ["312801", "302801 212507", "212507 302801"])
def test_a_refusal_is_not_taken_for_a_tag(refusal: str) -> None:
    """0x31: the tag could not be read; 0x30: a register of the command could not be written."""
    reading, tag = parse_reading(REPLY[:-3] + bytes.fromhex(refusal))
    assert tag == REFUSED
    assert reading == parse_reading(REPLY)[0]
