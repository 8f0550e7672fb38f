"""What is fuzzed: every decoder as `bytes -> None`, which may raise ProtocolError and nothing else.

Firmware is here too: whatever a host sends, it must live on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from drivers.dynamixel.fast_reply import decode_fast_reply
from drivers.dynamixel.instructions import parse_ping
from drivers.dynamixel.packet import StatusParser, decode_status
from drivers.errors import ProtocolError
from drivers.hipnuc import codec as hipnuc
from drivers.moteus.diagnostic import LineReader, parse_chunk, parse_value
from drivers.moteus.fdcanusb import LineSplitter, parse_line
from drivers.moteus.multiplex import parse, reply_values
from drivers.moteus.readings import parse_reading
from drivers.vectornav.codec import StreamParser, parse_frame, parse_message
from drivers.vectornav.registers import (
    BAUD,
    FIRMWARE,
    GYRO_BIAS,
    PROTOCOL,
    REFERENCE_ROTATION,
    SERIAL,
    STARTUP_BIAS,
    parse_values,
)
from sim.claw import ClawTwin
from sim.firmware.fdcanusb import Fdcanusb
from sim.firmware.hipnuc import Hi91
from sim.firmware.moteus.bank import MoteusBank
from sim.firmware.vectornav.sensor import Vn100
from sim.wire import Device

Target = Callable[[bytes], None]
_REGISTERS = (BAUD, FIRMWARE, GYRO_BIAS, PROTOCOL, REFERENCE_ROTATION, SERIAL, STARTUP_BIAS)
LONGEST = 128
"""Bytes of the longest input."""


def _decoder(decode: Callable[[bytes], object]) -> Target:
    def target(data: bytes) -> None:
        try:
            decode(data)
        except ProtocolError:
            return

    return target


def _in_two(feed: Callable[[], Callable[[bytes], object]]) -> Target:
    """A stream parser, given its input in two pieces: where is in the first byte."""

    def target(data: bytes) -> None:
        parser = feed()
        at = data[0] if data else 0
        parser(data[1 : 1 + at])
        parser(data[1 + at :])

    return target


def _lines(data: bytes) -> None:
    splitter = LineSplitter()
    for line in splitter.feed(data):
        for checksum in (False, True):
            try:
                parse_line(line, checksum)
            except ProtocolError:
                continue


def _text(data: bytes) -> None:
    for line in LineReader().feed(data):
        try:
            parse_value(line)
        except ProtocolError:
            continue


def _pings(data: bytes) -> None:
    for status in StatusParser().feed(data):
        try:
            parse_ping(status)
        except ProtocolError:
            continue


def _values(data: bytes) -> None:
    register = _REGISTERS[(data[0] if data else 0) % len(_REGISTERS)]
    try:
        parse_values(register, data[1:].decode("latin-1").split(","))
    except ProtocolError:
        return


def _moteus() -> Target:
    bank = MoteusBank((1, 2))

    def target(data: bytes) -> None:
        bank.handle_frame(data[0] | 0x8000 if data else 0, data[1:])

    return target


def _device(device: Device) -> Target:
    """Firmware keeps its state from input to input, as on the bench."""

    def target(data: bytes) -> None:
        device.receive(data)
        device.transmit()

    return target


TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "moteus-multiplex": _decoder(parse),
        "moteus-reply": _decoder(reply_values),
        "moteus-reading": _decoder(parse_reading),
        "moteus-chunk": _decoder(parse_chunk),
        "moteus-console": _text,
        "fdcanusb-lines": _lines,
        "dynamixel-status": _decoder(decode_status),
        "dynamixel-stream": _in_two(lambda: StatusParser().feed),
        "dynamixel-ping": _pings,
        "dynamixel-fast": _decoder(lambda data: decode_fast_reply(data, (3, 7, 4), (4, 4, 4))),
        "vectornav-frame": _decoder(parse_frame),
        "vectornav-message": _decoder(parse_message),
        "vectornav-stream": _in_two(lambda: StreamParser().feed),
        "vectornav-values": _values,
        "hipnuc-frame": _decoder(hipnuc.parse_frame),
        "hipnuc-stream": _in_two(lambda: hipnuc.StreamParser().feed),
        "moteus-firmware": _moteus(),
        "fdcanusb-firmware": _device(Fdcanusb(MoteusBank((1, 2)).handle_frame)),
        "vectornav-firmware": _device(Vn100()),
        "hipnuc-firmware": _device(Hi91()),
        "dynamixel-firmware": _device(ClawTwin().line),
    }
)
