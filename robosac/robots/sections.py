"""The sections of a robot file, each strict about its keys; units are in the names."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from drivers.hipnuc import codec as hipnuc
from drivers.vectornav import codec as vectornav

Positive = Annotated[float, Meta(gt=0)]
Pixels = Annotated[int, Meta(ge=1, le=16384)]
Vector = tuple[float, float, float]

IMU_BAUDS = {"vn100": vectornav.BAUDS, "hi91": hipnuc.BAUDS}
"""Bit rates of each kind of inertial sensor, bit/s."""


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every section: frozen, and strict about its keys."""


class Ports(Section, frozen=True):
    """Stable names of the serial ports."""

    legs: str
    imu: str


class Imu(Section, frozen=True):
    """The inertial sensor."""

    kind: Literal["vn100", "hi91"] = "vn100"
    """VectorNav VN-100, or HiPNUC with HI91 frames."""
    baud: int = 921600
    """What the sensor is set to, bit/s."""

    def __post_init__(self) -> None:
        valid = IMU_BAUDS[self.kind]
        if self.baud not in valid:
            raise ValueError(f"imu: a {self.kind} has no {self.baud} bit/s; valid: {sorted(valid)}")


class Motor(Section, frozen=True):
    """One motor and the joint it turns."""

    id: Annotated[int, Meta(ge=1, le=126)]
    """CAN id."""
    direction: int
    """+1 or -1: sign from motor angle to joint angle."""
    offset_rad: float
    """Motor angle (after the sign) at the joint's zero, rad."""

    def __post_init__(self) -> None:
        if self.direction not in (-1, 1):
            raise ValueError(f"direction is {self.direction}; valid are 1 and -1")


class Gains(Section, frozen=True):
    """The position loop as configured in the controllers."""

    stiffness_n_m_per_rad: Positive
    damping_n_m_s_per_rad: Positive


class Bounds(Section, frozen=True):
    """Joint angles outside which a controller gives no torque outward."""

    lower_rad: float
    upper_rad: float

    def __post_init__(self) -> None:
        if not self.lower_rad < self.upper_rad:
            raise ValueError(f"lower_rad {self.lower_rad} is not below upper_rad {self.upper_rad}")


class Controllers(Section, frozen=True):
    """How else every controller must be configured; what is left out may be as it is."""

    voltage_mode_control: bool | None = None
    """servo.voltage_mode_control"""
    max_current_a: Positive | None = None
    """servo.max_current_A"""
    bounds: Bounds | None = None
    """servopos.position_min and position_max, as joint angles."""


class LimitSection(Section, frozen=True):
    """Limits common to all joints; see `robosac.hal.Limits`."""

    lower_rad: float
    upper_rad: float
    velocity_rad_s: Positive
    acceleration_rad_s2: Positive
    torque_n_m: Positive
    continuous_torque_n_m: Positive
    continuous_time_s: Positive
    temperature_c: Positive
    tilt_rad: Positive


class SupplyRange(Section, frozen=True):
    """Supply voltage within which the robot may be armed, and runs, V."""

    lower: Positive
    upper: Positive
    sag: Positive | None = None
    """Below this torque is cut at once, before the controllers start anew; null: lower."""
    surge: Positive | None = None
    """Likewise above; null: upper."""

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ValueError(f"supply_v: lower {self.lower} is not below upper {self.upper}")
        if not self.peaks[0] <= self.lower < self.upper <= self.peaks[1]:
            raise ValueError(
                f"supply_v: sag {self.sag} and surge {self.surge} must lie outside lower"
                f" {self.lower} and upper {self.upper}"
            )

    @property
    def peaks(self) -> tuple[float, float]:
        """Sag and surge, V."""
        sag = self.lower if self.sag is None else self.sag
        return sag, self.upper if self.surge is None else self.surge


class Marker(Section, frozen=True):
    """The ArUco marker (DICT_4X4_50) on the robot's back; see `drivers.aruco.geometry`."""

    id: Annotated[int, Meta(ge=0, le=49)]
    side_m: Positive
    """Of the printed black square, measured."""
    height_m: Positive
    """Of the marker's centre above the floor while the robot walks."""
    forward_m: float = 0.0
    """The marker's centre in the body's frame, and so on."""
    left_m: float = 0.0
    up_m: float = 0.0
    yaw_rad: float = 0.0
    """From the robot's forward to the marker's top edge, counter-clockwise seen from above."""


class CameraCalibration(Section, frozen=True):
    """What was measured of the overhead camera; see `drivers.aruco.geometry.CameraModel`."""

    matrix: tuple[Vector, Vector, Vector]
    """Intrinsics for pictures of the tracker's size, px."""
    distortion: Annotated[tuple[float, ...], Meta(min_length=4, max_length=14)]
    """OpenCV's coefficients: k1, k2, p1, p2, k3, ..."""
    rotation: tuple[Vector, Vector, Vector]
    """Columns are the camera's axes (x right, y down, z forward) in the floor's frame, z up."""
    position: Vector
    """The camera's centre in the floor's frame, m."""


class TrackerSection(Section, frozen=True):
    """The overhead camera that sees the robot walk; its controls are all locked."""

    camera: str
    """Stable path: /dev/v4l/by-id/...-video-index0"""
    size: tuple[Pixels, Pixels]
    """Width and height of the pictures, px."""
    fps: Positive
    exposure_s: Annotated[float, Meta(ge=1e-4, le=1.0)]
    """In steps of 0.1 ms; short, or walking smears the marker."""
    marker: Marker
    calibration: CameraCalibration
    gain: float | None = None
    """In the camera's own units; null: it has no such control, here and below."""
    white_balance_k: Positive | None = None
    focus: float | None = None
    """In the camera's own units."""
    power_line_hz: Literal[0, 50, 60] | None = None
    """Of the room's lights, against flicker; 0: off."""
    dynamic_framerate: bool | None = False
    """Whether the camera may slow down in the dark."""
    latency_s: Annotated[float, Meta(ge=0, lt=0.2)] = 0.0
    """Calibrated time from the middle of the exposure to the frame's stamp, s."""
