"""A VN-100 that can be made to lie."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.firmware.servo_hooks import ReadingFaults
from sim.firmware.vectornav.sensor import Vn100

_RESET = b"$VNRST*4D\r\n"
RATE_END_RAD_S, FORCE_END_M_S2 = 34.9, 156.9
"""VN-100: 2000 degrees/s and 16 g."""


class HookedVn100(Vn100):
    """A sensor with `ImuHooks`; without a fault in effect it is a `Vn100`."""

    def __init__(self) -> None:
        super().__init__()
        self._readings = ReadingFaults()
        self._angle = 0.0
        self._saturated = False

    def skew(self, angle_rad: float) -> None:
        """See `ImuHooks`, here and below."""
        self._angle = angle_rad

    def lag(self, seconds: float) -> None:
        self._readings.lag_s = seconds

    def saturate(self, on: bool) -> None:
        self._saturated = on

    def reboot(self) -> None:
        self.receive(_RESET)
        self.transmit()

    def sample(
        self,
        time_ns: int,
        quaternion_xyzw: Sequence[float],
        angular_velocity: Sequence[float],
        acceleration: Sequence[float],
    ) -> None:
        """See `Vn100`."""
        if self._readings.none and not self._angle and not self._saturated:
            super().sample(time_ns, quaternion_xyzw, angular_velocity, acceleration)
            return
        true = (*quaternion_xyzw, *angular_velocity, *acceleration)
        told = self._readings.read(time_ns * 1e-9, true)
        attitude = _rolled(told[:4], self._angle)
        rates, forces = told[4:7], told[7:10]
        if self._saturated:
            rates = tuple(math.copysign(RATE_END_RAD_S, value) for value in rates)
            forces = tuple(math.copysign(FORCE_END_M_S2, value) for value in forces)
        super().sample(time_ns, attitude, rates, forces)


def _rolled(quaternion_xyzw: Sequence[float], angle: float) -> tuple[float, float, float, float]:
    """An attitude turned by `angle` (rad) about the sensor's x axis."""
    x, y, z, w = quaternion_xyzw
    s, c = math.sin(angle / 2.0), math.cos(angle / 2.0)
    return (c * x + s * w, c * y + s * z, c * z - s * y, c * w - s * x)
