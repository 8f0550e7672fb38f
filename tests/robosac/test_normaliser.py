"""The running statistics of what is observed, against numpy's of everything observed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robosac.sac.normaliser import SHARE, VARIANCE_EPSILON, Normaliser
from robosac.sac.policy import NORMALISED_BOUND

SIZE, ROWS = 3, 16


def normaliser() -> Normaliser:
    return Normaliser(SIZE, torch.float64, torch.device("cpu"))


def batches(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    # Each batch from another place, as a replay's is while it fills.
    places = rng.normal(0, 2, (count, 1, SIZE))
    return places + rng.normal(0, [0.01, 1.0, 30.0], (count, ROWS, SIZE))


@pytest.mark.parametrize("count", [1, 2, 50])
def test_the_first_batches_all_count_the_same(count: int) -> None:
    made, given = normaliser(), batches(count)
    for batch in given:
        made.learn(torch.from_numpy(batch))
    rows = given.reshape(-1, SIZE)
    np.testing.assert_allclose(made.mean.numpy(), rows.mean(axis=0), rtol=1e-9, atol=1e-12)
    scale = 1 / np.sqrt(rows.var(axis=0) + VARIANCE_EPSILON)
    np.testing.assert_allclose(made.scale.numpy(), scale, rtol=1e-9)
    found = made(torch.from_numpy(given[0])).numpy()
    np.testing.assert_allclose(found, (given[0] - rows.mean(axis=0)) * scale, rtol=1e-6, atol=1e-9)


def test_later_ones_are_forgotten_slowly() -> None:
    made = normaliser()
    for _ in range(round(1 / SHARE)):
        made.learn(torch.zeros(ROWS, SIZE, dtype=torch.float64))
    before = made.mean.clone()
    made.learn(torch.ones(ROWS, SIZE, dtype=torch.float64))
    torch.testing.assert_close(made.mean - before, torch.full_like(before, SHARE))
    for _ in range(10_000):
        made.learn(torch.ones(ROWS, SIZE, dtype=torch.float64))
    torch.testing.assert_close(made.mean, torch.ones_like(before), rtol=0, atol=1e-3)


def test_before_it_has_learned_it_changes_nothing_but_outliers() -> None:
    made = normaliser()
    rows = torch.tensor([[0.5, -2.0, 1e9]], dtype=torch.float64)
    assert made(rows).tolist() == [[0.5, -2.0, NORMALISED_BOUND]]


def test_what_never_changes_is_not_blown_up() -> None:
    made = normaliser()
    made.learn(torch.full((ROWS, SIZE), 7.0, dtype=torch.float64))
    assert made(torch.full((1, SIZE), 7.001, dtype=torch.float64)).abs().max() < 0.2
