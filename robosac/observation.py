"""What a policy sees: a vector, or a picture with a vector beside it."""

from __future__ import annotations

from typing import Any, Protocol

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray

IMAGE, STATE = "image", "state"
Observation = NDArray[Any] | dict[str, NDArray[Any]]
"""float32 (n,); or {"image": uint8 (height, width, 3), "state": float32 (n,)}."""


class Spaces(Protocol):
    """What of an environment decides the shapes of everything that learns in it."""

    @property
    def observation_space(self) -> gymnasium.Space[Any]: ...
    @property
    def action_space(self) -> gymnasium.Space[Any]: ...


def as_observation(value: Any) -> Observation:
    """What an environment returned, in the types that are stored and learned from."""
    if isinstance(value, dict):
        return {
            IMAGE: np.asarray(value[IMAGE], np.uint8),
            STATE: np.asarray(value[STATE], np.float32),
        }
    return np.asarray(value, dtype=np.float32)


def has_picture(space: gymnasium.Space[Any]) -> bool:
    """Whether observations of `space` hold a picture."""
    return isinstance(space, Dict)


def shape_of(space: gymnasium.Space[Any], part: str | None = None) -> tuple[int, ...]:
    """Shape of a vector's space, or of one part of a picture's.

    Raises:
        TypeError: not such a space.
    """
    if part is not None and isinstance(space, Dict):
        space = space[part]
    if not isinstance(space, Box):
        raise TypeError(f"{space} is not a box of numbers; valid are vectors and pictures")
    return space.shape
