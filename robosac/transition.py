"""One step of experience, with everything needed to learn from it or to explain it later."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from robosac.observation import Observation
from robosac.tasks.ends import EpisodeEnd

Float32Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Transition:
    """What was seen, asked, done and earned in one control period."""

    actor_id: str
    episode: int
    step: int
    """Within the episode, from 0."""
    sequence: int
    """Within the actor's life, from 0, without gaps."""
    policy_version: int
    """Updates that the acting policy had seen."""
    observation: Observation
    requested_action: Float32Array
    executed_action: Float32Array
    """What the limiter let through; the critic learns from what the robot did."""
    reasons: int
    """Bit mask of the limiter's reasons."""
    reward: float
    rewarded: bool
    """False: part of the reward, or of what is seen, could not be had; nothing is learned then."""
    terms: dict[str, float] = field(repr=False)
    """The reward by name."""
    next_observation: Observation
    end: EpisodeEnd | None
    observed_at: float
    """Monotonic time of the observation, s."""
    commanded_at: float
    """Monotonic time of the command, s."""
    policy_lag: int = 0
    """This actor's transitions that the acting policy had not learned from."""
    policy_age_s: float = 0.0
    """Since the acting policy came, on the robot's clock, s."""

    @property
    def terminated(self) -> bool:
        """True where the value target must not bootstrap."""
        return self.end is EpisodeEnd.TERMINATED
