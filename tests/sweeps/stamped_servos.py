"""Servos whose readings carry their own proof, on a bad cable, in a process of their own.

    python -m tests.sweeps.stamped_servos --seed 1 --epoch-us 0

says the path of a pseudo-terminal and serves it until its input ends. A line on its input is the
probability with which something happens to each message. They speak Protocol 2.0 by the firmware's
own packets, not by the driver's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator

import numpy as np

from drivers.dynamixel.constants import Instruction
from sim.fault_spec import BYTE_FAULTS, Kind
from sim.faulty_line import FaultyLine
from sim.firmware.dynamixel.frames import Packet, PacketParser, status_packet
from sim.firmware.dynamixel.groups import SPAN, sync_reads
from sim.pty_port import PtyPort
from sim.wire import Direction
from sim.wire_framing import PACKETS
from tests.sweeps.stamps import IDS, MODEL, PRESENT, now_us, present

LATE_S = (0.001, 0.030)
SPLIT_S = (0.0, 0.002)
POLL_S = 0.0005
"""How exactly a held-back message comes in its time, s."""
FIRMWARE = 48


class StampedServos:
    """A `sim.wire.Device`: the servos of `stamps`, which only read."""

    def __init__(self, now: Callable[[], int]) -> None:
        self._now = now
        self._parser = PacketParser()
        self._said: list[bytes] = []
        self._tables = {id: _table(id) for id in IDS}

    def receive(self, data: bytes) -> None:
        """Bytes from the host."""
        for packet in self._parser.feed(data, self._now() * 1e-6):
            if packet.intact:
                self._said += self._answers(packet)

    def transmit(self) -> bytes:
        """Bytes for the host."""
        said = b"".join(self._said)
        self._said.clear()
        return said

    def _answers(self, packet: Packet) -> Iterator[bytes]:
        match packet.instruction:
            case Instruction.SYNC_READ:
                for read in sync_reads(packet.parameters):
                    if read.id in self._tables:
                        yield self._read(read.id, read.address, read.length)
            case Instruction.READ if packet.id in self._tables:
                yield self._read(packet.id, *SPAN.unpack(packet.parameters))
            case Instruction.PING if packet.id in self._tables:
                identity = MODEL.to_bytes(2, "little") + bytes((FIRMWARE,))
                yield status_packet(packet.id, 0, identity)
            case _:
                return

    def _read(self, id: int, address: int, size: int) -> bytes:
        table = self._tables[id]
        table[PRESENT] = present(id, self._now())
        return status_packet(id, 0, bytes(table[address : address + size]))


def _table(id: int) -> bytearray:
    """A control table without anything amiss."""
    table = bytearray(148)
    table[0:2], table[6], table[7], table[68] = MODEL.to_bytes(2, "little"), FIRMWARE, id, 2
    return table


def set_faults(line: FaultyLine, probability: float, rng: np.random.Generator) -> None:
    """Each message suffers something with `probability`, every kind as often as the others."""
    for way in Direction:
        # What the host writes keeps its order, and names no sender.
        kinds = set(BYTE_FAULTS)
        if way is Direction.TO_DEVICE:
            kinds -= {Kind.LATE, Kind.WRONG_ID}
        each = 1.0 - (1.0 - probability) ** (1.0 / len(kinds))
        for kind in sorted(kinds, key=BYTE_FAULTS.index):
            seconds = {Kind.LATE: LATE_S, Kind.SPLIT: SPLIT_S}.get(kind, (0.0, 0.0))
            line.set_rate(kind, way, each, float(rng.uniform(*seconds)))


def serve(port: PtyPort, epoch_us: int, seed: int) -> None:
    """Answer the port until standard input ends."""
    rng = np.random.default_rng(seed)
    control = sys.stdin.fileno()
    probability = 0.0
    servos = StampedServos(lambda: now_us() - epoch_us)
    line = FaultyLine(servos, PACKETS, lambda: now_us() * 1e-6, rng)
    while True:
        ready, _, _ = select.select([port.fileno(), control], [], [], POLL_S)
        if control in ready:
            words = os.read(control, 4096).split()
            if not words:
                return
            probability = float(words[-1])
        data = port.read()
        if data and probability:
            set_faults(line, probability, rng)
        if data:
            line.receive(data)
        port.write(line.transmit())


@contextlib.contextmanager
def stamped_servos(epoch_us: int, seed: int) -> Iterator[tuple[str, Callable[[float], None]]]:
    """The port's path, and what sets the probability of faults; for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.sweeps.stamped_servos"]
    command += [f"--epoch-us={epoch_us}", f"--seed={seed}"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin = process.stdin

    def faults(probability: float) -> None:
        stdin.write(f"{probability}\n")
        stdin.flush()

    try:
        yield process.stdout.readline().strip(), faults
    finally:
        stdin.close()
        process.wait()
        process.stdout.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epoch-us", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    port = PtyPort()
    try:
        sys.stdout.write(port.path + "\n")
        sys.stdout.flush()
        serve(port, options.epoch_us, options.seed)
    finally:
        port.close()


if __name__ == "__main__":
    main()
