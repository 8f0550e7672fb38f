"""Servos on a bench: bytes by hand in, bytes out; the packets here are written apart from ours."""

import math
from collections.abc import Sequence

import numpy as np

from drivers.dynamixel.control_table import TABLES
from sim.clock import VirtualClock
from sim.firmware.dynamixel.line import DynamixelLine, LineOptions
from sim.firmware.dynamixel.servo import BOOT_TIME_S, ServoSpec
from sim.servo_joint import MOTORS, JointParameters, PlainJoints, ServoMotors

DT = 0.001
COUNTS_PER_RAD = 4096 / math.tau
TABLE = TABLES[1020].by_name
PING, READ, WRITE, REG_WRITE, ACTION, RESET, REBOOT, CLEAR = 1, 2, 3, 4, 5, 6, 8, 0x10
BACKUP, SYNC_READ, SYNC_WRITE, FAST_SYNC_READ = 0x20, 0x82, 0x83, 0x8A
BULK_READ, BULK_WRITE, FAST_BULK_READ = 0x92, 0x93, 0x9A
EVERYBODY = 0xFE
CURRENT, VELOCITY, POSITION, EXTENDED, CURRENT_POSITION, PWM = 0, 1, 3, 4, 5, 16
FREE = JointParameters(coulomb_nm=0.0, viscous_nm_s=0.0)
OK, FAIL, INSTRUCTION, CRC, RANGE, LENGTH, LIMIT, ACCESS = range(8)
ALERT = 0x80


def crc(data: bytes) -> int:
    """Bit by bit, from the polynomial alone."""
    remainder = 0
    for byte in data:
        remainder ^= byte << 8
        for _ in range(8):
            top = remainder & 0x8000
            remainder = (remainder << 1 ^ (0x8005 if top else 0)) & 0xFFFF
    return remainder


def instruction(id: int, code: int, parameters: bytes = b"") -> bytes:
    """An instruction packet, stuffed."""
    body = bytearray()
    for byte in bytes([code]) + parameters:
        body.append(byte)
        if body[-3:] == b"\xff\xff\xfd":
            body.append(0xFD)
    head = b"\xff\xff\xfd\x00" + bytes([id]) + (len(body) + 2).to_bytes(2, "little")
    return head + bytes(body) + crc(head + bytes(body)).to_bytes(2, "little")


def status(id: int, error: int = 0, parameters: bytes = b"") -> bytes:
    """A status packet, stuffed."""
    return instruction(id, 0x55, bytes([error]) + parameters)


def split(data: bytes) -> list[tuple[int, int, bytes]]:
    """(id, error, parameters) of status packets that follow one another without a gap."""
    found: list[tuple[int, int, bytes]] = []
    while data:
        assert data[:4] == b"\xff\xff\xfd\x00", data.hex(" ")
        end = 7 + int.from_bytes(data[5:7], "little")
        assert len(data) >= end
        assert crc(data[: end - 2]) == int.from_bytes(data[end - 2 : end], "little")
        body = data[7 : end - 2].replace(b"\xff\xff\xfd\xfd", b"\xff\xff\xfd")
        assert body[0] == 0x55
        found.append((data[4], body[1], body[2:]))
        data = data[end:]
    return found


def span(address: int, length: int) -> bytes:
    return address.to_bytes(2, "little") + length.to_bytes(2, "little")


class Bench:
    """Servos with motors and joints, in virtual time."""

    def __init__(
        self,
        *specs: ServoSpec,
        options: LineOptions | None = None,
        counts: Sequence[float] = (),
        joint: JointParameters | None = None,
    ) -> None:
        specs = specs or (ServoSpec(1),)
        self.supply = 24.0 if specs[0].model in (1040, 1050) else 12.0
        self.joints = PlainJoints([joint or JointParameters()] * len(specs))
        self.joints.position[: len(counts)] = np.array(counts) / COUNTS_PER_RAD
        self.motors = ServoMotors([MOTORS[spec.model] for spec in specs])
        self.clock = VirtualClock(self._step, DT)
        self.line = DynamixelLine(specs, self.clock.now, options, self.joints.position)
        self.sense()

    def run(self, seconds: float) -> None:
        self.clock.wait_until(self.clock.now() + seconds)

    def sense(self, **values: float) -> None:
        """Let the servos measure what the motors do, or the values given."""
        motors, ones = self.motors, np.ones(len(self.motors.current_a))
        self.line.sense(
            values["current"] * ones if "current" in values else motors.current_a,
            motors.share,
            values["temperature"] * ones if "temperature" in values else motors.temperature_c,
            values.get("supply", self.supply),
        )

    def _step(self) -> None:
        joints = self.joints
        drive = self.line.control(joints.position, joints.velocity, self.supply, DT)
        joints.step(self.motors.step(drive, joints.velocity, self.supply, DT), DT)
        self.sense()

    def say(self, data: bytes) -> bytes:
        self.line.receive(data)
        return self.line.transmit()

    def ask(self, code: int, parameters: bytes = b"", id: int = 1) -> tuple[int, bytes]:
        """Error and parameters of the one answer."""
        ((answerer, error, data),) = split(self.say(instruction(id, code, parameters)))
        assert answerer == id
        return error, data

    def read(self, name: str, id: int = 1) -> int:
        register = TABLE.get(name) or TABLES[1060].by_name[name]
        error, data = self.ask(READ, span(register.address, register.size), id)
        assert error & ~ALERT == OK
        return int.from_bytes(data, "little", signed=register.signed)

    def write(self, name: str, value: int, id: int = 1) -> int:
        """The status error."""
        register = TABLE[name]
        data = value.to_bytes(register.size, "little", signed=register.signed)
        return self.ask(WRITE, register.address.to_bytes(2, "little") + data, id)[0]

    def set(self, id: int = 1, **values: int) -> None:
        """Write registers in the order given; each must be accepted."""
        for name, value in values.items():
            assert self.write(name, value, id) == OK, (name, value)

    def reboot(self) -> None:
        """Reboot servo 1 and wait until it is back."""
        assert self.ask(REBOOT)[0] & ~ALERT == OK
        self.run(BOOT_TIME_S + 0.001)

    def counts(self, index: int = 0) -> float:
        """Where a shaft really is."""
        return float(self.joints.position[index]) * COUNTS_PER_RAD

    def turn(self, counts: float, index: int = 0) -> None:
        """Put a shaft somewhere by hand, and let the servo see it."""
        self.joints.position[index] = counts / COUNTS_PER_RAD
        self.joints.velocity[index] = 0.0
        self.run(DT)
