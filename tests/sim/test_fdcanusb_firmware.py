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
    assert say(b"conf ge", b"t can.bitrate\r\ncan off\n") == b"1000000\r\nOK\r\nOK\r\n"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"can send 8001", b"insufficient options"),
        (b"can send 8001 00 Z", b"unknown flag"),
        (b"can send xyz 00", b"bad id"),
        (b"can send -1 00", b"bad id"),
        (b"can send 8001 0", b"data invalid length"),
        (b"can send 8001 0g", b"invalid data"),
        (b"can std 8001", b"insufficient options"),
        (b"can ext 8001 00 Z", b"unknown flag"),
        (b"can on", b"already in BusOn"),
        (b"can", b"unknown subcommand"),
        (b"conf", b"unknown subcommand"),
        (b"conf get", b"unknown group"),
        (b"conf get servo.kp", b"unknown group"),
        (b"conf get can.nothing", b"error reading"),
        (b"conf set can.nothing 1", b"error setting"),
        (b"conf set can.bitrate fast", b"error setting"),
        (b"can send 8001 " + b"00" * 9, b"data invalid length"),
        (b"can dance", b"unknown subcommand"),
        (b"dance", b"unknown command"),
    ],
)
def test_errors(line: bytes, error: bytes) -> None:
    assert say(line + b"\n") == b"ERR " + error + b"\r\n"


@pytest.mark.parametrize("kind", [b"send", b"std", b"ext"])
@pytest.mark.parametrize("flags", [b"", b" B", b" BF r", b" bfR"])
def test_every_way_to_send(kind: bytes, flags: bytes) -> None:
    assert say(b"can " + kind + b" 8001 0a0b" + flags + b"\n").startswith(b"OK\r\nrcv 0100 0A0B ")


def test_bus_off() -> None:
    assert say(b"can off\n", b"can send 8001 00\n") == b"OK\r\nERR not in BusOn state\r\n"
    assert say(b"can off\n", b"can off\n") == b"OK\r\nERR already in BusOff\r\n"
    assert say(b"can off\n", b"can status\n") == b"OK\r\nERR not in BusOn\r\n"
    assert say(b"can off\n", b"can config\n") == b"OK\r\nERR not in BusOn\r\n"
    assert say(b"can off\n", b"can on\n", b"can send 8001 00\n").endswith(
        b"OK\r\nrcv 0100 00 e B F r x-1\r\n"
    )


def test_status_and_timing() -> None:
    status, done = say(b"can status\n").splitlines()
    assert status.startswith(b"lec=0 dlec=0 err=0 warn=0 busoff=0")
    assert done == b"OK"
    timing, done = say(b"can config\n").splitlines()
    assert timing.startswith(b"clk=")
    assert done == b"OK"


def test_options_are_kept_only_when_written() -> None:
    change, get = b"conf set can.cancel_all_ms 7\n", b"conf get can.cancel_all_ms\n"
    load, write, default = b"conf load\n", b"conf write\n", b"conf default\n"
    assert say(change, get) == b"OK\r\n7\r\nOK\r\n"
    assert say(change, load, get) == b"OK\r\nOK\r\n50\r\nOK\r\n"
    assert say(change, write, default, load, get).endswith(b"\n7\r\nOK\r\n")
    assert say(change, write, default, get).endswith(b"\n50\r\nOK\r\n")
    assert b"can.bitrate 1000000\r\n" in say(b"conf enumerate\n")


def test_checksums_are_spoken_once_one_was_heard() -> None:
    # crc8(b"can send 8001 00 ") by moteus docs/integration/uart.md.
    plain, summed = b"can send 8001 00\n", b"can send 8001 00 *%02X\n"
    good = next(summed % value for value in range(256) if b"ERR" not in say(summed % value))
    assert say(good).startswith(b"OK *BD\r\nrcv 0100 00 e B F r x-1 *")
    assert say(plain).startswith(b"OK\r\n")
    assert b"ERR checksum *" in say(good, plain)
    assert say(b"can send 8001 00 *00\n").startswith(b"ERR checksum")


ids = st.integers(0, (1 << 29) - 1)


@given(ids, st.sampled_from([*range(9), 12, 16, 20, 24, 32, 48, 64]), st.data())
def test_the_quick_way_says_what_the_long_way_says(
    arbitration_id: int, size: int, data: st.DataObject
) -> None:
    """A flag behind the data makes the adapter look at the line piece by piece."""
    text = data.draw(st.binary(min_size=size, max_size=size)).hex().encode()
    if not text:
        return
    quick = say(b"can send %x %b\n" % (arbitration_id, text))
    assert quick == say(b"can send %x %b B\n" % (arbitration_id, text))
    assert quick.startswith(b"OK\r\nrcv 0100 " + text.upper() + b" e")


@given(st.binary(max_size=300))
def test_any_bytes_are_survived(data: bytes) -> None:
    device = Fdcanusb(echo)
    device.receive(data + b"\n")
    assert all(
        line.startswith((b"OK", b"ERR ", b"rcv ")) for line in device.transmit().splitlines()
    )
