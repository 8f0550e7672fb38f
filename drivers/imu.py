"""What every inertial sensor here can do, whoever made it.

One set of axes for all: the sensor's own axes x forward, y right, z down (FRD), in a world of
north, east, down (NED). The VN-100 speaks them; the HI91's are swapped over in its port. Where the
sensor sits on the robot, and the robot's own axes, are not known in this room.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

NORM_TOLERANCE: Final = 0.01
"""A true attitude's quaternion has length 1 within this."""
NO_EXTRA: Final[Mapping[str, tuple[float, ...]]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ImuReading:
    """One inertial reading: sensor axes FRD, world NED."""

    time: float
    """When it was taken off the wire, s of the host's clock."""
    startup_ns: int
    """When the sensor made it, ns since its start."""
    quaternion_xyzw: Quaternion
    """Attitude, sensor to NED, scalar last."""
    angular_velocity: Vector
    """rad/s"""
    acceleration: Vector
    """Specific force, so it includes gravity: at rest and level about (0, 0, -9.8), m/s^2."""
    measured: float
    """When it was measured, s of the host's clock; never after `time`.

    The fixed part of the way from sensor to host cannot be seen from here and is not subtracted:
    a calibration that knows it must do so.
    """
    extra: Mapping[str, tuple[float, ...]]
    """Whatever else the sensor was asked to send, by name with unit."""

    @property
    def age(self) -> float:
        """How old it was when it was taken off the wire, s, beyond the least delay ever seen."""
        return self.time - self.measured


@dataclass(frozen=True, slots=True)
class ImuStatistics:
    """What came over the wire since the port was made."""

    frames: int = 0
    """Whole frames with a right checksum."""
    skipped_bytes: int = 0
    """Bytes that belonged to no message, damaged frames included."""
    implausible: int = 0
    """Frames with a right checksum, but a value that is not finite or no unit quaternion."""
    repeated: int = 0
    """Frames whose device time did not advance: never handed out."""
    missing: int = 0
    """Frames that the device's own time says were made, but that did not arrive."""
    frozen: int = 0
    """Frames withheld because the values had stopped changing."""
    restarts: int = 0
    """Times the device's clock began anew without being asked."""
    rate_hz: float = math.nan
    """Frames a second of device time over the last whole second; NaN before that."""


class ImuIdentity(NamedTuple):
    """Who answers on the wire."""

    model: str
    firmware: str
    serial: str
    hardware: str = ""
    """Hardware revision; empty where the sensor does not tell."""


class ImuFault(enum.Enum):
    """Why a sensor is not to be trusted now."""

    SILENT = "no new frame for too long"
    FROZEN = "the same values again and again"
    RESTARTED = "it restarted by itself: settings and attitude are not what they were"
    OFF_RATE = "frames come at another rate than was asked for"
    UNSETTLED = "it says itself that its attitude has not converged"


class Imu(Protocol):
    """An inertial sensor on its own wire.

    Attributes:
        sampling_rate_hz: the rate that the divisor divides.
    """

    sampling_rate_hz: int

    @property
    def statistics(self) -> ImuStatistics:
        """A snapshot of the counters."""
        ...

    @property
    def fault(self) -> ImuFault | None:
        """What is wrong now, worst first; None if nothing is."""
        ...

    def configure(self, divisor: int) -> ImuIdentity:
        """Check who answers and make it send readings at sampling_rate_hz / `divisor`.

        Also clears a latched fault: what the sensor was before does not matter any more.

        Raises:
            ValueError: a divisor that the sensor does not have.
            BusTimeout: the sensor does not answer.
            DeviceError: it refuses, does not keep a setting, or is another device.
            WireClosed: the port is gone.
        """
        ...

    def poll(self) -> ImuReading | None:
        """The newest reading that arrived since the last call, or None.

        None also while the sensor is FROZEN or RESTARTED: nothing stale passes for fresh.

        Raises:
            WireClosed: the port is gone.
        """
        ...

    def close(self) -> None:
        """Release the wire; safe to call twice."""
        ...


def plausible(quaternion: Quaternion, angular_velocity: Vector, acceleration: Vector) -> bool:
    """Whether a sensor can mean these values: all finite, and an attitude of length 1."""
    norm = math.hypot(*quaternion)
    return (
        math.isfinite(sum(quaternion) + sum(angular_velocity) + sum(acceleration))
        and abs(norm - 1.0) < NORM_TOLERANCE
    )
