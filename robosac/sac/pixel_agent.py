"""Soft Actor-Critic from pixels: the paper's recipe, and a faster one of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robosac.sac.flat import FlatAdam, on_host, pieces
from robosac.sac.gaussian import squash, squash_gradient
from robosac.sac.learner import Batch, Learner, Losses
from robosac.sac.networks import CRITICS, Perceptron, critic_layout, policy_layout
from robosac.sac.pictures import Images, pictures_on
from robosac.sac.pixel_policy import IMAGE_SHAPE, PixelPolicy
from robosac.sac.reduction import reduce, reduce_gradient
from robosac.sac.settings import FastPixels, PaperPixels, SacSettings
from robosac.sac.sights import make_plan, make_sight


class PixelSac(Learner[PixelPolicy]):
    """A learner whose observations are a picture and a vector, `image` and `state`.

    `pixels` chooses the recipe: how the networks see, and how the critics' values are used.

    Raises:
        ValueError: the recipe's patches do not tile the picture.
    """

    def __init__(
        self,
        settings: SacSettings,
        pixels: PaperPixels | FastPixels,
        image_shape: tuple[int, ...],
        state_dim: int,
        action_dim: int,
        seed: int,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(settings, action_dim, seed, device, dtype)
        self.pixels, self.image_shape, self.state_dim = pixels, image_shape, state_dim
        plan = make_plan(pixels, image_shape)
        self._units = plan.units
        sizes = (plan.units + state_dim, action_dim, settings.hidden_units)
        critics = [*plan.critics, critic_layout(*sizes)]
        policy = [*plan.policy, policy_layout(*sizes)]
        self.layouts = {"critics": critics, "policy": policy}
        """Of the networks that each optimiser trains, one after another in flat storage."""
        self._critic_adam, self._policy_adam = (
            FlatAdam(self._zeros(sum(x.size for x in layouts)), settings.learning_rate)
            for layouts in (critics, policy)
        )
        self._target = torch.empty_like(self._critic_adam.parameters)
        *critic_eyes, q = pieces(critics, self._critic_adam.parameters, self._critic_adam.gradient)
        *policy_eyes, pi = pieces(policy, self._policy_adam.parameters, self._policy_adam.gradient)
        *target_eyes, target_q = pieces(critics, self._target)
        self._pictures = pictures_on(self.device)
        self.sight = make_sight(pixels, critic_eyes, policy_eyes, target_eyes, self._pictures)
        self.critics = Perceptron(*q, layer_norm=pixels.critic_layer_norm)
        self.target_critics = Perceptron(*target_q, layer_norm=pixels.critic_layer_norm)
        self.policy_network = Perceptron(*pi)
        for network in (self.sight, self.critics, self.policy_network):
            network.initialise(self._noise)
        self._target.copy_(self._critic_adam.parameters)

    @torch.no_grad()
    def update(self, batch: Batch) -> Losses:
        """Make one gradient step on critics, policy and temperature, and one of the targets.

        Names are the paper's; d_x is the derivative of the loss at hand by x. All gradients are
        taken at the same weights, so that what the networks see needs computing only once.
        """
        state, action, reward, next_state, terminated = self._vectors(batch)
        size, a = action.shape
        alpha = self._log_alpha.exp()
        views = self.sight.look(*self._shifted(batch))
        # Equation 8: actions in both states, pi(s) and pi(s'), by one pass of the same policy.
        noise = self._gaussian_noise(2 * size)
        head = self.policy_network.forward([views.policy, torch.cat([state, next_state])], dim=1)
        (pi, next_pi), (log_pi, next_log_pi) = (x.split(size) for x in squash(head, noise))
        # Equations 2 and 3: soft value of the next state. Only `terminated` cuts it: an episode
        # that ran out of time would have gone on.
        next_q = self.target_critics.forward([views.targets, next_state, next_pi], dim=1)
        value = reduce(next_q.squeeze(-1), self.pixels.target_q)
        if self.pixels.entropy_backup:
            value = value - alpha * next_log_pi
        target = reward + self.settings.discount * (1 - terminated) * value
        # Equation 5: J_Q, half the mean squared residual of each critic; Equation 6: its gradient.
        q = self.critics.forward([views.critics, state, action], dim=1).squeeze(-1)
        residual = q - target
        assert residual.shape == (CRITICS, size)
        d_first = self.critics.backward((residual / size).unsqueeze(-1))
        d_views = self.critics.into_input(d_first, slice(self._units))
        # Equation 9: J_pi = mean(alpha log pi - Q); Equation 10: its gradient, by the action.
        q_pi = self.critics.forward([views.critics, state, pi], dim=1).squeeze(-1)
        actor_q = reduce(q_pi, self.pixels.actor_q)
        assert actor_q.shape == log_pi.shape == (size,)
        d_q = reduce_gradient(q_pi, self.pixels.actor_q).mul_(-1 / size).unsqueeze(-1)
        d_pi = self.critics.input_gradient(d_q, columns=slice(-a, None)).sum(dim=0)
        d_head = squash_gradient(head[:size], noise[:size], pi, d_pi, d_log_pi=alpha / size)
        d_first = self.policy_network.backward(d_head)
        self.sight.backward(d_views, self.policy_network.into_input(d_first, slice(self._units)))
        # Equation 18 in the form J = log(alpha) (entropy - target entropy), as in `Sac`.
        entropy = -log_pi.mean()
        self._alpha_adam.gradient.copy_(entropy - self.target_entropy)
        for adam in (self._critic_adam, self._policy_adam, self._alpha_adam):
            adam.step()
        # Algorithm 1, last line: the targets follow as an exponential moving average.
        self._target.lerp_(self._critic_adam.parameters, self.settings.target_smoothing)
        self.updates += 1
        critic_loss = 0.5 * residual.square().mean(dim=1).sum()
        actor_loss = (alpha * log_pi - actor_q).mean()
        return Losses(critic_loss, actor_loss, alpha[0], entropy, q.mean())

    def act(
        self, observation: Mapping[str, NDArray[Any]], deterministic: bool
    ) -> NDArray[np.float32]:
        """An action in [-1, 1], (a,) or (n, a), for one observation or n of them."""
        policy = self._newest_policy()
        if deterministic:
            return policy.mean_action(observation)
        return policy.sample_action(observation, self._acting_noise)

    def policy(self) -> PixelPolicy:
        """The policy for inference; on the CPU it shares the learner's memory and follows it."""
        head = {f"policy.{name}": x for name, x in self.policy_network.weights.items()}
        named = on_host(self.sight.weights() | head)
        # A row of biases, as products want it here, is a vector there.
        flat = {name: x.reshape(-1) if ".bias" in name else x for name, x in named.items()}
        return PixelPolicy(flat | {IMAGE_SHAPE: np.array(self.image_shape, np.int64)})

    def _vectors(self, batch: Batch) -> tuple[Tensor, ...]:
        state, next_state = batch.observation["state"], batch.next_observation["state"]
        values = (state, batch.action, batch.reward, next_state, batch.terminated)
        return tuple(self._tensor(value) for value in values)

    def _shifted(self, batch: Batch) -> tuple[Images, Images]:
        """Pictures of both states, each shifted by its own random offset."""
        images = self._pictures.take(batch.observation["image"])
        next_images = self._pictures.take(batch.next_observation["image"])
        pixels = self.pixels.shift_px
        if pixels == 0:
            return images, next_images
        offsets = self._offsets(len(images))
        move = self._pictures.shift
        return move(images, offsets[0], pixels), move(next_images, offsets[1], pixels)

    def _offsets(self, rows: int) -> Tensor:
        """Where crops begin in both states' padded pictures: (2, 2, rows), down and right."""
        most = 2 * self.pixels.shift_px
        return torch.randint(most + 1, (2, 2, rows), generator=self._noise, device=self.device)
