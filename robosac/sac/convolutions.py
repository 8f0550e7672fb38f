"""The paper's encoder (arXiv 1812.05905, Section 7.3): small convolutions with max-pooling."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from robosac.sac.eyes import KERNEL, POOL
from robosac.sac.flat import Layout


def convolution_layout(members: int, channels: int, filters: Sequence[int]) -> Layout:
    """Shapes of an ensemble: `weight{i}` (members * filters, in, 3, 3), `bias{i}` (members * f)."""
    shapes: dict[str, tuple[int, ...]] = {}
    for index, (fan_in, fan_out) in enumerate(pairwise((channels, *filters))):
        shapes[f"weight{index}"] = (members * fan_out, fan_in, KERNEL, KERNEL)
        shapes[f"bias{index}"] = (members * fan_out,)
    return Layout(shapes)


class Convolutions:
    """Weights of one encoder, or of an ensemble: what one optimiser trains."""

    def __init__(self, layout: Layout, parameters: Tensor, gradient: Tensor | None = None) -> None:
        self.weights = layout.views(parameters)
        self.gradients = {} if gradient is None else layout.views(gradient)

    def initialise(self, generator: torch.Generator) -> None:
        """Draw weights and biases from U(-1/sqrt(in), 1/sqrt(in)), as PyTorch does by default."""
        for name, weight in self.weights.items():
            fan_in = math.prod(self.weights[name.replace("bias", "weight")].shape[1:])
            weight.uniform_(-1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in), generator=generator)


class JointPass:
    """Several encoders over the same pictures, as one grouped convolution a layer.

    Each layer: a 3x3 convolution, zero-padded to keep the size, ReLU, max-pooling. The gradient is
    left to autograd: hand-written, it was no faster. It remembers its last forward pass.
    """

    def __init__(self, owners: Sequence[Convolutions], members: int) -> None:
        self._owners = owners
        self._members = members

    def forward(self, pictures: Tensor) -> Tensor:
        """Features (members, rows, n) of pictures (rows, channels, height, width) about zero."""
        learns = all(owner.gradients for owner in self._owners)
        self._weights = {
            name: torch.cat([owner.weights[name] for owner in self._owners]).requires_grad_(learns)
            for name in self._owners[0].weights
        }
        with torch.set_grad_enabled(learns), _repeatable():
            self._features = self._convolve(pictures)
        return self._features.detach()

    def backward(self, d_features: Tensor) -> None:
        """Write dJ/dweights of every owner, given dJ/dfeatures (members, rows, n)."""
        weights = list(self._weights.values())
        with _repeatable():
            gradients = torch.autograd.grad(self._features, weights, d_features)
        for name, gradient in zip(self._weights, gradients, strict=True):
            sizes = [len(owner.weights[name]) for owner in self._owners]
            for owner, share in zip(self._owners, gradient.split(sizes), strict=True):
                owner.gradients[name].copy_(share)

    def _convolve(self, x: Tensor) -> Tensor:
        for index in range(len(self._weights) // 2):
            weight, bias = self._weights[f"weight{index}"], self._weights[f"bias{index}"]
            groups = 1 if index == 0 else self._members
            x = conv2d(x, weight, bias, padding=KERNEL // 2, groups=groups)
            # The largest of what a ReLU lets through is what it lets through of the largest; this
            # way round it has a quarter of the work.
            x = max_pool2d(x, POOL).relu_()
        return x.reshape(len(x), self._members, -1).transpose(0, 1)


@contextmanager
def _repeatable() -> Iterator[None]:
    """On a GPU: only algorithms that give the same bits each time."""
    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before
