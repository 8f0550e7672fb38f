"""What it is to turn the valve: start, target, what is seen, what is earned. Pure.

`PaperTurn` is the task of Haarnoja et al. 2018 (arXiv 1812.05905, section 7.3). The authors' reward
is minus twice the distance; ours adds a bell around the target, so that the last tenth of a radian
is worth the effort, and a small price on fast fingers, which spares the servos. `RobelTurn` is
ROBEL's (Ahn et al. 2019, arXiv 1909.11639): D'Claw Turn and Screw, fixed and random, so that
results can be held against theirs. The valve's angle counts from where the coloured end points to
the right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from robosac.hal import FloatArray
from robosac.settings import TurnSection

FINGERS: Final = 9
"""Joints that act: base, middle and tip of each finger."""
HOME: Final = np.tile([0.0, -math.pi / 3, math.pi / 3], 3)
"""Fingers off the valve, rad (ROBEL's reset pose)."""
CENTRE: Final = np.zeros(FINGERS)
RANGE: Final = np.tile([0.48, math.pi / 3, math.pi / 2], 3)
"""Joint targets at action 0, and what action 1 adds, rad (ROBEL)."""
SPEED_SCALE: Final = 5.0
"""Fingers' speeds are seen in units of this, rad/s; angles in those of their ranges."""
SEEN_BOUND: Final = 4.0
"""Whatever is observed is clipped to +- this."""


def wrapped(angle: float) -> float:
    """The same angle in (-pi, pi], rad."""
    return math.pi - (math.pi - angle) % math.tau


@dataclass(frozen=True, slots=True)
class Goal:
    """Where an episode's valve begins, and where it shall go."""

    start_rad: float
    target_rad: float
    speed_rad_s: float = 0.0
    """Of the target."""

    def error(self, angle: float, elapsed_s: float) -> float:
        """From the valve's angle to the target `elapsed_s` (s) after the start, in (-pi, pi]."""
        return wrapped(self.target_rad + self.speed_rad_s * elapsed_s - angle)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of hand and valve at one moment."""

    fingers: FloatArray
    """(9,), rad"""
    speeds: FloatArray
    """(9,), rad/s"""
    angle: float
    """Of the valve, rad."""
    error: float
    """From the angle to the target, rad."""
    last_action: FloatArray
    """(9,), executed."""


class TurnDefinition(Protocol):
    """One way to define the task."""

    @property
    def episode_steps(self) -> int:
        """Policy steps until time is up."""
        ...

    @property
    def success_rad(self) -> float:
        """Error below which the valve is where it shall be, rad."""
        ...

    @property
    def relative_actions(self) -> bool:
        """Whether an action counts from where a joint is, and not from the middle of its range."""
        ...

    def draw(self, rng: np.random.Generator) -> Goal:
        """Start and target of an episode."""
        ...

    def fingers_seen(self, sight: Sight) -> FloatArray:
        """What is observed of the fingers; beside a picture this is all."""
        ...

    def valve_seen(self, sight: Sight) -> FloatArray:
        """What is observed of the valve, in place of a picture."""
        ...

    def reward(self, sight: Sight) -> dict[str, float]:
        """The reward's terms by name; the reward is their sum."""
        ...


@dataclass(frozen=True, slots=True)
class PaperTurn:
    """From anywhere to the right: fingers' positions and speeds, sine and cosine of the valve."""

    settings: TurnSection

    @property
    def episode_steps(self) -> int:
        return self.settings.episode_steps

    @property
    def success_rad(self) -> float:
        return self.settings.success_rad

    @property
    def relative_actions(self) -> bool:
        return self.settings.action == "relative"

    def draw(self, rng: np.random.Generator) -> Goal:
        return Goal(float(rng.uniform(-math.pi, math.pi)), self.settings.target_rad)

    def fingers_seen(self, sight: Sight) -> FloatArray:
        return np.concatenate([sight.fingers / RANGE, sight.speeds / SPEED_SCALE])

    def valve_seen(self, sight: Sight) -> FloatArray:
        return np.array([math.sin(sight.angle), math.cos(sight.angle)])

    def reward(self, sight: Sight) -> dict[str, float]:
        weights = self.settings.reward
        return {
            "distance": -weights.distance * abs(sight.error),
            "near": weights.near * math.exp(-((sight.error / weights.near_rad) ** 2)),
            "velocity": -weights.velocity * _fast(sight.speeds, 0.5),
        }


@dataclass(frozen=True, slots=True)
class RobelTurn:
    """ROBEL's D'Claw tasks; 21 observations.

    Attributes:
        screw: the target moves.
        random: start and target differ from one episode to the next.
    """

    screw: bool
    random: bool

    @property
    def episode_steps(self) -> int:
        return 80 if self.screw else 40

    @property
    def success_rad(self) -> float:
        return 0.2 if self.screw else 0.1

    @property
    def relative_actions(self) -> bool:
        return False

    def draw(self, rng: np.random.Generator) -> Goal:
        if self.screw:
            if not self.random:
                return Goal(0.0, 0.0, 0.5)
            start = float(rng.uniform(-math.pi, math.pi))
            return Goal(start, start, float(rng.uniform(-0.75, 0.75)))
        if not self.random:
            return Goal(0.0, math.pi)
        third = math.pi / 3
        start, beyond = rng.uniform(-third, third), rng.uniform(-third, third)
        return Goal(float(start), math.pi + float(beyond))

    def fingers_seen(self, sight: Sight) -> FloatArray:
        return np.concatenate([sight.fingers, sight.last_action])

    def valve_seen(self, sight: Sight) -> FloatArray:
        return np.array([math.cos(sight.angle), math.sin(sight.angle), sight.error])

    def reward(self, sight: Sight) -> dict[str, float]:
        distance = abs(sight.error)
        return {
            "distance": -5.0 * distance,
            "pose": -float(np.linalg.norm(sight.fingers - HOME)),
            "velocity": -_fast(sight.speeds, 0.5),
            "near": 10.0 * (distance < 0.25),
            "success": 50.0 * (distance < 0.10),
        }


def definition_of(settings: TurnSection) -> TurnDefinition:
    """The task that the settings name."""
    name = settings.definition
    if name == "paper":
        return PaperTurn(settings)
    return RobelTurn(screw="screw" in name, random=name.endswith("random"))


def _fast(speeds: FloatArray, bound: float) -> float:
    """Norm of the speeds above `bound`, rad/s."""
    return float(np.linalg.norm(speeds[np.abs(speeds) >= bound]))
