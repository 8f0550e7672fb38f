"""Soft Actor-Critic from pixels as one would write it in PyTorch: what ours is held against.

The same networks and the same update, with `nn.Conv2d`, `nn.Linear`, autograd, `torch.optim.Adam`
and two separate critics; as in DrQ's published code, a network that reads a picture encodes it.
Tests compare the numbers, tests/benchmarks/pixel_speed.py the speed.
"""

from __future__ import annotations

import copy
import math
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from robosac.replay import Batch
from robosac.sac import FastPixels, PaperPixels, PixelSac
from robosac.sac.gaussian import squash
from robosac.sac.patches import GREY
from robosac.sac.sights import OwnSight, SharedSight


def perceptron(sizes: list[int], layer_norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes[:-1]):
        layers.append(nn.Linear(fan_in, fan_out))
        if layer_norm:
            layers.append(nn.LayerNorm(fan_out, elementwise_affine=False))
        layers.append(nn.ReLU())
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def paper_encoder(pixels: PaperPixels, channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise((channels, *pixels.filters)):
        layers += [nn.Conv2d(fan_in, fan_out, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten())


def fast_encoder(pixels: FastPixels, channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    depths = pairwise((channels, *pixels.filters))
    for side, (fan_in, fan_out) in zip(pixels.patches, depths, strict=True):
        layers += [nn.Conv2d(fan_in, fan_out, side, stride=side), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten())


def projection(features: int, units: int) -> nn.Sequential:
    norm = nn.LayerNorm(units, elementwise_affine=False)
    return nn.Sequential(nn.Linear(features, units), norm, nn.Tanh())


class Critics(nn.Module):
    """Two critics; `eyes` has one encoder for both, or one for each."""

    def __init__(self, eyes: list[nn.Module], heads: list[nn.Module], q: list[nn.Module]) -> None:
        super().__init__()
        self.eyes, self.heads, self.q = map(nn.ModuleList, (eyes, heads, q))

    def forward(
        self, picture: Tensor, state: Tensor, action: Tensor, detach: bool = False
    ) -> Tensor:
        """Both values (2, rows); `detach` keeps the encoders out of the gradient."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not detach):
            seen = [eye(picture) for eye in self.eyes]
        views = [head(x) for head, x in zip(self.heads, seen, strict=True)]
        views *= 2 // len(views)
        joined = [torch.cat([view, state, action], dim=1) for view in views]
        return torch.stack([q(x)[:, 0] for q, x in zip(self.q, joined, strict=True)])


class PlainPixelSac:
    """A learner with the settings and sizes of `agent`, in double precision if that one is."""

    def __init__(self, agent: PixelSac) -> None:
        self.settings, self.pixels = agent.settings, agent.pixels
        pixels, (height, width, channels) = agent.pixels, agent.image_shape
        a, hidden = agent.action_dim, list(agent.settings.hidden_units)
        if isinstance(pixels, FastPixels):
            encoder = fast_encoder(pixels, channels)
            features = encoder(torch.zeros(1, channels, height, width)).shape[1]
            eyes, heads = [encoder], [projection(features, pixels.units)]
            self.policy_eye, self.policy_head = encoder, projection(features, pixels.units)
            units, norm = pixels.units, pixels.critic_layer_norm
            own: list[nn.Module] = [self.policy_head]
        else:
            eyes = [paper_encoder(pixels, channels) for _ in range(2)]
            heads = [nn.Identity(), nn.Identity()]
            self.policy_eye, self.policy_head = paper_encoder(pixels, channels), nn.Identity()
            units, norm = eyes[0](torch.zeros(1, channels, height, width)).shape[1], False
            own = [self.policy_eye]
        width_in = units + agent.state_dim
        q = [perceptron([width_in + a, *hidden, 1], norm) for _ in range(2)]
        self.critics = Critics([*eyes], [*heads], [*q]).to(agent.dtype)
        self.policy = perceptron([width_in, *hidden, 2 * a], False)
        self.actor = nn.ModuleList([*own, self.policy]).to(agent.dtype)
        self.targets = copy.deepcopy(self.critics).requires_grad_(False)
        self.log_alpha = torch.full((1,), math.log(agent.settings.initial_alpha), dtype=agent.dtype)
        self.log_alpha.requires_grad_()
        rate = agent.settings.learning_rate
        self.critic_adam = torch.optim.Adam(self.critics.parameters(), lr=rate)
        self.actor_adam = torch.optim.Adam(self.actor.parameters(), lr=rate)
        self.alpha_adam = torch.optim.Adam([self.log_alpha], lr=rate)
        self.target_entropy, self.dtype, self.action_dim = agent.target_entropy, agent.dtype, a

    def update(
        self, batch: Batch, noise: Tensor | None = None, offsets: Tensor | None = None
    ) -> dict[str, Tensor]:
        """One update; noise (2 batch, a) and offsets (2, 2, batch) are drawn where not given."""
        action, reward, end, state, next_state = (
            torch.as_tensor(x, dtype=self.dtype)
            for x in (
                batch.action,
                batch.reward,
                batch.terminated,
                batch.observation["state"],
                batch.next_observation["state"],
            )
        )
        size = len(action)
        if noise is None:
            noise = torch.randn(2 * size, self.action_dim, dtype=self.dtype)
        if offsets is None:
            offsets = torch.randint(2 * self.pixels.shift_px + 1, (2, 2, size))
        picture = self.picture(batch.observation["image"], offsets[0])
        next_picture = self.picture(batch.next_observation["image"], offsets[1])
        alpha = self.log_alpha.exp().detach()

        with torch.no_grad():
            next_action, next_log_pi = squash(self.act(next_picture, next_state), noise[size:])
            next_q = self.targets(next_picture, next_state, next_action)
            value = self.reduce(next_q, self.pixels.target_q)
            if self.pixels.entropy_backup:
                value = value - alpha * next_log_pi
            target = reward + self.settings.discount * (1 - end) * value
        q = self.critics(picture, state, action)
        critic_loss = sum((0.5 * F.mse_loss(one, target) for one in q), torch.zeros(()))
        self.critic_adam.zero_grad()
        critic_loss.backward()

        pi, log_pi = squash(self.act(picture, state), noise[:size])
        q_pi = self.reduce(self.critics(picture, state, pi, detach=True), self.pixels.actor_q)
        actor_loss = (alpha * log_pi - q_pi).mean()
        self.actor_adam.zero_grad()
        actor_loss.backward(inputs=list(self.actor.parameters()))

        self.alpha_adam.zero_grad()
        alpha_loss = -(self.log_alpha * (log_pi.detach() + self.target_entropy)).mean()
        alpha_loss.backward()
        for adam in (self.critic_adam, self.actor_adam, self.alpha_adam):
            adam.step()
        tau = self.settings.target_smoothing
        with torch.no_grad():
            for ours, theirs in zip(
                self.targets.parameters(), self.critics.parameters(), strict=True
            ):
                ours.mul_(1 - tau).add_(theirs, alpha=tau)
        losses = {"critic_loss": critic_loss, "actor_loss": actor_loss, "entropy": -log_pi.mean()}
        return {name: loss.detach() for name, loss in losses.items()}

    def act(self, picture: Tensor, state: Tensor) -> Tensor:
        """The policy's head; an encoder that is the critics' stays out of the gradient."""
        theirs = isinstance(self.pixels, FastPixels)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not theirs):
            seen = self.policy_eye(picture)
        return self.policy(torch.cat([self.policy_head(seen), state], dim=1))

    @staticmethod
    def reduce(q: Tensor, reduction: str) -> Tensor:
        return q.min(dim=0).values if reduction == "min" else q.mean(dim=0)

    def picture(self, images: np.ndarray, offsets: Tensor) -> Tensor:
        """Floats (rows, channels, height, width), shifted by a crop of the padded picture."""
        x = torch.from_numpy(images).to(self.dtype).permute(0, 3, 1, 2).contiguous()
        x = (x - GREY) / 255
        pad = self.pixels.shift_px
        if pad == 0:
            return x
        rows, _, height, width = x.shape
        padded = F.pad(x, (pad, pad, pad, pad), mode="replicate")
        down = offsets[0][:, None] + torch.arange(height)
        right = offsets[1][:, None] + torch.arange(width)
        row = torch.arange(rows)[:, None, None]
        crop = padded.permute(0, 2, 3, 1)[row, down[:, :, None], right[:, None, :]]
        return crop.permute(0, 3, 1, 2).contiguous()

    def networks(self) -> dict[str, nn.Module]:
        """What both learners have, by name."""
        return {"critics": self.critics, "targets": self.targets, "actor": self.actor}


def plain_weights(agent: PixelSac) -> dict[str, dict[str, Tensor]]:
    """`agent`'s weights as the state dicts of `PlainPixelSac.networks` name and shape them."""
    sight, pixels = agent.sight, agent.pixels
    critics, targets, actor = {}, {}, {}
    if isinstance(pixels, FastPixels):
        assert isinstance(sight, SharedSight)
        depth = pixels.filters[-1]
        for found, encoder, project in (
            (critics, sight.encoder, sight.projection),
            (targets, sight.target_encoder, sight.target_projection),
        ):
            found |= {f"eyes.0.{name}": x for name, x in patch_weights(encoder.weights, pixels)}
            found |= {f"heads.0.0.{name}": x for name, x in projected(project.weights, depth)}
        policy_projection = projected(sight.policy_projection.weights, depth)
        actor |= {f"0.0.{name}": x for name, x in policy_projection}
    else:
        assert isinstance(sight, OwnSight)
        for found, convolutions, owners in (
            (critics, sight.critics, ("eyes.0", "eyes.1")),
            (targets, sight.targets, ("eyes.0", "eyes.1")),
            (actor, sight.policy, ("0",)),
        ):
            for name, x in convolutions.weights.items():
                layer, kind = 3 * int(name[-1]), name[:-1]
                for owner, share in zip(owners, x.chunk(len(owners)), strict=True):
                    found[f"{owner}.{layer}.{kind}"] = share
    stride = 3 if pixels.critic_layer_norm else 2
    for found, q in ((critics, agent.critics), (targets, agent.target_critics)):
        for name, x in q.weights.items():
            for index, one in enumerate(x):
                found[f"q.{index}.{stride * int(name[-1])}.{name[:-1]}"] = transposed(one)
    for name, x in agent.policy_network.weights.items():
        actor[f"1.{2 * int(name[-1])}.{name[:-1]}"] = transposed(x)
    return {"critics": critics, "targets": targets, "actor": actor}


def transposed(x: Tensor) -> Tensor:
    """Ours are (in, out), and a row of biases; torch's (out, in), and a vector."""
    return x[0] if len(x) == 1 else x.T


def patch_weights(weights: dict[str, Tensor], pixels: FastPixels) -> list[tuple[str, Tensor]]:
    """As of `nn.Conv2d`: (out, in, height, width)."""
    found: list[tuple[str, Tensor]] = []
    for index, side in enumerate(pixels.patches):
        matrix = weights[f"weight{index}"]
        kernel = matrix.view(side, side, -1, matrix.shape[1]).permute(3, 2, 0, 1)
        found.append((f"{2 * index}.weight", kernel))
        found.append((f"{2 * index}.bias", weights[f"bias{index}"][0]))
    return found


def projected(weights: dict[str, Tensor], depth: int) -> list[tuple[str, Tensor]]:
    """As of `nn.Linear` behind `nn.Flatten`, which runs over filters first."""
    matrix = weights["weight0"]
    by_filter = matrix.view(-1, depth, matrix.shape[1]).transpose(0, 1).reshape(matrix.shape)
    return [("weight", by_filter.T), ("bias", weights["bias0"][0])]
