"""SimBa's networks in SAC (Lee et al., arXiv 2410.09754): residual blocks before a last norm.

Normalised observations, twin critics, the loss and all settings are recipe fast's. Two blocks in
each critic as in the paper, but of 128 units (paper: 512) for a processor's sake, and recipe fast's
learning rate (paper: 1e-4).
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn

from robosac.sac import Policy, Sac
from robosac.sac.flat import FlatAdam
from robosac.sac.networks import CRITICS
from tests.sweeps.recipe_modules import Ensemble, Learned, LivePolicy, Network, flattened

WIDTH: Final = 128
CRITIC_BLOCKS, POLICY_BLOCKS = 2, 1
EXPANSION: Final = 4
"""Hidden units of a block, over its width."""
WEIGHT_DECAY: Final = 1e-2


class Block(nn.Module):
    """x + f(norm(x)), f a ReLU layer four times as wide, and back."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, EXPANSION * width)
        self.narrow = nn.Linear(EXPANSION * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(rows, width) of the same."""
        return x + self.narrow(self.widen(self.norm(x)).relu())


def residual(inputs: int, outputs: int, blocks: int, generator: torch.Generator) -> nn.Sequential:
    """A network of such blocks; first and last layer orthogonal, the blocks He-normal."""
    inner = [Block(WIDTH) for _ in range(blocks)]
    first, last = nn.Linear(inputs, WIDTH), nn.Linear(WIDTH, outputs)
    for layer in (first, last):
        nn.init.orthogonal_(layer.weight, generator=generator)
        nn.init.zeros_(layer.bias)
    for block in inner:
        for layer in (block.widen, block.narrow):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(first, *inner, nn.LayerNorm(WIDTH), last)


class DecayingAdam(FlatAdam):
    """AdamW (arXiv 1711.05101): each step shrinks the parameters beside Adam's own move."""

    def step(self) -> None:
        """Shrink, then move `parameters` against `gradient`."""
        self.parameters.mul_(1 - self.learning_rate * WEIGHT_DECAY)
        super().step()


class SimbaSac(Sac):
    """The product's learner with SimBa's networks and AdamW."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        seen, done = self.observation_dim, self.action_dim
        critics, targets = self._made_critics(), self._made_critics()
        policy = residual(seen, 2 * done, POLICY_BLOCKS, self._noise)
        rate = self.settings.learning_rate
        self._critic_adam = DecayingAdam(flattened(critics), rate)
        self._policy_adam = DecayingAdam(flattened(policy), rate)
        self._target = flattened(targets, self._critic_adam.parameters.clone())
        self.critics = Network(critics, Learned(critics, self._critic_adam))
        self.policy_network = Network(policy, Learned(policy, self._policy_adam))
        self.target_critics = Network(targets)

    def _made_critics(self) -> Ensemble:
        inputs = self.observation_dim + self.action_dim
        return Ensemble([residual(inputs, 1, CRITIC_BLOCKS, self._noise) for _ in range(CRITICS)])

    def policy(self) -> Policy:
        """The newest policy; it follows the learner."""
        sizes = self.observation_dim, self.action_dim
        return LivePolicy(self.policy_network.module, self._normaliser, *sizes)
