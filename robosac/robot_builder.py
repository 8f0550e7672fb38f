"""Opens a configured robot for the executor's own process; knows no task and no learner."""

from __future__ import annotations

from contextlib import ExitStack

import msgspec

from robosac.config import parse
from robosac.errors import ConfigError
from robosac.executor_process import BuiltRobot
from robosac.executor_settings import claw_settings, minitaur_settings
from robosac.robots.claw import Claw
from robosac.robots.claw_file import load_claw_file
from robosac.robots.minitaur import Minitaur
from robosac.robots.robot_file import load_robot_file
from robosac.settings import ClawConfig, MinitaurConfig
from robosac.stage import read_calibration


def build_robot(text: str) -> BuiltRobot:
    """Open the robot on serial ports that the configuration `text` describes.

    Raises:
        ConfigError: a file, a port or the camera is wrong; in one line.
        CalibrationMismatch: the calibration is another robot's.
        Nothing stays open after an error.
    """
    config = parse(text)
    if isinstance(config, MinitaurConfig):
        return _minitaur(config)
    if isinstance(config, ClawConfig):
        return _claw(config)
    raise ConfigError(f"{config.preset} is no robot that an executor could drive")


def _minitaur(config: MinitaurConfig) -> BuiltRobot:
    from robosac.connect import connect

    file = load_robot_file(config.robot.file)
    measured = read_calibration(config.robot.calibration, "minitaur")
    reached = connect(file)
    with ExitStack() as opened:
        opened.callback(reached.devices.close)
        robot = Minitaur(file, measured, reached.devices, reached.clock.now)
        opened.pop_all()
    return BuiltRobot(
        robot,
        minitaur_settings(config.executor),
        config.executor.period_s,
        lambda: robot.bus_statistics,
        reached.warnings,
    )


def _claw(config: ClawConfig) -> BuiltRobot:
    from robosac.connect_claw import connect

    file = load_claw_file(config.robot.file)
    measured = read_calibration(config.robot.calibration, "claw")
    reached = connect(file if config.task.pixels else msgspec.structs.replace(file, camera=None))
    with ExitStack() as opened:
        opened.callback(reached.devices.close)
        robot = Claw(file, measured, reached.devices, reached.clock.now)
        opened.pop_all()
    return BuiltRobot(
        robot,
        claw_settings(config.executor, file),
        config.executor.period_s,
        lambda: robot.bus_statistics,
        reached.warnings,
    )
