"""A pseudo-terminal as a serial port: raw, with a readable bit rate, and a cable to pull."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.errors import WireClosed
from drivers.wire import SerialWire
from sim.pty_port import PtyPort

EVERY_BYTE = bytes(range(256))


@pytest.fixture
def port() -> Iterator[PtyPort]:
    port = PtyPort()
    yield port
    port.close()


def test_every_byte_passes_unchanged_both_ways(port: PtyPort) -> None:
    wire = SerialWire(port.path, 115200)
    wire.write(EVERY_BYTE)
    assert port.read() == EVERY_BYTE
    assert port.read() == b""
    port.write(EVERY_BYTE)
    assert wire.drain() == EVERY_BYTE
    wire.close()


@pytest.mark.parametrize("baud", [57600, 921600, 1_000_000, 4_000_000, 4_500_000, 12345])
def test_the_clients_bit_rate_can_be_read(port: PtyPort, baud: int) -> None:
    wire = SerialWire(port.path, baud)
    assert port.baud == baud
    wire.close()


def test_clients_come_and_go(port: PtyPort) -> None:
    for _ in range(3):
        wire = SerialWire(port.path, 115200)
        wire.write(b"here")
        assert port.read() == b"here"
        wire.close()
        assert port.read() == b""


def test_bytes_nobody_takes_are_lost_and_counted(port: PtyPort) -> None:
    for _ in range(100):
        port.write(EVERY_BYTE * 16)
    assert 0 < port.lost < 100 * 16 * 256


def test_pulling_the_cable_is_felt_at_once(port: PtyPort) -> None:
    wire = SerialWire(port.path, 115200)
    port.unplug()
    with pytest.raises(WireClosed):
        wire.drain()
    with pytest.raises(WireClosed):
        wire.write(b"?")
    assert not port.plugged
    assert (port.fileno(), port.baud, port.read()) == (-1, 0, b"")
    port.write(b"into the air")
    wire.close()


def test_a_link_is_the_same_name_after_replugging(tmp_path: Path) -> None:
    link = tmp_path / "legs"
    port = PtyPort(link)
    assert port.path == str(link)
    before = os.readlink(link)
    SerialWire(port.path, 115200).close()
    port.unplug()
    assert not link.is_symlink()
    other = PtyPort()
    port.plug_in()
    assert os.readlink(link) != before or other.path != before
    wire = SerialWire(port.path, 115200)
    port.write(b"back")
    assert wire.drain() == b"back"
    wire.close()
    port.close()
    port.close()
    other.close()
    assert not list(tmp_path.iterdir())


def test_an_old_link_is_replaced_and_a_file_is_not(tmp_path: Path) -> None:
    link = tmp_path / "imu"
    link.symlink_to("/dev/pts/999999")
    port = PtyPort(link)
    assert os.readlink(link) != "/dev/pts/999999"
    # Somebody else's link is not ours to remove.
    link.unlink()
    link.symlink_to("/elsewhere")
    port.close()
    assert link.is_symlink()
    link.unlink()
    link.write_text("precious")
    with pytest.raises(FileExistsError, match="no symbolic link"):
        PtyPort(link)
    assert link.read_text() == "precious"
