"""CrossQ (Bhatt et al., arXiv 1902.05605): batch normalisation in the place of target networks.

Both (s, a) and (s', a') go through the critics in one pass, so that one normalisation sees both.
Policy and temperature learn at every third update, Adam forgets its mean faster, and the learning
rate is 1e-3, as in the paper; the networks are recipe fast's 256 wide (paper: critics of 2048), as
all else is. The authors' release renormalises only after 100,000 updates, later than a run here
ends; before, its layer is plain batch normalisation, and so is this.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import torch
from torch import Tensor, nn

from robosac.sac import Losses, Policy, Sac
from robosac.sac.flat import FlatAdam
from robosac.sac.gaussian import squash
from robosac.sac.learner import Batch
from robosac.sac.networks import CRITICS
from robosac.sac.reduction import reduce
from tests.sweeps.recipe_modules import Ensemble, Learned, LivePolicy, flattened

POLICY_DELAY: Final = 3
"""Updates of the critics for each of the policy and the temperature."""
NEWEST: Final = 0.01
"""Share of the newest batch in the running statistics; the release calls 0.99 its momentum."""
EPSILON: Final = 1e-3


def normalised(sizes: Sequence[int], generator: torch.Generator) -> nn.Sequential:
    """A ReLU network whose every linear layer is shown normalised numbers, the first one too."""
    layers: list[nn.Module] = []
    for index, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        linear = nn.Linear(fan_in, fan_out)
        for parameter in linear.parameters():
            bound = 1 / math.sqrt(fan_in)
            nn.init.uniform_(parameter, -bound, bound, generator=generator)
        layers += [nn.BatchNorm1d(fan_in, EPSILON, NEWEST), linear]
        if index < len(sizes) - 2:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)


class QuickAdam(FlatAdam):
    """Adam with a mean of the gradients that is halved at each step."""

    beta1 = 0.5


class CrossqSac(Sac):
    """The product's learner with CrossQ's critics, policy and update."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        seen, done, hidden = self.observation_dim, self.action_dim, self.settings.hidden_units
        self.critic_module = Ensemble(
            [normalised((seen + done, *hidden, 1), self._noise) for _ in range(CRITICS)]
        )
        self.policy_module = normalised((seen, *hidden, 2 * done), self._noise)
        rate = self.settings.learning_rate
        self._critic_adam = QuickAdam(flattened(self.critic_module), rate)
        self._policy_adam = QuickAdam(flattened(self.policy_module), rate)
        self._learned_critics = Learned(self.critic_module, self._critic_adam)
        self._learned_policy = Learned(self.policy_module, self._policy_adam)
        self._target = self._zeros(0)
        del self.critics, self.target_critics, self.policy_network

    @torch.no_grad()
    def update(self, batch: Batch) -> Losses:
        """One gradient step of the critics; every third time of policy and temperature too."""
        state, action, reward, next_state, terminated = self._seen(batch)
        size = len(action)
        alpha = self._log_alpha.exp()
        noise = self._gaussian_noise(2 * size)
        next_pi, next_log_pi = squash(self.policy_module.eval()(next_state), noise[size:])
        rows = torch.cat([torch.cat([state, action], 1), torch.cat([next_state, next_pi], 1)])
        with torch.enable_grad():
            q, next_q = self.critic_module.train()(rows).squeeze(-1).split(size, dim=1)
            found = next_q.detach()
            value = reduce(found, self.vectors.target_q) - alpha * next_log_pi
            target = reward + self.settings.discount * (1 - terminated) * value
            critic_loss = 0.5 * (q - target).square().mean(dim=1).sum()
        self._learned_critics.backward(critic_loss)
        self._critic_adam.step()
        self.updates += 1
        if self.updates % POLICY_DELAY == 0:
            self._improve(state, noise[:size], alpha)
        # In the next state, where the pass has been anyway.
        actor_loss = (alpha * next_log_pi - reduce(found, self.vectors.actor_q)).mean()
        entropy = -next_log_pi.mean()
        return Losses(critic_loss.detach(), actor_loss, alpha[0], entropy, q.detach().mean())

    def _improve(self, state: Tensor, noise: Tensor, alpha: Tensor) -> None:
        """A gradient step of the policy, judged by the critics' running statistics."""
        critics = self.critic_module.eval()
        with torch.enable_grad():
            pi, log_pi = squash(self.policy_module.train()(state), noise)
            q = reduce(critics(torch.cat([state, pi], 1)).squeeze(-1), self.vectors.actor_q)
            loss = (alpha * log_pi - q).mean()
        self._learned_policy.backward(loss)
        self._policy_adam.step()
        self._alpha_adam.gradient.copy_(-log_pi.detach().mean() - self.target_entropy)
        self._alpha_adam.step()

    def policy(self) -> Policy:
        """The newest policy by its running statistics; it follows the learner."""
        sizes = self.observation_dim, self.action_dim
        return LivePolicy(self.policy_module, self._normaliser, *sizes)

    def _tensor_state(self) -> dict[str, Tensor]:
        modules = {"critics": self.critic_module, "policy": self.policy_module}
        return super()._tensor_state() | {
            f"{owner}.statistics.{name}": x
            for owner, module in modules.items()
            for name, x in module.named_buffers()
        }
