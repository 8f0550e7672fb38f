"""The learner: one update against autograd, what cuts the bootstrap, temperature, repeatability."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from robosac.errors import ConfigError
from robosac.replay import Batch, Replay
from robosac.sac import FastVectors, PaperVectors, Policy, Sac, SacSettings
from robosac.sac.gaussian import squash
from robosac.sac.networks import NORM_EPSILON
from robosac.symmetry import Image, Reordering, Symmetry

OBSERVATION, ACTION, ROWS = 4, 2, 32
SMALL = SacSettings(hidden_units=(16, 16), batch_size=ROWS)
MIRRORED = Image(Reordering((1, 0, 2, 3), (1, 1, -1, 1)), Reordering((1, 0), (1, 1)))
SYMMETRY = Symmetry((MIRRORED,))
THIRDS = Symmetry(
    tuple(
        Image(Reordering(order, (1,) * OBSERVATION), Reordering((0, 1), (1, 1)))
        for order in ((1, 2, 0, 3), (2, 0, 1, 3))
    )
)
NOTHING = FastVectors(actor_q="min", critic_layer_norm=False, normalise=False, policy_average=1.0)
RECIPES: dict[str, PaperVectors | FastVectors] = {
    "paper": PaperVectors(),
    "nothing": NOTHING,
    "target_q": replace(NOTHING, target_q="mean"),
    "actor_q": replace(NOTHING, actor_q="mean"),
    "critic_layer_norm": replace(NOTHING, critic_layer_norm=True),
    "normalise": replace(NOTHING, normalise=True),
    "symmetry": replace(NOTHING, symmetry=SYMMETRY),
    "symmetry of three": replace(NOTHING, symmetry=THIRDS),
    "fast": FastVectors(symmetry=SYMMETRY),
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small are slowed down by a second thread, badly so on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make_agent(recipe: str, seed: int, dtype: torch.dtype = torch.float32) -> Sac:
    return Sac(SMALL, OBSERVATION, ACTION, seed, dtype=dtype, vectors=RECIPES[recipe])


def trained(recipe: str, seed: int) -> dict[str, NDArray[np.float32]]:
    agent = make_agent(recipe, seed)
    for index in range(5):
        agent.update(make_batch(index))
        agent.act(np.ones(OBSERVATION, np.float32), deterministic=False)
    return agent.state()


def same(one: dict[str, NDArray[np.float32]], other: dict[str, NDArray[np.float32]]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].tobytes() == other[name].tobytes() for name in one
    )


def make_batch(seed: int = 0, terminated: float = 0.0, rows: int = ROWS) -> Batch:
    rng = np.random.default_rng(seed)
    return Batch(
        observation=rng.standard_normal((rows, OBSERVATION)),
        action=rng.uniform(-1, 1, (rows, ACTION)),
        reward=rng.standard_normal(rows),
        next_observation=rng.standard_normal((rows, OBSERVATION)),
        terminated=np.full(rows, terminated),
    )


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


@pytest.mark.parametrize("recipe", ["paper", "fast"])
def test_same_seed_same_bits_other_seed_other_bits(recipe: str) -> None:
    first, second, other = trained(recipe, 7), trained(recipe, 7), trained(recipe, 8)
    assert same(first, second)
    assert first["policy.parameters"].tobytes() != other["policy.parameters"].tobytes()


def test_loading_another_learners_state_is_refused_and_changes_nothing() -> None:
    agent = Sac(SMALL, OBSERVATION, ACTION, seed=0)
    before = agent.state()
    with pytest.raises(ValueError, match="this learner has"):
        agent.load(Sac(SMALL, OBSERVATION + 1, ACTION, seed=1).state())
    with pytest.raises(ValueError, match="expected"):
        agent.load(trained("fast", 0))
    with pytest.raises(ValueError, match="expected"):
        agent.load({name: value for name, value in before.items() if name != "noise"})
    after = agent.state()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)


class Point:
    """A point on a line, pushed about; resets when it leaves [-1, 1] or after 20 steps."""

    def __init__(self) -> None:
        self.position, self.steps = 0.0, 0

    def step(self, push: float) -> tuple[float, bool]:
        self.position += 0.2 * push
        self.steps += 1
        return -abs(self.position), abs(self.position) > 1

    def observation(self) -> NDArray[np.float32]:
        return np.array([self.position, self.steps / 20], np.float32)


def run_loop(
    agent: Sac, replay: Replay, rng: np.random.Generator, point: Point, steps: int
) -> None:
    for _ in range(steps):
        observation = point.observation()
        action = agent.act(observation, deterministic=False)
        reward, terminated = point.step(float(action[0]))
        replay.add(observation, action, reward, point.observation(), terminated)
        if terminated or point.steps == 20:
            point.position, point.steps = 0.0, 0
        agent.update(replay.sample(rng, 16))


@pytest.mark.parametrize("recipe", [PaperVectors(), FastVectors()])
def test_a_killed_and_resumed_loop_equals_one_never_killed(
    recipe: PaperVectors | FastVectors,
) -> None:
    settings = SacSettings(hidden_units=(8,), batch_size=16, replay_capacity=40)

    def parts(seed: int) -> tuple[Sac, Replay, np.random.Generator, Point]:
        agent = Sac(settings, 2, 1, seed, vectors=recipe)
        return agent, Replay(40, (2,), 1), np.random.default_rng(seed), Point()

    agent, replay, rng, point = whole = parts(0)
    run_loop(*whole, steps=60)
    saved = {**agent.state()}, {k: v.copy() for k, v in replay.state().items()}
    saved_rng, saved_point = rng.bit_generator.state, (point.position, point.steps)
    run_loop(*whole, steps=30)

    agent2, replay2, rng2, point2 = resumed = parts(99)
    agent2.load(saved[0])
    replay2.load(saved[1])
    rng2.bit_generator.state = saved_rng
    point2.position, point2.steps = saved_point
    run_loop(*resumed, steps=30)

    for one, two in ((agent, agent2), (replay, replay2)):
        first, second = one.state(), two.state()
        assert first.keys() == second.keys()
        assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert agent2.updates == 90


@pytest.mark.parametrize("recipe", ["paper", "normalise", "fast"])
def test_numpy_policy_equals_the_learners_and_follows_its_updates(recipe: str) -> None:
    agent = make_agent(recipe, seed=0)
    policy = agent.policy()
    assert policy.normalises == agent.vectors.normalise
    observations = np.random.default_rng(0).normal(3, 1, (9, OBSERVATION)).astype(np.float32)
    for index in range(3):
        agent.update(make_batch(index))
        seen = torch.from_numpy(observations)
        if agent._normaliser is not None:
            seen = agent._normaliser(seen)
        head = agent._acting_network.forward([seen], dim=1)
        mean, log_std = head.numpy()[:, :ACTION], head.numpy()[:, ACTION:]
        found = policy.distribution(observations)
        np.testing.assert_allclose(found[0], mean, rtol=0, atol=1e-5)
        np.testing.assert_allclose(found[1], log_std, rtol=0, atol=1e-5)
        acted = agent.act(observations, deterministic=True)
        np.testing.assert_allclose(acted, np.tanh(mean), rtol=0, atol=1e-5)
        assert acted.dtype == np.float32
        single = agent.act(observations[0], deterministic=True)
        np.testing.assert_allclose(single, acted[0], rtol=0, atol=1e-6)


def test_the_policy_that_acts_is_an_average_of_those_that_were() -> None:
    share = 0.2
    agent = Sac(SMALL, OBSERVATION, ACTION, 0, vectors=replace(NOTHING, policy_average=share))
    plain = make_agent("nothing", seed=0)
    newest = plain.policy().weights()
    expected = {name: weight.copy() for name, weight in newest.items()}
    for index in range(5):
        agent.update(make_batch(index))
        plain.update(make_batch(index))
        newest = plain.policy().weights()
        expected = {name: w + share * (newest[name] - w) for name, w in expected.items()}
    found = agent.policy().weights()
    assert found.keys() == expected.keys()
    for name, weight in expected.items():
        np.testing.assert_allclose(found[name], weight, rtol=0, atol=1e-6)
        assert not np.array_equal(found[name], newest[name])
    # What is learned is the same: the average only acts.
    learned = agent.state()
    assert same({name: learned[name] for name in plain.state()}, plain.state())


def test_the_average_goes_on_after_a_restart() -> None:
    averaged = FastVectors(policy_average=0.2)
    first = Sac(SMALL, OBSERVATION, ACTION, 0, vectors=averaged)
    first.update(make_batch())
    resumed = Sac(SMALL, OBSERVATION, ACTION, 1, vectors=averaged)
    resumed.load(first.state())
    first.update(make_batch(1))
    resumed.update(make_batch(1))
    assert same(first.state(), resumed.state())
    observation = np.ones(OBSERVATION, np.float32)
    assert np.array_equal(first.act(observation, True), resumed.act(observation, True))


def test_a_rebuilt_policy_normalises_the_same() -> None:
    agent = make_agent("fast", seed=0)
    agent.update(make_batch())
    observations = np.random.default_rng(1).normal(0, 9, (5, OBSERVATION)).astype(np.float32)
    rebuilt = Policy(agent.policy().weights())
    before = rebuilt.mean_action(observations)
    np.testing.assert_array_equal(before, agent.policy().mean_action(observations))
    agent.update(make_batch(1))
    np.testing.assert_array_equal(rebuilt.mean_action(observations), before)


def test_an_observation_of_the_wrong_length_is_refused() -> None:
    policy = Sac(SMALL, OBSERVATION, ACTION, seed=0).policy()
    with pytest.raises(ValueError, match=r"expected \(\.\.\., 4\)"):
        policy.mean_action(np.zeros(OBSERVATION + 1, np.float32))


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
