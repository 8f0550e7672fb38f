"""Controllers on shafts that nothing moves, driven through frames written here as bytes."""

from __future__ import annotations

import struct

import numpy as np

from drivers.moteus.registers import Mode
from sim.firmware.moteus.bank import MoteusBank, MoteusConfig

DT = 0.001
KP, KD = 51.56, 0.7735
"""8.206 N m/rad and 0.1231 N m s/rad, per revolution."""
CONFIG = MoteusConfig(kp_nm_per_rev=KP, kd_nm_s_per_rev=KD)
VOLTS_PER_NM = 0.186 / 0.0954
QUERY = bytes.fromhex("11001f011507170d")
STOP = bytes.fromhex("010000") + QUERY + b"\x50"
ZERO_VELOCITY = bytes.fromhex("01000c") + QUERY + b"\x50"
BRAKE = bytes.fromhex("01000f")


def goto(
    position: float = 0.0,
    velocity: float = 0.0,
    feedforward: float = 0.0,
    kp: float = 1.0,
    kd: float = 1.0,
    torque: float = 3.5,
    timeout: int = 100,
    speed: int = -32768,
    accel: int = -1000,
    tag: int = 0x20,
) -> bytes:
    """The usual frame of the control tick; it asks for the register `tag` besides."""
    floats = struct.pack("<6f", position, velocity, feedforward, kp, kd, torque)
    limits = struct.pack("<3h", timeout, speed, accel)
    tagged = QUERY + bytes([0x11, tag])
    return bytes.fromhex("01000a0c0620") + floats + b"\x07\x27" + limits + tagged


def within(
    lower: float, upper: float, feedforward: float = 0.0, torque: float = 3.5, timeout: float = 0.1
) -> bytes:
    """Stay between two bounds, with the configured gains."""
    values = (lower, upper, feedforward, 1.0, 1.0, torque, timeout)
    return bytes.fromhex("01000d0c0740") + struct.pack("<7f", *values)


class Bench:
    """One or more controllers at a position and speed that nothing changes."""

    def __init__(self, config: MoteusConfig = CONFIG, count: int = 1) -> None:
        self.bank = MoteusBank(range(1, count + 1), config)
        self.position, self.velocity = np.zeros(count), np.zeros(count)
        self.supply = 16.0

    def send(self, data: bytes, id: int = 1) -> bytes:
        ((reply_id, reply),) = self.bank.handle_frame(0x8000 | id, data)
        assert reply_id == id << 8
        return reply

    def run(self, seconds: float) -> float:
        voltage = np.zeros(1)
        for _ in range(round(seconds / DT)):
            voltage = self.bank.control(self.position, self.velocity, self.supply, DT)
        return float(voltage[0])

    def drive(self, data: bytes) -> float:
        """Enable, then the voltage one step after `data`."""
        self.send(data)
        self.run(0.012)
        self.send(data)
        return self.run(DT)

    def sense(self, **values: float) -> None:
        """Let replies tell these values; all else is 0 and the supply 16 V."""
        count = len(self.position)
        names = ("position_rev", "velocity_rev_s", "torque_nm", "power_w", "temperature_c")
        arrays = {name: np.full(count, values.get(name, 0.0)) for name in names}
        self.bank.sense(**arrays, supply_v=values.get("supply_v", 16.0))

    def read_float(self, register: int) -> float:
        """One register below 0x80."""
        return struct.unpack("<f", self.send(bytes([0x1D, register]))[2:6])[0]

    def read_int(self, register: int) -> int:
        """Likewise, as int8."""
        return struct.unpack("<b", self.send(bytes([0x11, register]))[2:3])[0]

    def say(self, line: str, id: int = 1) -> str:
        """What the console answers to a line."""
        text = line.encode() + b"\n"
        for at in range(0, len(text), 61):
            piece = text[at : at + 61]
            assert self.bank.handle_frame(id, bytes([0x40, 1, len(piece)]) + piece) == []
        answer = b""
        while True:
            reply = self.send(bytes([0x42, 1, 48]), id)
            assert reply[:2] == b"\x41\x01"
            if not reply[2]:
                return answer.decode()
            answer += reply[3 : 3 + reply[2]]

    @property
    def mode(self) -> Mode:
        return self.bank.modes[0]

    @property
    def fault(self) -> int:
        return int(self.bank.faults[0])
