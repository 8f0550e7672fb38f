"""The serial wire on a pseudo-terminal: exclusive, honest about deadlines and about the cable."""

from __future__ import annotations

import os
import time
import tty
from collections.abc import Iterator

import pytest

from drivers.errors import WireClosed
from drivers.wire import SerialWire


class Far:
    """The device's end of a pseudo-terminal."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        self.path = os.ttyname(self.slave)

    def unplug(self) -> None:
        for descriptor in (self.master, self.slave):
            os.close(descriptor)
        self.master = -1


@pytest.fixture
def far() -> Iterator[Far]:
    end = Far()
    yield end
    if end.master >= 0:
        end.unplug()


def test_bytes_go_both_ways(far: Far) -> None:
    wire = SerialWire(far.path, 1_000_000)
    wire.write(b"\x00ping\xff")
    assert os.read(far.master, 100) == b"\x00ping\xff"
    os.write(far.master, b"\r\npong\x11")
    assert wire.read(time.monotonic() + 5.0) == b"\r\npong\x11"
    assert wire.drain() == b""
    assert wire.read(time.monotonic()) == b""
    assert wire.latency_timer_ms is None
    wire.close()
    wire.close()


def test_a_second_owner_is_refused(far: Far) -> None:
    wire = SerialWire(far.path, 115_200)
    with pytest.raises(WireClosed, match="nobody else holds"):
        SerialWire(far.path, 115_200)
    wire.close()
    SerialWire(far.path, 115_200).close()


def test_what_lay_in_the_line_before_opening_is_not_ours(far: Far) -> None:
    os.write(far.master, b"old")
    wire = SerialWire(far.path, 115_200)
    assert wire.drain() == b""
    os.write(far.master, b"old")
    wire.reopen()
    assert wire.drain() == b""
    os.write(far.master, b"new")
    assert wire.read(time.monotonic() + 5.0) == b"new"
    wire.close()


@pytest.mark.parametrize("use", ["read", "drain", "write"])
def test_an_unplugged_cable_is_told_at_once(far: Far, use: str) -> None:
    wire = SerialWire(far.path, 115_200)
    far.unplug()
    with pytest.raises(WireClosed, match="gone"):
        {
            "read": lambda: wire.read(time.monotonic() + 5.0),
            "drain": wire.drain,
            "write": lambda: wire.write(b"x"),
        }[use]()
    with pytest.raises(WireClosed, match="cannot open"):
        wire.reopen()
    wire.close()


def test_a_closed_wire_is_gone(far: Far) -> None:
    wire = SerialWire(far.path, 115_200)
    wire.close()
    with pytest.raises(WireClosed):
        wire.write(b"x")
    with pytest.raises(WireClosed):
        wire.drain()


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(WireClosed, match="/dev/nowhere"):
        SerialWire("/dev/nowhere", 115_200)
