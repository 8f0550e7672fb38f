"""The contract between the brain and any robot: SI units, frozen values, ages on everything.

A robot is a set of joints behind one `exchange` a control tick. Positions are joint angles in rad
after calibration, times are monotonic seconds of the injected clock. Arrays have shape (n,), in the
order of `Robot.joint_names`, and are read-only once they cross this seam.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robosac.errors import LimitsError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Image = NDArray[np.uint8]


class Drive(enum.Enum):
    """What a joint's motor is asked to do."""

    STOP = "stop"
    """No torque at all; clears a motor's latched timeout or fault."""
    DAMP = "damp"
    """Hold no position, resist motion: the safe state of a robot that stands."""
    POSITION = "position"
    """Follow the commanded position with the configured stiffness and damping."""


@dataclass(frozen=True, slots=True)
class JointCommand:
    """One tick's command to every joint.

    Raises:
        LimitsError: a feed-forward torque is not finite, or more than the motor may use.
    """

    drive: Drive
    position: FloatArray
    """Goal, rad."""
    velocity: FloatArray
    """Feed-forward velocity, rad/s."""
    torque: FloatArray
    """Feed-forward torque, N m."""
    stiffness: FloatArray
    """Share of the configured position gain, 0 to 1."""
    damping: FloatArray
    """Share of the configured velocity gain, 0 to 1."""
    max_torque: FloatArray
    """Torque the motor may not exceed, N m."""
    free: BoolArray | None = None
    """True where the motor lets go of its joint, whatever else is said here; None: nowhere."""

    def __post_init__(self) -> None:
        # Nothing feeds torque forward today; whoever begins to is bounded like the motor itself.
        if np.count_nonzero(self.torque) and not (np.abs(self.torque) <= self.max_torque).all():
            raise LimitsError(
                f"feed-forward torque {self.torque} N m; valid is up to {self.max_torque} N m"
            )

    @classmethod
    def to(cls, position: FloatArray, max_torque: FloatArray) -> JointCommand:
        """Follow `position` (rad) at full gains, with at most `max_torque` (N m)."""
        zero, one = np.zeros(len(position)), np.ones(len(position))
        return cls(Drive.POSITION, position, zero, zero, one, one, max_torque)

    @classmethod
    def damp(cls, joints: int, max_torque: FloatArray) -> JointCommand:
        """Resist motion without holding a position."""
        zero = np.zeros(joints)
        return cls(Drive.DAMP, zero, zero, zero, zero, np.ones(joints), max_torque)

    @classmethod
    def stop(cls, joints: int) -> JointCommand:
        """Switch every motor's torque off."""
        zero = np.zeros(joints)
        return cls(Drive.STOP, zero, zero, zero, zero, zero, zero)


@dataclass(frozen=True, slots=True)
class JointState:
    """What the motors last said. A value that did not arrive this tick keeps its old `time`."""

    time: FloatArray
    """Monotonic time each joint's values arrived, s; -inf: never."""
    valid: BoolArray
    """True where the joint answered in this exchange; with old values, `time` stays as it was."""
    position: FloatArray
    """rad"""
    velocity: FloatArray
    """rad/s"""
    torque: FloatArray
    """N m, as the motor reports it."""
    temperature: FloatArray
    """degrees C"""
    voltage: FloatArray
    """Supply at the motor, V."""
    power: FloatArray
    """Electrical power drawn, W."""
    driving: BoolArray
    """True where the motor reports that it may put torque on the joint."""

    @classmethod
    def unheard(cls, joints: int) -> JointState:
        """The state of joints that never answered."""
        never, no = np.full(joints, -np.inf), np.zeros(joints, dtype=np.bool_)
        nan = np.full(joints, np.nan)
        return cls(never, no, nan, nan, nan, nan, nan, nan, no)


@dataclass(frozen=True, slots=True)
class ImuSample:
    """One inertial sample in the body frame FLU (x forward, y left, z up)."""

    time: float
    """Monotonic arrival time, s."""
    orientation: FloatArray
    """Unit quaternion (w, x, y, z), body to world; world z is up."""
    angular_velocity: FloatArray
    """rad/s, shape (3,)."""
    acceleration: FloatArray
    """Specific force, m/s^2, shape (3,); at rest about (0, 0, +9.81)."""

    @property
    def roll(self) -> float:
        """Rotation about x, rad; positive lowers the right side."""
        w, x, y, z = self.orientation
        return math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))

    @property
    def pitch(self) -> float:
        """Rotation about y, rad; positive lowers the nose."""
        w, x, y, z = self.orientation
        return math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))

    @property
    def tilt(self) -> float:
        """Angle between the body's z axis and the vertical, rad."""
        _, x, y, _ = self.orientation
        return math.acos(max(-1.0, min(1.0, 1 - 2 * (x * x + y * y))))


@dataclass(frozen=True, slots=True)
class TrackerSample:
    """The robot's place on the floor, as an overhead camera sees it."""

    time: float
    """Monotonic time of the capture (not of the arrival), s."""
    x: float
    y: float
    """m, in the floor's frame."""
    yaw: float
    """rad"""
    forward_velocity: float
    """Velocity along the robot's own heading, m/s."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a camera that belongs to the robot."""

    time: float
    """Monotonic time of the exposure (not of the arrival), s."""
    image: Image
    """RGB, shape (height, width, 3), not writeable."""
    sequence: int
    """Counts the camera's pictures; a higher one is another picture."""


@dataclass(frozen=True, slots=True)
class CameraView:
    """What the robot's camera shows at present."""

    frame: Frame | None
    """The newest picture; None: none that is young enough."""
    fault: str = ""
    """Why there is none: unplugged, silent, frozen, black, damaged, settings, late; or empty."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong, named so that a person can find it."""

    name: str
    """Stable identifier, e.g. `motor_fault`, `imu_stale`."""
    source: str
    """The device or joint it comes from."""
    detail: str
    """What was seen and what would be right."""

    def __str__(self) -> str:
        return f"{self.name} ({self.source}): {self.detail}"


@dataclass(frozen=True, slots=True)
class RobotState:
    """Everything one exchange learned, with the time of each value."""

    time: float
    """Monotonic time the exchange ended, s."""
    joints: JointState
    imu: ImuSample | None
    tracker: TrackerSample | None
    faults: tuple[Fault, ...] = ()
    camera: CameraView | None = None
    """None: a robot without a camera."""


@dataclass(frozen=True)
class Limits:
    """What the joints may be asked to do; checked once, when built.

    Raises:
        LimitsError: an array has the wrong length or is not finite, a lower limit is not below its
            upper, or a bound that must be positive is not.
    """

    names: tuple[str, ...]
    lower: FloatArray
    """rad"""
    upper: FloatArray
    """rad"""
    velocity: FloatArray
    """Largest commanded speed, rad/s."""
    acceleration: FloatArray
    """Largest commanded acceleration, rad/s^2."""
    torque: FloatArray
    """Peak torque, N m."""
    continuous_torque: FloatArray
    """Torque above which time is counted toward the motor's thermal cut-off, N m."""
    continuous_time: float
    """How long the motor survives above `continuous_torque`, s."""
    temperature: float
    """Motor temperature that stops the robot, degrees C."""
    tilt: float = field(default=math.inf)
    """Body tilt that damps the robot, rad; inf for a robot without a body to fall."""

    def __post_init__(self) -> None:
        count = len(self.names)
        for key in ("lower", "upper", "velocity", "acceleration", "torque", "continuous_torque"):
            value = np.array(getattr(self, key), dtype=np.float64)
            if value.shape != (count,):
                raise LimitsError(f"limits.{key} has shape {value.shape}; expected ({count},)")
            if not np.isfinite(value).all():
                raise LimitsError(f"limits.{key} holds a value that is not finite: {value}")
            value.setflags(write=False)
            object.__setattr__(self, key, value)
        for index, name in enumerate(self.names):
            if not self.lower[index] < self.upper[index]:
                raise LimitsError(
                    f"limits of {name}: lower {self.lower[index]} is not below upper"
                    f" {self.upper[index]}"
                )
        for key in ("velocity", "acceleration", "torque", "continuous_torque"):
            if not (getattr(self, key) > 0).all():
                raise LimitsError(f"limits.{key} must be positive, got {getattr(self, key)}")
        for key in ("continuous_time", "temperature", "tilt"):
            if not getattr(self, key) > 0:
                raise LimitsError(f"limits.{key} must be positive, got {getattr(self, key)}")


class Robot(Protocol):
    """A robot, real or twin: the bytes below it may differ, this does not."""

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Names in the order of every array."""
        ...

    @property
    def limits(self) -> Limits:
        """What its joints may be asked to do."""
        ...

    def configure(self) -> None:
        """Find every device, clear motor faults, check and write settings; torque stays off.

        May retry; never called inside the control tick.

        Raises:
            RobotError: a device is missing, is not what the robot file says, or refuses a setting.
        """
        ...

    def exchange(self, command: JointCommand, deadline: float) -> RobotState:
        """Send one command and return what was heard before `deadline` (clock time, s).

        Never raises for a lost or damaged reply: the joint is then not `valid` and keeps its old
        time. A dead bus is a fault in the state.
        """
        ...

    def stop(self) -> bool:
        """Switch torque off, retrying; True only when every motor was read back as not driving."""
        ...

    def close(self) -> None:
        """Release the devices; safe to call twice."""
        ...
