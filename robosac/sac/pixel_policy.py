"""The policy that sees, without torch: numpy inference well within a millisecond."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robosac.sac.eyes import ConvolutionEye, PatchEye
from robosac.sac.policy import Normals, Policy

Array = NDArray[Any]
Observation = Mapping[str, Array]
"""`image`: uint8 (..., height, width, channels); `state`: (..., n); the same leading axes."""
IMAGE_SHAPE = "image_shape"
"""The array that tells a policy of pictures from one of vectors."""


class PixelPolicy:
    """A squashed Gaussian policy over what an encoder makes of a picture, joined with a vector.

    `weights` holds `image_shape` (height, width, channels), the perceptron as `policy.weight{i}`,
    `policy.bias{i}`, and either `encoder.*` and `projection.*` or `convolutions.*` (see `eyes`).
    The arrays are kept, not copied: a learner on the same machine may update them in place.

    Raises:
        ValueError: an array is missing, or does not fit the one before it.
    """

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = dict(weights)
        groups: dict[str, dict[str, Array]] = {}
        for name, array in weights.items():
            owner, _, own_name = name.rpartition(".")
            groups.setdefault(owner, {})[own_name] = array
        kinds = ({"", "policy", "encoder", "projection"}, {"", "policy", "convolutions"})
        if set(groups) not in kinds or set(groups[""]) != {IMAGE_SHAPE}:
            raise ValueError(
                f"pixel policy weights are {sorted(weights)}; expected {IMAGE_SHAPE}, policy.* and "
                "either encoder.* and projection.*, or convolutions.*"
            )
        self.image_shape = image_shape(groups[""][IMAGE_SHAPE])
        """Height, width, channels."""
        self._eye = (
            PatchEye(groups["encoder"], groups["projection"], self.image_shape)
            if "encoder" in groups
            else ConvolutionEye(groups["convolutions"], self.image_shape)
        )
        self._head = Policy(groups["policy"])
        if self._head.normalises:
            raise ValueError("a pixel policy has no normaliser; its encoder sees to the scale")
        self.state_dim = self._head.observation_dim - self._eye.units
        """Length of the vector beside the picture."""
        if self.state_dim < 0:
            raise ValueError(
                f"policy layer 0 takes {self._head.observation_dim} inputs; the encoder alone "
                f"gives {self._eye.units}"
            )
        self.action_dim = self._head.action_dim

    def weights(self) -> dict[str, Array]:
        """A copy of every array under the name it came with."""
        return {name: array.copy() for name, array in self._weights.items()}

    def distribution(self, observation: Observation) -> tuple[Array, Array]:
        """Mean and clamped log std before squashing, each (..., a).

        Raises:
            ValueError: picture or state is missing, or of the wrong shape or type.
        """
        return self._head.distribution(self._view(observation))

    def mean_action(self, observation: Observation) -> Array:
        """The deterministic action tanh(mean), (..., a) in [-1, 1]: how the paper evaluates."""
        return self._head.mean_action(self._view(observation))

    def sample_action(self, observation: Observation, normals: Normals) -> Array:
        """An action drawn from the policy, (..., a) in [-1, 1]: how it explores."""
        return self._head.sample_action(self._view(observation), normals)

    def _view(self, observation: Observation) -> Array:
        """What the perceptron reads: features of the picture, then the state."""
        if set(observation) != {"image", "state"}:
            raise ValueError(f"observation holds {sorted(observation)}; expected image and state")
        image, state = observation["image"], observation["state"]
        leading = state.shape[:-1]
        shape = (*leading, *self.image_shape)
        if image.dtype != np.uint8 or image.shape != shape:
            raise ValueError(f"image is {image.dtype}{image.shape}; expected uint8{shape}")
        if state.shape[-1:] != (self.state_dim,):
            raise ValueError(f"state has shape {state.shape}; expected (..., {self.state_dim})")
        seen = self._eye.see(image.reshape(-1, *self.image_shape))
        state = state.reshape(len(seen), -1).astype(seen.dtype, copy=False)
        return np.concatenate([seen, state], axis=1).reshape(*leading, -1)


def image_shape(array: Array) -> tuple[int, int, int]:
    """Height, width and channels, as a policy's weights hold them.

    Raises:
        ValueError: it is something else.
    """
    if array.shape != (3,) or array.dtype.kind not in "iu" or array.min() < 1:
        raise ValueError(f"{IMAGE_SHAPE} is {array!r}; expected three positive integers")
    height, width, channels = (int(length) for length in array)
    return height, width, channels


def policy_from_weights(weights: Mapping[str, Array]) -> Policy | PixelPolicy:
    """The policy that `weights()` of one was taken from, of whichever kind.

    Raises:
        ValueError: an array is missing, or does not fit the one before it.
    """
    return PixelPolicy(weights) if IMAGE_SHAPE in weights else Policy(weights)
