"""Random actions: uniform whatever their correlation, and smooth where that is asked for."""

import numpy as np
import pytest

from robosac.exploration import RandomActions, SmoothNormals
from robosac.sac import Sac, SacSettings


def drawn(correlation: float, steps: int = 20_000) -> np.ndarray:
    actions = RandomActions(np.random.default_rng(3), 2, correlation)
    return np.array([actions.next() for _ in range(steps)])


def test_without_correlation_they_are_the_generators_own_numbers() -> None:
    expected = np.random.default_rng(3).uniform(-1.0, 1.0, (5, 2)).astype(np.float32)
    np.testing.assert_array_equal(drawn(0.0, 5), expected)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_what_is_visited_is_uniform(correlation: float) -> None:
    found = np.sort(drawn(correlation).ravel())
    expected = np.linspace(-1.0, 1.0, len(found))
    # Kolmogorov's distance; neighbours in time are not independent, so the bound is a wide one.
    assert np.abs(found - expected).max() < 0.05
    assert found.dtype == np.float32


def test_neighbours_are_alike_where_that_is_asked_for() -> None:
    rough, smooth = drawn(0.0), drawn(0.9)
    # Uniform and independent: the mean distance of two is 2/3.
    assert np.abs(np.diff(rough, axis=0)).mean() == pytest.approx(2 / 3, abs=0.02)
    assert np.abs(np.diff(smooth, axis=0)).mean() < 0.25


def test_an_episode_begins_without_the_last_ones_past() -> None:
    actions = RandomActions(np.random.default_rng(3), 2, 0.99)
    first = actions.next()
    actions.begin()
    assert np.abs(actions.next() - first).max() > 0.1


@pytest.mark.parametrize("correlation", [-0.1, 1.0, float("nan")])
def test_a_correlation_that_makes_no_sense_is_refused(correlation: float) -> None:
    with pytest.raises(ValueError, match="correlation"):
        RandomActions(np.random.default_rng(0), 2, correlation)
    with pytest.raises(ValueError, match="noise_correlation"):
        SacSettings(noise_correlation=correlation)


def acted(agent: Sac, steps: int) -> np.ndarray:
    """Noise of the actions in one and the same state, by the learner's own policy."""
    seen = np.linspace(-1.0, 1.0, 3, dtype=np.float32)
    mean, log_std = agent.policy().distribution(seen)
    actions = np.array([agent.act(seen, deterministic=False) for _ in range(steps)])
    return (np.arctanh(actions.astype(np.float64)) - mean) / np.exp(log_std)


def learner(correlation: float, seed: int = 5) -> Sac:
    settings = SacSettings(hidden_units=(8,), noise_correlation=correlation)
    agent = Sac(settings, 3, 2, seed)
    agent.begin_episode()
    return agent


def test_a_policys_noise_is_normal_at_every_step_and_like_the_steps_before() -> None:
    noise = acted(learner(0.8), 20_000)
    assert noise.mean() == pytest.approx(0.0, abs=0.05)
    assert noise.std() == pytest.approx(1.0, abs=0.05)
    following = [
        float(np.corrcoef(noise[:-lag, i], noise[lag:, i])[0, 1]) for lag in (1, 2) for i in (0, 1)
    ]
    np.testing.assert_allclose(following, [0.8, 0.8, 0.64, 0.64], atol=0.05)
    apart = np.corrcoef(noise.T)[0, 1]
    assert abs(apart) < 0.1, "joints are moved independently"


def test_without_correlation_a_policys_noise_is_the_generators_own() -> None:
    numbers = SmoothNormals(np.random.default_rng(7), 0.0)
    plain = np.random.default_rng(7)
    for _ in range(3):
        assert numbers.standard_normal((2,)).tobytes() == plain.standard_normal((2,)).tobytes()


def test_an_episodes_noise_is_the_same_whatever_came_before_it_but_for_the_generator() -> None:
    agent, other = learner(0.9), learner(0.9)
    acted(agent, 3)
    other.load(agent.state())
    agent.begin_episode()
    assert acted(agent, 5).tobytes() == acted(other, 5).tobytes(), (
        "a checkpoint lies between episodes"
    )
