"""The fast path says exactly what the parsers say, or nothing."""

import struct

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from drivers.dynamixel.block import BlockCrc, Counts, FastReadBlock, SyncReadBlock
from drivers.dynamixel.fast_reply import decode_fast_reply
from drivers.dynamixel.packet import StatusParser
from drivers.dynamixel.readings import USUAL_WINDOWS, WINDOWS, Window
from tests.drivers.scripted_servos import crc_bit_by_bit, status_bytes

IDS = (3, 200, 7)
TICK = 9 * 0x101
counts = st.tuples(
    st.integers(-4, 4) | st.integers(-(2**15), 2**15 - 1),
    st.integers(-4, 4) | st.integers(-(2**31), 2**31 - 1),
    st.sampled_from([0xFD, 0xFDFF, -1, 2048]) | st.integers(-(2**31), 2**31 - 1),
)
rows = st.lists(counts, min_size=3, max_size=3)
windows = st.sampled_from(WINDOWS)


def answer(window: Window, values: tuple[int, int, int]) -> bytes:
    behind = window.size - window.offset - 10
    return bytes([9] * window.offset) + struct.pack("<hii", *values) + bytes([9] * behind)


def check(found: Counts, window: Window, values: list[tuple[int, int, int]]) -> None:
    assert found.values.T.tolist() == [list(row) for row in values]
    assert found.ticks.tolist() == [TICK] * len(values)


def fast_packet(window: Window, values: list[tuple[int, int, int]], error: int) -> bytes:
    packet = b"\xff\xff\xfd\x00\xfe" + (1 + 3 * (window.size + 4)).to_bytes(2, "little") + b"\x55"
    for id, row in zip(IDS, values, strict=True):
        packet += bytes([error, id]) + answer(window, row)
        packet += crc_bit_by_bit(packet).to_bytes(2, "little")
    return packet


@given(st.lists(st.binary(min_size=17, max_size=17), min_size=1, max_size=5))
def test_sums_of_many_messages_are_those_of_each(messages: list[bytes]) -> None:
    array = np.frombuffer(b"".join(messages), np.uint8).reshape(len(messages), 17)
    assert BlockCrc(17).of(array).tolist() == [crc_bit_by_bit(each) for each in messages]


def test_windows_differ_in_size_and_hold_what_is_read() -> None:
    assert len({window.size for window in WINDOWS}) == len(WINDOWS)
    for window in WINDOWS:
        assert window.address in (116, 120), "whole registers only"
        assert window.address + window.size in (136, 140, 144, 146, 147), "whole registers only"
        assert window.counts(answer(window, (-2, 3, -4))) == (-2, 3, -4)
        assert window.tick(answer(window, (0, 0, 0))) == TICK
    sizes = [window.size for window in WINDOWS]
    assert sizes == sorted(sizes), "the usual ones are the shortest"
    assert USUAL_WINDOWS >= 2, "no two questions in a row alike"


# Its last data and its CRC look like a header by chance, which no stuffing forbids.
@example(WINDOWS[0], [(0, 0, 253), (-10, 57225, -114), (0, 0, 253)], 0)
@given(windows, rows, st.sampled_from([0, 0, 0, 0x80, 0x07]))
def test_sync_read_answers(window: Window, values: list[tuple[int, int, int]], error: int) -> None:
    packets = [
        status_bytes(id, answer(window, row), error) for id, row in zip(IDS, values, strict=True)
    ]
    data = b"".join(packets)
    found = SyncReadBlock(IDS, window).decode(data)
    stuffed = len(data) > 3 * (11 + window.size)
    by_chance = data.count(b"\xff\xff\xfd") != len(IDS)
    assert (found is None) == (stuffed or by_chance or error != 0)
    if found is not None:
        check(found, window, values)
    statuses = StatusParser().feed(data)
    assert [window.counts(status.parameters) for status in statuses] == values


@given(windows, rows, st.sampled_from([0, 0, 0, 0x80]))
def test_fast_sync_read_answers(
    window: Window, values: list[tuple[int, int, int]], error: int
) -> None:
    data = fast_packet(window, values, error)
    found = FastReadBlock(IDS, window).decode(data)
    statuses = decode_fast_reply(data, IDS, [window.size] * 3)
    assert [window.counts(status.parameters) for status in statuses] == values
    assert (found is None) == (error != 0)
    if found is not None:
        check(found, window, values)


@given(windows, rows, st.integers(0, 400), st.integers(0, 7), st.booleans())
def test_no_flipped_bit_passes(
    window: Window, values: list[tuple[int, int, int]], at: int, bit: int, fast: bool
) -> None:
    if fast:
        data = bytearray(fast_packet(window, values, 0))
        block = FastReadBlock(IDS, window)
    else:
        rows = zip(IDS, values, strict=True)
        data = bytearray(b"".join(status_bytes(id, answer(window, row)) for id, row in rows))
        block = SyncReadBlock(IDS, window)
    data[at % len(data)] ^= 1 << bit
    assert block.decode(bytes(data)) is None
    assert block.decode(bytes(data[:-1])) is None


@given(st.binary(max_size=120))
def test_noise_is_no_answer(data: bytes) -> None:
    assert SyncReadBlock(IDS, WINDOWS[0]).decode(data) is None
    assert FastReadBlock(IDS, WINDOWS[0]).decode(data) is None
