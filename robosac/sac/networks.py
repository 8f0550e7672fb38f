"""The networks of the paper: critics and policy are ReLU perceptrons on flat storage.

Their gradients are derived by hand, and every large array is allocated once: on a CPU, autograd's
bookkeeping and the page faults of fresh memory cost more than the arithmetic of 256 x 256 layers.
Tests hold the gradients against autograd and finite differences in float64.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from robosac.sac.flat import Layout

CRITICS = 2
"""Soft Q-functions trained side by side (Algorithm 1)."""
NORM_EPSILON = 1e-5
"""Added to the variance by layer normalisation."""
relu_gradient_ = torch.ops.aten.threshold_backward.grad_input
norm_gradient = torch.ops.aten.native_layer_norm_backward


def critic_layout(observation_dim: int, action_dim: int, hidden: Sequence[int]) -> Layout:
    """Shapes of the ensemble: `weight{i}` (CRITICS, in, out) and `bias{i}` (CRITICS, 1, out)."""
    shapes: dict[str, tuple[int, ...]] = {}
    for index, (fan_in, fan_out) in enumerate(pairwise((observation_dim + action_dim, *hidden, 1))):
        shapes[f"weight{index}"] = (CRITICS, fan_in, fan_out)
        shapes[f"bias{index}"] = (CRITICS, 1, fan_out)
    return Layout(shapes)


def policy_layout(observation_dim: int, action_dim: int, hidden: Sequence[int]) -> Layout:
    """Shapes of the policy: `weight{i}` (in, out), `bias{i}` (1, out); the last: mean, log std."""
    shapes: dict[str, tuple[int, ...]] = {}
    for index, (fan_in, fan_out) in enumerate(pairwise((observation_dim, *hidden, 2 * action_dim))):
        shapes[f"weight{index}"] = (fan_in, fan_out)
        shapes[f"bias{index}"] = (1, fan_out)
    return Layout(shapes)


class LayerNorm:
    """Layer normalisation (Ba et al., arXiv 1607.06450) of the last axis, without gain and shift.

    Those would be redundant: another linear layer follows. It remembers its last forward pass.
    """

    def forward(self, x: Tensor) -> Tensor:
        """`x` less its mean, over its standard deviation; `x` is kept for `backward`."""
        self._x = x
        out, self._mean, self._rstd = torch.native_layer_norm(
            x, x.shape[-1:], None, None, NORM_EPSILON
        )
        return out

    def backward(self, d_output: Tensor) -> Tensor:
        """dJ/dinput, given dJ/doutput (..., rows, n) of the last pass's first rows."""
        rows = d_output.shape[-2]
        x, mean, rstd = (part[..., :rows, :] for part in (self._x, self._mean, self._rstd))
        only_input = [True, False, False]
        return norm_gradient(d_output, x, x.shape[-1:], mean, rstd, None, None, only_input)[0]


class Perceptron:
    """A ReLU network, or an ensemble of them as one batched product.

    With `layer_norm` each hidden layer is normalised before its ReLU, as RLPD's critics are (Ball
    et al., arXiv 2302.02948). It remembers its last forward pass, which the two gradients refer to.
    Its buffers are reused: only the returned output is the caller's to keep.
    """

    def __init__(
        self,
        layout: Layout,
        parameters: Tensor,
        gradient: Tensor | None = None,
        layer_norm: bool = False,
    ) -> None:
        self.weights = layout.views(parameters)
        """Views of `parameters`, by name."""
        self.gradients = {} if gradient is None else layout.views(gradient)
        """Views of `gradient`, by name; `backward` writes them. A target network has none."""
        self._layers = len(self.weights) // 2
        first = self.weights["weight0"]
        self._ensemble = first.shape[:-2]
        self._affine = torch.baddbmm if self._ensemble else torch.addmm
        # On an H200 a policy's head takes 27 us transposed and 7 us upright; on a CPU it gains.
        self._upright = not self._ensemble and first.device.type != "cpu"
        # One output is the sum of a row's products; BLAS took four times as long for two critics.
        self._by_rows = self._weight(-1).shape[-1] == 1 and first.device.type == "cpu"
        self._norms = [LayerNorm() for _ in range(self._layers - 1)] if layer_norm else []
        self._inputs: list[Tensor] = []
        self._scratch: list[Tensor] = []

    def initialise(self, generator: torch.Generator) -> None:
        """Draw weights and biases from U(-1/sqrt(in), 1/sqrt(in)), as PyTorch does by default."""
        for name, weight in self.weights.items():
            bound = 1 / math.sqrt(self.weights[name.replace("bias", "weight")].shape[-2])
            weight.uniform_(-bound, bound, generator=generator)

    def forward(self, parts: list[Tensor], dim: int) -> Tensor:
        """Output (..., rows, out) of `parts` joined along `dim`: 0 stacks rows, 1 joins columns.

        A part is (rows, n), or (members, rows, n) where each member of an ensemble has its own.
        """
        rows = sum(part.shape[-2] for part in parts) if dim == 0 else parts[0].shape[-2]
        own = max((part.shape[:-2] for part in parts), key=len)
        if not self._inputs or self._inputs[0].shape[:-1] != (*own, rows):
            self._allocate((*own, rows))
        parts = [part.expand(*own, -1, -1) for part in parts]
        x = torch.cat(parts, dim=dim - 2, out=self._inputs[0]).expand(*self._ensemble, -1, -1)
        for index in range(self._layers - 1):
            x = self._hidden(index, x)
        if self._upright:
            return self._affine(self._bias(-1)[0], x, self._weight(-1))
        if self._by_rows:
            products = torch.mul(x, self._weight(-1).mT, out=self._scratch[-1])
            return products.sum(dim=-1, keepdim=True).add_(self._bias(-1))
        # Transposed, because BLAS is several times slower for a right factor of one column (critics
        # on a GPU); it gains for the few of a policy on a CPU too.
        return self._affine(self._bias(-1).mT, self._weight(-1).mT, x.mT).mT

    def backward(self, d_output: Tensor) -> Tensor:
        """Write dJ/dweights, given dJ/doutput (..., rows, out) of the last pass's first rows.

        Returns dJ/d(what the first layer put out), which `into_input` takes on.
        """
        rows = d_output.shape[-2]
        for index in reversed(range(self._layers)):
            inputs = self._inputs[index][..., :rows, :].expand(*self._ensemble, -1, -1)
            gradient = self.gradients[f"weight{index}"]
            if d_output.shape[-1] == 1:
                # Transposed for the same reason as in `forward`.
                torch.matmul(d_output.mT, inputs, out=gradient.mT)
            else:
                # Not transposed: for products in bfloat16 torch has no fast way to such a result.
                torch.matmul(inputs.mT, d_output, out=gradient)
            torch.sum(d_output, dim=-2, keepdim=True, out=self.gradients[f"bias{index}"])
            if index > 0:
                d_output = self._through_layer(index, d_output)
        return d_output

    def input_gradient(self, d_output: Tensor, columns: slice) -> Tensor:
        """dJ/dinput (..., rows, columns) of the last pass, given dJ/doutput; writes no gradient."""
        for index in reversed(range(1, self._layers)):
            d_output = self._through_layer(index, d_output)
        return self.into_input(d_output, columns)

    def into_input(self, d_first: Tensor, columns: slice) -> Tensor:
        """dJ/dinput (..., rows, columns), given dJ/d(what the first layer put out)."""
        return torch.matmul(d_first, self._weight(0)[..., columns, :].mT)

    def _hidden(self, index: int, x: Tensor) -> Tensor:
        """What layer `index` puts out, after its ReLU."""
        out, bias = self._inputs[index + 1], self._bias(index)
        if not self._ensemble:
            # Of one axis it is added within the product on a GPU; of two, by a copy before it.
            bias = bias[0]
        if not self._norms:
            return self._affine(bias, x, self._weight(index), out=out).relu_()
        raw = self._affine(bias, x, self._weight(index))
        return torch.clamp(self._norms[index].forward(raw), min=0, out=out)

    def _through_layer(self, index: int, d_output: Tensor) -> Tensor:
        """dJ/d(what layer `index - 1` put out before its normalisation and ReLU)."""
        rows = d_output.shape[-2]
        d_input = self._scratch[index][..., :rows, :]
        # With one output the product is an outer one, which BLAS does badly and broadcasting well.
        product = torch.mul if d_output.shape[-1] == 1 else torch.matmul
        product(d_output, self._weight(index).mT, out=d_input)
        relu_gradient_(d_input, self._inputs[index][..., :rows, :], 0, grad_input=d_input)
        return self._norms[index - 1].backward(d_input) if self._norms else d_input

    def _allocate(self, rows: tuple[int, ...]) -> None:
        """Reserve the input of every layer, and as much again for its gradient."""
        weights = [self._weight(index) for index in range(self._layers)]
        shapes = [(*rows, weights[0].shape[-2])]
        shapes += [(*self._ensemble, rows[-1], weight.shape[-2]) for weight in weights[1:]]
        self._inputs = [weights[0].new_empty(shape) for shape in shapes]
        self._scratch = [weights[0].new_empty(shape) for shape in shapes]

    def _weight(self, index: int) -> Tensor:
        return self.weights[f"weight{index % self._layers}"]

    def _bias(self, index: int) -> Tensor:
        return self.weights[f"bias{index % self._layers}"]
