"""What acts in a rehearsal explores as the run it rehearses: by the same settings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from robosac.actor_link import OwnLearner
from robosac.config import load_preset
from robosac.envelope import Sealed
from robosac.rehearsal.mind import LearningMind
from robosac.sac.policy import Policy
from robosac.tasks.ends import EpisodeEnd
from robosac.transition import Transition

ACTIONS = 2
SEEN = np.zeros(3, np.float32)


class Link:
    """Takes every transition, and has a policy once `newest` is set."""

    def __init__(self) -> None:
        self.next_sequence = 0
        self.newest: Sealed | None = None

    def send(self, transition: Transition, _: object = None) -> None:
        self.next_sequence = transition.sequence + 1

    def learned_from(self, _: Sealed) -> int:
        return -1

    def save(self) -> None: ...

    def revive(self) -> None: ...


def flat_policy() -> Sealed:
    """Mean 0 and standard deviation 1 wherever it is."""
    weights = {"weight0": np.zeros((3, 2 * ACTIONS), np.float32)}
    policy = Policy(weights | {"bias0": np.zeros(2 * ACTIONS, np.float32)})
    return Sealed(version=1, learned={}, policy=policy, sha256="0")


def mind(link: Link, *overrides: str) -> LearningMind:
    config = load_preset("minitaur", ["recipe=fast", *overrides])
    return LearningMind(cast(OwnLearner, SimpleNamespace(link=link)), config, ACTIONS)


def add(mind: LearningMind, end: EpisodeEnd | None = None) -> None:
    now = mind.sequence
    mind.add(Transition(
        "actor", 0, now, now, 0, SEEN, SEEN, SEEN, 0, 0.0, True, {}, SEEN, end, 0.0, 0.0,
    ))  # fmt: skip


def acted(mind: LearningMind, steps: int) -> np.ndarray[Any, Any]:
    actions = []
    for _ in range(steps):
        actions.append(mind.act(SEEN))
        add(mind)
    return np.array(actions, np.float64)


def smoothness(numbers: np.ndarray[Any, Any]) -> float:
    """Correlation of neighbours in time."""
    return float(np.mean(numbers[1:] * numbers[:-1]) / np.mean(numbers**2))


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_random_actions_are_as_smooth_as_the_run_asks(correlation: float) -> None:
    asked = f"sac.random_correlation={correlation}"
    found = acted(mind(Link(), asked, "sac.random_steps=3000"), 3000)
    assert smoothness(found) == pytest.approx(correlation, abs=0.06)


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_a_policys_noise_is_as_smooth_as_the_run_asks(correlation: float) -> None:
    link = Link()
    learning = mind(link, f"sac.noise_correlation={correlation}", "sac.random_steps=0")
    link.newest = flat_policy()
    add(learning, EpisodeEnd.TRUNCATED)
    assert learning.version == 1
    assert smoothness(np.arctanh(acted(learning, 3000))) == pytest.approx(correlation, abs=0.06)


def test_an_episode_begins_without_the_last_ones_past() -> None:
    link = Link()
    link.newest = flat_policy()
    for random_steps in (0, 1000):
        smooth = [f"sac.{kind}_correlation=0.9999" for kind in ("noise", "random")]
        learning = mind(link, *smooth, f"sac.random_steps={random_steps}")
        add(learning, EpisodeEnd.TRUNCATED)
        first, second = acted(learning, 2)
        add(learning, EpisodeEnd.TRUNCATED)
        after = learning.act(SEEN)
        assert np.abs(second - first).max() < 0.05
        assert np.abs(after - second).max() > 0.1
