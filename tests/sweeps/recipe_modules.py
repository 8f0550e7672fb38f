"""torch's own modules in the place of the product's networks: gradients by autograd, not by hand.

Slower, but a network is written as its paper draws it. Parameters lie in flat storage as the
product's do, so its optimiser, its states and its checkpoints serve them as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robosac.sac import Policy
from robosac.sac.flat import FlatAdam, Layout
from robosac.sac.normaliser import Normaliser
from robosac.sac.policy import LOG_STD_MAX, LOG_STD_MIN

Array = NDArray[np.floating[Any]]


class Ensemble(nn.Module):
    """Networks side by side, each with what it is shown or all with the same."""

    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor) -> Tensor:
        """(members, rows, out) of (rows, in)."""
        return torch.stack([member(x) for member in self.members])


def flattened(module: nn.Module, parameters: Tensor | None = None) -> Tensor:
    """Move a module's parameters into one flat tensor, and return it.

    Into `parameters` where given, whose values they take; else into a new one with their own.

    Raises:
        ValueError: `parameters` has another size.
    """
    named = dict(module.named_parameters())
    layout = _layout(module)
    flat = next(iter(named.values())).new_zeros(layout.size) if parameters is None else parameters
    for name, view in layout.views(flat.detach()).items():
        if parameters is None:
            view.copy_(named[name].detach())
        named[name].data = view
    return flat


def _layout(module: nn.Module) -> Layout:
    return Layout({name: tuple(x.shape) for name, x in module.named_parameters()})


class Learned:
    """A flattened module and the optimiser of its parameters."""

    def __init__(self, module: nn.Module, adam: FlatAdam) -> None:
        self.module, self.adam = module, adam
        self._leaves = list(module.parameters())
        views = _layout(module).views(adam.gradient)
        for name, parameter in module.named_parameters():
            parameter.grad = views[name]

    def backward(self, output: Tensor, d_output: Tensor | None = None) -> None:
        """Write dJ/dparameters into the optimiser's gradient, and nothing else.

        `output` is J, or what the module put out; then `d_output` is J's derivative by it.
        """
        self.adam.gradient.zero_()
        torch.autograd.backward(output, d_output, inputs=self._leaves)


class Network:
    """A module where `Sac.update` expects a `robosac.sac.networks.Perceptron`.

    It remembers its last forward pass, which the two gradients refer to. A target network has no
    optimiser and remembers nothing.
    """

    def __init__(self, module: nn.Module, learned: Learned | None = None) -> None:
        self.module, self._learned = module, learned

    def forward(self, parts: list[Tensor], dim: int) -> Tensor:
        """Output (..., rows, out) of `parts` (rows, n) joined along `dim`."""
        joined = torch.cat(parts, dim=dim).detach()
        if self._learned is None:
            return self.module(joined).detach()
        self._input = joined.requires_grad_()
        with torch.enable_grad():
            self._output: Tensor = self.module(self._input)
        return self._output.detach()

    def backward(self, d_output: Tensor) -> None:
        """Write dJ/dweights, given dJ/doutput (..., rows, out) of the last pass's first rows."""
        assert self._learned is not None, "a target network learns nothing"
        with torch.enable_grad():
            first = self._output[..., : d_output.shape[-2], :]
        self._learned.backward(first, d_output)

    def input_gradient(self, d_output: Tensor, columns: slice) -> Tensor:
        """dJ/dinput (1, rows, columns), summed over an ensemble; writes no gradient."""
        (d_input,) = torch.autograd.grad(self._output, self._input, d_output)
        return d_input[:, columns].unsqueeze(0)


class LivePolicy(Policy):
    """A policy that asks a torch module for its head each time: it follows the learner.

    Args:
        module: mean and log std (rows, 2a) of observations (rows, o); asked by its running
            statistics, where it has any.
        normaliser: what observations go through first; None: nothing.
        observation_dim: o.
        action_dim: a.
    """

    def __init__(
        self,
        module: nn.Module,
        normaliser: Normaliser | None,
        observation_dim: int,
        action_dim: int,
    ) -> None:
        self._module, self._normaliser = module, normaliser
        self.observation_dim, self.action_dim = observation_dim, action_dim

    def weights(self) -> dict[str, Array]:
        """Copies of every array, by name."""
        state = self._module.state_dict()
        return {name: x.detach().numpy().copy() for name, x in state.items()}

    @property
    def normalises(self) -> bool:
        """It does by itself what there is to do."""
        return False

    def distribution(self, observation: Array) -> tuple[Array, Array]:
        """Mean and clamped log std before squashing, each (..., a), for observations (..., o)."""
        rows = np.ascontiguousarray(observation, np.float32).reshape(-1, self.observation_dim)
        with torch.no_grad():
            seen = torch.from_numpy(rows)
            seen = seen if self._normaliser is None else self._normaliser(seen)
            head = self._module.eval()(seen).numpy()
        head = head.reshape(*observation.shape[:-1], -1)
        mean, log_std = np.split(head, 2, axis=-1)
        return mean, np.clip(log_std, LOG_STD_MIN, LOG_STD_MAX)
