"""The firmware's own codec. Golden frames: mjbots/moteus docs/protocol/can.md."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.moteus import multiplex
from drivers.moteus.registers import Quantity, Resolution
from sim.firmware.moteus.frames import (
    INT8,
    INT16,
    INT32,
    ReadRequest,
    ReplyWriter,
    StreamRequest,
    WriteRequest,
    decode_requests,
    from_raw,
    to_raw,
)


def test_documented_command() -> None:
    assert decode_requests(bytes.fromhex("01000a07206000200150ff140400130d")) == [
        WriteRequest(0, INT8, (10,)),
        WriteRequest(0x20, INT16, (96, 288, -176)),
        ReadRequest(0, INT16, 4, counted=True),
        ReadRequest(0x0D, INT8, 3),
    ]


def test_documented_reply() -> None:
    writer = ReplyWriter()
    writer.values(0, INT16, [10, 80, 256, -144])
    writer.values(0x0D, INT8, [24, 20, 0])
    assert writer.finish() == bytes.fromhex("2404000a005000000170ff230d181400")


def test_errors_and_long_registers() -> None:
    writer = ReplyWriter()
    writer.error(0x150, 1, writing=False)
    writer.error(1, 2, writing=True)
    assert writer.finish() == bytes.fromhex("31d00201 300102 50".replace(" ", "")[:14])


def test_a_reply_that_is_too_long_is_cut_between_blocks() -> None:
    writer = ReplyWriter()
    for _ in range(30):
        writer.values(0, INT16, [1, 2, 3])
    assert len(writer.finish()) == 64


def test_a_frame_that_is_cut_short_counts_as_far_as_it_goes() -> None:
    assert decode_requests(bytes.fromhex("01000a0d2000")) == [WriteRequest(0, INT8, (10,))]
    assert decode_requests(bytes.fromhex("01000a60")) == [WriteRequest(0, INT8, (10,))]


def test_the_console_may_come_behind_a_uuid_mask() -> None:
    mask, text = bytes.fromhex("09D402 01000000"), bytes.fromhex("40010331300a")
    assert decode_requests(mask + text) == [WriteRequest(0x154, INT32, (1,)), StreamRequest(text)]


def test_replies_keep_the_form_of_the_length() -> None:
    writer = ReplyWriter()
    writer.values(0, INT8, [1, 2], counted=True)
    writer.values(0, INT8, [1, 2])
    assert writer.finish() == bytes.fromhex("2002000102 22000102 505050")


def test_room_in_a_reply() -> None:
    writer = ReplyWriter()
    assert writer.fits(ReadRequest(0x20, INT32, 15, counted=True))
    assert not writer.fits(ReadRequest(0x20, INT32, 16, counted=True))
    writer.values(0, INT8, [1])
    assert not writer.fits(ReadRequest(0x20, INT32, 15, counted=True))
    assert writer.fits(ReadRequest(0x20, INT8, 58, counted=True))
    assert not writer.fits(ReadRequest(0x20, INT8, 59, counted=True))


@given(st.binary(max_size=64))
def test_any_bytes_are_survived(frame: bytes) -> None:
    kinds = (WriteRequest, ReadRequest, StreamRequest)
    assert all(type(request) in kinds for request in decode_requests(frame))


@given(
    st.floats(allow_infinity=False),
    st.sampled_from([Resolution.INT8, Resolution.INT16, Resolution.INT32]),
    st.sampled_from(Quantity),
)
def test_both_codecs_scale_alike(value: float, kind: Resolution, quantity: Quantity) -> None:
    """Written twice on purpose; here they are held against each other."""
    raw = to_raw(value, kind, quantity)
    assert raw == multiplex.to_count(value, quantity, kind)
    ours, theirs = from_raw(raw, kind, quantity), multiplex.from_count(int(raw), quantity, kind)
    assert ours == theirs or (math.isnan(ours) and math.isnan(theirs))


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinite_values_saturate(value: float) -> None:
    assert to_raw(value, INT16, Quantity.TORQUE) == math.copysign(32767, value)
