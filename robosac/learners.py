"""The learner that a run needs: of vectors, or of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from robosac.observation import IMAGE, STATE, Spaces, has_picture, shape_of
from robosac.replay import Batch
from robosac.sac import Losses, PixelPolicy, PixelSac, Policy, Sac, SacSettings
from robosac.sac.settings import FastPixels, PaperPixels
from robosac.settings import TrainConfig


class Learner(Protocol):
    """What training needs of a learner."""

    action_dim: int
    target_entropy: float
    updates: int

    def update(self, batch: Batch[Any]) -> Losses:
        """One gradient step of everything."""
        ...

    def act(self, observation: Any, deterministic: bool) -> NDArray[np.float32]:
        """An action in [-1, 1], (a,)."""
        ...

    def policy(self) -> Policy | PixelPolicy:
        """The policy for inference."""
        ...

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that determines later updates and actions, by name."""
        ...

    def load(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state()` returned; ValueError where it does not fit."""
        ...


def make_learner(config: TrainConfig, env: Spaces) -> Learner:
    """A learner of the configured size for what `env` shows and takes; sets torch's threads."""
    torch.set_num_threads(config.learner_threads)
    section, space = config.sac, env.observation_space
    names = [name for name in section.__struct_fields__ if name != "pixels"]
    settings = SacSettings(**{name: getattr(section, name) for name in names})
    actions = shape_of(env.action_space)[0]
    if not has_picture(space):
        return Sac(settings, shape_of(space)[0], actions, config.seed)
    pixels = PaperPixels()
    if config.recipe == "fast":
        fast = section.pixels
        pixels = FastPixels(**{name: getattr(fast, name) for name in fast.__struct_fields__})
    image, state = shape_of(space, IMAGE), shape_of(space, STATE)[0]
    return PixelSac(settings, pixels, image, state, actions, config.seed)
