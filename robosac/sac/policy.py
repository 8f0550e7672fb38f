"""The policy without torch: numpy inference for the robot, tens of microseconds an action."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
"""Of the weights' own type: float32 in use."""
LOG_STD_MIN, LOG_STD_MAX = -20.0, 2.0
"""Bounds of the log standard deviation before squashing, as in the authors' release."""


class Policy:
    """A squashed Gaussian policy, ready to act.

    `weights` holds `weight{i}` of shape (in, out) and `bias{i}` of shape (out,), layer by layer.
    The arrays are kept, not copied: a learner on the same machine may update them in place.

    Raises:
        ValueError: a layer is missing or does not fit the one before it.
    """

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._layers = _layers(weights)
        self.observation_dim: int = self._layers[0][0].shape[0]
        self.action_dim: int = self._layers[-1][0].shape[1] // 2

    def weights(self) -> dict[str, Array]:
        """A copy of every array under the name it came with."""
        named: dict[str, Array] = {}
        for index, (weight, bias) in enumerate(self._layers):
            named[f"weight{index}"], named[f"bias{index}"] = weight.copy(), bias.copy()
        return named

    def distribution(self, observation: Array) -> tuple[Array, Array]:
        """Mean and clamped log std before squashing, each (..., a), for observations (..., o).

        Raises:
            ValueError: the last axis of the observation has the wrong length.
        """
        if observation.shape[-1:] != (self.observation_dim,):
            raise ValueError(
                f"observation has shape {observation.shape}; expected (..., {self.observation_dim})"
            )
        hidden = observation.astype(self._layers[0][0].dtype, copy=False)
        for weight, bias in self._layers[:-1]:
            hidden = hidden @ weight
            hidden += bias
            np.maximum(hidden, 0, out=hidden)
        weight, bias = self._layers[-1]
        head = hidden @ weight + bias
        mean, log_std = head[..., : self.action_dim], head[..., self.action_dim :]
        return mean, np.clip(log_std, LOG_STD_MIN, LOG_STD_MAX)

    def mean_action(self, observation: Array) -> Array:
        """The deterministic action tanh(mean), (..., a) in [-1, 1]: how the paper evaluates."""
        return np.tanh(self.distribution(observation)[0])

    def sample_action(self, observation: Array, rng: np.random.Generator) -> Array:
        """An action drawn from the policy, (..., a) in [-1, 1]: how it explores."""
        mean, log_std = self.distribution(observation)
        noise = rng.standard_normal(mean.shape).astype(mean.dtype, copy=False)
        return np.tanh(mean + np.exp(log_std) * noise)


def _layers(
    weights: Mapping[str, Array],
) -> list[tuple[Array, Array]]:
    count = len(weights) // 2
    expected = {f"{kind}{index}" for kind in ("weight", "bias") for index in range(count)}
    if count == 0 or set(weights) != expected:
        raise ValueError(
            f"policy weights are {sorted(weights)}; expected weight0, bias0, weight1, bias1, ..."
        )
    layers = [(weights[f"weight{index}"], weights[f"bias{index}"]) for index in range(count)]
    first = layers[0][0]
    width = first.shape[0] if first.ndim else 0
    for index, (weight, bias) in enumerate(layers):
        if weight.ndim != 2 or weight.shape[0] != width or bias.shape != weight.shape[1:]:
            raise ValueError(
                f"policy layer {index}: weight {weight.shape} and bias {bias.shape}; "
                f"expected ({width}, n) and (n,)"
            )
        width = weight.shape[1]
    if width % 2:
        raise ValueError(f"policy head has {width} outputs; expected two for each action dimension")
    return layers
