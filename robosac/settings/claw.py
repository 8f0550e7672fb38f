"""The hand: its valve-turning task, and its twin."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from msgspec import Meta

from robosac.settings.common import Section
from robosac.settings.robot import RobotConfig, check_periods

Definition = Literal[
    "paper", "robel-turn-fixed", "robel-turn-random", "robel-screw-fixed", "robel-screw-random"
]

PICTURED: tuple[Definition, ...] = ("paper", "robel-turn-fixed")
"""Definitions whose target is always the same, so that a picture tells what is to be done."""


class TurnRewardSection(Section, frozen=True):
    """Weights of the turning reward: the paper's distance, and two terms of ours."""

    distance: Annotated[
        float, Meta(ge=0, description="cost per rad between valve and target, each step")
    ] = 2.0
    near: Annotated[
        float, Meta(ge=0, description="earned at the target itself, each step; a bell around it")
    ] = 1.0
    near_rad: Annotated[
        float, Meta(gt=0, le=1, description="rad of error at which the bell is down to 1/e")
    ] = 0.15
    velocity: Annotated[
        float, Meta(ge=0, description="cost per rad/s of fingers above 0.5, norm, each step")
    ] = 0.02


class ResetSection(Section, frozen=True):
    """The automatic reset: fingers home, the valve's servo to the start angle, and a check."""

    finger_speed_rad_s: Annotated[
        float, Meta(gt=0, le=5, description="rad/s, fingers on their way home")
    ] = 2.5
    valve_speed_rad_s: Annotated[
        float, Meta(gt=0, le=5, description="rad/s, valve on its way to the start angle")
    ] = 3.0
    settle_s: Annotated[
        float, Meta(gt=0, le=10, description="s to come to rest before the check")
    ] = 0.3
    tolerance_rad: Annotated[
        float, Meta(gt=0, le=1, description="rad within which every joint must stand")
    ] = math.radians(5.0)
    retries: Annotated[
        int, Meta(ge=0, le=10, description="disentanglings before a person is called")
    ] = 3
    let_go_s: Annotated[
        float, Meta(gt=0, le=10, description="s without torque while disentangling, each stage")
    ] = 0.75


class TurnSection(Section, frozen=True):
    """The turning task: what an action means, what is seen, what is rewarded, when it ends."""

    definition: Annotated[
        Definition,
        Meta(description="paper (arXiv 1812.05905, 7.3), or one of ROBEL's (1909.11639)"),
    ] = "paper"
    pixels: Annotated[
        bool, Meta(description="see the camera's picture in place of the valve's angle")
    ] = False
    action: Annotated[
        Literal["relative", "absolute"],
        Meta(description="relative: a target beside the joint; absolute: one in the joint's range"),
    ] = "relative"
    episode_steps: Annotated[int, Meta(ge=1, description="policy steps until time is up")] = 100
    control_period_s: Annotated[float, Meta(gt=0, le=1, description="s between policy steps")] = 0.1
    target_rad: Annotated[
        float, Meta(ge=-4, le=4, description="rad, valve angle to reach; 0: coloured end right")
    ] = 0.0
    success_rad: Annotated[
        float, Meta(gt=0, le=1, description="rad of error below which the valve is turned")
    ] = 0.1
    speed_rad_s: Annotated[
        float, Meta(gt=0, le=5, description="rad/s by which a target may run ahead of its joint")
    ] = 3.0
    frame_age_s: Annotated[
        float, Meta(gt=0, le=0.5, description="s, age of the picture that ends the episode")
    ] = 0.2
    joint_age_s: Annotated[
        float, Meta(gt=0, le=0.5, description="s, age of the valve's angle that ends the episode")
    ] = 0.05
    reward: TurnRewardSection = TurnRewardSection()
    reset: ResetSection = ResetSection()


class TwinCameraSection(Section, frozen=True):
    """The twin's camera, as a USB camera behaves."""

    size: Annotated[int, Meta(ge=16, le=128, description="px, width and height of the picture")] = (
        32
    )
    fps: Annotated[float, Meta(gt=0, le=120, description="pictures a second")] = 30.0
    latency_s: Annotated[float, Meta(ge=0, le=0.5, description="s from exposure to arrival")] = 0.02
    jitter_s: Annotated[
        float, Meta(ge=0, le=0.5, description="s, at most so much is added to a picture's latency")
    ] = 0.0
    exposure: Annotated[
        float, Meta(gt=0, le=10, description="signal by light; 1: a white surface is full scale")
    ] = 1.0
    read_noise: Annotated[
        float,
        Meta(ge=0.0005, le=0.2, description="standard deviation in the dark, of full scale"),
    ] = 0.002
    shot_noise: Annotated[
        float, Meta(ge=0, le=0.2, description="the light's own at full scale; grows with its root")
    ] = 0.01
    randomisation: Annotated[
        Literal["off", "mild"],
        Meta(description="colours, light and pose of the camera, drawn anew each episode"),
    ] = "off"


class ClawTwinSection(Section, frozen=True):
    """The simulated hand behind a twin:// address."""

    supply_voltage_v: Annotated[
        float, Meta(ge=11.0, le=30.0, description="V, of the servos; XH430-V210: 24")
    ] = 24.0
    servos: Annotated[
        Literal["xh430", "identified", "robel"],
        Meta(description="joints: xh430 (this hand's), identified (an X430's), robel (its model)"),
    ] = "xh430"
    randomisation: Annotated[
        Literal["off", "robel"],
        Meta(description="dynamics drawn anew each episode: off, robel (arXiv 1909.11639)"),
    ] = "off"
    camera: TwinCameraSection = TwinCameraSection()


class ClawConfig(RobotConfig, frozen=True):
    """The hand, or its twin."""

    task: TurnSection = TurnSection()
    twin: ClawTwinSection = ClawTwinSection()

    def __post_init__(self) -> None:
        RobotConfig.__post_init__(self)
        check_periods(self.task.control_period_s, self.executor.period_s)
        if self.task.pixels and self.task.definition not in PICTURED:
            raise ValueError(
                f"task.definition {self.task.definition} has a target that no picture shows; with"
                f" task.pixels valid are {', '.join(PICTURED)}"
            )

    @property
    def pixels(self) -> bool:
        return self.task.pixels

    @property
    def symmetric(self) -> bool:
        # A picture shows which finger is where.
        return not self.task.pixels
