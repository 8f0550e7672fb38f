"""The native core as tests get it, and autograd's gradients of the losses it derives by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from robosac.errors import NativeUnavailable
from robosac.replay import Batch
from robosac.sac import FastVectors, Learner, PaperVectors, Sac, SacSettings
from robosac.sac.flat import FlatAdam
from robosac.sac.gaussian import squash
from robosac.sac.native.agent import NativeSac, native_library
from robosac.sac.native.interface import Library
from robosac.sac.networks import NORM_EPSILON
from robosac.sac.settings import Products

Vectors = PaperVectors | FastVectors


def library_or_skip(products: Products = "float32") -> Library:
    """The core; without a compiler the test is skipped, with the reason."""
    try:
        return native_library(products=products)
    except NativeUnavailable as error:
        pytest.skip(f"no native core: {error}")


def make_batch(seed: int, rows: int, observation: int, action: int) -> Batch:
    """Random transitions, a fifth of them terminated."""
    rng = np.random.default_rng(seed)
    return Batch(
        observation=rng.standard_normal((rows, observation), dtype=np.float32),
        action=rng.uniform(-1, 1, (rows, action)).astype(np.float32),
        reward=rng.standard_normal(rows, dtype=np.float32),
        next_observation=rng.standard_normal((rows, observation), dtype=np.float32),
        terminated=(rng.random(rows) < 0.2).astype(np.float32),
    )


def pair(
    library: Library,
    settings: SacSettings,
    observation: int,
    action: int,
    vectors: Vectors,
    warm_ups: int = 5,
) -> tuple[Sac, NativeSac]:
    """Two learners of one state, after a few updates by torch.

    Adam's first step is the sign of each gradient, which rounding decides where that is nearly
    zero; afterwards its steps are as smooth as the gradients.
    """
    plain = Sac(settings, observation, action, 0, vectors=vectors)
    native = NativeSac(library, settings, observation, action, 1, vectors)
    for seed in range(warm_ups):
        plain.update(make_batch(100 + seed, settings.batch_size, observation, action))
    native.load(plain.state())
    return plain, native


def assert_near(plain: Learner[Any], native: Learner[Any], most: float = 2e-5) -> None:
    """Within float32's rounding, `most` of the largest number of each kind."""
    one, other = plain.state(), native.state()
    assert one.keys() == other.keys()
    for name in ("noise", "acting", "updates"):
        np.testing.assert_array_equal(one[name], other[name])
    for name in one.keys() - {"noise", "acting"}:
        scale = float(np.abs(one[name]).max(initial=1e-6))
        np.testing.assert_allclose(other[name], one[name], rtol=0, atol=most * scale, err_msg=name)


def assert_200_updates_stay_near(
    library: Library, settings: SacSettings, vectors: Vectors, losses: float, actions: float
) -> None:
    """Torch and core over the same batches: their last losses, and what they then do."""
    rows = settings.batch_size
    plain, native = pair(library, settings, 9, 3, vectors)
    for seed in range(199):
        batch = make_batch(seed, rows, 9, 3)
        plain.update(batch)
        native.update(batch)
    last = make_batch(199, rows, 9, 3)
    expected, found = plain.update(last).floats(), native.update(last).floats()
    assert found == pytest.approx(expected, rel=losses, abs=losses)
    seen = make_batch(999, 64, 9, 3).observation
    apart = native.act(seen, deterministic=True) - plain.act(seen, deterministic=True)
    assert np.abs(apart).max() < actions


def cosine(one: Tensor, other: Tensor) -> float:
    """Of the angle between two gradients, flat."""
    first, second = one.double().flatten(), other.double().flatten()
    return float(first @ second / (first.norm() * second.norm()))


def autograd(
    native: NativeSac, before: Mapping[str, Any], batch: Batch
) -> dict[str, dict[str, Tensor]]:
    """Gradients of Equations 5 and 9 in float64, for the update that `native` has just made.

    Args:
        native: after the update: the policy's loss is of the critics that it has now.
        before: its state before.
        batch: what it learned from, not normalised and without images.
    """
    vectors, settings = native.vectors, native.settings
    s, a, r, s2, end = (
        torch.as_tensor(getattr(batch, name)).double()
        for name in ("observation", "action", "reward", "next_observation", "terminated")
    )
    rows = len(s)
    generator = torch.Generator()
    generator.set_state(torch.from_numpy(before["noise"]))
    noise = torch.randn(2 * rows, a.shape[1], generator=generator).double()
    critics = _leaves(native, "critics", before["critics.parameters"])
    targets = _leaves(native, "critics", before["target_critics"])
    policy = _leaves(native, "policy", before["policy.parameters"])
    newest = _leaves(native, "critics", native.state()["critics.parameters"])
    alpha = float(np.exp(before["log_alpha.parameters"].astype(np.float64))[0])

    def q(weights: dict[str, Tensor], state: Tensor, action: Tensor) -> Tensor:
        x = torch.cat([state, action], dim=1).expand(2, -1, -1)
        return _perceptron(weights, x, vectors.critic_layer_norm).squeeze(-1)

    def reduced(values: Tensor, how: str) -> Tensor:
        return values.amin(dim=0) if how == "min" else values.mean(dim=0)

    with torch.no_grad():
        a2, log_pi2 = squash(_perceptron(policy, s2), noise[rows:])
        value = reduced(q(targets, s2, a2), vectors.target_q) - alpha * log_pi2
        y = r + settings.discount * (1 - end) * value
    (0.5 * (q(critics, s, a) - y).square().mean(dim=1).sum()).backward()
    pi, log_pi = squash(_perceptron(policy, s), noise[:rows])
    loss = (alpha * log_pi - reduced(q(newest, s, pi), vectors.actor_q)).mean()
    loss.backward(inputs=list(policy.values()))
    return {
        "critics": {name: _grad(weight) for name, weight in critics.items()},
        "policy": {name: _grad(weight) for name, weight in policy.items()},
    }


def followed(native: NativeSac, before: Mapping[str, Any]) -> dict[str, dict[str, Tensor]]:
    """The gradients of the core's last update, by what they did to Adam's means.

    Args:
        native: after the update; the core keeps no gradient longer than a layer's step takes.
        before: its state before.
    """
    after = native.state()
    found: dict[str, dict[str, Tensor]] = {}
    for owner in ("critics", "policy"):
        old, new = (state[f"{owner}.mean"].astype(np.float64) for state in (before, after))
        gradient = old + (new - old) / (1 - FlatAdam.beta1)
        found[owner] = native.layouts[owner].views(torch.from_numpy(gradient))
    return found


def _grad(weight: Tensor) -> Tensor:
    assert weight.grad is not None
    return weight.grad


def _leaves(native: NativeSac, owner: str, flat: Any) -> dict[str, Tensor]:
    layout = native.layouts[owner]
    views = layout.views(torch.from_numpy(np.array(flat)))
    return {name: view.double().requires_grad_() for name, view in views.items()}


def _perceptron(weights: dict[str, Tensor], x: Tensor, norm: bool = False) -> Tensor:
    layers = len(weights) // 2
    for index in range(layers):
        x = x @ weights[f"weight{index}"] + weights[f"bias{index}"]
        if index < layers - 1:
            if norm:
                centred = x - x.mean(dim=-1, keepdim=True)
                variance = centred.square().mean(dim=-1, keepdim=True)
                x = centred / (variance + NORM_EPSILON).sqrt()
            x = torch.relu(x)
    return x
