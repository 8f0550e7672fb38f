"""What was measured on one robot: the frozen numbers, and what must hold among them."""

from __future__ import annotations

import datetime
import itertools
import math
from typing import Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from calibration.camera_record import CAMERAS, MeasuredCamera
from calibration.section import Count, DeviceTag, Section, Text

FORMAT: Final = 2
"""Of the file; version 1 had no key `format`, no evidence and no checksum."""
NOMINAL: Final = "nominal"
"""In place of a date: these numbers are the drawings', and nothing was measured."""
LARGEST_CORRECTION_RAD: Final = 2.0 * math.pi
"""A horn may sit anywhere on a shaft, so a zero may lie up to a turn from the drawn one."""
NORM_TOLERANCE: Final = 1e-3

__all__ = [
    "FORMAT",
    "NOMINAL",
    "Calibration",
    "Delay",
    "DeviceTag",
    "Evidence",
    "JointCalibration",
    "missing_evidence",
]


class JointCalibration(Section, frozen=True):
    """One joint: which motor it is, and where its zero really lies."""

    motor_id: int
    """Id, on its bus, of the motor this was measured on."""
    offset_correction_rad: float = 0.0
    """Added to the robot file's offset; joint angle, rad."""
    sign: Literal[-1, 1] | None = None
    """Measured sign from motor angle to joint angle; None: not measured, and so are the next."""
    file_offset_rad: float | None = None
    """The robot file's `offset_rad` that the correction belongs to."""
    range_rad: tuple[float, float] | None = None
    """Measured end stops, joint angle, rad; None with a sign: the joint turns without end."""
    device: DeviceTag | None = None
    """The motor's controller, or the servo."""

    def __post_init__(self) -> None:
        if not abs(self.offset_correction_rad) <= LARGEST_CORRECTION_RAD:
            raise ValueError(
                f"offset_correction_rad {self.offset_correction_rad} is outside [-2 pi, 2 pi]"
            )
        together = (self.sign is None, self.file_offset_rad is None, self.device is None)
        if any(together) != all(together):
            raise ValueError(
                "sign, file_offset_rad and device belong together: all measured, or none"
            )
        if self.range_rad is not None:
            if self.sign is None:
                raise ValueError("range_rad without a sign: both are measured, or neither")
            low, high = self.range_rad
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(f"range_rad {list(self.range_rad)} is no range")
        if self.file_offset_rad is not None and not math.isfinite(self.file_offset_rad):
            raise ValueError(f"file_offset_rad {self.file_offset_rad} is not finite")


class Delay(Section, frozen=True):
    """How long something took, over many times; s."""

    count: Count
    mean_s: float
    p50_s: float
    p99_s: float
    max_s: float

    def __post_init__(self) -> None:
        ordered = (0.0, self.p50_s, self.p99_s, self.max_s)
        if not all(a <= b < math.inf for a, b in itertools.pairwise(ordered)):
            raise ValueError("valid is 0 <= p50_s <= p99_s <= max_s")
        if not 0.0 <= self.mean_s <= self.max_s:
            raise ValueError(f"mean_s {self.mean_s} is outside 0 to max_s")


class ActuatorCalibration(Section, frozen=True):
    """What moves one joint, as its twin has to have it; see `calibration.actuators`.

    Each error is a standard error, in the unit of its number.
    """

    torque_gain: float
    """Torque as a share of the nominal motor's; the loop's stiffness and damping go with it."""
    torque_gain_error: float
    viscous_nm_s_rad: float
    viscous_error: float
    dry_friction_nm: float
    dry_friction_error: float
    armature_kg_m2: float
    armature_error: float

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} {getattr(self, name)}; valid is finite, and at least 0")
        for name in ("torque_gain", "armature_kg_m2"):
            if getattr(self, name) == 0.0:
                raise ValueError(f"{name} is 0; valid is above 0")

    @property
    def row(self) -> tuple[float, float, float, float]:
        """By `calibration.actuators.PARAMETERS`."""
        return (
            self.torque_gain,
            self.viscous_nm_s_rad,
            self.dry_friction_nm,
            self.armature_kg_m2,
        )


class Evidence(Section, frozen=True):
    """What a routine saw, by which others may judge its numbers."""

    samples: Count
    """Readings it went by."""
    residuals: dict[Text, float]
    """By name with unit: how far the samples are from what was made of them."""

    def __post_init__(self) -> None:
        if not self.residuals or not all(map(math.isfinite, self.residuals.values())):
            raise ValueError(f"residuals {self.residuals} must be finite, and at least one")


class Calibration(Section, frozen=True):
    """Every number measured on one robot, keyed to that robot."""

    format: Literal[2]
    robot: Text
    """The robot file's `name`."""
    date: str
    """ISO date of the measurement; `nominal` for drawings."""
    joints: dict[Text, JointCalibration]
    """By joint name."""
    imu_mounting: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    """Unit quaternion (w, x, y, z) that turns sensor axes (FRD, as printed on its case) into the
    body's FRD axes."""
    gyro_bias_rad_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Subtracted from the angular velocity, sensor axes."""
    imu: DeviceTag | None = None
    """The inertial sensor; None: not measured."""
    ports: dict[Text, Text] = msgspec.field(default_factory=dict)
    """USB serial number of each port that has one, by the port's name in the robot file."""
    latency: dict[Text, Delay] = msgspec.field(default_factory=dict)
    """By what was timed."""
    cameras: dict[Literal["hand", "tracker"], MeasuredCamera] = msgspec.field(default_factory=dict)
    actuators: dict[Text, ActuatorCalibration] = msgspec.field(default_factory=dict)
    """By joint name: all of them, or none."""
    evidence: dict[Text, Evidence] = msgspec.field(default_factory=dict)
    """By routine: `joints`, `imu`, `camera_hand`, ..."""

    def __post_init__(self) -> None:
        norm = math.sqrt(sum(part * part for part in self.imu_mounting))
        if not abs(norm - 1.0) < NORM_TOLERANCE:
            raise ValueError(f"imu_mounting has norm {norm:.4f}; a rotation is a unit quaternion")
        if not all(map(math.isfinite, self.gyro_bias_rad_s)):
            raise ValueError(f"gyro_bias_rad_s {list(self.gyro_bias_rad_s)} is not finite")
        if self.date != NOMINAL:
            try:
                datetime.date.fromisoformat(self.date)
            except ValueError as error:
                raise ValueError(
                    f"date {self.date!r} is none; valid is such as 2026-01-31, or {NOMINAL}"
                ) from error

    @property
    def measured(self) -> bool:
        """Whether anything was measured; if not, these are the drawings' numbers."""
        return self.date != NOMINAL

    def age_days(self, today: datetime.date) -> int:
        """Whole days from the measurement to `today`; negative: it lies in the future.

        Raises:
            ValueError: nothing was measured, so it has no age.
        """
        if not self.measured:
            raise ValueError("a nominal calibration was never measured, and has no age")
        return (today - datetime.date.fromisoformat(self.date)).days

    def offsets(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        """Offset corrections in the order of `names`, rad."""
        return np.array([self.joints[name].offset_correction_rad for name in names])


def missing_evidence(calibration: Calibration) -> str:
    """Which number stands there without the measurement behind it; empty if none does.

    A file must hold this; a test may build a calibration out of the air.
    """
    shown = calibration.evidence
    measured = [name for name, joint in calibration.joints.items() if joint.sign is not None]
    if not calibration.measured:
        bare = Calibration(
            format=FORMAT,
            robot=calibration.robot,
            date=NOMINAL,
            joints={
                name: JointCalibration(motor_id=joint.motor_id)
                for name, joint in calibration.joints.items()
            },
        )
        return "" if calibration == bare else f"date is {NOMINAL}, but it holds measured numbers"
    if not shown:
        return "evidence is empty, but date says that something was measured"
    if bool(measured) != ("joints" in shown):
        return "joints and evidence.joints belong together: one has measurements, the other none"
    for name, joint in calibration.joints.items():
        if joint.sign is None and (measured or joint.offset_correction_rad != 0.0):
            return f"joints.{name} was not measured, for it has no sign"
    if bool(calibration.actuators) != ("actuators" in shown):
        return "actuators and evidence.actuators belong together"
    if calibration.actuators and set(calibration.actuators) != set(calibration.joints):
        return "actuators and joints are not of the same names"
    turned = calibration.imu_mounting != (1.0, 0.0, 0.0, 0.0) or any(calibration.gyro_bias_rad_s)
    if (calibration.imu is not None) != ("imu" in shown) or (turned and "imu" not in shown):
        return "imu, imu_mounting, gyro_bias_rad_s and evidence.imu belong together"
    for name in CAMERAS:
        if (name in calibration.cameras) != (f"camera_{name}" in shown):
            return f"cameras.{name} and evidence.camera_{name} belong together"
    return ""
