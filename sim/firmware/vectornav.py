"""The device's end of the VN-100's protocol: binary output, and the ASCII commands we use.

Source: VN-100 user manual UM001. Not modelled: ASCII measurements (register 6 starts as 0, off),
other output groups than the common one, settings kept over a power cycle.
"""

from __future__ import annotations

import struct
from binascii import crc_hqx
from collections.abc import Sequence

IMU_RATE_HZ = 800
"""Rate that the divisor of register 75 divides."""
OUTPUT_LIMIT = 16384
"""Bytes kept for a host that does not read; what comes then is lost."""

_COMMON_GROUP, _OUR_FIELDS = 0x01, 0x0131
_BOTH_PORTS = 3
_MEASUREMENT = struct.Struct("<BBHQ4f3f3f")
_MODEL = "VN-100T-CR"
_BAD_CHECKSUM, _BAD_COMMAND, _TOO_FEW, _TOO_MANY, _BAD_PARAMETER, _BAD_REGISTER = 3, 4, 5, 6, 7, 8


class Vn100:
    """One sensor; `sample` is called at the rate at which it measures."""

    def __init__(self) -> None:
        self._registers = {1: _MODEL, 3: "0100012345", 4: "2.1.0.0", 6: "0", 75: "0,0,00"}
        self._output_on = True
        self._period_ns = 0
        self._due_ns = 0
        self._input = b""
        self._output = bytearray()

    def sample(
        self,
        time_ns: int,
        quaternion_xyzw: Sequence[float],
        angular_velocity: Sequence[float],
        acceleration: Sequence[float],
    ) -> None:
        """A measurement at `time_ns` since the start, in FRD axes and an NED world.

        It is sent if binary output is on and one is due. Units: rad/s, m/s^2 with gravity.
        """
        if not self._period_ns or not self._output_on or time_ns < self._due_ns:
            return
        # On the grid while samples keep up, else from now on.
        late = time_ns - self._due_ns
        self._due_ns = (self._due_ns if late < self._period_ns else time_ns) + self._period_ns
        frame = _MEASUREMENT.pack(
            *(0xFA, _COMMON_GROUP, _OUR_FIELDS, time_ns),
            *quaternion_xyzw,
            *angular_velocity,
            *acceleration,
        )
        self._say(frame + crc_hqx(frame[1:], 0).to_bytes(2, "big"))

    def receive(self, data: bytes) -> None:
        """Bytes from the host."""
        *lines, rest = (self._input + data).split(b"\n")
        self._input = rest[-256:]
        for line in lines:
            if line := line.strip():
                self._line(line)

    def transmit(self) -> bytes:
        """Bytes for the host."""
        data = bytes(self._output)
        self._output.clear()
        return data

    def _line(self, line: bytes) -> None:
        body, star, digits = line.rpartition(b"*")
        # Two letters X in place of the checksum switch its test off (UM001).
        if not star or (digits != b"XX" and digits.upper() != b"%02X" % _xor(body[1:])):
            self._refuse(_BAD_CHECKSUM)
            return
        name, *parts = body.decode("ascii", errors="replace").split(",")
        match name:
            case "$VNRRG":
                self._read(parts)
            case "$VNWRG":
                self._write(parts)
            case "$VNASY" if parts in (["0"], ["1"]):
                self._output_on = parts == ["1"]
                self._answer(f"VNASY,{parts[0]}")
            case "$VNASY":
                self._refuse(_BAD_PARAMETER)
            case _:
                self._refuse(_BAD_COMMAND)

    def _read(self, parts: list[str]) -> None:
        register = _register(parts)
        if register not in self._registers:
            self._refuse(_BAD_REGISTER if parts else _TOO_FEW)
            return
        self._answer(f"VNRRG,{register:02d},{self._registers[register]}")

    def _write(self, parts: list[str]) -> None:
        register = _register(parts)
        match register, parts[1:]:
            case 6, [value, *_] if value.isdecimal():
                self._registers[6] = value
            case 75, values:
                problem = self._set_output(values)
                if problem:
                    self._refuse(problem)
                    return
            case ((1 | 3 | 4), _):
                self._refuse(_BAD_REGISTER)
                return
            case _:
                self._refuse(_BAD_PARAMETER if register in self._registers else _BAD_REGISTER)
                return
        self._answer("VNWRG," + ",".join([f"{register:02d}", *parts[1:]]))

    def _set_output(self, values: list[str]) -> int:
        """Register 75: ports, divisor, groups, fields; the error code, or 0."""
        if len(values) != 4:
            return _TOO_FEW if len(values) < 4 else _TOO_MANY
        try:
            ports, divisor = int(values[0]), int(values[1])
            groups, fields = int(values[2], 16), int(values[3], 16)
        except ValueError:
            return _BAD_PARAMETER
        if not 0 <= ports <= _BOTH_PORTS or not 1 <= divisor <= 0xFFFF:
            return _BAD_PARAMETER
        if (groups, fields) != (_COMMON_GROUP, _OUR_FIELDS):
            return _BAD_PARAMETER
        self._registers[75] = f"{ports},{divisor},{groups:02X},{fields:04X}"
        # This wire is port 1.
        self._period_ns = divisor * 1_000_000_000 // IMU_RATE_HZ if ports & 1 else 0
        self._due_ns = 0
        return 0

    def _refuse(self, code: int) -> None:
        self._answer(f"VNERR,{code:02X}")

    def _answer(self, body: str) -> None:
        data = body.encode("ascii", errors="replace")
        self._say(b"$%b*%02X\r\n" % (data, _xor(data)))

    def _say(self, data: bytes) -> None:
        if len(self._output) + len(data) <= OUTPUT_LIMIT:
            self._output += data


def _register(parts: list[str]) -> int:
    """The register number that a command begins with; -1: none."""
    return int(parts[0]) if parts and parts[0].isdecimal() else -1


def _xor(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
    return value
