"""Starts the executor in a process of its own, and makes a stage of it."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import ExitStack
from typing import Any, TextIO

import gymnasium

from robosac.channel_layout import Layout
from robosac.config import dump
from robosac.console_key import StopKey
from robosac.errors import ConfigError
from robosac.executor_child import ExecutorChild
from robosac.executor_process import ChildDocument
from robosac.realtime import share_interpreter
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


def start(
    config: RobotConfig, layout: Layout, take_over: bool = False
) -> tuple[RemoteExecutor, TextIO]:
    """Start the executor's process for the robot that `config` describes.

    Returns the executor, and where the operator answers. Until the executor is closed, the stop key
    of this process's console and SIGUSR1 to this process trip its gate.

    Raises:
        ConfigError: a file, a port or the camera is wrong; in one line. No process is left.
        OwnershipError: somebody else owns the robot.
        RobotError: the process does not start.
    """
    document = ChildDocument(dump(config), config.executor.realtime_priority, take_over)
    # The threads of store and link must not make a goal miss the executor's next tick.
    share_interpreter()
    remote = RemoteExecutor(ExecutorChild(document, layout), config.executor.answer_within_s)
    with ExitStack() as opened:
        opened.callback(remote.close)
        if threading.current_thread() is threading.main_thread():
            remote.afterwards.enter_context(remote.gate.trip_on_signals((signal.SIGUSR1,)))
        console = sys.stdin
        if config.stop.console_key:
            console = remote.afterwards.enter_context(StopKey(remote.gate)).source
        opened.pop_all()
    return remote, console


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
