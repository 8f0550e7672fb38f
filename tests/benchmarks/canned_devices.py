"""Devices that answer as their firmware does, and at once: what was asked before is remembered.

    python -m tests.benchmarks.canned_devices servos servos controllers

serves a pseudo-terminal for each name, says their paths, and ends with its input. The firmware's
own time stays out of what a client is measured to take.
"""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from sim.firmware.dynamixel.line import DynamixelLine
from sim.firmware.dynamixel.servo import ServoSpec
from sim.firmware.fdcanusb import Fdcanusb
from sim.firmware.moteus.bank import MoteusBank, MoteusConfig
from sim.pty_port import PtyPort
from sim.wire import Device

SERVO_IDS = tuple(range(1, 10))
CONTROLLER_IDS = tuple(range(1, 9))
SERVO_TURN_RAD = 3.0


class Canned:
    """`device`, asked only once for each thing that is said to it."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._answers: dict[bytes, bytes] = {}

    def answer(self, data: bytes) -> bytes:
        """What comes back for one write of the host."""
        if data not in self._answers:
            self._device.receive(data)
            self._answers[data] = self._device.transmit()
        return self._answers[data]


def servos() -> Device:
    """Nine Dynamixel servos at rest."""
    count = len(SERVO_IDS)
    specs = [ServoSpec(id) for id in SERVO_IDS]
    line = DynamixelLine(specs, lambda: 0.0, position_rad=np.full(count, SERVO_TURN_RAD))
    zero = np.zeros(count)
    line.sense(zero, zero, zero + 30.0, 12.0)
    return line


def controllers() -> Device:
    """Eight moteus controllers at rest behind an fdcanusb."""
    bank = MoteusBank(CONTROLLER_IDS, MoteusConfig())
    zero = np.zeros(len(CONTROLLER_IDS))
    bank.sense(zero, zero, zero, zero, zero + 30.0, 16.0)
    return Fdcanusb(bank.handle_frame)


MAKERS = {"servos": servos, "controllers": controllers}


@contextlib.contextmanager
def canned_devices(names: Sequence[str]) -> Iterator[list[str]]:
    """A port for each of `names`, in a process of its own, for as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.canned_devices", *names],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def main(names: Sequence[str]) -> None:
    devices = {port.fileno(): (port, canned) for port, canned in map(_open, names)}
    sys.stdout.write(json.dumps([port.path for port, _ in devices.values()]) + "\n")
    sys.stdout.flush()
    control = sys.stdin.fileno()
    watched = [control, *devices]
    while control not in (ready := select.select(watched, [], [])[0]):
        for number in ready:
            port, canned = devices[number]
            port.write(canned.answer(port.read()))
    for port, _ in devices.values():
        port.close()


def _open(name: str) -> tuple[PtyPort, Canned]:
    return PtyPort(), Canned(MAKERS[name]())


if __name__ == "__main__":
    main(sys.argv[1:])
