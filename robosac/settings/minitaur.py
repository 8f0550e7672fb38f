"""The quadruped: its walking task, and its twin."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from robosac.settings.common import Section
from robosac.settings.robot import RobotConfig, check_periods


class RewardSection(Section, frozen=True):
    """Weights of the walking reward (terms: arXiv 1812.05905, 7.2; weights are ours)."""

    forward_velocity: Annotated[
        float, Meta(ge=0, description="reward per m/s of forward velocity, each step")
    ] = 10.0
    velocity_cap_m_s: Annotated[
        float, Meta(gt=0, description="m/s of forward velocity beyond which nothing more is earned")
    ] = 1.0
    overspeed: Annotated[
        float, Meta(ge=0, description="cost per m/s beyond that, as a share of what one m/s earns")
    ] = 0.0
    acceleration: Annotated[
        float,
        Meta(ge=0, description="cost per unit of the actions' second difference, mean of joints"),
    ] = 0.3
    pitch: Annotated[float, Meta(ge=0, description="cost per rad of pitch past its bound")] = 3.0
    pitch_bound_rad: Annotated[
        float, Meta(ge=0, description="rad of pitch, either way, that costs nothing")
    ] = 0.1
    folded_front_legs: Annotated[
        float, Meta(ge=0, description="cost per rad that a front leg swings back past its bound")
    ] = 1.5
    front_swing_bound_rad: Annotated[
        float, Meta(ge=0, description="rad of backward front-leg swing that costs nothing")
    ] = 0.3


class WalkSection(Section, frozen=True):
    """The walking task: what an action means, what is seen, what is rewarded, when it ends."""

    episode_steps: Annotated[int, Meta(ge=1, description="policy steps until time is up")] = 500
    control_period_s: Annotated[float, Meta(gt=0, le=1, description="s between policy steps")] = (
        0.02
    )
    extension_centre_rad: Annotated[
        float, Meta(ge=0.5, le=3.0, description="rad, leg extension at action 0")
    ] = 2.0
    extension_range_rad: Annotated[
        float, Meta(gt=0, le=1.5, description="rad, leg extension added at action 1")
    ] = 0.35
    swing_centre_rad: Annotated[
        float, Meta(ge=-1.0, le=1.0, description="rad, leg swing at action 0; forward is positive")
    ] = -0.1
    swing_range_rad: Annotated[
        float, Meta(gt=0, le=1.5, description="rad, leg swing added at action 1")
    ] = 0.3
    history: Annotated[
        int, Meta(ge=0, le=50, description="past observations and actions seen beside the present")
    ] = 5
    stand_up_s: Annotated[
        float, Meta(gt=0, le=10, description="s to move to the stance while the body is held")
    ] = 0.3
    settle_s: Annotated[
        float, Meta(gt=0, le=10, description="s to stand by itself before the episode begins")
    ] = 0.3
    reset: Annotated[
        Literal["operator", "self"],
        Meta(description="who sets the robot up: operator, or self, who calls one if it cannot"),
    ] = "operator"
    get_up_retries: Annotated[
        int, Meta(ge=0, le=20, description="further attempts to get up before one is called")
    ] = 5
    get_up_speed_rad_s: Annotated[
        float, Meta(gt=0, le=5, description="rad/s, legs on their way to the stance, with self")
    ] = 2.0
    fall_angle_rad: Annotated[
        float, Meta(gt=0, le=3.2, description="rad of body tilt that ends the episode as a fall")
    ] = 0.5
    fold_angle_rad: Annotated[
        float,
        Meta(gt=0, le=3.2, description="rad a front leg may swing back; beyond it is a fall too"),
    ] = 0.65
    tracker_age_s: Annotated[
        float,
        Meta(gt=0, le=0.2, description="s, age of the tracker's fix that ends the episode"),
    ] = 0.2
    reward: RewardSection = RewardSection()


class NoiseSection(Section, frozen=True):
    """Standard deviations of the twin's sensor noise."""

    joint_position_rad: Annotated[float, Meta(ge=0, description="rad, encoder")] = 0.001
    joint_velocity_rad_s: Annotated[float, Meta(ge=0, description="rad/s, motor velocity")] = 0.05
    orientation_rad: Annotated[float, Meta(ge=0, description="rad, IMU roll and pitch")] = 0.005
    angular_velocity_rad_s: Annotated[float, Meta(ge=0, description="rad/s, IMU gyroscope")] = 0.01
    tracker_position_m: Annotated[float, Meta(ge=0, description="m, overhead tracker")] = 0.002
    tracker_yaw_rad: Annotated[float, Meta(ge=0, description="rad, overhead tracker")] = 0.005


class TwinOverheadSection(Section, frozen=True):
    """The twin's overhead camera: when its tracker has fixes, and its pictures come."""

    fps: Annotated[float, Meta(gt=0, le=120, description="pictures a second")] = 60.0
    latency_s: Annotated[float, Meta(ge=0, le=0.5, description="s from exposure to picture")] = 0.04
    jitter_s: Annotated[
        float, Meta(ge=0, le=0.5, description="s, at most so much is added to a picture's latency")
    ] = 0.0


class TwinSection(Section, frozen=True):
    """The simulated robot behind a twin:// address."""

    seed: Annotated[int, Meta(ge=0, description="seed of the twin's own randomness")] = 0
    supply_voltage_v: Annotated[
        float, Meta(ge=14.0, le=16.8, description="V, battery (4S LiPo: 14.0 to 16.8)")
    ] = 16.0
    sensor_latency_s: Annotated[
        float,
        Meta(ge=0, le=0.1, description="s from a motion to the reply or message that tells it"),
    ] = 0.015
    pd_latency_s: Annotated[
        float, Meta(ge=0, le=0.02, description="s between measuring and acting in the motor loop")
    ] = 0.003
    randomisation: Annotated[
        Literal["off", "tan2018"],
        Meta(description="dynamics drawn anew each episode: off, tan2018 (arXiv 1804.10332)"),
    ] = "off"
    noise: NoiseSection = NoiseSection()
    overhead: TwinOverheadSection = TwinOverheadSection()


class MinitaurConfig(RobotConfig, frozen=True):
    """The quadruped, or its twin."""

    task: WalkSection = WalkSection()
    twin: TwinSection = TwinSection()

    def __post_init__(self) -> None:
        RobotConfig.__post_init__(self)
        check_periods(self.task.control_period_s, self.executor.period_s)

    @property
    def symmetric(self) -> bool:
        return True
