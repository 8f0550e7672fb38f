"""The adapter's end. Texts: mjbots/fdcanusb fw/can_manager.cc; moteus docs/integration/uart.md."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.firmware.fdcanusb import Fdcanusb


def echo(arbitration_id: int, data: bytes) -> list[tuple[int, bytes]]:
    return [(0x100, data)]


def say(*lines: bytes) -> bytes:
    device = Fdcanusb(echo)
    for line in lines:
        device.receive(line)
    return device.transmit()


def test_a_frame_is_accepted_and_answered() -> None:
    assert say(b"can send 8001 0a0B\n") == b"OK\r\nrcv 0100 0A0B e B F r x-1\r\n"
    assert say(b"can send 8001 0a0B BF\n") == b"OK\r\nrcv 0100 0A0B e B F r x-1\r\n"


def test_lines_may_arrive_in_pieces_and_together() -> None:
    assert say(b"can sta", b"tus\r\ncan on\n") == b"OK\r\nOK\r\n"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"can send 8001", b"insufficient options"),
        (b"can send 8001 00 Z", b"unknown flag"),
        (b"can send xyz 00", b"bad id"),
        (b"can send -1 00", b"bad id"),
        (b"can send 8001 0", b"invalid data"),
        (b"can send 8001 " + b"00" * 9, b"data invalid length"),
        (b"can dance", b"unknown subcommand"),
        (b"dance", b"unknown command"),
    ],
)
def test_errors(line: bytes, error: bytes) -> None:
    assert say(line + b"\n") == b"ERR " + error + b"\r\n"


def test_bus_off() -> None:
    assert say(b"can off\n", b"can send 8001 00\n") == b"OK\r\nERR not in BusOn state\r\n"


def test_checksums_are_spoken_once_one_was_heard() -> None:
    plain, summed = b"can on\n", b"can on *%02X\n"
    good = next(summed % value for value in range(256) if b"ERR" not in say(summed % value))
    assert say(good) == b"OK *BD\r\n"
    assert say(plain) == b"OK\r\n"
    assert b"ERR checksum *" in say(good, plain)
    assert say(b"can on *00\n").startswith(b"ERR checksum")


@given(st.binary(max_size=300))
def test_any_bytes_are_survived(data: bytes) -> None:
    device = Fdcanusb(echo)
    device.receive(data + b"\n")
    assert all(
        line.startswith((b"OK", b"ERR ", b"rcv ")) for line in device.transmit().splitlines()
    )
