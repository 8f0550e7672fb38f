"""A moteus bus on a wire whose answers are written down beforehand."""

from __future__ import annotations

import struct

from drivers.moteus import MoteusBus
from tests.drivers.scripted_wire import ScriptedWire

ASKED = b"??"
"""In an answer: the tag of the query that is answered."""


def reply(id: int, position: float = 0.25, mode: int = 10, tag: int | None = None) -> bytes:
    """A line from the device, with the tag that was asked for if no other is given.

    Layout of moteus docs/protocol/can.md.
    """
    frame = bytes([0x21, 0x00, mode, 0x2F, 0x01]) + struct.pack("<3f", position, -1.0, 0.5)
    frame += bytes.fromhex("2507 c800 270d a000 fa00 0000 21")
    told = ASKED.decode() if tag is None else f"{tag:02X}"
    return f"rcv {id << 8:04X} {frame.hex().upper()}{told}07 e B F r x-1\r\n".encode()


def answer(frame: str, id: int = 1) -> bytes:
    """A line from the device with any frame."""
    return f"rcv {id << 8:04X} {frame.replace(' ', '').upper()} e B F r x-1\r\n".encode()


def bus_with(
    *answers: bytes, ids: tuple[int, ...] = (1, 2), checksum: bool = False
) -> tuple[MoteusBus, ScriptedWire]:
    script = iter(answers)

    def next_answer(written: bytes) -> bytes:
        _, _, behind = written.partition(b"170d11")
        return next(script, b"").replace(ASKED, behind[:2])

    wire = ScriptedWire(next_answer)
    return MoteusBus(wire, ids, wire.now, checksum), wire


BOTH = b"OK\r\n" + reply(1) + b"OK\r\n" + reply(2, 0.5)
