"""The inertial sensor on the robot: sensor axes become the body's, its faults become the robot's.

What each fault of the sensor leads to:

- FROZEN and RESTARTED latch and cut torque. The values before were wrong for half a second without
  anybody knowing, or are gone for good: only configuring the sensor anew makes it trustworthy.
- SILENT is left to the sample's age: the monitor holds the robot, then damps it, and goes on if the
  sensor comes back.
- UNSETTLED, an attitude that the sensor itself disowns: its samples are withheld while the motors
  may push, and so grow old as in silence.
- OFF_RATE stops nothing that runs, for a sample that comes too late is caught by its age.

With torque off each of them but silence is told, so that arming is refused with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import numpy as np

from calibration import Calibration
from calibration.record import DeviceTag
from drivers.errors import WireClosed
from drivers.imu import Imu, ImuFault, ImuReading
from robosac.hal import Drive, Fault, ImuSample
from robosac.robots.frames import orientation_from_vectornav, vector_from_vectornav
from robosac.robots.identity import check_imu

RATE_HZ = 200
"""One sample a tick."""
FAULT_NAMES = MappingProxyType(
    {
        ImuFault.FROZEN: "imu_frozen",
        ImuFault.RESTARTED: "imu_restarted",
        ImuFault.OFF_RATE: "imu_off_rate",
        ImuFault.UNSETTLED: "imu_unsettled",
    }
)
CUTTING = frozenset({ImuFault.FROZEN, ImuFault.RESTARTED})
"""Faults that are told while the motors may push."""


class Inertial:
    """The sensor, as the robot uses it.

    Args:
        imu: the sensor on its wire.
        reopen: opens that wire anew after it was gone; raises WireClosed if it is not back.
        calibration: how the sensor is mounted, and its bias.
    """

    def __init__(self, imu: Imu, reopen: Callable[[], None], calibration: Calibration) -> None:
        self._imu, self._reopen, self._calibration = imu, reopen, calibration
        self.device: DeviceTag | None = None
        """What `configure` found."""
        self._mounting = np.array(calibration.imu_mounting)
        self._gyro_bias = np.array(calibration.gyro_bias_rad_s)
        self._newest: ImuSample | None = None
        self._gone = False

    def configure(self) -> None:
        """Reach the sensor, over a new opening of its wire if it was gone, and let it send.

        Raises:
            DriverError: it is not there, or refuses.
            CalibrationMismatch: it is not the one that was calibrated.
        """
        try:
            if self._gone:
                self._reopen()
                self._gone = False
            found = self._imu.configure(self._imu.sampling_rate_hz // RATE_HZ)
        except WireClosed:
            self._gone = True
            raise
        self.device = DeviceTag(model=found.model, serial=found.serial or None)
        check_imu(self._calibration, self.device)

    def read(self, drive: Drive) -> tuple[ImuSample | None, tuple[Fault, ...]]:
        """The newest sample that may be believed, with its own time, and what is wrong.

        Args:
            drive: what the motors are asked to do.
        """
        driven = drive is not Drive.STOP
        if self._gone:
            return self._newest, (Fault("imu_dead", "imu", "its port is gone; plug it in"),)
        try:
            reading = self._imu.poll()
        except WireClosed as error:
            self._gone = True
            return self._newest, (Fault("imu_dead", "imu", str(error)),)
        fault = self._imu.fault
        if reading is not None and not (driven and fault is ImuFault.UNSETTLED):
            self._newest = self._to_body(reading)
        if fault is None or fault not in (CUTTING if driven else FAULT_NAMES):
            return self._newest, ()
        return self._newest, (Fault(FAULT_NAMES[fault], "imu", fault.value),)

    def _to_body(self, reading: ImuReading) -> ImuSample:
        gyro = np.asarray(reading.angular_velocity) - self._gyro_bias
        return ImuSample(
            time=reading.time,
            orientation=orientation_from_vectornav(
                np.asarray(reading.quaternion_xyzw), self._mounting
            ),
            angular_velocity=vector_from_vectornav(gyro, self._mounting),
            acceleration=vector_from_vectornav(np.asarray(reading.acceleration), self._mounting),
        )
