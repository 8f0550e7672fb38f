"""A VN-100 that can be made to lie."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.firmware.servo_hooks import ReadingFaults
from sim.firmware.vectornav.sensor import Vn100

_RESET = b"$VNRST*4D\r\n"


class HookedVn100(Vn100):
    """A sensor with `ImuHooks`; without a fault in effect it is a `Vn100`."""

    def __init__(self) -> None:
        super().__init__()
        self._readings = ReadingFaults()
        self._angle = 0.0

    def skew(self, angle_rad: float) -> None:
        """See `ImuHooks`, here and below."""
        self._angle = angle_rad

    def lag(self, seconds: float) -> None:
        self._readings.lag_s = seconds

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
        if self._readings.none and not self._angle:
            super().sample(time_ns, quaternion_xyzw, angular_velocity, acceleration)
            return
        true = (*quaternion_xyzw, *angular_velocity, *acceleration)
        told = self._readings.read(time_ns * 1e-9, true)
        attitude = _rolled(told[:4], self._angle)
        super().sample(time_ns, attitude, told[4:7], told[7:10])


def _rolled(quaternion_xyzw: Sequence[float], angle: float) -> tuple[float, float, float, float]:
    """An attitude turned by `angle` (rad) about the sensor's x axis."""
    x, y, z, w = quaternion_xyzw
    s, c = math.sin(angle / 2.0), math.cos(angle / 2.0)
    return (c * x + s * w, c * y + s * z, c * z - s * y, c * w - s * x)
