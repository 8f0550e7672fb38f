"""The arithmetic of the reachable rate, and that its sizes are those of what is really sent."""

import numpy as np
import pytest

from drivers.dynamixel.instructions import fast_sync_read, sync_read, sync_write
from drivers.dynamixel.packet import STATUS_OVERHEAD
from drivers.moteus import PositionCommand
from drivers.moteus.command import encode
from drivers.moteus.fdcanusb import encode_send
from drivers.moteus.readings import REPLY_SIZE as MOTEUS_REPLY_SIZE
from drivers.moteus.readings import TAGS
from robosac import bus_rates
from robosac.bus_rates import ControllerLine, ServoLine, frame_s, reachable_rates

# servos, Mbit/s; sync read, with a return delay of 500 us, fast sync read, sync write (us); rates
# (Hz) with sync read, return delay, fast sync read, latency timer of 16 ms. Worked out by hand.
TABLE = [
    (9, 1, 2480, 6620, 1705, 590, 234, 119, 286, 52),
    (9, 2, 1420, 5560, 920, 295, 343, 142, 414, 56),
    (9, 3, 1067, 5207, 658, 197, 406, 151, 487, 57),
    (9, 4, 890, 5030, 528, 148, 447, 157, 533, 58),
    (10, 1, 2740, 7340, 1870, 640, 218, 109, 270, 51),
    (10, 2, 1570, 6170, 1010, 320, 324, 130, 395, 55),
    (10, 3, 1180, 5780, 723, 213, 386, 139, 468, 57),
    (10, 4, 985, 5585, 580, 160, 426, 144, 515, 58),
    (12, 1, 3260, 8780, 2200, 740, 192, 93, 242, 50),
]


@pytest.mark.parametrize("row", TABLE)
def test_dynamixel(row: tuple[int, ...]) -> None:
    servos, mbit, *times = row[:6]
    baud = mbit * 1_000_000
    plain, fast = ServoLine(servos, baud), ServoLine(servos, baud, fast=True)
    slow = ServoLine(servos, baud, return_delay_s=500e-6)
    sleepy = ServoLine(servos, baud, latency_timer_s=16e-3)
    us = [1e6 * s for s in (plain.read_s, slow.read_s, fast.read_s, plain.write_s)]
    assert us == pytest.approx(times, abs=0.7)
    rates = [line.rate_hz for line in (plain, slow, fast, sleepy)]
    assert rates == pytest.approx(row[6:], abs=0.7)


def test_two_factory_settings_together_forbid_control() -> None:
    line = ServoLine(9, 1_000_000, return_delay_s=500e-6, latency_timer_s=16e-3)
    assert line.rate_hz < 50


def test_factory_baud_rate() -> None:
    assert ServoLine(9, 57_600).read_s == pytest.approx(0.037, abs=0.001)


def test_moteus() -> None:
    assert frame_s(48, extended=True) == pytest.approx(135e-6, rel=0.05)
    assert frame_s(32, extended=False) == pytest.approx(92e-6, rel=0.05)
    for controllers, can_ms in ((8, 2.0), (12, 3.0)):
        line = ControllerLine(controllers)
        assert 1e3 * line.can_s == pytest.approx(can_ms, rel=0.05)
        assert 200 <= line.rate_hz <= 330
    assert 500 * ControllerLine(8).usb_s == pytest.approx(0.66, abs=0.02), "of USB's time at 500 Hz"


def test_sizes_are_those_of_the_packets() -> None:
    ids = tuple(range(1, 10))
    read, fast = sync_read(126, 10, ids), fast_sync_read(126, 10, ids)
    write = sync_write(116, 4, dict.fromkeys(ids, bytes(4)))
    replies = 9 * (STATUS_OVERHEAD + 10)
    no_pause = 9 * 40e-6
    line = ServoLine(9, 1_000_000)
    assert round(1e5 * (line.read_s - no_pause)) == len(read) + replies == len(fast) + replies
    assert round(1e5 * line.write_s) == len(write)


def test_sizes_are_those_of_the_frames() -> None:
    one = np.ones(1)
    nan = one + np.nan
    command = PositionCommand(one, one, one, one, one, one, nan, one, nan, -one)
    (frame,) = encode(command, 1, TAGS[0])
    assert len(frame) == bus_rates.COMMAND_SIZE
    assert len(encode_send(0x8001, frame, False)) == bus_rates.COMMAND_LINE
    assert bus_rates.REPLY_SIZE == MOTEUS_REPLY_SIZE
    reply = b"OK\r\nrcv 0100 " + b"00" * MOTEUS_REPLY_SIZE + b" e B F r x-1\r\n"
    assert len(reply) == bus_rates.REPLY_LINES


def test_everything_that_is_told() -> None:
    rates = reachable_rates()
    assert len(rates) == 2 * 3 + 2
    assert rates["9 Dynamixel servos at 1 Mbit/s"]["sync read"] == pytest.approx(234, abs=1)
    assert all(rate > 0 for named in rates.values() for rate in named.values())
