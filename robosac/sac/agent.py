"""Soft Actor-Critic with automatic temperature (arXiv 1812.05905, Algorithm 1)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robosac.sac.flat import FlatAdam, on_host
from robosac.sac.gaussian import squash, squash_gradient
from robosac.sac.images import Images
from robosac.sac.learner import PARTS, Batch, Learner, Losses
from robosac.sac.networks import CRITICS, Perceptron, critic_layout, policy_layout
from robosac.sac.normaliser import Normaliser
from robosac.sac.policy import OBSERVATION_MEAN, OBSERVATION_SCALE, Policy
from robosac.sac.reduction import reduce, reduce_gradient
from robosac.sac.settings import PAPER_VECTORS, FastVectors, PaperVectors, SacSettings


class Sac(Learner[Policy]):
    """A learner: critics, policy, temperature, their optimisers and their random states.

    `vectors` chooses the recipe: what the networks see of a batch, and how the critics' values are
    used.
    """

    def __init__(
        self,
        settings: SacSettings,
        observation_dim: int,
        action_dim: int,
        seed: int,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        vectors: PaperVectors | FastVectors = PAPER_VECTORS,
    ) -> None:
        super().__init__(settings, action_dim, seed, device, dtype)
        self.vectors, self.observation_dim = vectors, observation_dim
        sizes = (observation_dim, action_dim, settings.hidden_units)
        critics, policy = critic_layout(*sizes), policy_layout(*sizes)
        self._critic_adam = FlatAdam(self._zeros(critics.size), settings.learning_rate)
        policy_rate = settings.learning_rate * vectors.policy_rate
        self._policy_adam = FlatAdam(self._zeros(policy.size), policy_rate)
        normed = vectors.critic_layer_norm
        self.critics = Perceptron(
            critics, self._critic_adam.parameters, self._critic_adam.gradient, normed
        )
        self.policy_network = Perceptron(
            policy, self._policy_adam.parameters, self._policy_adam.gradient
        )
        self.critics.initialise(self._noise)
        self.policy_network.initialise(self._noise)
        self._averages = vectors.policy_average < 1
        newest = self._policy_adam.parameters
        self._average = newest.clone() if self._averages else newest
        self._acting_network = Perceptron(policy, self._average)
        self._target = self._critic_adam.parameters.clone()
        self.target_critics = Perceptron(critics, self._target, layer_norm=normed)
        place = (self.dtype, self.device)
        self._normaliser = Normaliser(observation_dim, *place) if vectors.normalise else None
        self._images = None if vectors.symmetry is None else Images(vectors.symmetry, *place)

    @torch.no_grad()
    def update(self, batch: Batch) -> Losses:
        """Make one gradient step on critics, policy and temperature, and one of the targets.

        Names are the paper's; d_x is the derivative of the loss at hand by x.
        """
        state, action, reward, next_state, terminated = self._seen(batch)
        size, a = action.shape
        alpha = self._log_alpha.exp()
        # Equation 8: actions in both states, pi(s) and pi(s'), by one pass of the same policy.
        noise = self._gaussian_noise(2 * size)
        head = self.policy_network.forward([state, next_state], dim=0)
        (pi, next_pi), (log_pi, next_log_pi) = (x.split(size) for x in squash(head, noise))
        # Equations 2 and 3: soft value of the next state, by the smaller target. Only `terminated`
        # cuts it: an episode that ran out of time would have gone on.
        next_q = self.target_critics.forward([next_state, next_pi], dim=1).squeeze(-1)
        value = reduce(next_q, self.vectors.target_q) - alpha * next_log_pi
        target = reward + self.settings.discount * (1 - terminated) * value
        # Equation 5: J_Q, half the mean squared residual of each critic; Equation 6: its gradient.
        q = self.critics.forward([state, action], dim=1).squeeze(-1)
        residual = q - target
        assert residual.shape == (CRITICS, size)
        self.critics.backward((residual / size).unsqueeze(-1))
        self._critic_adam.step()
        # Equation 9: J_pi = mean(alpha log pi - Q), the paper's Q being the smaller one of the two;
        # Equation 10: its gradient, by the action.
        q_pi = self.critics.forward([state, pi], dim=1).squeeze(-1)
        actor_q = reduce(q_pi, self.vectors.actor_q)
        assert actor_q.shape == log_pi.shape == (size,)
        d_q = reduce_gradient(q_pi, self.vectors.actor_q).mul_(-1 / size).unsqueeze(-1)
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
        if self._averages:
            self._average.lerp_(self._policy_adam.parameters, self.vectors.policy_average)
        self.updates += 1
        critic_loss = 0.5 * residual.square().mean(dim=1).sum()
        actor_loss = (alpha * log_pi - actor_q).mean()
        return Losses(critic_loss, actor_loss, alpha[0], entropy, q.mean())

    def act(self, observation: NDArray[np.floating], deterministic: bool) -> NDArray[np.float32]:
        """An action in [-1, 1], (a,) or (n, a), for observations (o,) or (n, o)."""
        policy = self._newest_policy()
        if deterministic:
            return policy.mean_action(observation)
        return policy.sample_action(observation, self._acting_noise)

    def policy(self) -> Policy:
        """The policy for inference; on the CPU it shares the learner's memory and follows it."""
        weights = self._acting_network.weights.items()
        arrays = {name: x[0] if "bias" in name else x for name, x in weights}
        if self._normaliser is not None:
            arrays[OBSERVATION_MEAN] = self._normaliser.mean
            arrays[OBSERVATION_SCALE] = self._normaliser.scale
        return Policy(on_host(arrays))

    def _seen(self, batch: Batch) -> tuple[Tensor, ...]:
        """The batch as the networks see it: with recipe paper, as it is."""
        tensors = [self._tensor(getattr(batch, name)) for name in PARTS]
        state, action, reward, next_state, terminated = tensors
        if self._images is not None:
            state, action, next_state = self._images.shown(state, action, next_state)
        if self._normaliser is not None:
            self._normaliser.learn(state)
            state, next_state = self._normaliser(state), self._normaliser(next_state)
        return state, action, reward, next_state, terminated

    def _tensor_state(self) -> dict[str, Tensor]:
        own = {} if self._normaliser is None else self._normaliser.state()
        tensors = super()._tensor_state() | {f"normaliser.{name}": x for name, x in own.items()}
        return tensors | ({"policy_average": self._average} if self._averages else {})
