"""Encoders against convolutions as torch has them, and their gradients against autograd."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d, layer_norm, max_pool2d

from robosac.sac.convolutions import Convolutions, JointPass, convolution_layout
from robosac.sac.encoders import PatchEncoder, Projection, patch_layout, projection_layout
from robosac.sac.flat import Layout, pieces
from robosac.sac.networks import CRITICS, Perceptron, critic_layout
from robosac.sac.patches import GREY, to_patches

ROWS = 5


def random(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def storage(layout: Layout) -> tuple[Layout, Tensor, Tensor]:
    zeros = torch.zeros(layout.size, dtype=torch.float64)
    return layout, zeros, zeros.clone()


def leaves(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: weight.clone().requires_grad_() for name, weight in weights.items()}


def assert_gradients(found: dict[str, Tensor], weights: dict[str, Tensor]) -> None:
    assert found.keys() == weights.keys()
    for name, weight in weights.items():
        assert weight.grad is not None
        torch.testing.assert_close(found[name], weight.grad, rtol=1e-10, atol=1e-12, msg=name)


def pictures(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (ROWS, height, width, 3), dtype=np.uint8)


def patch_convolutions(
    weights: dict[str, Tensor], images: np.ndarray, sides: Sequence[int]
) -> Tensor:
    """What `PatchEncoder` computes, by strided convolutions; features last."""
    x = (torch.from_numpy(images).to(torch.float64).permute(0, 3, 1, 2) - GREY) / 255
    for index, side in enumerate(sides):
        matrix = weights[f"weight{index}"]
        kernel = matrix.view(side, side, -1, matrix.shape[1]).permute(3, 2, 0, 1)
        x = torch.relu(conv2d(x, kernel, weights[f"bias{index}"][0], stride=side))
    return x.permute(0, 2, 3, 1).flatten(1)


@pytest.mark.parametrize(
    ("sides", "filters"), [((4,), (6,)), ((4, 2), (6, 5)), ((2, 2, 2), (3, 4, 5)), ((2, 4), (4, 3))]
)
def test_patch_encoder_is_strided_convolutions(
    sides: tuple[int, ...], filters: tuple[int, ...]
) -> None:
    images = pictures(16, 24)
    layout = patch_layout(images.shape[1:], sides, filters)
    whole = int(np.prod(sides))
    features = (16 // whole) * (24 // whole) * filters[-1]
    encoder = PatchEncoder(features, *storage(layout))
    encoder.initialise(torch.Generator().manual_seed(1))
    weights = leaves(encoder.weights)
    expected = patch_convolutions(weights, images, sides)
    parts = [torch.from_numpy(to_patches(part, sides)) for part in (images[:2], images[2:])]
    found = encoder.forward(parts)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-12, atol=1e-12)
    # Of the first rows alone: the others' features are a constant to the loss.
    d_features = random(2, features)
    expected[:2].backward(d_features)
    encoder.backward(d_features)
    assert_gradients(encoder.gradients, weights)


def test_projection_gradient_equals_autograd() -> None:
    projection = Projection(*storage(projection_layout(12, 6)))
    projection.initialise(torch.Generator().manual_seed(1))
    weights, features = leaves(projection.weights), random(ROWS, 12).requires_grad_()
    raw = features @ weights["weight0"] + weights["bias0"]
    expected = torch.tanh(layer_norm(raw, (6,)))
    found = projection.forward(features.detach())
    torch.testing.assert_close(found, expected.detach(), rtol=1e-12, atol=1e-12)
    d_units = random(3, 6, seed=2)
    expected[:3].backward(d_units)
    d_features = projection.into_features(projection.backward(d_units))
    assert features.grad is not None
    torch.testing.assert_close(d_features, features.grad[:3], rtol=1e-10, atol=1e-12)
    assert_gradients(projection.gradients, weights)


def test_joint_pass_is_each_encoder_by_itself() -> None:
    """An ensemble of two and a single one, as the paper's critics and policy."""
    members, filters = (2, 1), (4, 3)
    layouts = [convolution_layout(count, 3, filters) for count in members]
    zeros = torch.zeros(sum(x.size for x in layouts), dtype=torch.float64)
    owners = [Convolutions(*piece) for piece in pieces(layouts, zeros, zeros.clone())]
    for owner in owners:
        owner.initialise(torch.Generator().manual_seed(len(owner.weights["weight0"])))
    x = random(ROWS, 3, 12, 8)
    joint = JointPass(owners, sum(members))
    found = joint.forward(x)
    d_features = random(*found.shape, seed=4)
    joint.backward(d_features)
    first = 0
    for owner, count in zip(owners, members, strict=True):
        weights = leaves(owner.weights)
        for member in range(count):
            y = x
            for index, depth in enumerate(filters):
                own = slice(member * depth, (member + 1) * depth)
                weight, bias = weights[f"weight{index}"][own], weights[f"bias{index}"][own]
                y = max_pool2d(torch.relu(conv2d(y, weight, bias, padding="same")), 2)
            expected = y.flatten(1)
            torch.testing.assert_close(found[first + member], expected.detach())
            expected.backward(d_features[first + member])
        assert_gradients(owner.gradients, weights)
        first += count


@pytest.mark.parametrize("own", [False, True], ids=["shared view", "a view for each"])
def test_normalised_critics_gradients_equal_autograd(own: bool) -> None:
    view_columns, action_columns = 6, 2
    layout = critic_layout(view_columns, action_columns, (7, 5))
    critics = Perceptron(*storage(layout), layer_norm=True)
    critics.initialise(torch.Generator().manual_seed(1))
    shape = (CRITICS, ROWS, view_columns) if own else (ROWS, view_columns)
    view, action = random(*shape).requires_grad_(), random(ROWS, action_columns).requires_grad_()
    weights = leaves(critics.weights)
    x = torch.cat([view.expand(CRITICS, -1, -1), action.expand(CRITICS, -1, -1)], dim=2)
    for index, width in enumerate((7, 5)):
        x = x @ weights[f"weight{index}"] + weights[f"bias{index}"]
        x = torch.relu(layer_norm(x, (width,)))
    expected = x @ weights["weight2"] + weights["bias2"]
    found = critics.forward([view.detach(), action.detach()], dim=1)
    torch.testing.assert_close(found, expected.detach(), rtol=1e-12, atol=1e-12)
    d_q = random(CRITICS, ROWS, 1, seed=3)
    expected.backward(d_q)
    d_view = critics.into_input(critics.backward(d_q), slice(view_columns))
    d_action = critics.input_gradient(d_q, slice(-action_columns, None)).sum(dim=0)
    assert view.grad is not None
    assert action.grad is not None
    found_view = d_view if own else d_view.sum(dim=0)
    torch.testing.assert_close(found_view, view.grad, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(d_action, action.grad, rtol=1e-10, atol=1e-12)
    assert_gradients(critics.gradients, weights)
