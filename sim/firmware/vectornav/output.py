"""What a VN-100 sends by itself: binary output frames and ASCII measurements.

Source: VN-100 user manual UM001, section 4 and registers 8, 9 and 27. Not modelled: fields of
sensors that the twin does not have (magnetometer), time synchronisation and the integrals.
"""

from __future__ import annotations

import math
import struct
from binascii import crc_hqx
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sim.firmware.vectornav.registers import BAD_PARAMETER, TOO_FEW, Refused, count

IMU_RATE_HZ = 800
"""Rate that the divisor of registers 75 to 77 divides."""
TEMPERATURE_C, PRESSURE_KPA = 25.0, 101.325
_BOTH_PORTS = 3
_GROUPS = 7
_SYNC = 0xFA


class Measurement(NamedTuple):
    """One measurement, FRD axes in an NED world."""

    time_ns: int
    """Since the sensor's start."""
    quaternion_xyzw: Sequence[float]
    angular_velocity: Sequence[float]
    """rad/s"""
    acceleration: Sequence[float]
    """m/s^2 with gravity"""


def yaw_pitch_roll(m: Measurement) -> tuple[float, float, float]:
    """Euler angles of the order 3-2-1, deg."""
    x, y, z, w = m.quaternion_xyzw
    yaw = math.atan2(2.0 * (x * y + w * z), 1.0 - 2.0 * (y * y + z * z))
    pitch = math.asin(min(1.0, max(-1.0, 2.0 * (w * y - x * z))))
    roll = math.atan2(2.0 * (y * z + w * x), 1.0 - 2.0 * (x * x + y * y))
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


_FIELDS: dict[tuple[int, int], tuple[str, Callable[[Measurement], Sequence[float]]]] = {
    (1, 0): ("Q", lambda m: (m.time_ns,)),
    (1, 3): ("3f", yaw_pitch_roll),
    (1, 4): ("4f", lambda m: m.quaternion_xyzw),
    (1, 5): ("3f", lambda m: m.angular_velocity),
    (1, 8): ("3f", lambda m: m.acceleration),
    (1, 9): ("6f", lambda m: (*m.acceleration, *m.angular_velocity)),
    (1, 12): ("H", lambda m: (0,)),
    (2, 0): ("Q", lambda m: (m.time_ns,)),
    (3, 2): ("3f", lambda m: m.acceleration),
    (3, 3): ("3f", lambda m: m.angular_velocity),
    (3, 4): ("f", lambda m: (TEMPERATURE_C,)),
    (3, 5): ("f", lambda m: (PRESSURE_KPA,)),
    (3, 9): ("3f", lambda m: m.acceleration),
    (3, 10): ("3f", lambda m: m.angular_velocity),
    (5, 0): ("H", lambda m: (0,)),
    (5, 1): ("3f", yaw_pitch_roll),
    (5, 2): ("4f", lambda m: m.quaternion_xyzw),
}
"""By group and bit: how a field is packed and where it comes from."""


class Periodic:
    """Says when the next message of a fixed rate is due."""

    def __init__(self, period_ns: int) -> None:
        self._period_ns, self._due_ns = period_ns, 0

    def due(self, time_ns: int) -> bool:
        """Whether one is due; on the grid while samples keep up, else from now on."""
        if time_ns < self._due_ns:
            return False
        late = time_ns - self._due_ns
        self._due_ns = (self._due_ns if late < self._period_ns else time_ns) + self._period_ns
        return True


class BinaryOutput:
    """One of the registers 75 to 77, as written: ports, divisor, groups, a mask for each group.

    Attributes:
        setting: the register's content.
        bits_per_s: what it costs on port 1.

    Raises:
        Refused: not a valid setting, or a field that is not modelled.
    """

    def __init__(self, values: list[str]) -> None:
        if len(values) < 3:
            raise Refused(TOO_FEW)
        ports, divisor, groups, *masks = _parsed(values)
        if not 0 <= ports <= _BOTH_PORTS or not 0 <= divisor <= 0xFFFF or not 0 <= groups < 0x80:
            raise Refused(BAD_PARAMETER)
        if ports and not (divisor and groups):
            raise Refused(TOO_FEW if len(values) < 4 else BAD_PARAMETER)
        chosen = [group for group in range(1, _GROUPS + 1) if groups & 1 << group - 1]
        count(values[3:], len(chosen))
        wanted = [
            (group, bit)
            for group, mask in zip(chosen, masks, strict=True)
            for bit in range(16)
            if mask & 1 << bit
        ]
        if any(place not in _FIELDS for place in wanted) or not all(
            0 < mask <= 0xFFFF for mask in masks
        ):
            raise Refused(BAD_PARAMETER)
        self.setting = ",".join(
            [str(ports), str(divisor), f"{groups:02X}", *(f"{mask:04X}" for mask in masks)]
        )
        self._header = struct.pack(f"<BB{len(masks)}H", _SYNC, groups, *masks)
        fields = [_FIELDS[place] for place in wanted]
        self._payload = struct.Struct("<" + "".join(codes for codes, _ in fields))
        self._sources = [source for _, source in fields]
        # This wire is port 1.
        self._clock = Periodic(divisor * 1_000_000_000 // IMU_RATE_HZ) if ports & 1 else None
        size = len(self._header) + self._payload.size + 2
        self.bits_per_s = size * 10 * IMU_RATE_HZ / divisor if ports & 1 else 0.0

    def due(self, time_ns: int) -> bool:
        """Whether a frame is to be sent at `time_ns`."""
        return self._clock is not None and self._clock.due(time_ns)

    def frame(self, measurement: Measurement) -> bytes:
        """The whole frame with its CRC; raises Refused if no field is chosen."""
        if not self._sources:
            raise Refused(BAD_PARAMETER)
        values: list[float] = []
        for source in self._sources:
            values += source(measurement)
        frame = self._header + self._payload.pack(*values)
        return frame + crc_hqx(frame[1:], 0).to_bytes(2, "big")


def ascii_body(header: str, m: Measurement) -> str:
    """An ASCII measurement between `$` and `*`."""
    if header == "VNQTN":
        return "VNQTN," + ",".join(f"{value:+.6f}" for value in m.quaternion_xyzw)
    angles = ",".join(f"{value:+08.3f}" for value in yaw_pitch_roll(m))
    if header == "VNYPR":
        return f"VNYPR,{angles}"
    force = ",".join(f"{value:+07.3f}" for value in m.acceleration)
    rate = ",".join(f"{value:+010.6f}" for value in m.angular_velocity)
    return f"VNYMR,{angles},+00.0000,+00.0000,+00.0000,{force},{rate}"


def _parsed(values: list[str]) -> list[int]:
    """Ports and divisor in decimal, groups and masks in hexadecimal."""
    try:
        return [int(value, 10 if index < 2 else 16) for index, value in enumerate(values)]
    except ValueError:
        raise Refused(BAD_PARAMETER) from None
