"""Starts the executor in a process of its own, and makes a stage of it."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium

from robosac.channel_layout import Layout
from robosac.config import dump
from robosac.errors import ConfigError
from robosac.executor_child import ExecutorChild
from robosac.executor_process import ChildDocument
from robosac.remote_executor import RemoteExecutor
from robosac.settings import RobotConfig
from robosac.stage import SERIAL, Stage


def has_own_process(config: RobotConfig) -> bool:
    """Whether the executor runs in a process of its own.

    Raises:
        ConfigError: it shall, but the robot is a twin in virtual time, which stands still between
            the steps of one process.
    """
    serial = config.robot.address == SERIAL
    wanted = config.executor.process
    if wanted == "auto" and not sys.platform.startswith("linux"):
        return False
    if wanted == "own" and not serial:
        raise ConfigError(
            f"executor.process own needs robot.address {SERIAL}, got {config.robot.address}; a twin"
            " is reached that way through the ports of `robosac twin`"
        )
    return serial and wanted != "in-process"


def start(config: RobotConfig, layout: Layout) -> RemoteExecutor:
    """Start the executor's process for the robot that `config` describes.

    Raises:
        ConfigError: a file, a port or the camera is wrong; in one line. No process is left.
        RobotError: the process does not start.
    """
    document = ChildDocument(dump(config), config.executor.realtime_priority)
    return RemoteExecutor(ExecutorChild(document, layout), config.executor.answer_within_s)


def remote_stage(
    env: gymnasium.Env[Any, Any], remote: RemoteExecutor, seconds_per_step: float
) -> Stage:
    """The stage of a task whose executor runs elsewhere."""
    return Stage(
        env=env,
        executor=remote,
        gate=remote.gate,
        render=None,
        clock_state=None,
        seconds_per_step=seconds_per_step,
        bus_statistics=remote.bus_statistics,
        warnings=remote.warnings,
    )
