"""What can be set about the learner; the defaults are Table 1 of the paper (arXiv 1812.05905)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from robosac.errors import ConfigError


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
            "random_steps": (self.random_steps >= 0, "zero or more"),
            "target_entropy": (
                self.target_entropy is None or math.isfinite(self.target_entropy),
                "a finite number or none",
            ),
            "initial_alpha": (0 < self.initial_alpha < math.inf, "positive"),
        }
        for name, (valid, range_) in checks.items():
            if not valid:
                raise ConfigError(f"sac.{name} must be {range_}, got {getattr(self, name)!r}")

    @classmethod
    def paper(cls) -> SacSettings:
        """Table 1 to the letter: these are the defaults."""
        return cls()
