"""What can be set about the learner; the defaults are Table 1 of the paper (arXiv 1812.05905)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from robosac.errors import ConfigError
from robosac.symmetry import Symmetry


@dataclass(frozen=True, slots=True)
class SacSettings:
    """Hyper-parameters of Soft Actor-Critic.

    Raises:
        ConfigError: a value lies outside its range; the message names the range.
    """

    discount: float = 0.99
    """gamma, weight of the next step's value, in [0, 1)."""
    learning_rate: float = 3e-4
    """Adam's step size for critics, policy and temperature."""
    target_smoothing: float = 0.005
    """tau, share of the critics that enters the target critics at each update, in (0, 1]."""
    hidden_units: tuple[int, ...] = (256, 256)
    """Width of each hidden ReLU layer, the same in critics and policy."""
    batch_size: int = 256
    """Transitions in one update."""
    replay_capacity: int = 1_000_000
    """Transitions the replay buffer holds."""
    updates_per_step: float = 1.0
    """Gradient updates for each environment step."""
    random_steps: int = 10_000
    """Environment steps with uniform random actions before the policy acts. Not in Table 1: the
    authors' release explores for ten episodes of 1000 steps."""
    noise_correlation: float = 0.0
    """Of a sampled action's noise with that of the one before, in [0, 1). Not in the paper."""
    target_entropy: float | None = None
    """Entropy the temperature aims at, nats; None: minus the number of action dimensions."""
    initial_alpha: float = 1.0
    """Temperature before the first update; positive."""

    def __post_init__(self) -> None:
        checks: dict[str, tuple[bool, str]] = {
            "discount": (0 <= self.discount < 1, "in [0, 1)"),
            "learning_rate": (0 < self.learning_rate < math.inf, "positive"),
            "target_smoothing": (0 < self.target_smoothing <= 1, "in (0, 1]"),
            "hidden_units": (
                len(self.hidden_units) > 0 and min(self.hidden_units) > 0,
                "one or more positive widths",
            ),
            "batch_size": (self.batch_size > 0, "positive"),
            "replay_capacity": (self.replay_capacity >= self.batch_size, "at least batch_size"),
            "updates_per_step": (0 < self.updates_per_step < math.inf, "positive"),
            "noise_correlation": (0 <= self.noise_correlation < 1, "in [0, 1)"),
            "random_steps": (self.random_steps >= 0, "zero or more"),
            "target_entropy": (
                self.target_entropy is None or math.isfinite(self.target_entropy),
                "a finite number or none",
            ),
            "initial_alpha": (0 < self.initial_alpha < math.inf, "positive"),
        }
        _require(self, "sac", checks)

    @classmethod
    def paper(cls) -> SacSettings:
        """Table 1 to the letter: these are the defaults."""
        return cls()


Core = Literal["torch", "native", "native bfloat16"]
"""What makes updates: torch, or the C++ of `robosac.sac.native`, built for either products."""
Products = Literal["float32", "bfloat16"]
"""What the factors of matrix products are rounded to; sums are float32's."""
Reduction = Literal["min", "mean"]
"""How the critics' values of one action become one value."""


_REDUCTIONS = ("min", "mean")


@dataclass(frozen=True, slots=True)
class PaperVectors:
    """The paper's way of learning from vectors: what `FastVectors` lets one choose, it gives."""

    target_q: ClassVar[Reduction] = "min"
    actor_q: ClassVar[Reduction] = "min"
    critic_layer_norm: ClassVar[bool] = False
    normalise: ClassVar[bool] = False
    policy_rate: ClassVar[float] = 1.0
    policy_average: ClassVar[float] = 1.0
    symmetry: ClassVar[None] = None


PAPER_VECTORS = PaperVectors()
"""There is but one such way."""


@dataclass(frozen=True, slots=True)
class FastVectors:
    """Our way of learning from vectors; docs/recipe_fast.md says what each part bought.

    Raises:
        ConfigError: a value lies outside its range; the message names the range.
    """

    target_q: Reduction = "min"
    """Of the target critics' values, in the target."""
    actor_q: Reduction = "mean"
    """Of the critics' values, in the policy's loss (REDQ, arXiv 2101.05982)."""
    critic_layer_norm: bool = True
    """Whether the critics' hidden layers are normalised (RLPD, arXiv 2302.02948)."""
    normalise: bool = True
    """Whether observations are brought to one scale by running statistics."""
    policy_rate: float = 1.0
    """The policy's learning rate, over that of the critics."""
    policy_average: float = 1.0
    """Share of the newest policy in the one that acts, at each update; 1: it acts itself."""
    symmetry: Symmetry | None = None
    """By whose images parts of each batch are shown; None: it is left as it was."""

    def __post_init__(self) -> None:
        checks: dict[str, tuple[bool, str]] = {
            "target_q": (self.target_q in _REDUCTIONS, "min or mean"),
            "actor_q": (self.actor_q in _REDUCTIONS, "min or mean"),
            "policy_rate": (0 < self.policy_rate <= 1, "above 0, up to 1"),
            "policy_average": (0 < self.policy_average <= 1, "above 0, up to 1"),
        }
        _require(self, "sac.vectors", checks)


@dataclass(frozen=True, slots=True)
class PaperPixels:
    """The paper's way of seeing (Section 7.3): policy and critics have an encoder each.

    Two 3x3 convolutions of four filters, each with ReLU and max-pooling, feed the perceptrons;
    every encoder is trained by its owner's loss.

    Raises:
        ConfigError: a value lies outside its range; the message names the range.
    """

    filters: tuple[int, ...] = (4, 4)
    """Filters of each convolution."""
    # What `FastPixels` lets one choose is given by the paper here.
    target_q: ClassVar[Reduction] = "min"
    actor_q: ClassVar[Reduction] = "min"
    entropy_backup: ClassVar[bool] = True
    shift_px: ClassVar[int] = 0
    critic_layer_norm: ClassVar[bool] = False

    def __post_init__(self) -> None:
        _require(self, "sac.pixels", {"filters": _widths(self.filters)})


@dataclass(frozen=True, slots=True)
class FastPixels:
    """Our way of seeing: one encoder, trained by the critics alone, over randomly shifted pictures.

    Raises:
        ConfigError: a value lies outside its range; the message names the range.
    """

    patches: tuple[int, ...] = (4, 2)
    """Side of each encoder layer's patches, the first in pixels; together they tile the picture."""
    filters: tuple[int, ...] = (32, 64)
    """Filters of each encoder layer."""
    units: int = 50
    """What critics and policy each make of the encoder's features, by a projection of their own."""
    shift_px: int = 2
    """Largest random shift of a picture, pixels (DrQ: 4 of 84)."""
    target_q: Reduction = "min"
    """Of the target critics' values, in the target."""
    actor_q: Reduction = "mean"
    """Of the critics' values, in the policy's loss."""
    critic_layer_norm: bool = True
    """Whether the critics' hidden layers are normalised (RLPD, arXiv 2302.02948)."""
    entropy_backup: bool = True
    """Whether the target counts the entropy of later actions (RLPD and SERL do without)."""

    def __post_init__(self) -> None:
        checks: dict[str, tuple[bool, str]] = {
            "patches": _widths(self.patches),
            "filters": (
                len(self.filters) == len(self.patches) and min(self.filters) > 0,
                "as many positive widths as there are patches",
            ),
            "units": (self.units > 1, "two or more"),
            "shift_px": (self.shift_px >= 0, "zero or more"),
            "target_q": (self.target_q in _REDUCTIONS, "min or mean"),
            "actor_q": (self.actor_q in _REDUCTIONS, "min or mean"),
        }
        _require(self, "sac.pixels", checks)


def _widths(values: tuple[int, ...]) -> tuple[bool, str]:
    return len(values) > 0 and min(values) > 0, "one or more positive widths"


def _require(settings: object, where: str, checks: Mapping[str, tuple[bool, str]]) -> None:
    for name, (valid, range_) in checks.items():
        if not valid:
            value = getattr(settings, name)
            raise ConfigError(f"{where}.{name} must be {range_}, got {value!r}")
