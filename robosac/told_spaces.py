"""Spaces of an environment that is on another machine, as its schema tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict

from robosac.schema import VECTOR, Part, Schema


@dataclass(frozen=True, slots=True)
class ToldSpaces:
    """What an actor's environment shows and takes."""

    observation_space: gymnasium.Space[Any]
    action_space: gymnasium.Space[Any]


def spaces_of(schema: Schema) -> ToldSpaces:
    """The spaces that a schema tells of."""
    parts = {name: _box(part) for name, part in schema.observation.items()}
    seen: gymnasium.Space[Any] = parts[VECTOR] if VECTOR in parts else Dict(parts)
    return ToldSpaces(seen, Box(-1.0, 1.0, (len(schema.actions),), np.float32))


def _box(part: Part) -> gymnasium.Space[Any]:
    if part.dtype == "uint8":
        return Box(0, 255, part.shape, np.uint8)
    return Box(-np.inf, np.inf, part.shape, np.float32)
