"""Rows about ports, camera devices and latency timers, from faked facts and from this computer."""

import os
import socket
import stat
from pathlib import Path

import pytest

from robosac.check import ports
from robosac.check.latency_timer import latency_timer_row
from robosac.check.place import Place, place_of
from robosac.check.ports import PortFacts, camera_device_row, port_row, probe_port
from robosac.check.row import Level
from robosac.errors import ConfigError
from sim.pty_port import PtyPort
from tests.robosac.check.facts import FakeSystem

PATH = "/dev/serial/by-id/usb-x"
CAMERA = "/dev/v4l/by-id/usb-x"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (PortFacts(PATH, missing="No such file"), "is not there: No such file"),
        (PortFacts(PATH, kind="file"), "is a file, no serial device"),
        (PortFacts(PATH, openable=False), "may not be opened"),
        (PortFacts(PATH, holders=("process 7 (minicom)",)), "held by process 7 (minicom)"),
    ],
)
def test_a_port_that_cannot_be_ours_is_red(found: PortFacts, says: str) -> None:
    row = port_row("legs", found)
    assert (row.name, row.level) == ("port legs", Level.RED)
    assert says in row.found
    assert row.remedy


def test_a_good_port_is_green_and_a_served_twin_may_hold_its_own() -> None:
    assert port_row("legs", PortFacts(PATH)).level is Level.GREEN
    held = PortFacts("/dev/pts/3", holders=("process 7 (twin)",), pseudo=True)
    assert port_row("legs", held).level is Level.GREEN


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (PortFacts(CAMERA), Level.GREEN),
        (PortFacts(CAMERA, missing="No such file"), Level.RED),
        (PortFacts(CAMERA, kind="socket"), Level.RED),
        (PortFacts(CAMERA, openable=False), Level.RED),
        (PortFacts("unix:/run/x", kind="socket"), Level.GREEN),
        (PortFacts("unix:/run/x"), Level.RED),
    ],
)
def test_a_camera_is_a_device_or_a_socket(found: PortFacts, expected: Level) -> None:
    assert camera_device_row("hand", found).level is expected


def test_a_pseudo_terminal_is_seen_for_what_it_is(tmp_path: Path) -> None:
    port = PtyPort(tmp_path / "legs")
    try:
        found = probe_port(port.path, Path("/proc"), os.getpid())
    finally:
        port.close()
    assert (found.kind, found.missing, found.pseudo) == ("character device", "", True)


def test_what_is_no_device_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("")
    assert probe_port(str(tmp_path / "text"), tmp_path, 1).kind == "file"
    assert probe_port(str(tmp_path), tmp_path, 1).kind == "folder"
    assert probe_port(str(tmp_path / "none"), tmp_path, 1).missing
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as bound:
        bound.bind(str(tmp_path / "s"))
        assert probe_port(f"unix:{tmp_path / 's'}", tmp_path, 1).kind == "socket"


def test_whoever_else_holds_a_device_is_named(tmp_path: Path) -> None:
    fake = FakeSystem(tmp_path)
    fake.hold(71, "minicom", Path("/dev/null"))
    fake.hold(72, "ourselves", Path("/dev/null"))
    fake.hold(73, "elsewhere", Path("/dev/zero"))
    fake.hold(74, "gone", tmp_path / "nothing")
    found = probe_port("/dev/null", fake.proc, 72)
    assert found.holders == ("process 71 (minicom)",)
    assert port_row("legs", found).level is Level.RED


def test_a_device_that_this_user_may_not_open(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def refuse(path: str, mode: int) -> bool:
        asked.append((path, mode))
        return False

    monkeypatch.setattr(ports.os, "access", refuse)
    found = probe_port("/dev/null", Path("/nowhere"), 1)
    assert not found.openable
    assert asked == [("/dev/null", os.R_OK | os.W_OK)]
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, Level.GREEN),
        (0, Level.GREEN),
        (1, Level.GREEN),
        (2, Level.AMBER),
        (4, Level.AMBER),
        (5, Level.RED),
        (16, Level.RED),
    ],
)
def test_the_latency_timer_that_allows_control(found: int | None, expected: Level) -> None:
    row = latency_timer_row("servos", Place.REAL, found)
    assert row.level is expected
    assert ("udev" in row.remedy) is (expected is not Level.GREEN)
    assert latency_timer_row("servos", Place.SERVED, found).level is Level.TWIN


def test_one_port_that_is_no_pseudo_terminal_is_metal(tmp_path: Path) -> None:
    port = PtyPort(tmp_path / "legs")
    try:
        assert place_of("serial", "minitaur", [port.path]) is Place.SERVED
        assert place_of("serial", "minitaur", [port.path, "/dev/null"]) is Place.REAL
    finally:
        port.close()
    assert place_of("serial", "minitaur", [PATH]) is Place.REAL
    assert place_of("serial", "minitaur", []) is Place.REAL
    assert place_of("twin://minitaur", "minitaur", [PATH]) is Place.IN_PROCESS
    with pytest.raises(ConfigError, match="not known"):
        place_of("tcp://x", "minitaur", [PATH])
