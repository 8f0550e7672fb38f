"""The replay buffer that a run needs: of vectors or pictures, with or without demonstrations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from robosac.demonstrations import Interface, Sink, fill
from robosac.demonstrations_file import load
from robosac.errors import ConfigError
from robosac.frame_replay import FrameReplay
from robosac.mixture import Mixture
from robosac.n_step_replay import NStepReplay
from robosac.observation import IMAGE, STATE, Spaces, has_picture, shape_of
from robosac.replay import Array, Batch, Replay
from robosac.settings import ClawConfig, RobotConfig, TrainConfig


class Experience(Sink, Protocol):
    """What the learner draws from, and the actor adds to."""

    def __len__(self) -> int: ...
    @property
    def memory_bytes(self) -> int: ...
    def ready(self, size: int) -> bool: ...
    def sample(self, rng: np.random.Generator, size: int) -> Batch[Any]: ...
    def state(self) -> dict[str, Array]: ...
    def load(self, state: Mapping[str, Array]) -> None: ...


def make_replay(config: TrainConfig, env: Spaces) -> Experience:
    """An empty buffer for what `env` shows, beside the demonstrations that `config` names.

    Raises:
        ConfigError: the demonstrations are not there, are damaged, or do not fit the task; or the
            learner's device has no room for a copy.
    """
    online = _placed(config, _buffer(config, env, config.sac.replay_capacity))
    section = config.demonstrations
    if section.path is None:
        return online
    shown = load(Path(section.path), interface_of(config, env))
    demonstrations = _placed(config, _buffer(config, env, max(shown.steps, 1)))
    fill(demonstrations, shown)
    if config.learner_replay == "host":
        return Mixture(online, demonstrations, section.share)
    import torch

    return Mixture(online, demonstrations, section.share, torch.cat)


def interface_of(config: TrainConfig, env: Spaces) -> Interface:
    """What demonstrations for this run must have in common with it."""
    space = env.observation_space
    picture = has_picture(space)
    image = shape_of(space, IMAGE) if picture else None
    robot = config.preset.split("-")[0] if isinstance(config, RobotConfig) else config.preset
    task = config.task.definition if isinstance(config, ClawConfig) else config.preset
    return Interface(
        task=task,
        robot=robot,
        image_shape=None if image is None else (image[0], image[1], image[2]),
        state_dim=shape_of(space, STATE if picture else None)[0],
        action_dim=shape_of(env.action_space)[0],
        control_period_s=config.task.control_period_s if isinstance(config, ClawConfig) else 0.0,
    )


def _placed(config: TrainConfig, buffer: Any) -> Any:
    """The buffer, or with a copy on the learner's device what draws from that."""
    if config.learner_replay == "host":
        return buffer
    from robosac.resident_replay import ResidentReplay

    return ResidentReplay(buffer, config.learner_device)


def _buffer(config: TrainConfig, env: Spaces, capacity: int) -> Replay | FrameReplay:
    space, actions = env.observation_space, shape_of(env.action_space)[0]
    steps, discount = config.sac.return_steps, config.sac.discount
    if has_picture(space):
        if steps > 1:
            raise ConfigError("sac.return_steps above 1 is for vectors; valid for pictures is 1")
        return FrameReplay(capacity, shape_of(space, IMAGE), shape_of(space, STATE)[0], actions)
    if steps > 1:
        return NStepReplay(capacity, shape_of(space), actions, steps, discount)
    return Replay(capacity, shape_of(space), actions)
