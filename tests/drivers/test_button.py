"""Stop buttons: only a closed, proved contact reads as closed."""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

import pytest

from drivers.button.gpio import GET_LINE, GET_VALUES, REQUEST, VALUES, GpioButton
from drivers.button.line import LineButton
from drivers.errors import DeviceError, WireClosed


class Loop:
    """RTS through a button to CTS."""

    def __init__(self) -> None:
        self.rts, self.pressed, self.stuck, self.gone, self.releases = True, False, False, False, 0

    @property
    def cts(self) -> bool:
        if self.gone:
            raise OSError(errno.EIO, "gone")
        return self.stuck or (self.rts and not self.pressed)

    dsr = cd = False

    def close(self) -> None:
        self.releases += 1


def button(loop: Loop, line: str = "cts") -> LineButton:
    return LineButton("/dev/x", line, lambda path: loop, lambda seconds: None)


def test_only_a_closed_loop_reads_as_closed() -> None:
    loop = Loop()
    watched = button(loop)
    assert loop.rts
    assert watched.closed()
    loop.pressed = True
    assert not watched.closed()
    loop.pressed, loop.gone = False, True
    assert not watched.closed()
    watched.close()
    assert loop.releases == 1


@pytest.mark.parametrize(
    ("broken", "says"),
    [("stuck", "asserted without RTS"), ("pressed", "pressed or not wired"), ("gone", "pressed")],
)
def test_a_line_that_does_not_follow_is_refused_and_released(broken: str, says: str) -> None:
    loop = Loop()
    setattr(loop, broken, True)
    with pytest.raises(DeviceError, match=says):
        button(loop)
    assert loop.releases == 1


def test_the_wrong_line_is_not_wired() -> None:
    with pytest.raises(DeviceError, match="dcd is pressed or not wired"):
        button(Loop(), "dcd")
    with pytest.raises(ValueError, match="valid are cts, dsr, dcd"):
        button(Loop(), "rts")


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(WireClosed, match="/dev/none"):
        LineButton("/dev/none")


class Kernel:
    """The character device's side, with the sizes and offsets of uapi/linux/gpio.h."""

    def __init__(self, line: int) -> None:
        self.line, self.level, self.error = line, 0, 0
        self.asked: list[int] = []

    def ioctl(self, handle: int, number: int, buffer: bytearray) -> int:
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        self.asked.append(number)
        if number == GET_LINE:
            assert len(buffer) == 592
            assert struct.unpack_from("=I", buffer, 0) == (17,)
            assert buffer[256:288].rstrip(b"\0") == b"robosac stop button"
            assert struct.unpack_from("=Q", buffer, 288) == (4 | 256,)
            assert struct.unpack_from("=I", buffer, 560) == (1,)
            struct.pack_into("=i", buffer, 588, self.line)
        else:
            assert (number, handle, len(buffer)) == (GET_VALUES, self.line, 16)
            assert struct.unpack_from("=Q", buffer, 8) == (1,)
            struct.pack_into("=Q", buffer, 0, self.level)
        return 0


def test_a_gpio_line_reads_low_as_closed(tmp_path: Path) -> None:
    chip = tmp_path / "gpiochip0"
    chip.write_text("")
    line, other = os.pipe()
    kernel = Kernel(line)
    watched = GpioButton(str(chip), 17, kernel.ioctl)
    assert watched.closed()
    kernel.level = 1
    assert not watched.closed()
    kernel.level, kernel.error = 0, errno.ENODEV
    assert not watched.closed()
    watched.close()
    watched.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(line)
    os.close(other)


def test_a_gpio_line_of_somebody_else(tmp_path: Path) -> None:
    chip = tmp_path / "gpiochip0"
    chip.write_text("")
    kernel = Kernel(0)
    kernel.error = errno.EBUSY
    with pytest.raises(WireClosed, match=r"line 17 of .*busy"):
        GpioButton(str(chip), 17, kernel.ioctl)


def test_the_numbers_are_the_headers() -> None:
    """_IOWR(0xB4, n, size) of asm-generic/ioctl.h: direction 3, size, type, number."""
    for number, size, ordinal in ((GET_LINE, REQUEST.size, 7), (GET_VALUES, VALUES.size, 14)):
        assert number == 3 << 30 | size << 16 | 0xB4 << 8 | ordinal
