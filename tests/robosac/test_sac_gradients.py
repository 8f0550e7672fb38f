"""The hand-derived gradients against autograd and finite differences, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

from robosac.sac.flat import Layout
from robosac.sac.gaussian import squash, squash_gradient
from robosac.sac.networks import CRITICS, Perceptron, critic_layout, policy_layout

OBSERVATION, ACTION, HIDDEN, ROWS = 5, 3, (7, 6), 11


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def network(layout: Layout) -> tuple[Perceptron, Tensor, Tensor]:
    parameters = torch.zeros(layout.size, dtype=torch.float64)
    gradient = torch.full_like(parameters, math.nan)
    perceptron = Perceptron(layout, parameters, gradient)
    perceptron.initialise(torch.Generator().manual_seed(1))
    return perceptron, parameters, gradient


def reference(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """The textbook forward pass, left to autograd."""
    layers = len(weights) // 2
    for index in range(layers):
        x = x @ weights[f"weight{index}"] + weights[f"bias{index}"]
        if index < layers - 1:
            x = torch.relu(x)
    return x


def leaves(perceptron: Perceptron) -> dict[str, Tensor]:
    return {name: w.clone().requires_grad_() for name, w in perceptron.weights.items()}


@pytest.mark.parametrize(
    "layout",
    [critic_layout(OBSERVATION, ACTION, HIDDEN), policy_layout(OBSERVATION + ACTION, 2, HIDDEN)],
    ids=["critics", "policy"],
)
def test_weight_gradients_equal_autograd(layout: Layout) -> None:
    perceptron, _, _ = network(layout)
    x = random(ROWS, OBSERVATION + ACTION)
    weights = leaves(perceptron)
    expected = reference(weights, x)
    output = perceptron.forward([x[:, :OBSERVATION], x[:, OBSERVATION:]], dim=1)
    torch.testing.assert_close(output, expected.detach(), rtol=1e-12, atol=1e-12)

    d_output = random(*output.shape, seed=2)
    expected.backward(d_output)
    perceptron.backward(d_output)
    for name, weight in weights.items():
        assert weight.grad is not None
        found = perceptron.gradients[name]
        torch.testing.assert_close(found, weight.grad, rtol=1e-11, atol=1e-12, msg=name)


def test_backward_of_the_first_rows_ignores_the_others() -> None:
    perceptron, _, _ = network(policy_layout(OBSERVATION, ACTION, HIDDEN))
    first, second = random(ROWS, OBSERVATION), random(ROWS, OBSERVATION, seed=3)
    weights = leaves(perceptron)
    output = perceptron.forward([first, second], dim=0)
    d_output = random(ROWS, output.shape[1], seed=4)
    reference(weights, first).backward(d_output)
    perceptron.backward(d_output)
    for name, weight in weights.items():
        torch.testing.assert_close(perceptron.gradients[name], weight.grad, rtol=1e-11, atol=1e-12)


def test_input_gradient_equals_autograd_and_leaves_the_weights_gradient_alone() -> None:
    perceptron, _, gradient = network(critic_layout(OBSERVATION, ACTION, HIDDEN))
    state, action = random(ROWS, OBSERVATION), random(ROWS, ACTION, seed=5).requires_grad_()
    d_q = random(CRITICS, ROWS, 1, seed=6)
    pair = torch.cat([state, action], dim=1).expand(CRITICS, -1, -1)
    reference(perceptron.weights, pair).backward(d_q)
    perceptron.forward([state, action.detach()], dim=1)
    found = perceptron.input_gradient(d_q, slice(-ACTION, None)).sum(dim=0)
    assert action.grad is not None
    torch.testing.assert_close(found, action.grad, rtol=1e-11, atol=1e-12)
    assert gradient.isnan().all()


def test_weight_gradients_equal_finite_differences() -> None:
    layout = critic_layout(2, 1, (4,))
    perceptron, parameters, gradient = network(layout)
    parts = [random(6, 2), random(6, 1, seed=7)]
    d_q = random(CRITICS, 6, 1, seed=8)
    perceptron.forward(parts, dim=1)
    gradient.zero_()
    perceptron.backward(d_q)
    step = 1e-6
    for index in gradient.nonzero().flatten().tolist():
        values = []
        for sign in (1, -1):
            parameters[index] += sign * step
            values.append((perceptron.forward(parts, dim=1) * d_q).sum())
            parameters[index] -= sign * step
        difference = (values[0] - values[1]) / (2 * step)
        assert difference.item() == pytest.approx(gradient[index].item(), rel=1e-6, abs=1e-8)


def test_a_second_pass_does_not_change_the_first_ones_output() -> None:
    perceptron, _, _ = network(critic_layout(OBSERVATION, ACTION, HIDDEN))
    kept = perceptron.forward([random(ROWS, OBSERVATION), random(ROWS, ACTION)], dim=1)
    copy = kept.clone()
    perceptron.forward([random(ROWS, OBSERVATION, seed=9), random(ROWS, ACTION, seed=9)], dim=1)
    assert torch.equal(kept, copy)


def test_squash_gradient_equals_autograd_also_where_log_std_is_clamped() -> None:
    head = random(ROWS, 2 * ACTION).requires_grad_()
    with torch.no_grad():
        head[0, ACTION:], head[1, ACTION:] = 3.0, -25.0
    noise, d_action, d_log_pi = (random(ROWS, n, seed=n + 9) for n in (ACTION, ACTION, 1))
    action, log_pi = squash(head, noise)
    torch.autograd.backward([action, log_pi], [d_action, d_log_pi.squeeze(1)])
    assert head.grad is not None
    found = squash_gradient(head.detach(), noise, action.detach(), d_action, d_log_pi)
    torch.testing.assert_close(found, head.grad, rtol=1e-10, atol=1e-12)


def test_log_density_equals_torch_distributions() -> None:
    head, noise = random(ROWS, 2 * ACTION), random(ROWS, ACTION, seed=20)
    found_action, log_pi = squash(head, noise)
    mean, log_std = head.chunk(2, dim=1)
    assert log_std.max() > 2, "one of the rows should show the bound on log std at work"
    log_std = log_std.clamp(-20, 2)
    # The cache hands the transform its own u back; atanh(action) would lose half of the digits.
    transform = TanhTransform(cache_size=1)
    action = transform(mean + log_std.exp() * noise)
    assert isinstance(action, Tensor)
    gaussian = Independent(Normal(mean, log_std.exp()), 1)
    expected = TransformedDistribution(gaussian, [transform]).log_prob(action)
    torch.testing.assert_close(found_action, action, rtol=1e-12, atol=0)
    torch.testing.assert_close(log_pi, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("u", [-30.0, -12.0, 12.0, 30.0])
def test_log_density_is_exact_where_tanh_has_saturated(u: float) -> None:
    """There 1 - tanh^2 u rounds to zero in float32; its logarithm is 2 log 2 - 2 |u| to 1e-10."""
    head = torch.tensor([[u, 0.0]])
    _, log_pi = squash(head, torch.zeros(1, 1))
    expected = -0.5 * math.log(2 * math.pi) - 2 * (math.log(2) - abs(u))
    assert log_pi.item() == pytest.approx(expected, rel=1e-6)


def test_views_alias_the_flat_storage_and_do_not_overlap() -> None:
    layout = critic_layout(OBSERVATION, ACTION, HIDDEN)
    flat = torch.zeros(layout.size)
    views = layout.views(flat)
    for name, view in views.items():
        view += 1
        assert view.shape == layout.shapes[name]
        assert view.data_ptr() % 64 == flat.data_ptr() % 64
    assert flat.sum() == sum(view.numel() for view in views.values())
    assert flat.max() == 1
    with pytest.raises(ValueError, match="expected"):
        layout.views(flat[1:])
