"""The frozen tree of every setting. Defaults are here; presets and overrides replace them.

Each field carries its meaning and unit, which `robosac.config.dump` writes beside its value.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every section: frozen, strict about its keys."""


class SacSection(Section, frozen=True):
    """Soft Actor-Critic; the defaults are Table 1 of arXiv 1812.05905."""

    learning_rate: Annotated[
        float, Meta(gt=0, description="Adam's step size for critics, policy and temperature")
    ] = 3e-4
    discount: Annotated[
        float, Meta(ge=0, lt=1, description="gamma, weight of the next step's value")
    ] = 0.99
    target_smoothing: Annotated[
        float, Meta(gt=0, le=1, description="tau, share of the critics that enters their targets")
    ] = 0.005
    hidden_units: Annotated[
        tuple[Annotated[int, Meta(ge=1)], ...],
        Meta(min_length=1, description="units of each hidden ReLU layer, critics and policy"),
    ] = (256, 256)
    batch_size: Annotated[int, Meta(ge=1, description="transitions in one update")] = 256
    replay_capacity: Annotated[
        int, Meta(ge=1, description="transitions kept; at least batch_size")
    ] = 1_000_000
    updates_per_step: Annotated[
        float, Meta(gt=0, description="gradient updates for each environment step")
    ] = 1.0
    random_steps: Annotated[
        int, Meta(ge=0, description="steps of uniform random actions before the policy acts")
    ] = 10_000
    target_entropy: Annotated[
        float | None, Meta(description="nats; null: minus the number of action dimensions")
    ] = None
    initial_alpha: Annotated[
        float, Meta(gt=0, description="temperature before the first update")
    ] = 1.0

    def __post_init__(self) -> None:
        if self.replay_capacity < self.batch_size:
            raise ValueError(
                f"replay_capacity {self.replay_capacity} is below batch_size {self.batch_size}"
            )


class RewardSection(Section, frozen=True):
    """Weights of the walking reward (terms: arXiv 1812.05905, 7.2; weights are ours)."""

    forward_velocity: Annotated[
        float, Meta(ge=0, description="reward per m/s of forward velocity, each step")
    ] = 10.0
    velocity_cap_m_s: Annotated[
        float, Meta(gt=0, description="m/s of forward velocity beyond which nothing more is earned")
    ] = 1.0
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


class ExecutorSection(Section, frozen=True):
    """The loop that owns the robot."""

    period_s: Annotated[float, Meta(gt=0, le=0.1, description="s between ticks")] = 0.005
    hold_after_s: Annotated[
        float, Meta(gt=0, le=10, description="s without a request until the robot holds still")
    ] = 0.1
    damp_after_s: Annotated[
        float, Meta(gt=0, le=30, description="s without a request until it only damps")
    ] = 0.5
    stop_after_s: Annotated[
        float, Meta(gt=0, le=60, description="s without a request until torque is off")
    ] = 2.0
    position_tolerance_rad: Annotated[
        float,
        Meta(ge=0, le=1, description="rad a joint may be measured past a limit; the legs give way"),
    ] = 0.6

    def __post_init__(self) -> None:
        if not self.hold_after_s < self.damp_after_s < self.stop_after_s:
            raise ValueError(
                f"hold_after_s {self.hold_after_s}, damp_after_s {self.damp_after_s} and"
                f" stop_after_s {self.stop_after_s} must rise in this order"
            )


class RobotSection(Section, frozen=True):
    """Which robot, and where it is."""

    address: Annotated[
        str, Meta(min_length=1, description="twin://minitaur, or serial for the robot file's ports")
    ] = "twin://minitaur"
    file: Annotated[str | None, Meta(description="path of the robot file; null: nominal")] = None
    calibration: Annotated[
        str | None, Meta(description="path of the calibration file; null: nominal")
    ] = None


class EvaluationSection(Section, frozen=True):
    """Episodes with the deterministic policy, from which nothing is learned."""

    every_steps: Annotated[int, Meta(ge=1, description="environment steps between evaluations")] = (
        10_000
    )
    episodes: Annotated[int, Meta(ge=1, description="episodes in each evaluation")] = 3


class TrainConfig(Section, frozen=True):
    """What every training run has."""

    preset: Annotated[str, Meta(min_length=1, description="name of the preset this came from")]
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1, description="seed of everything random")] = 0
    steps: Annotated[
        int, Meta(ge=1, description="environment steps; the last episode is finished")
    ] = 100_000
    recipe: Annotated[
        Literal["paper"], Meta(description="paper: Table 1 of arXiv 1812.05905 to the letter")
    ] = "paper"
    checkpoint_every_episodes: Annotated[
        int, Meta(ge=1, description="episodes between checkpoints")
    ] = 10
    learner_threads: Annotated[
        int, Meta(ge=1, le=256, description="threads of the learner's arithmetic")
    ] = 1
    run_root: Annotated[str, Meta(min_length=1, description="folder that run folders go in")] = (
        "runs"
    )
    run_name: Annotated[
        str | None, Meta(description="name of the run folder; null: preset and time")
    ] = None
    sac: SacSection = SacSection()
    evaluation: EvaluationSection = EvaluationSection()


class GymConfig(TrainConfig, frozen=True):
    """A gymnasium environment, preset `gym:ENV_ID`."""

    @property
    def environment(self) -> str:
        """The id to give to `gymnasium.make`."""
        return self.preset.removeprefix("gym:")


class RobotConfig(TrainConfig, frozen=True):
    """A robot, or its twin."""

    robot: RobotSection = RobotSection()
    task: WalkSection = WalkSection()
    executor: ExecutorSection = ExecutorSection()
    twin: TwinSection = TwinSection()

    def __post_init__(self) -> None:
        ratio = self.task.control_period_s / self.executor.period_s
        if abs(ratio - round(ratio)) > 1e-6 or ratio < 1:
            raise ValueError(
                f"task.control_period_s {self.task.control_period_s} is not a whole multiple of"
                f" executor.period_s {self.executor.period_s}"
            )
