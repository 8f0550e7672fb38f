"""Seeing without torch: the same actions as the learner's, rebuilt from arrays alone."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from robosac.replay import Batch
from robosac.sac import (
    FastPixels,
    PaperPixels,
    PixelPolicy,
    PixelSac,
    Policy,
    Sac,
    SacSettings,
    policy_from_weights,
)
from tests.robosac.plain_pixel_sac import PlainPixelSac, plain_weights

IMAGE, STATE, ACTION = (16, 24, 3), 5, 2
SETTINGS = SacSettings(hidden_units=(16, 16), batch_size=8)
RECIPES = {
    "paper": PaperPixels(),
    "fast": FastPixels(filters=(8, 6), units=7),
    "fast-deeper": FastPixels(patches=(2, 2, 2), filters=(4, 5, 6), units=9),
}
Observation = dict[str, NDArray[np.generic]]


def make_agent(recipe: str) -> PixelSac:
    return PixelSac(SETTINGS, RECIPES[recipe], IMAGE, STATE, ACTION, seed=0)


def observations(rows: int, seed: int = 0) -> Observation:
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(0, 256, (rows, *IMAGE), dtype=np.uint8),
        "state": rng.standard_normal((rows, STATE), dtype=np.float32),
    }


def batch(seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    action = rng.uniform(-1, 1, (8, ACTION))
    return Batch(observations(8, seed), action, rng.random(8), observations(8, seed), np.zeros(8))


@pytest.mark.parametrize("recipe", RECIPES)
def test_numpy_policy_equals_torch_and_follows_the_learner(recipe: str) -> None:
    agent = make_agent(recipe)
    policy, seen = agent.policy(), observations(9)
    for index in range(3):
        agent.update(batch(index))
        plain = PlainPixelSac(agent)
        for name, weights in plain_weights(agent).items():
            plain.networks()[name].load_state_dict(weights)
        picture = plain.picture(seen["image"], torch.full((2, 9), agent.pixels.shift_px))
        with torch.no_grad():
            head = plain.act(picture, torch.from_numpy(seen["state"])).numpy()
        mean, log_std = policy.distribution(seen)
        np.testing.assert_allclose(mean, head[:, :ACTION], rtol=0, atol=1e-5)
        np.testing.assert_allclose(log_std, head[:, ACTION:], rtol=0, atol=1e-5)
        acted = agent.act(seen, deterministic=True)
        np.testing.assert_allclose(acted, np.tanh(head[:, :ACTION]), rtol=0, atol=1e-5)
        assert acted.dtype == np.float32


@pytest.mark.parametrize("recipe", RECIPES)
def test_rebuilt_from_its_weights_it_acts_the_same_and_stands_alone(recipe: str) -> None:
    agent = make_agent(recipe)
    seen = {name: x[0] for name, x in observations(1).items()}
    rebuilt = policy_from_weights(agent.policy().weights())
    assert isinstance(rebuilt, PixelPolicy)
    assert (rebuilt.image_shape, rebuilt.state_dim, rebuilt.action_dim) == (IMAGE, STATE, ACTION)
    before = rebuilt.mean_action(seen)
    assert before.shape == (ACTION,)
    assert (before == agent.act(seen, deterministic=True)).all()
    draws = [p.sample_action(seen, np.random.default_rng(3)) for p in (rebuilt, agent.policy())]
    assert (draws[0] == draws[1]).all()
    agent.update(batch(0))
    assert (rebuilt.mean_action(seen) == before).all()
    assert (agent.act(seen, deterministic=True) != before).any()


def test_a_policy_of_vectors_is_told_apart() -> None:
    policy = policy_from_weights(Sac(SETTINGS, 3, 2, seed=0).policy().weights())
    assert isinstance(policy, Policy)
    assert policy.observation_dim == 3


def test_a_picture_or_state_of_the_wrong_kind_is_refused() -> None:
    policy, good = make_agent("fast").policy(), observations(2)
    wrong: list[tuple[Observation, str]] = [
        ({"image": good["image"]}, "expected image and state"),
        (good | {"image": good["image"].astype(np.float32)}, "float32.*expected uint8"),
        (good | {"image": good["image"][:, :8]}, r"expected uint8\(2, 16, 24, 3\)"),
        (good | {"image": good["image"][:1]}, r"expected uint8\(2, 16, 24, 3\)"),
        (good | {"state": good["state"][:, :4]}, r"expected \(\.\.\., 5\)"),
    ]
    for observation, message in wrong:
        with pytest.raises(ValueError, match=message):
            policy.mean_action(observation)


@pytest.mark.parametrize("recipe", ["paper", "fast"])
def test_weights_that_do_not_fit_are_refused(recipe: str) -> None:
    weights = make_agent(recipe).policy().weights()
    first = "convolutions.weight0" if recipe == "paper" else "encoder.weight0"
    wrong = [
        {name: x for name, x in weights.items() if name != first},
        {name: x for name, x in weights.items() if not name.startswith("policy.")},
        weights | {first: weights[first][:-1]},
        weights | {first: weights[first][..., :-1]},
        weights | {"image_shape": np.array([80, 24, 3])},
        weights | {"image_shape": np.array([16.0, 24.0, 3.0])},
        weights | {"image_shape": np.array([16, 24])},
        weights | {"policy.weight0": weights["policy.weight0"][:3]},
    ]
    for found in wrong:
        with pytest.raises(ValueError, match=r"weight|picture|image_shape|layer"):
            PixelPolicy(found)  # pyright: ignore[reportArgumentType]


def test_it_acts_without_torch() -> None:
    probe = (
        "import sys, numpy as np; from robosac.sac import PixelPolicy, policy_from_weights; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
