"""Soft Actor-Critic written as the one-file implementations write it (CleanRL's manner).

One module a network, one torch.optim.Adam an owner, autograd, a loop over parameters for the
targets, a replay of numpy arrays. Table 1 of arXiv 1812.05905 and one policy step for each critic
step. Nothing is tuned: this is what an update costs where nobody cares for its speed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from robosac.peers.contender import Case, Rows

DISCOUNT, LEARNING_RATE, SMOOTHING = 0.99, 3e-4, 0.005
LOG_STD = (-5.0, 2.0)
"""Range of the logarithm of a standard deviation."""


def perceptron(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class Critic(nn.Module):
    """Q(s, a), (batch,)."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.network = perceptron(case.observation + case.action, case.hidden, 1)

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        """The value of these actions."""
        return self.network(torch.cat([state, action], dim=1)).squeeze(1)


class Actor(nn.Module):
    """A squashed Gaussian policy."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.network = perceptron(case.observation, case.hidden, 2 * case.action)

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """An action in [-1, 1], (batch, a), and its log-density, (batch,)."""
        mean, log_std = self.network(state).chunk(2, dim=1)
        gaussian = torch.distributions.Normal(mean, log_std.clamp(*LOG_STD).exp())
        u = gaussian.rsample()
        log_slope = 2 * (math.log(2) - u - functional.softplus(-2 * u))
        return torch.tanh(u), (gaussian.log_prob(u) - log_slope).sum(dim=1)


class PlainReplay:
    """Transitions in numpy arrays."""

    def __init__(self, case: Case) -> None:
        self._batch = case.batch
        self._rng = np.random.default_rng(0)
        self._filled = 0
        shapes = ((case.observation,), (case.action,), (), (case.observation,), ())
        self._columns = [np.zeros((case.rows, *shape), np.float32) for shape in shapes]

    def fill(self, rows: Iterable[Rows]) -> None:
        """See `robosac.peers.contender.Contender`."""
        for some in rows:
            place = slice(self._filled, self._filled + len(some.reward))
            given = (some.observation, some.action, some.reward, some.next_observation)
            # What ends an episode, the last column, stays zero.
            for column, value in zip(self._columns[:-1], given, strict=True):
                column[place] = np.asarray(value)
            self._filled = place.stop

    def sample(self) -> list[Tensor]:
        """Observation, action, reward, next observation, terminated."""
        rows = self._rng.integers(self._filled, size=self._batch)
        return [torch.from_numpy(column[rows]) for column in self._columns]

    def transition_bytes(self) -> int:
        """See `robosac.peers.contender.Contender`."""
        return sum(column[:1].nbytes for column in self._columns)


class PlainLearner(PlainReplay):
    """The plain update."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        torch.manual_seed(0)
        self.actor = Actor(case)
        self.critics = [Critic(case), Critic(case)]
        self.targets = [Critic(case), Critic(case)]
        for target, critic in zip(self.targets, self.critics, strict=True):
            target.load_state_dict(critic.state_dict())
        self.log_alpha = torch.zeros(1, requires_grad=True)
        self._target_entropy = -float(case.action)
        of_critics = [p for critic in self.critics for p in critic.parameters()]
        self._critic_adam = torch.optim.Adam(of_critics, lr=LEARNING_RATE)
        self._actor_adam = torch.optim.Adam(self.actor.parameters(), lr=LEARNING_RATE)
        self._alpha_adam = torch.optim.Adam([self.log_alpha], lr=LEARNING_RATE)

    def run(self, count: int) -> None:
        """See `robosac.peers.contender.Contender`."""
        for _ in range(count):
            self.update()

    def update(self) -> float:
        """One step of critics, policy, temperature and targets; the critics' loss before it."""
        state, action, reward, next_state, terminated = self.sample()
        alpha = self.log_alpha.exp().item()
        with torch.no_grad():
            next_action, next_log_pi = self.actor(next_state)
            values = [target(next_state, next_action) for target in self.targets]
            value = torch.minimum(*values) - alpha * next_log_pi
            goal = reward + DISCOUNT * (1 - terminated) * value
        losses = [functional.mse_loss(critic(state, action), goal) for critic in self.critics]
        critic_loss = losses[0] + losses[1]
        _descend(self._critic_adam, critic_loss)

        pi, log_pi = self.actor(state)
        smaller = torch.minimum(*(critic(state, pi) for critic in self.critics))
        _descend(self._actor_adam, (alpha * log_pi - smaller).mean())

        surplus = (log_pi + self._target_entropy).detach()
        _descend(self._alpha_adam, (-self.log_alpha.exp() * surplus).mean())

        with torch.no_grad():
            for target, critic in zip(self.targets, self.critics, strict=True):
                for old, new in zip(target.parameters(), critic.parameters(), strict=True):
                    old.mul_(1 - SMOOTHING).add_(SMOOTHING * new)
        return critic_loss.item()


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
