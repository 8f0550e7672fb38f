"""Critics with dropout before layer normalisation (DroQ, Hiraoka et al., arXiv 2110.02034)."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor

from robosac.sac import Sac
from robosac.sac.flat import Layout
from robosac.sac.networks import Perceptron, critic_layout

RATE: Final = 0.01
"""Share of the hidden numbers that is dropped."""


class DroppingPerceptron(Perceptron):
    """The product's, layer-normalised; a share `rate` of what enters a norm is dropped to zero.

    The rest grows by as much. Each forward pass drops anew, with numbers of `generator`; the
    gradients are those of that pass.
    """

    def __init__(
        self,
        layout: Layout,
        parameters: Tensor,
        gradient: Tensor | None,
        generator: torch.Generator,
        rate: float = RATE,
    ) -> None:
        super().__init__(layout, parameters, gradient, layer_norm=True)
        self._generator, self._kept = generator, 1 - rate
        self.masks: dict[int, Tensor] = {}
        """What the last pass multiplied each layer's numbers by: 0, or 1 / (1 - rate)."""

    def _hidden(self, index: int, x: Tensor) -> Tensor:
        raw = self._affine(self._bias(index), x, self._weight(index))
        mask = torch.empty_like(raw).bernoulli_(self._kept, generator=self._generator)
        self.masks[index] = mask.div_(self._kept)
        normed = self._norms[index].forward(raw * mask)
        return torch.clamp(normed, min=0, out=self._inputs[index + 1])

    def _through_layer(self, index: int, d_output: Tensor) -> Tensor:
        d_dropped = super()._through_layer(index, d_output)
        return d_dropped * self.masks[index - 1][..., : d_dropped.shape[-2], :]


class DropoutSac(Sac):
    """The product's learner with such critics: online, target, and where the policy asks them."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        layout = critic_layout(self.observation_dim, self.action_dim, self.settings.hidden_units)
        adam = self._critic_adam
        self.critics = DroppingPerceptron(layout, adam.parameters, adam.gradient, self._noise)
        self.target_critics = DroppingPerceptron(layout, self._target, None, self._noise)
