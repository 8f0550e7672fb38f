"""The policy that the learner hands out: the same numbers, averaged, normalised, strict."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from robosac.sac import FastVectors, Policy, Sac
from tests.robosac.sac_rig import (
    ACTION,
    NOTHING,
    OBSERVATION,
    SMALL,
    make_agent,
    make_batch,
    same,
)
from tests.robosac.threads import one_thread

__all__ = ["one_thread"]


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
