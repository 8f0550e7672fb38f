"""A stop button on a GPIO line, by Linux's character device (uapi/linux/gpio.h, version 2).

The button's normally-closed contact joins the line to ground and a pull-up holds it high otherwise:
low is closed. An open contact and a broken wire read as pressed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from collections.abc import Callable
from typing import Final

from drivers.errors import WireClosed

GET_LINE: Final = 0xC250B407
"""GPIO_V2_GET_LINE_IOCTL, _IOWR(0xB4, 0x07, struct gpio_v2_line_request)."""
GET_VALUES: Final = 0xC010B40E
"""GPIO_V2_LINE_GET_VALUES_IOCTL, _IOWR(0xB4, 0x0E, struct gpio_v2_line_values)."""
FLAG_INPUT: Final = 1 << 2
FLAG_BIAS_PULL_UP: Final = 1 << 8

# struct gpio_v2_line_request: offsets[64], consumer[32], config (flags, num_attrs, padding[5],
# attrs[10] of 24 bytes), num_lines, event_buffer_size, padding[5], fd.
REQUEST: Final = struct.Struct("=64I32sQI5I240sII5Ii")
VALUES: Final = struct.Struct("=QQ")
"""struct gpio_v2_line_values: bits, mask."""

Ioctl = Callable[[int, int, bytearray], object]


class GpioButton:
    """A button, its line ours for as long as it is watched.

    Args:
        chip: such as /dev/gpiochip0.
        offset: the line's number on the chip.
        ioctl: as `fcntl.ioctl`; changes the buffer in place.

    Raises:
        WireClosed: the chip cannot be opened, or the line is somebody else's.
    """

    def __init__(self, chip: str, offset: int, ioctl: Ioctl = fcntl.ioctl) -> None:
        self._ioctl, self._line = ioctl, -1
        request = bytearray(
            REQUEST.pack(
                *(offset, *[0] * 63),
                b"robosac stop button",
                FLAG_INPUT | FLAG_BIAS_PULL_UP,
                0,
                *[0] * 5,
                b"",
                *(1, 0),
                *[0] * 5,
                -1,
            )
        )
        try:
            handle = os.open(chip, os.O_RDONLY | os.O_CLOEXEC)
            try:
                ioctl(handle, GET_LINE, request)
            finally:
                os.close(handle)
        except OSError as error:
            raise WireClosed(f"cannot get line {offset} of {chip}: {error.strerror}") from error
        self._line = REQUEST.unpack(request)[-1]

    def closed(self) -> bool:
        """Whether current flows: True only while the button is not pressed and all is wired."""
        values = bytearray(VALUES.pack(1, 1))
        try:
            self._ioctl(self._line, GET_VALUES, values)
        except (OSError, ValueError):
            return False
        return not VALUES.unpack(values)[0] & 1

    def close(self) -> None:
        """Let go of the line; safe to call twice."""
        line, self._line = self._line, -1
        if line >= 0:
            with contextlib.suppress(OSError):
                os.close(line)
