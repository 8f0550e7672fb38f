"""The learner: one update against autograd, what cuts the bootstrap, temperature, settings."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from robosac.errors import ConfigError
from robosac.replay import Batch, Replay
from robosac.sac import Sac, SacSettings
from robosac.sac.gaussian import squash
from robosac.sac.networks import NORM_EPSILON
from robosac.symmetry import Reordering
from tests.robosac.sac_rig import (
    ACTION,
    OBSERVATION,
    RECIPES,
    ROWS,
    SMALL,
    make_agent,
    make_batch,
    same,
    trained,
)
from tests.robosac.threads import one_thread

__all__ = ["one_thread"]


def perceptron(weights: dict[str, Tensor], x: Tensor, layer_norm: bool = False) -> Tensor:
    layers = len(weights) // 2
    for index in range(layers):
        x = x @ weights[f"weight{index}"] + weights[f"bias{index}"]
        if index < layers - 1:
            x = layer_norm_of(x) if layer_norm else x
            x = torch.relu(x)
    return x


def layer_norm_of(x: Tensor) -> Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + NORM_EPSILON).sqrt()


def reduced(q: Tensor, how: str) -> Tensor:
    return q.min(dim=0).values if how == "min" else (q[0] + q[1]) / 2


def shown(rows: Tensor, images: list[Reordering]) -> Tensor:
    kept, *others = np.array_split(rows.numpy(), len(images) + 1)
    parts = [image(part) for image, part in zip(images, others, strict=True)]
    return torch.from_numpy(np.concatenate([kept, *parts]))


def leaves(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.clone().requires_grad_() for name, weight in weights.items()}


def adam_step(weights: dict[str, Tensor], loss: Tensor) -> None:
    optimiser = torch.optim.Adam(weights.values(), lr=SMALL.learning_rate)
    loss.backward(inputs=list(weights.values()))
    optimiser.step()


def reference_update(agent: Sac, batch: Batch, noise: Tensor) -> dict[str, dict[str, Tensor]]:
    """Algorithm 1 left to autograd and torch's own Adam; returns the weights after one update."""
    s, a, r, s2, end = (
        torch.as_tensor(x)
        for x in (
            batch.observation,
            batch.action,
            batch.reward,
            batch.next_observation,
            batch.terminated,
        )
    )
    recipe = agent.vectors
    if recipe.symmetry is not None:
        images = recipe.symmetry.images
        s, s2 = (shown(x, [image.observation for image in images]) for x in (s, s2))
        a = shown(a, [image.action for image in images])
    if recipe.normalise:
        # At the first update the batch's own statistics are all there are.
        mean, deviation = s.mean(dim=0), (s.var(dim=0, correction=0) + 1e-4).sqrt()
        s, s2 = (((x - mean) / deviation).clamp(-10, 10) for x in (s, s2))

    def soft_q(weights: dict[str, Tensor], state: Tensor, action: Tensor) -> Tensor:
        x = torch.cat([state, action], dim=1).expand(2, -1, -1)
        return perceptron(weights, x, recipe.critic_layer_norm).squeeze(-1)

    critics, policy = leaves(agent.critics.weights), leaves(agent.policy_network.weights)
    targets = {name: w.clone() for name, w in agent.target_critics.weights.items()}
    log_alpha = torch.full((1,), math.log(agent.settings.initial_alpha), dtype=torch.float64)
    log_alpha.requires_grad_()
    alpha = log_alpha.exp().detach()
    with torch.no_grad():
        a2, log_pi2 = squash(perceptron(policy, s2), noise[ROWS:])
        value = reduced(soft_q(targets, s2, a2), recipe.target_q) - alpha * log_pi2
        y = r + agent.settings.discount * (1 - end) * value
    adam_step(critics, 0.5 * (soft_q(critics, s, a) - y).square().mean(dim=1).sum())
    pi, log_pi = squash(perceptron(policy, s), noise[:ROWS])
    adam_step(policy, (alpha * log_pi - reduced(soft_q(critics, s, pi), recipe.actor_q)).mean())
    entropy_gap = log_pi.detach() + agent.target_entropy
    adam_step({"log_alpha": log_alpha}, -(log_alpha * entropy_gap).mean())
    tau = agent.settings.target_smoothing
    for name, weight in targets.items():
        weight.mul_(1 - tau).add_(critics[name].detach(), alpha=tau)
    return {
        "critics": critics,
        "policy": policy,
        "targets": targets,
        "log_alpha": {"log_alpha": log_alpha},
    }


@pytest.mark.parametrize("recipe", RECIPES)
def test_one_update_equals_autograd_in_float64(recipe: str) -> None:
    agent = make_agent(recipe, seed=3, dtype=torch.float64)
    batch = make_batch(terminated=0.0)
    batch.terminated[::3] = 1.0
    before = replace(batch, **{name: getattr(batch, name).copy() for name in batch.__slots__})
    generator = torch.Generator()
    generator.set_state(torch.from_numpy(agent.state()["noise"]))
    noise = torch.randn(2 * ROWS, ACTION, generator=generator, dtype=torch.float64)
    expected = reference_update(agent, batch, noise)
    agent.update(batch)
    found = {
        "critics": agent.critics.weights,
        "policy": agent.policy_network.weights,
        "targets": agent.target_critics.weights,
        "log_alpha": {"log_alpha": torch.from_numpy(agent.state()["log_alpha.parameters"])},
    }
    for owner, weights in expected.items():
        for name, weight in weights.items():
            # Adam's first step is the gradient's sign, but for eps = 1e-8: a gradient near zero
            # turns rounding into a visible part of the step of 3e-4.
            torch.testing.assert_close(
                found[owner][name], weight.detach(), rtol=0, atol=1e-9, msg=f"{owner}.{name}"
            )
    for name in batch.__slots__:
        np.testing.assert_array_equal(getattr(batch, name), getattr(before, name))


def test_with_every_part_off_it_is_the_papers_update() -> None:
    assert same(trained("paper", 7), trained("nothing", 7))


@pytest.mark.parametrize("recipe", sorted(RECIPES.keys() - {"paper", "nothing"}))
def test_every_part_changes_what_is_learned(recipe: str) -> None:
    plain, other = trained("paper", 7), trained(recipe, 7)
    assert plain["policy.parameters"].tobytes() != other["policy.parameters"].tobytes()


def test_only_terminated_cuts_the_bootstrap() -> None:
    """Of two agents alike, the one that learns `terminated` never looks at the next state."""
    other_future = replace(make_batch(), next_observation=np.full((ROWS, OBSERVATION), 50.0))

    def critic_loss(batch: Batch, terminated: float) -> float:
        agent = Sac(SMALL, OBSERVATION, ACTION, seed=0)
        ended = replace(batch, terminated=np.full(ROWS, terminated))
        return agent.update(ended).floats()["critic_loss"]

    assert critic_loss(make_batch(), 1.0) == critic_loss(other_future, 1.0)
    assert critic_loss(make_batch(), 0.0) != critic_loss(other_future, 0.0)


@pytest.mark.parametrize(("target", "direction"), [(10.0, 1), (-10.0, -1)])
def test_temperature_moves_the_entropy_toward_its_target(target: float, direction: int) -> None:
    agent = Sac(replace(SMALL, target_entropy=target), OBSERVATION, ACTION, seed=0)
    alphas = [float(agent.update(make_batch(seed)).alpha) for seed in range(10)]
    assert alphas[0] == 1.0
    assert all(direction * (after - before) > 0 for before, after in pairwise(alphas))


def test_target_entropy_is_minus_the_action_dimensions_unless_given() -> None:
    assert Sac(SMALL, OBSERVATION, 6, seed=0).target_entropy == -6.0
    assert Sac(replace(SMALL, target_entropy=-3.0), OBSERVATION, 6, seed=0).target_entropy == -3.0


def test_defaults_are_table_1() -> None:
    paper = SacSettings.paper()
    assert (paper.learning_rate, paper.discount, paper.target_smoothing) == (3e-4, 0.99, 0.005)
    assert (paper.hidden_units, paper.batch_size) == ((256, 256), 256)
    assert (paper.replay_capacity, paper.updates_per_step) == (1_000_000, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"discount": 1.0},
        {"learning_rate": 0.0},
        {"target_smoothing": 1.5},
        {"hidden_units": ()},
        {"batch_size": 0},
        {"replay_capacity": 10},
        {"initial_alpha": 0.0},
        {"target_entropy": math.nan},
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=rf"sac\.{next(iter(wrong))} must be"):
        replace(SacSettings(), **wrong)


def test_identity_task_is_learned() -> None:
    """Reward is minus ten times the squared distance of action and observation."""
    settings = SacSettings(hidden_units=(64, 64), learning_rate=3e-3, discount=0.0)
    agent, replay, rng = (
        Sac(settings, 1, 1, seed=0),
        Replay(2000, (1,), 1),
        np.random.default_rng(0),
    )
    for _ in range(500):
        observation = rng.uniform(-0.8, 0.8, 1).astype(np.float32)
        action = agent.act(observation, deterministic=False)
        reward = -10 * float(((action - observation) ** 2).sum())
        replay.add(observation, action, reward, observation, True)
        agent.update(replay.sample(rng, 64))
    seen = np.linspace(-0.7, 0.7, 15, dtype=np.float32)[:, None]
    error = np.abs(agent.act(seen, deterministic=True) - seen)
    assert error.max() < 0.15
