"""The squashed Gaussian: actions, their log-density and its gradient."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from robosac.sac.policy import LOG_STD_MAX, LOG_STD_MIN


def squash(head: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
    """Action tanh(u) in [-1, 1], (batch, a), and its log-density, (batch,), nats.

    `head` is the policy's output (batch, 2a): mean and log std of a Gaussian, u = mean + std noise
    (Equation 8). Equation 26: log pi(a|s) = log mu(u|s) - sum_i log(1 - tanh^2 u_i). The last
    logarithm is computed as 2 (log 2 - u - softplus(-2u)): 1 - tanh^2 u may round to zero.
    """
    mean, log_std = head.chunk(2, dim=1)
    log_std = log_std.clamp(LOG_STD_MIN, LOG_STD_MAX)
    u = mean + log_std.exp() * noise
    log_gaussian = -0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)
    log_slope = 2 * (math.log(2) - u - softplus(-2 * u))
    return u.tanh(), (log_gaussian - log_slope).sum(dim=1)


def squash_gradient(
    head: Tensor, noise: Tensor, action: Tensor, d_action: Tensor, d_log_pi: Tensor
) -> Tensor:
    """dJ/dhead (batch, 2a), given dJ/daction (batch, a) and dJ/dlog_pi, (batch, 1) or (1,).

    With u = mean + std noise: daction/du = 1 - action^2, and dlog_pi/du = 2 action (the Gaussian's
    own term depends on the noise alone); log_pi falls by one with each log std.
    """
    log_std = head.chunk(2, dim=1)[1]
    clamped = log_std.clamp(LOG_STD_MIN, LOG_STD_MAX)
    d_u = d_action * (1 - action.square()) + d_log_pi * 2 * action
    d_log_std = (d_u * clamped.exp() * noise - d_log_pi) * (clamped == log_std)
    return torch.cat([d_u, d_log_std], dim=1)
