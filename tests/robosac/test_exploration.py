"""Random actions: uniform whatever their correlation, and smooth where that is asked for."""

import numpy as np
import pytest

from robosac.exploration import RandomActions


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
