"""Flat parameter storage: every tensor of a network lies in one, so one pass updates them all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor

ALIGNMENT = 16
"""Elements; in float32 every layer begins on a 64-byte cache line."""
GPU_PARTS = 32
"""Parts that Adam is given on a GPU. One thread block takes 65,536 elements of a part, so in one
piece a whole network would keep three of a hundred multiprocessors busy: 33 us on an H100."""
fused_adam_ = torch.ops.aten._fused_adam_


class Layout:
    """Where each named tensor lies in a flat one."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = dict(shapes)
        self._offsets: dict[str, int] = {}
        self.size = 0
        """Elements of the flat tensor, padding included."""
        for name, shape in self.shapes.items():
            self._offsets[name] = self.size
            self.size += math.ceil(math.prod(shape) / ALIGNMENT) * ALIGNMENT

    def offset(self, name: str) -> int:
        """Where the tensor of that name begins, elements."""
        return self._offsets[name]

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """Name the parts of `flat`, shape (size,); writing to a part writes to `flat`."""
        if flat.shape != (self.size,):
            raise ValueError(f"flat storage has shape {tuple(flat.shape)}; expected ({self.size},)")
        return {
            name: flat[offset : offset + math.prod(self.shapes[name])].view(self.shapes[name])
            for name, offset in self._offsets.items()
        }


def on_host(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    """Arrays by the same names: the tensors' own memory on the CPU, else one transfer's copy."""
    if all(tensor.device.type == "cpu" for tensor in tensors.values()):
        return {name: tensor.numpy() for name, tensor in tensors.items()}
    joined = torch.cat([tensor.reshape(-1) for tensor in tensors.values()]).cpu()
    parts = joined.split([tensor.numel() for tensor in tensors.values()])
    return {
        name: part.view(tensor.shape).numpy()
        for part, (name, tensor) in zip(parts, tensors.items(), strict=True)
    }


class Piece(NamedTuple):
    """One network's share of flat storage; a target network has no gradient."""

    layout: Layout
    parameters: Tensor
    gradient: Tensor | None = None


def pieces(
    layouts: Sequence[Layout], parameters: Tensor, gradient: Tensor | None = None
) -> list[Piece]:
    """Share flat storage out among networks, one after another."""
    sizes = [layout.size for layout in layouts]
    shares = parameters.split(sizes)
    gradients = [None] * len(sizes) if gradient is None else gradient.split(sizes)
    return [Piece(*share) for share in zip(layouts, shares, gradients, strict=True)]


class FlatAdam:
    """Adam (Kingma and Ba, arXiv 1412.6980, Algorithm 1) on one flat tensor in one fused pass.

    Fill `gradient`, then `step()`. Padding has no gradient, so it stays zero.
    """

    beta1: ClassVar[float] = 0.9
    """Share of the mean gradient that each step keeps."""

    def __init__(self, parameters: Tensor, learning_rate: float) -> None:
        self.parameters = parameters
        self.learning_rate = learning_rate
        self.gradient = torch.zeros_like(parameters)
        self._mean = torch.zeros_like(parameters)
        self._square = torch.zeros_like(parameters)
        self._count = torch.zeros((), dtype=torch.float32, device=parameters.device)
        parts = 1 if parameters.device.type == "cpu" else GPU_PARTS
        length = math.ceil(len(parameters) / (parts * ALIGNMENT)) * ALIGNMENT
        flat = (self.parameters, self.gradient, self._mean, self._square)
        self._split = [list(tensor.split(length)) for tensor in flat]

    def step(self) -> None:
        """Move `parameters` against `gradient`."""
        self._count.add_(1)
        fused_adam_(
            *self._split,
            [],
            [self._count] * len(self._split[0]),
            lr=self.learning_rate,
            beta1=self.beta1,
            beta2=0.999,
            weight_decay=0.0,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

    def state(self) -> dict[str, Tensor]:
        """The live tensors that determine every later step, `parameters` included."""
        return {
            "parameters": self.parameters,
            "mean": self._mean,
            "square": self._square,
            "count": self._count,
        }
