"""What every training run can be told, whatever the robot. Defaults are here.

Each field carries its meaning and unit, which `robosac.config.dump` writes beside its value.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every section: frozen, strict about its keys."""


Reduction = Literal["min", "mean"]
TargetQ = Annotated[
    Reduction, Meta(description="of the target critics' values, in the target: min or mean")
]
ActorQ = Annotated[
    Reduction, Meta(description="of the critics' values, in the policy's loss: min or mean")
]
CriticLayerNorm = Annotated[
    bool, Meta(description="whether the critics' hidden layers are normalised")
]


class PixelSection(Section, frozen=True):
    """How recipe fast sees; recipe paper sees as the paper says."""

    patches: Annotated[
        tuple[Annotated[int, Meta(ge=1)], ...],
        Meta(min_length=1, description="side of each encoder layer's patches; the first in px"),
    ] = (4, 2)
    filters: Annotated[
        tuple[Annotated[int, Meta(ge=1)], ...],
        Meta(min_length=1, description="filters of each encoder layer"),
    ] = (32, 64)
    units: Annotated[
        int, Meta(ge=2, description="what critics and policy each make of the encoder's features")
    ] = 50
    shift_px: Annotated[
        int, Meta(ge=0, description="px, largest random shift of a picture (DrQ: 4 of 84)")
    ] = 2
    target_q: TargetQ = "min"
    actor_q: ActorQ = "mean"
    critic_layer_norm: CriticLayerNorm = True
    entropy_backup: Annotated[
        bool, Meta(description="whether the target counts the entropy of later actions")
    ] = True


class VectorSection(Section, frozen=True):
    """How recipe fast learns from vectors; recipe paper learns as the paper says."""

    target_q: TargetQ = "min"
    actor_q: ActorQ = "mean"
    critic_layer_norm: CriticLayerNorm = True
    normalise: Annotated[
        bool, Meta(description="whether observations are brought to one scale, as they come")
    ] = True
    policy_rate: Annotated[
        float, Meta(gt=0, le=1, description="the policy's learning rate, over that of the critics")
    ] = 1.0
    policy_average: Annotated[
        float,
        Meta(
            gt=0, le=1, description="share of the newest policy in the one that acts, each update"
        ),
    ] = 1.0
    symmetry: Annotated[
        bool,
        Meta(description="show parts of each batch mirrored or turned: for a robot of like sides"),
    ] = False


class SacSection(Section, frozen=True):
    """Soft Actor-Critic; the defaults are Table 1 of arXiv 1812.05905."""

    learning_rate: Annotated[
        float, Meta(gt=0, description="Adam's step size for critics, policy and temperature")
    ] = 3e-4
    discount: Annotated[
        float, Meta(ge=0, lt=1, description="gamma, weight of the next step's value")
    ] = 0.99
    return_steps: Annotated[
        int,
        Meta(ge=1, description="n, steps whose rewards a target adds up before a value; vectors"),
    ] = 1
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
    random_correlation: Annotated[
        float,
        Meta(
            ge=0, lt=1, description="of one random action with the next: smooth is kind to motors"
        ),
    ] = 0.0
    noise_correlation: Annotated[
        float,
        Meta(ge=0, lt=1, description="of a sampled action's noise with the one's before it"),
    ] = 0.0
    target_entropy: Annotated[
        float | None, Meta(description="nats; null: minus the number of action dimensions")
    ] = None
    initial_alpha: Annotated[
        float, Meta(gt=0, description="temperature before the first update")
    ] = 1.0
    vectors: VectorSection = VectorSection()
    pixels: PixelSection = PixelSection()

    def __post_init__(self) -> None:
        if self.replay_capacity < self.batch_size:
            raise ValueError(
                f"replay_capacity {self.replay_capacity} is below batch_size {self.batch_size}"
            )


class EvaluationSection(Section, frozen=True):
    """Episodes with the deterministic policy, from which nothing is learned."""

    every_steps: Annotated[int, Meta(ge=1, description="environment steps between evaluations")] = (
        10_000
    )
    episodes: Annotated[int, Meta(ge=1, description="episodes in each evaluation")] = 3


class DemonstrationSection(Section, frozen=True):
    """What somebody has shown, learned from beside what the robot gathers (arXiv 2302.02948)."""

    path: Annotated[str | None, Meta(description="file of a demonstration set; null: none")] = None
    share: Annotated[
        float, Meta(gt=0, lt=1, description="part of each batch that is drawn from it")
    ] = 0.5


class LearnerProcessSection(Section, frozen=True):
    """The learner in a process of its own, beside the one that acts."""

    used: Annotated[
        bool, Meta(description="false: actor and learner take turns, exact to the bit")
    ] = False
    lockstep: Annotated[
        bool,
        Meta(
            description="take turns by the episode: exact to the bit on a twin, whoever is killed"
        ),
    ] = False
    behind_steps: Annotated[
        int,
        Meta(ge=10, description="steps whose updates may be outstanding before an episode is cut"),
    ] = 1000
    without_learner_s: Annotated[
        float, Meta(gt=0, description="s that the robot acts on with the last policy")
    ] = 600.0
    policy_age_s: Annotated[
        float, Meta(gt=0, description="s, age of the policy at which the robot rests for a new one")
    ] = 600.0
    buffer_mb: Annotated[
        int, Meta(ge=1, description="MB of transitions the actor keeps until a checkpoint has them")
    ] = 20_000
    publish_updates: Annotated[
        int, Meta(ge=1, description="updates between policies while the learner is behind")
    ] = 200
    publish_s: Annotated[
        float, Meta(gt=0, description="s between policies while the learner is behind")
    ] = 10.0
    checkpoint_s: Annotated[
        float, Meta(gt=0, description="s between checkpoints while the learner is behind")
    ] = 20.0


class TrainConfig(Section, frozen=True):
    """What every training run has."""

    preset: Annotated[str, Meta(min_length=1, description="name of the preset this came from")]
    seed: Annotated[int, Meta(ge=0, le=2**32 - 1, description="seed of everything random")] = 0
    steps: Annotated[
        int, Meta(ge=1, description="environment steps; the last episode is finished")
    ] = 100_000
    recipe: Annotated[
        Literal["paper", "fast"],
        Meta(description="paper: arXiv 1812.05905 to the letter; fast: our own"),
    ] = "paper"
    checkpoint_every_episodes: Annotated[
        int, Meta(ge=1, description="episodes between checkpoints")
    ] = 10
    learner_threads: Annotated[
        int,
        Meta(
            ge=0,
            le=256,
            description="threads of the learner's arithmetic; 0: measured when a run begins",
        ),
    ] = 1
    learner_device: Annotated[
        Literal["cpu", "cuda"],
        Meta(description="where updates are made; cuda: an NVIDIA GPU, by recorded graphs"),
    ] = "cpu"
    learner_core: Annotated[
        Literal["auto", "native", "torch"],
        Meta(
            description="what makes updates; native: C++ built here, for the CPU;"
            " auto: native where it can be had, else torch"
        ),
    ] = "auto"
    learner_products: Annotated[
        Literal["float32", "bfloat16"],
        Meta(
            description="what a CPU multiplies matrices in; bfloat16: in the native core only where"
            " the processor has AMX"
        ),
    ] = "float32"
    learner_replay: Annotated[
        Literal["host", "device"],
        Meta(description="device: a copy of the replay on the GPU; pays for pictures above 32 px"),
    ] = "host"
    learner_prefetch: Annotated[
        bool,
        Meta(description="draw batches by a thread while the learner makes the updates before"),
    ] = False
    run_root: Annotated[str, Meta(min_length=1, description="folder that run folders go in")] = (
        "runs"
    )
    run_name: Annotated[
        str | None, Meta(description="name of the run folder; null: preset and time")
    ] = None
    sac: SacSection = SacSection()
    evaluation: EvaluationSection = EvaluationSection()
    demonstrations: DemonstrationSection = DemonstrationSection()
    learner_process: LearnerProcessSection = LearnerProcessSection()

    def __post_init__(self) -> None:
        if self.sac.vectors.symmetry and not self.symmetric:
            raise ValueError(f"sac.vectors.symmetry: {self.preset} has no like sides")
        if self.sac.return_steps > 1 and (self.pixels or self.learner_replay == "device"):
            raise ValueError(
                "sac.return_steps above 1 is for vectors, and learner_replay host; valid here is 1"
            )
        if self.learner_replay == "device" and self.learner_device == "cpu":
            raise ValueError("learner_replay device needs learner_device cuda; valid here is host")
        if self.learner_prefetch and self.learner_replay == "device":
            raise ValueError(
                "learner_prefetch draws on the host; with learner_replay device valid is false"
            )
        if self.learner_products == "bfloat16" and self.learner_device != "cpu":
            raise ValueError(
                "learner_products bfloat16 is the CPU's; with learner_device cuda valid is float32"
            )
        if self.learner_core == "native" and not self.native_fits:
            raise ValueError(
                "learner_core native makes updates with learner_device cpu and at most 8 hidden"
                " layers; valid here are auto and torch"
            )

    @property
    def measures_threads(self) -> bool:
        """Whether the number of the learner's threads is to be measured first."""
        return self.learner_threads == 0

    @property
    def native_fits(self) -> bool:
        """Whether the native core could make these updates."""
        return self.learner_device == "cpu" and len(self.sac.hidden_units) <= 8

    @property
    def pixels(self) -> bool:
        """Whether pictures are learned from."""
        return False

    @property
    def symmetric(self) -> bool:
        """Whether the task is the same one mirrored or turned, as vectors tell of it."""
        return False

    @property
    def normalised(self) -> bool:
        """Whether the learner and its policy normalise what they see."""
        return self.recipe == "fast" and not self.pixels and self.sac.vectors.normalise


class GymConfig(TrainConfig, frozen=True):
    """A gymnasium environment, preset `gym:ENV_ID`."""

    @property
    def environment(self) -> str:
        """The id to give to `gymnasium.make`."""
        return self.preset.removeprefix("gym:")
