"""The policy without torch: numpy inference for the robot, tens of microseconds an action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
"""Of the weights' own type: float32 in use."""
LOG_STD_MIN, LOG_STD_MAX = -20.0, 2.0
"""Bounds of the log standard deviation before squashing, as in the authors' release."""
OBSERVATION_MEAN, OBSERVATION_SCALE = "observation_mean", "observation_scale"
"""Arrays of a policy whose observations are normalised, beside its layers."""
NORMALISED_BOUND = 10.0
"""Of a normalised number, either way: ten deviations are an outlier."""
_NORMALISER = (OBSERVATION_MEAN, OBSERVATION_SCALE)


class Normals(Protocol):
    """Where a sampled action's noise comes from; a `numpy.random.Generator` is one."""

    def standard_normal(self, shape: tuple[int, ...], /) -> NDArray[np.float64]:
        """Standard normal numbers."""
        ...


class Policy:
    """A squashed Gaussian policy, ready to act.

    `weights` holds `weight{i}` of shape (in, out) and `bias{i}` of shape (out,), layer by layer. If
    it holds `observation_mean` and `observation_scale` (in,), the first layer takes (observation -
    mean) * scale, bounded. The arrays are kept, not copied: a learner on the same machine may
    update them in place.

    Raises:
        ValueError: a layer is missing or does not fit the one before it, or half a normaliser.
    """

    def __init__(self, weights: Mapping[str, Array]) -> None:
        normaliser = {name: weights[name] for name in _NORMALISER if name in weights}
        self._layers = _layers({n: x for n, x in weights.items() if n not in normaliser})
        self._normaliser = _checked_normaliser(normaliser, self._layers[0][0].shape[0])
        self.observation_dim: int = self._layers[0][0].shape[0]
        self.action_dim: int = self._layers[-1][0].shape[1] // 2

    def weights(self) -> dict[str, Array]:
        """A copy of every array under the name it came with."""
        named = {name: array.copy() for name, array in self._normaliser.items()}
        for index, (weight, bias) in enumerate(self._layers):
            named[f"weight{index}"], named[f"bias{index}"] = weight.copy(), bias.copy()
        return named

    @property
    def normalises(self) -> bool:
        """Whether it brings observations to one scale itself."""
        return bool(self._normaliser)

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
        if self._normaliser:
            hidden = hidden - self._normaliser[OBSERVATION_MEAN]
            hidden *= self._normaliser[OBSERVATION_SCALE]
            np.clip(hidden, -NORMALISED_BOUND, NORMALISED_BOUND, out=hidden)
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

    def sample_action(self, observation: Array, normals: Normals) -> Array:
        """An action drawn from the policy, (..., a) in [-1, 1]: how it explores."""
        mean, log_std = self.distribution(observation)
        noise = normals.standard_normal(mean.shape).astype(mean.dtype, copy=False)
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


def _checked_normaliser(arrays: dict[str, Array], size: int) -> dict[str, Array]:
    """Both arrays or none, of the observation's length, with a positive scale."""
    if not arrays:
        return {}
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != dict.fromkeys(_NORMALISER, (size,)):
        raise ValueError(
            f"policy normaliser is {shapes}; expected {' and '.join(_NORMALISER)} of ({size},)"
        )
    if not (arrays[OBSERVATION_SCALE] > 0).all():
        raise ValueError(f"policy {OBSERVATION_SCALE} must be positive")
    return arrays
