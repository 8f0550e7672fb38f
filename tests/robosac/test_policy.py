"""The policy without torch: what it samples, and what it refuses to be made of."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from robosac.sac import Policy

FITTING = {"weight0": np.zeros((3, 2)), "bias0": np.zeros(2)}


def test_sampled_actions_have_the_policys_distribution() -> None:
    weights = {
        "weight0": np.zeros((1, 2), np.float32),
        "bias0": np.array([0.3, math.log(0.5)], np.float32),
    }
    policy, rng = Policy(weights), np.random.default_rng(0)
    u = np.arctanh(policy.sample_action(np.zeros((20_000, 1), np.float32), rng))
    assert u.mean() == pytest.approx(0.3, abs=0.02)
    assert u.std() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    "weights",
    [
        {},
        {"weight0": np.zeros((3, 2))},
        {"weight0": np.zeros((3, 3)), "bias0": np.zeros(3)},
        {"weight0": np.zeros((3, 2)), "bias0": np.zeros(4)},
        FITTING | {"observation_mean": np.zeros(3)},
        FITTING | {"observation_mean": np.zeros(3), "observation_scale": np.ones(2)},
        FITTING | {"observation_mean": np.zeros(3), "observation_scale": np.zeros(3)},
    ],
)
def test_a_policy_whose_layers_do_not_fit_is_refused(
    weights: dict[str, NDArray[np.float64]],
) -> None:
    with pytest.raises(ValueError, match="policy"):
        Policy(weights)
