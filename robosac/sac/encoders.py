"""The `fast` recipe's encoder: patches to features, features to a few units, on flat storage.

Gradients are derived by hand, for the reasons given in `networks`, and held against autograd.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from robosac.sac.flat import Layout
from robosac.sac.networks import LayerNorm, relu_gradient_
from robosac.sac.patches import GREY, PIXEL_SCALE, patch_shapes


def patch_layout(
    image_shape: tuple[int, ...], sides: Sequence[int], filters: Sequence[int]
) -> Layout:
    """Shapes of `PatchEncoder`: `weight{i}` (side * side * in, filters), `bias{i}` (1, filters)."""
    shapes: dict[str, tuple[int, ...]] = {}
    for index, (fan_in, fan_out) in enumerate(patch_shapes(image_shape, sides, filters)):
        shapes[f"weight{index}"] = (fan_in, fan_out)
        shapes[f"bias{index}"] = (1, fan_out)
    return Layout(shapes)


def projection_layout(features: int, out: int) -> Layout:
    """Shapes of `Projection`: `weight0` (features, out) and `bias0` (1, out)."""
    return Layout({"weight0": (features, out), "bias0": (1, out)})


class PatchEncoder:
    """ReLU layers over patches that do not overlap: each layer is one matrix product.

    A convolution whose stride is its kernel's side needs no copies of overlapping windows, which
    is where a small convolution spends its time on a CPU. It remembers its last forward pass.
    """

    def __init__(
        self, features: int, layout: Layout, parameters: Tensor, gradient: Tensor | None = None
    ) -> None:
        self.weights = layout.views(parameters)
        self.gradients = {} if gradient is None else layout.views(gradient)
        self._layers = len(self.weights) // 2
        self._features = features
        self._outputs: list[Tensor] = []

    def initialise(self, generator: torch.Generator) -> None:
        """Draw weights and biases from U(-1/sqrt(in), 1/sqrt(in)), as PyTorch does by default."""
        for name, weight in self.weights.items():
            bound = 1 / math.sqrt(len(self.weights[name.replace("bias", "weight")]))
            weight.uniform_(-bound, bound, generator=generator)

    def forward(self, patches: Sequence[Tensor]) -> Tensor:
        """Features (rows, n) of pictures that `to_patches` cut up, one part's after the other's."""
        count = sum(map(len, patches))
        if not self._outputs or len(self._outputs[0]) != count:
            self._allocate(count)
        torch.cat(list(patches), out=self._bytes)
        self._outputs[0].copy_(self._bytes).sub_(GREY)
        scale = PIXEL_SCALE
        for index in range(self._layers):
            weight, bias = self.weights[f"weight{index}"], self.weights[f"bias{index}"]
            out = self._outputs[index + 1]
            # A bias of one axis is added within the product on a GPU; of two, by a copy before it.
            torch.addmm(bias[0], self._input(index), weight, alpha=scale, out=out).relu_()
            scale = 1
        return self._outputs[-1].view(-1, self._features)

    def backward(self, d_features: Tensor) -> None:
        """Write dJ/dweights, given dJ/dfeatures (rows, n) of the last pass's first rows.

        `d_features` is used up: its memory serves the calculation.
        """
        d_output = d_features.reshape(-1, self._outputs[-1].shape[1])
        for index in reversed(range(self._layers)):
            output = self._outputs[index + 1][: len(d_output)]
            relu_gradient_(d_output, output, 0, grad_input=d_output)
            inputs = self._input(index)[: len(d_output)]
            torch.mm(inputs.mT, d_output, out=self.gradients[f"weight{index}"])
            torch.sum(d_output, dim=0, keepdim=True, out=self.gradients[f"bias{index}"])
            if index > 0:
                d_input = self._scratch[index].view(-1, inputs.shape[1])[: len(d_output)]
                torch.mm(d_output, self.weights[f"weight{index}"].mT, out=d_input)
                d_output = d_input.view(-1, self._outputs[index].shape[1])
        self.gradients["weight0"].mul_(PIXEL_SCALE)

    def _input(self, index: int) -> Tensor:
        """What layer `index` takes: as many of the last layer's outputs as make up a patch."""
        return self._outputs[index].view(-1, len(self.weights[f"weight{index}"]))

    def _allocate(self, patches: int) -> None:
        """Reserve the first layer's input, what each layer puts out, and as much for gradients."""
        weights = [self.weights[f"weight{index}"] for index in range(self._layers)]
        shapes = [(patches, len(weights[0]))]
        for weight in weights:
            fan_in, fan_out = weight.shape
            shapes.append((math.prod(shapes[-1]) // fan_in, fan_out))
        self._bytes = weights[0].new_empty(shapes[0], dtype=torch.uint8)
        self._outputs = [weights[0].new_empty(shape) for shape in shapes]
        self._scratch = [weights[0].new_empty(shape) for shape in shapes]


class Projection:
    """Features to a few units: a linear layer, layer normalisation, tanh (DrQ, arXiv 2004.13649).

    It remembers its last forward pass.
    """

    def __init__(self, layout: Layout, parameters: Tensor, gradient: Tensor | None = None) -> None:
        self.weights = layout.views(parameters)
        self.gradients = {} if gradient is None else layout.views(gradient)
        self._norm = LayerNorm()

    def initialise(self, generator: torch.Generator) -> None:
        """Draw weights and biases from U(-1/sqrt(in), 1/sqrt(in)), as PyTorch does by default."""
        bound = 1 / math.sqrt(len(self.weights["weight0"]))
        for weight in self.weights.values():
            weight.uniform_(-bound, bound, generator=generator)

    def forward(self, features: Tensor) -> Tensor:
        """Units (rows, out) in [-1, 1] of features (rows, n)."""
        self._features = features
        raw = torch.addmm(self.weights["bias0"][0], features, self.weights["weight0"])
        self._units = self._norm.forward(raw).tanh_()
        return self._units

    def backward(self, d_units: Tensor) -> Tensor:
        """Write dJ/dweights, given dJ/dunits (rows, out) of the last pass's first rows.

        Returns dJ/d(what the linear layer put out), which `into_features` takes on.
        """
        rows = len(d_units)
        d_raw = self._norm.backward(d_units * (1 - self._units[:rows].square()))
        torch.mm(self._features[:rows].mT, d_raw, out=self.gradients["weight0"])
        torch.sum(d_raw, dim=0, keepdim=True, out=self.gradients["bias0"])
        return d_raw

    def into_features(self, d_raw: Tensor) -> Tensor:
        """dJ/dfeatures (rows, n), given dJ/d(what the linear layer put out)."""
        return torch.mm(d_raw, self.weights["weight0"].mT)
