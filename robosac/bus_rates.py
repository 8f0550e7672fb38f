"""How often a row of motors can be exchanged with, by arithmetic: bytes, bits, delays and USB.

What a computer adds to this is measured (`robosac bench`); what the wire takes is not, and the two
factory settings that forbid control, the servos' return delay and the adapter's latency timer, show
here before anybody owns the parts.

Sources: ROBOTIS e-manual, "DYNAMIXEL Protocol 2.0" (lengths of packets); ISO 11898-1:2015 (bits of
a CAN-FD frame); USB 2.0, 5.8.4 (bulk transfers at full speed); mjbots/fdcanusb README (lines).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BITS_PER_BYTE: Final = 10
"""On a UART: start bit, 8 data bits, stop bit."""
TURNAROUND_S: Final = 40e-6
"""From a request's end to a servo's answer without return delay; assumed, 20 to 50 us are told."""
FAST_TURNAROUND_S: Final = 15e-6
"""Likewise, from one servo's part of a fast reply to the next; assumed."""
RETURN_DELAY_DEFAULT_S: Final = 500e-6
"""What servos come with: register 9 at 250, in units of 2 us."""
USB_S: Final = 1.2e-3
"""There and back, with the latency timer at 1 ms: that, and a few microframes of 0.125 ms."""
LATENCY_TIMER_S, LATENCY_TIMER_DEFAULT_S = 1e-3, 16e-3
"""What we set an FTDI adapter's timer to, and what it comes with."""

_READ_REQUEST, _READ_REPLY, _FAST_REPLY, _FAST_PART, _WRITE = 14, 11, 8, 4, 14
"""Bytes of each packet, or part of one, without ids and data."""
POSITION_SIZE: Final = 4
READINGS_SIZE: Final = 10
"""Bytes of effort, velocity and position."""

CAN_ARBITRATION_BPS, CAN_DATA_BPS = 1e6, 5e6
CAN_TURNAROUND_S: Final = 25e-6
"""From a frame's end to the controller's reply, and to the next frame; assumed."""
COMMAND_SIZE, REPLY_SIZE = 48, 32
"""Bytes of a position command with its query, and of the reply to that."""
COMMAND_LINE, REPLY_LINES = 111, 91
"""Bytes of the adapter's lines that carry them: can send, and OK with rcv."""
USB_FULL_SPEED_BYTES_S: Final = 1.216e6
"""19 bulk packets of 64 bytes in each frame of 1 ms, in each direction of its own at best."""


@dataclass(frozen=True, slots=True)
class ServoLine:
    """Dynamixel servos on one bus."""

    servos: int
    baud: int
    """bit/s"""
    fast: bool = False
    """All answer in one packet."""
    return_delay_s: float = 0.0
    """Of each servo; no servo answers sooner than its turnaround."""
    latency_timer_s: float = LATENCY_TIMER_S

    @property
    def read_s(self) -> float:
        """A sync read of effort, velocity and position, or a fast one."""
        request = _READ_REQUEST + self.servos
        if self.fast:
            reply = _FAST_REPLY + self.servos * (_FAST_PART + READINGS_SIZE)
            pause = max(FAST_TURNAROUND_S, self.return_delay_s)
        else:
            reply = self.servos * (_READ_REPLY + READINGS_SIZE)
            pause = max(TURNAROUND_S, self.return_delay_s)
        return self._seconds(request + reply) + self.servos * pause

    @property
    def write_s(self) -> float:
        """A sync write of goal positions."""
        return self._seconds(_WRITE + self.servos * (1 + POSITION_SIZE))

    @property
    def rate_hz(self) -> float:
        """Exchanges a second, one write and one read each."""
        usb = USB_S - LATENCY_TIMER_S + self.latency_timer_s
        return 1.0 / (self.read_s + self.write_s + usb)

    def _seconds(self, size: int) -> float:
        return size * BITS_PER_BYTE / self.baud


@dataclass(frozen=True, slots=True)
class ControllerLine:
    """moteus controllers behind one fdcanusb."""

    controllers: int

    @property
    def can_s(self) -> float:
        """Command and reply of each, on the CAN bus."""
        pair = frame_s(COMMAND_SIZE, extended=True) + frame_s(REPLY_SIZE, extended=False)
        return self.controllers * (pair + CAN_TURNAROUND_S)

    @property
    def usb_s(self) -> float:
        """The adapter's lines, on USB."""
        return self.controllers * (COMMAND_LINE + REPLY_LINES) / USB_FULL_SPEED_BYTES_S

    @property
    def rate_hz(self) -> float:
        """Exchanges a second; CAN and USB work at the same time."""
        return 1.0 / (max(self.can_s, self.usb_s) + USB_S)


def frame_s(size: int, extended: bool) -> float:
    """A CAN-FD frame of `size` bytes with switched bit rate, without dynamic stuff bits.

    Args:
        size: 0 to 64, one that CAN-FD has.
        extended: a 29 bit id, as of every command; replies have ids of 11 bits.
    """
    # Start, id, and the flags up to the switch of the bit rate.
    head = 36 if extended else 17
    crc, fixed_stuffing = (21, 7) if size > 16 else (17, 6)
    # Error state, length; the data; stuff count and check.
    data = 1 + 4 + 8 * size + 4 + crc + fixed_stuffing
    # CRC delimiter, acknowledgement with its delimiter, end of frame, interframe space.
    tail = 1 + 2 + 7 + 3
    return (head + tail) / CAN_ARBITRATION_BPS + data / CAN_DATA_BPS


def reachable_rates() -> dict[str, dict[str, float]]:
    """Rates in Hz, by what they are of and by how it is set up."""
    rates: dict[str, dict[str, float]] = {}
    for baud in (1_000_000, 3_000_000):
        for servos in (9, 10, 12):
            lines = {
                "sync read": ServoLine(servos, baud),
                "fast sync read": ServoLine(servos, baud, fast=True),
                "return delay of 500 us": ServoLine(
                    servos, baud, return_delay_s=RETURN_DELAY_DEFAULT_S
                ),
                "latency timer of 16 ms": ServoLine(
                    servos, baud, latency_timer_s=LATENCY_TIMER_DEFAULT_S
                ),
            }
            name = f"{servos} Dynamixel servos at {baud // 1_000_000} Mbit/s"
            rates[name] = {how: line.rate_hz for how, line in lines.items()}
    for controllers in (8, 12):
        name = f"{controllers} moteus controllers"
        rates[name] = {"one fdcanusb": ControllerLine(controllers).rate_hz}
    return rates
