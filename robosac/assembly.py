"""Puts what a preset describes together: a robot with its executor and task, or an environment."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from robosac.config import load_preset
from robosac.errors import ConfigError
from robosac.estop import EStopGate
from robosac.settings import ClawConfig, GymConfig, MinitaurConfig, TrainConfig
from robosac.stage import Stage

__all__ = ["Stage", "make_claw_task", "make_gym", "make_stage", "make_walk"]


def make_stage(config: TrainConfig, take_over: bool = False) -> Stage:
    """Build what `config` describes.

    Args:
        config: the settings.
        take_over: stop and end whoever owns the robot now.

    Raises:
        ConfigError: a file, an address, a port or the camera is wrong.
        CalibrationMismatch: the calibration is another robot's.
        OwnershipError: somebody else owns the robot.
        RobotError: its fault journal or run folder cannot be used.
        Nothing stays open after an error.
    """
    gate = EStopGate()
    if isinstance(config, GymConfig):
        return Stage(make_gym(config.environment), None, gate, None, None, 0.0)
    if isinstance(config, MinitaurConfig):
        from robosac.assembly_minitaur import make_minitaur

        return make_minitaur(config, gate, take_over)
    if isinstance(config, ClawConfig):
        from robosac.assembly_claw import make_claw

        return make_claw(config, gate, take_over)
    raise ConfigError(f"{config.preset} is neither a robot nor a gym: environment")


def make_walk(**overrides: Any) -> gymnasium.Env[Any, Any]:
    """Entry point of `gymnasium.make("robosac/MinitaurWalk-v0")`; keywords are settings.

    Example: `gymnasium.make("robosac/MinitaurWalk-v0", **{"task.episode_steps": 100})`.
    """
    return _made("minitaur", overrides)


def make_claw_task(preset: str, definition: str, **overrides: Any) -> gymnasium.Env[Any, Any]:
    """Entry point of the hand's tasks; keywords are settings.

    Example: `gymnasium.make("robosac/ClawTurn-v0", **{"task.episode_steps": 40})`.
    """
    return _made(preset, {"task.definition": definition, **overrides})


def _made(preset: str, overrides: dict[str, Any]) -> gymnasium.Env[Any, Any]:
    return make_stage(load_preset(preset, [f"{k}={v}" for k, v in overrides.items()])).env


def make_gym(environment: str) -> gymnasium.Env[Any, Any]:
    """A Gymnasium environment with actions in [-1, 1] and float32 vectors.

    Raises:
        ConfigError: there is no such environment, or it is not continuous.
    """
    try:
        env = gymnasium.make(environment)
    except gymnasium.error.DependencyNotInstalled as error:
        raise ConfigError(
            f"gym:{environment} needs more: pip install 'robosac[gym]' ({error})"
        ) from error
    except gymnasium.error.Error as error:
        detail = " ".join(str(error).split())
        raise ConfigError(f"no environment gym:{environment}: {detail}") from error
    spaces = (env.observation_space, env.action_space)
    if not all(isinstance(space, gymnasium.spaces.Box) for space in spaces):
        raise ConfigError(
            f"gym:{environment} has the action space {env.action_space}; Soft Actor-Critic needs"
            " boxes of real numbers"
        )
    if len(spaces[0].shape or ()) != 1:
        env = gymnasium.wrappers.FlattenObservation(env)
    return gymnasium.wrappers.RescaleAction(env, np.float32(-1.0), np.float32(1.0))
