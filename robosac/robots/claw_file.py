"""The hand's file: its servos, how far and how hard they may go, and its camera."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from robosac.hal import Limits
from robosac.robots.loading import read_robot_file
from robosac.robots.sections import Pixels, Positive, Section, SupplyRange

FINGER_JOINTS = tuple(
    f"{part}_{finger}" for finger in range(3) for part in ("base", "middle", "tip")
)
VALVE = "valve"
JOINTS = (*FINGER_JOINTS, VALVE)
"""In the order of every array."""
VALVE_TURNS = 100
"""How far the valve may have turned since power came on before it is taken for lost."""


class ServoPort(Section, frozen=True):
    """The adapter that all servos hang on."""

    path: str
    """Stable name: /dev/serial/by-id/..."""
    baud: Annotated[int, Meta(ge=9600, le=4_500_000)] = 1_000_000
    """bit/s; what the servos are set to."""


class Servo(Section, frozen=True):
    """One servo and the joint it turns."""

    id: Annotated[int, Meta(ge=0, le=252)]
    direction: Literal[-1, 1]
    """Sign from the servo's angle to the joint's."""
    offset_rad: float
    """The servo's angle (after the sign) at the joint's zero, rad; 0 to 2 pi is its first turn."""


class JointRange(Section, frozen=True):
    """How far and how hard one kind of joint may go."""

    lower_rad: float
    upper_rad: float
    velocity_rad_s: Positive
    acceleration_rad_s2: Positive
    torque_n_m: Positive
    """Peak, which the servo keeps by its current."""
    continuous_torque_n_m: Positive


class ClawLimits(Section, frozen=True):
    """See `robosac.hal.Limits`; the valve turns without end."""

    base: JointRange
    middle: JointRange
    tip: JointRange
    valve: JointRange
    continuous_time_s: Positive
    temperature_c: Positive

    def of(self, joint: str) -> JointRange:
        """The range of one of `JOINTS`."""
        return {"base": self.base, "middle": self.middle, "tip": self.tip, VALVE: self.valve}[
            joint.split("_")[0]
        ]


class CameraSection(Section, frozen=True):
    """The camera that looks at the valve; its controls are all locked."""

    path: str
    """Stable path: /dev/v4l/by-id/...-video-index0"""
    size: tuple[Pixels, Pixels]
    """Width and height as captured, px."""
    picture: tuple[Pixels, Pixels]
    """Width and height of what is delivered, averaged by area, px."""
    fps: Positive
    exposure_s: Annotated[float, Meta(ge=1e-4, le=1.0)]
    """In steps of 0.1 ms."""
    gain: float | None = None
    """In the camera's own units; null: it has no such control, here and below."""
    white_balance_k: Positive | None = None
    focus: float | None = None
    power_line_hz: Literal[0, 50, 60] | None = None
    """Of the room's lights, against flicker; 0: off."""
    dynamic_framerate: bool | None = False
    """Whether the camera may slow down in the dark."""
    latency_s: Annotated[float, Meta(ge=0, lt=0.2)] = 0.0
    """Calibrated time from the middle of the exposure to the frame's stamp, s."""


class ClawFile(Section, frozen=True):
    """A hand's wiring, limits and gains."""

    name: str
    port: ServoPort
    model: Annotated[str, Meta(min_length=1)]
    """Of every servo, as the maker writes it: XH430-V210."""
    motors: dict[str, Servo]
    position_p_gain: Annotated[int, Meta(ge=1, le=16383)]
    """Register Position P Gain (84) of every servo."""
    limits: ClawLimits
    watchdog_s: Annotated[float, Meta(ge=0.02, le=1.0)]
    supply_v: SupplyRange
    camera: CameraSection | None = None
    """None: a hand that only feels."""

    def __post_init__(self) -> None:
        if tuple(self.motors) != JOINTS:
            raise ValueError(f"motors are {list(self.motors)}; valid are {list(JOINTS)}, in order")
        ids = [motor.id for motor in self.motors.values()]
        if len(set(ids)) != len(ids):
            raise ValueError(f"motors: ids {ids} are not all different")

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Joint names in file order, which is the order of every array."""
        return tuple(self.motors)

    def joint_limits(self) -> Limits:
        """The limits as arrays over the joints."""
        ranges = [self.limits.of(joint) for joint in self.joint_names]

        def column(name: str) -> np.ndarray:
            return np.array([getattr(part, name) for part in ranges])

        return Limits(
            names=self.joint_names,
            lower=column("lower_rad"),
            upper=column("upper_rad"),
            velocity=column("velocity_rad_s"),
            acceleration=column("acceleration_rad_s2"),
            torque=column("torque_n_m"),
            continuous_torque=column("continuous_torque_n_m"),
            continuous_time=self.limits.continuous_time_s,
            temperature=self.limits.temperature_c,
            tilt=math.inf,
        )


def load_claw_file(path: Path | str | None) -> ClawFile:
    """Read a hand's file, or the nominal one; see `loading.read_robot_file`."""
    return read_robot_file(path, "claw", ClawFile)
