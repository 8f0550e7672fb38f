"""Adapters are known by their serial number, and their latency timer is set or reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.usb_serial import (
    UsbIdentity,
    UsbPort,
    identity_of,
    latency_timer_ms,
    path_of,
    set_latency_timer,
)

LEGS, IMU = UsbIdentity(0x0483, 0x5740, "A"), UsbIdentity(0x0403, 0x6014, "B")


def test_an_adapter_that_comes_back_elsewhere_is_found_by_its_serial_number(tmp_path: Path) -> None:
    node, link = tmp_path / "ttyACM0", tmp_path / "by-id"
    node.touch()
    link.symlink_to(node)
    before = [UsbPort(str(node), LEGS), UsbPort("/dev/ttyUSB0", IMU)]
    assert identity_of(str(link), lambda: before) == LEGS
    after = [UsbPort("/dev/ttyACM1", LEGS)]
    assert path_of(LEGS, lambda: after) == "/dev/ttyACM1"
    assert path_of(IMU, lambda: after) is None
    assert identity_of("/dev/ttyS9", lambda: before) is None


@pytest.mark.parametrize("text", ["16", "1"])
def test_the_latency_timer_is_set_and_read_back(tmp_path: Path, text: str) -> None:
    timer = tmp_path / "ttyUSB0" / "latency_timer"
    timer.parent.mkdir()
    timer.write_text(text)
    assert latency_timer_ms("/dev/ttyUSB0", tmp_path) == int(text)
    assert set_latency_timer("/dev/ttyUSB0", 1, tmp_path) == 1
    assert timer.read_text() == "1"


def test_a_timer_that_may_not_be_set_is_told_as_it_is(tmp_path: Path) -> None:
    timer = tmp_path / "ttyUSB0" / "latency_timer"
    timer.mkdir(parents=True)
    assert set_latency_timer("/dev/ttyUSB0", 1, tmp_path) is None
    assert latency_timer_ms("/dev/ttyACM0", tmp_path) is None
    with pytest.raises(ValueError, match="1 to 255"):
        set_latency_timer("/dev/ttyUSB0", 0, tmp_path)


def test_a_timer_nobody_lets_us_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    timer = tmp_path / "ttyUSB0" / "latency_timer"
    timer.parent.mkdir()
    timer.write_text("16")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "write_text", refuse)
    assert set_latency_timer("/dev/ttyUSB0", 1, tmp_path) == 16
