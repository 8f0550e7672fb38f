"""Soft Actor-Critic with automatic temperature (arXiv 1812.05905, Algorithm 1)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robosac.sac.flat import FlatAdam, on_host
from robosac.sac.gaussian import squash, squash_gradient
from robosac.sac.learner import Batch, Learner, Losses
from robosac.sac.networks import CRITICS, Perceptron, critic_layout, policy_layout
from robosac.sac.policy import Policy
from robosac.sac.settings import SacSettings


class Sac(Learner[Policy]):
    """A learner: critics, policy, temperature, their optimisers and their random states."""

    def __init__(
        self,
        settings: SacSettings,
        observation_dim: int,
        action_dim: int,
        seed: int,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(settings, action_dim, seed, device, dtype)
        self.observation_dim = observation_dim
        sizes = (observation_dim, action_dim, settings.hidden_units)
        critics, policy = critic_layout(*sizes), policy_layout(*sizes)
        self._critic_adam = FlatAdam(self._zeros(critics.size), settings.learning_rate)
        self._policy_adam = FlatAdam(self._zeros(policy.size), settings.learning_rate)
        self.critics = Perceptron(critics, self._critic_adam.parameters, self._critic_adam.gradient)
        self.policy_network = Perceptron(
            policy, self._policy_adam.parameters, self._policy_adam.gradient
        )
        self.critics.initialise(self._noise)
        self.policy_network.initialise(self._noise)
        self._target = self._critic_adam.parameters.clone()
        self.target_critics = Perceptron(critics, self._target)
        self._critic_index = torch.arange(CRITICS, device=self.device).unsqueeze(-1)

    @torch.no_grad()
    def update(self, batch: Batch) -> Losses:
        """Make one gradient step on critics, policy and temperature, and one of the targets.

        Names are the paper's; d_x is the derivative of the loss at hand by x.
        """
        state, action, reward, next_state, terminated = self._tensors(batch)
        size, a = action.shape
        alpha = self._log_alpha.exp()
        # Equation 8: actions in both states, pi(s) and pi(s'), by one pass of the same policy.
        noise = self._gaussian_noise(2 * size)
        head = self.policy_network.forward([state, next_state], dim=0)
        (pi, next_pi), (log_pi, next_log_pi) = (x.split(size) for x in squash(head, noise))
        # Equations 2 and 3: soft value of the next state, by the smaller target. Only `terminated`
        # cuts it: an episode that ran out of time would have gone on.
        next_q = self.target_critics.forward([next_state, next_pi], dim=1).squeeze(-1).amin(dim=0)
        value = next_q - alpha * next_log_pi
        target = reward + self.settings.discount * (1 - terminated) * value
        # Equation 5: J_Q, half the mean squared residual of each critic; Equation 6: its gradient.
        q = self.critics.forward([state, action], dim=1).squeeze(-1)
        residual = q - target
        assert residual.shape == (CRITICS, size)
        self.critics.backward((residual / size).unsqueeze(-1))
        self._critic_adam.step()
        # Equation 9: J_pi = mean(alpha log pi - min Q); Equation 10: its gradient, by the action.
        q_pi = self.critics.forward([state, pi], dim=1).squeeze(-1)
        min_q, critic = q_pi.min(dim=0)
        assert min_q.shape == log_pi.shape == (size,)
        d_q = (critic == self._critic_index).to(self.dtype).mul_(-1 / size).unsqueeze(-1)
        d_pi = self.critics.input_gradient(d_q, columns=slice(-a, None)).sum(dim=0)
        self.policy_network.backward(
            squash_gradient(head[:size], noise[:size], pi, d_pi, d_log_pi=alpha / size)
        )
        self._policy_adam.step()
        # Equation 18 in the form J = log(alpha) (entropy - target entropy): the fixed point is that
        # of alpha itself, but the step does not shrink with alpha: a small one can grow again.
        entropy = -log_pi.mean()
        self._alpha_adam.gradient.copy_(entropy - self.target_entropy)
        self._alpha_adam.step()
        # Algorithm 1, last line: the targets follow as an exponential moving average.
        self._target.lerp_(self._critic_adam.parameters, self.settings.target_smoothing)
        self.updates += 1
        critic_loss = 0.5 * residual.square().mean(dim=1).sum()
        actor_loss = (alpha * log_pi - min_q).mean()
        return Losses(critic_loss, actor_loss, alpha[0], entropy, q.mean())

    def act(self, observation: NDArray[np.floating], deterministic: bool) -> NDArray[np.float32]:
        """An action in [-1, 1], (a,) or (n, a), for observations (o,) or (n, o)."""
        policy = self._newest_policy()
        if deterministic:
            return policy.mean_action(observation)
        return policy.sample_action(observation, self._acting)

    def policy(self) -> Policy:
        """The policy for inference; on the CPU it shares the learner's memory and follows it."""
        weights = self.policy_network.weights.items()
        return Policy(on_host({name: x[0] if "bias" in name else x for name, x in weights}))

    def _tensors(self, batch: Batch) -> tuple[Tensor, ...]:
        names = ("observation", "action", "reward", "next_observation", "terminated")
        return tuple(self._tensor(getattr(batch, name)) for name in names)
