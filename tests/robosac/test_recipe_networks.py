"""Dropout, CrossQ and SimBa beside recipe fast: each is what its paper says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from robosac.sac.gaussian import squash
from robosac.sac.networks import CRITICS, Perceptron, critic_layout
from tests.robosac.sac_rig import ACTION, NOTHING, OBSERVATION, RECIPES, ROWS, SMALL, make_batch
from tests.robosac.threads import one_thread
from tests.sweeps.recipe_crossq import EPSILON, NEWEST, POLICY_DELAY, CrossqSac, QuickAdam
from tests.sweeps.recipe_dropout import DropoutSac, DroppingPerceptron
from tests.sweeps.recipe_simba import WEIGHT_DECAY, WIDTH, Block, DecayingAdam, SimbaSac

__all__ = ["one_thread"]

HIDDEN = (7, 6)


def generator(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dropping(rate: float, gradient: bool = True) -> DroppingPerceptron:
    layout = critic_layout(OBSERVATION, ACTION, HIDDEN)
    parameters = torch.zeros(layout.size, dtype=torch.float64)
    own = torch.zeros_like(parameters) if gradient else None
    made = DroppingPerceptron(layout, parameters, own, generator(), rate)
    made.initialise(generator(1))
    return made


def test_dropout_drops_its_share_and_keeps_the_expectation() -> None:
    critics = dropping(0.2)
    x = torch.randn((3000, OBSERVATION + ACTION), generator=generator(), dtype=torch.float64)
    critics.forward([x], dim=1)
    for mask in critics.masks.values():
        assert set(mask.unique().tolist()) == {0.0, 1.25}
        # 36,000 numbers or more: a share of 0.2 is known within 0.01 by four deviations.
        assert abs((mask == 0).double().mean().item() - 0.2) < 0.01
        assert abs(mask.mean().item() - 1) < 0.0125
    first = critics.masks[0]
    critics.forward([x], dim=1)
    assert not torch.equal(first, critics.masks[0])


def test_without_dropping_it_is_the_product() -> None:
    critics = dropping(0.0)
    layout = critic_layout(OBSERVATION, ACTION, HIDDEN)
    parameters = torch.zeros(layout.size, dtype=torch.float64)
    plain = Perceptron(layout, parameters, layer_norm=True)
    plain.initialise(generator(1))
    x = torch.randn((9, OBSERVATION + ACTION), generator=generator(), dtype=torch.float64)
    assert torch.equal(critics.forward([x], dim=1), plain.forward([x], dim=1))


def test_gradients_of_dropout_before_the_norm_equal_autograd() -> None:
    critics = dropping(0.3)
    x = torch.randn((9, OBSERVATION + ACTION), generator=generator(), dtype=torch.float64)
    found = critics.forward([x], dim=1)
    weights = {name: w.clone().requires_grad_() for name, w in critics.weights.items()}
    shown = x.clone().requires_grad_()
    hidden: Tensor = shown
    for index in range(len(HIDDEN)):
        raw = hidden @ weights[f"weight{index}"] + weights[f"bias{index}"]
        dropped = raw * critics.masks[index]
        hidden = torch.layer_norm(dropped, dropped.shape[-1:]).relu()
    expected = hidden @ weights["weight2"] + weights["bias2"]
    torch.testing.assert_close(found, expected)
    d_output = torch.randn(found.shape, generator=generator(7), dtype=torch.float64)
    expected.backward(d_output)
    critics.backward(d_output)
    for name, gradient in critics.gradients.items():
        torch.testing.assert_close(gradient, weights[name].grad)
    assert shown.grad is not None
    d_input = critics.input_gradient(d_output, slice(None)).sum(dim=0)
    torch.testing.assert_close(d_input, shown.grad)


def test_every_critic_drops() -> None:
    learner = DropoutSac(SMALL, OBSERVATION, ACTION, 0, vectors=RECIPES["fast"])
    learner.update(make_batch())
    for critics in (learner.critics, learner.target_critics):
        assert isinstance(critics, DroppingPerceptron)
        assert set(critics.masks) == {0, 1}


def renormalised(x: Tensor, weights: dict[str, Tensor], member: int) -> Tensor:
    """A critic of CrossQ as the paper writes it, its norms by the rows at hand."""
    for index, at in enumerate((0, 3, 6)):
        mean, variance = x.mean(dim=0), x.var(dim=0, correction=0)
        x = (x - mean) / (variance + EPSILON).sqrt()
        prefix = f"members.{member}"
        x = x * weights[f"{prefix}.{at}.weight"] + weights[f"{prefix}.{at}.bias"]
        x = x @ weights[f"{prefix}.{at + 1}.weight"].T + weights[f"{prefix}.{at + 1}.bias"]
        x = x.relu() if index < 2 else x
    return x.squeeze(-1)


def crossq() -> CrossqSac:
    return CrossqSac(SMALL, OBSERVATION, ACTION, 0, vectors=NOTHING)


def test_crossq_normalises_both_states_together_and_has_no_target() -> None:
    learner, batch = crossq(), make_batch(1)
    weights = {
        name: x.detach().clone().requires_grad_()
        for name, x in learner.critic_module.named_parameters()
    }
    noise = torch.randn(2 * ROWS, ACTION, generator=torch.Generator().set_state(
        learner.generator.get_state()
    ))  # fmt: skip
    names = ("observation", "action", "reward", "next_observation", "terminated")
    state, action, reward, after, _ = (
        torch.as_tensor(getattr(batch, name), dtype=torch.float32) for name in names
    )
    with torch.no_grad():
        next_pi, next_log_pi = squash(learner.policy_module.eval()(after), noise[ROWS:])
    rows = torch.cat([torch.cat([state, action], 1), torch.cat([after, next_pi], 1)])
    both = torch.stack([renormalised(rows, weights, member) for member in range(CRITICS)])
    q, next_q = both[:, :ROWS], both[:, ROWS:].detach()
    alpha = SMALL.initial_alpha
    target = reward + SMALL.discount * (next_q.amin(dim=0) - alpha * next_log_pi)
    loss = 0.5 * (q - target).square().mean(dim=1).sum()
    loss.backward()
    told_by = learner.update(batch)
    torch.testing.assert_close(told_by.critic_loss, loss.detach())
    for name, parameter in learner.critic_module.named_parameters():
        torch.testing.assert_close(parameter.grad, weights[name].grad, rtol=1e-3, atol=1e-5)
    for member in range(CRITICS):
        running = learner.critic_module.get_buffer(f"members.{member}.0.running_mean")
        torch.testing.assert_close(running, NEWEST * rows.mean(dim=0))
    assert learner.state()["target_critics"].size == 0
    assert not hasattr(learner, "target_critics")


def test_crossq_improves_its_policy_at_every_third_update() -> None:
    learner = crossq()
    delayed = ("policy.parameters", "log_alpha.parameters", "policy.statistics.0.running_mean")
    for index in range(1, 2 * POLICY_DELAY + 1):
        before = learner.state()
        learner.update(make_batch(index))
        after = learner.state()
        for name in delayed:
            assert (before[name] != after[name]).any() == (index % POLICY_DELAY == 0)
        assert (before["critics.parameters"] != after["critics.parameters"]).any()


@pytest.mark.parametrize(
    ("make", "reference"),
    [
        (QuickAdam, lambda x: torch.optim.Adam([x], lr=0.01, betas=(0.5, 0.999))),
        (DecayingAdam, lambda x: torch.optim.AdamW([x], lr=0.01, weight_decay=WEIGHT_DECAY)),
    ],
)
def test_an_optimiser_is_torchs_own(
    make: Callable[[Tensor, float], Any], reference: Callable[[Tensor], torch.optim.Optimizer]
) -> None:
    own = torch.linspace(-1, 1, 48)
    theirs = own.clone()
    adam, other = make(own, 0.01), reference(theirs)
    for index in range(5):
        gradient = torch.randn(48, generator=generator(index))
        adam.gradient.copy_(gradient)
        theirs.grad = gradient
        adam.step()
        other.step()
    torch.testing.assert_close(own, theirs)


def simba() -> SimbaSac:
    return SimbaSac(SMALL, OBSERVATION, ACTION, 0, vectors=replace(NOTHING, actor_q="mean"))


def test_simba_has_the_papers_blocks() -> None:
    learner = simba()
    for module, blocks in ((learner.policy_network.module, 1), (learner.target_critics.module, 4)):
        inner = [part for part in module.modules() if isinstance(part, Block)]
        assert len(inner) == blocks
        assert all(part.widen.out_features == 4 * WIDTH == 512 for part in inner)
    rows = torch.randn((5, OBSERVATION), generator=generator())
    actions = torch.zeros((5, ACTION))
    assert learner.policy_network.forward([rows], dim=0).shape == (5, 2 * ACTION)
    assert learner.critics.forward([rows, actions], dim=1).shape == (CRITICS, 5, 1)


def test_a_block_adds_to_what_it_is_given() -> None:
    block, x = Block(8), torch.randn((3, 8), generator=generator())
    torch.nn.init.zeros_(block.narrow.weight)
    torch.nn.init.ones_(block.narrow.bias)
    assert torch.equal(block(x), x + 1)
    scaled = Block(8)
    torch.testing.assert_close(scaled(100 * x) - 100 * x, scaled(x) - x, rtol=1e-2, atol=1e-3)


def test_simbas_gradients_reach_every_parameter_and_are_its_modules() -> None:
    learner, batch = simba(), make_batch(2)
    learner.update(batch)
    for network in (learner.critics, learner.policy_network):
        for name, parameter in network.module.named_parameters():
            assert parameter.grad is not None
            assert parameter.grad.abs().max() > 0, name
    rows = torch.randn((5, OBSERVATION), generator=generator())
    actions = torch.zeros((5, ACTION), requires_grad=True)
    q = learner.critics.forward([rows, actions], dim=1)
    d_q = torch.randn(q.shape, generator=generator(1))
    module = learner.critics.module
    expected = torch.autograd.grad(
        module(torch.cat([rows, actions], dim=1)), [actions, *module.parameters()], d_q
    )
    found = learner.critics.input_gradient(d_q, slice(-ACTION, None)).sum(dim=0)
    torch.testing.assert_close(found, expected[0])
    learner.critics.forward([rows, actions], dim=1)
    learner.critics.backward(d_q)
    for parameter, gradient in zip(module.parameters(), expected[1:], strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_simbas_targets_follow() -> None:
    learner = simba()
    before = learner.state()
    assert (before["target_critics"] == before["critics.parameters"]).all()
    learner.update(make_batch())
    after, share = learner.state(), SMALL.target_smoothing
    expected = before["target_critics"] * (1 - share) + share * after["critics.parameters"]
    np.testing.assert_allclose(after["target_critics"], expected, rtol=1e-5, atol=1e-7)
    found = dict(learner.target_critics.module.named_parameters())
    assert found["members.0.0.weight"].data_ptr() == learner._target.data_ptr()
