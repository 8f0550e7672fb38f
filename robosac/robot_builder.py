"""Opens a configured robot for the executor's own process; knows no task and no learner."""

from __future__ import annotations

from contextlib import ExitStack

import msgspec

from robosac.check.gate import gated
from robosac.config import parse
from robosac.custody_wiring import claw_custody, minitaur_custody
from robosac.errors import ConfigError
from robosac.estop import EStopGate
from robosac.executor_process import BuiltRobot
from robosac.executor_settings import claw_settings, minitaur_settings
from robosac.flight.wiring import Blackbox
from robosac.robots.claw import Claw
from robosac.robots.claw_file import load_claw_file
from robosac.robots.identity import check_ports
from robosac.robots.measured_camera import with_measured_tracker
from robosac.robots.minitaur import Minitaur
from robosac.robots.robot_file import load_robot_file
from robosac.settings import ClawConfig, MinitaurConfig
from robosac.stage import read_calibration


def build_robot(text: str, gate: EStopGate, take_over: bool) -> BuiltRobot:
    """Open the robot on serial ports that the configuration `text` describes.

    Args:
        text: as `robosac.config.dump` writes it.
        gate: what stops the robot.
        take_over: stop and end whoever owns it now.

    Raises:
        ConfigError: a file, a port or the camera is wrong; in one line.
        CalibrationMismatch: the calibration is another robot's.
        OwnershipError: somebody else owns it.
        Nothing stays open after an error.
    """
    config = parse(text)
    if isinstance(config, MinitaurConfig):
        return _minitaur(config, gate, take_over)
    if isinstance(config, ClawConfig):
        return _claw(config, gate, take_over)
    raise ConfigError(f"{config.preset} is no robot that an executor could drive")


def _minitaur(config: MinitaurConfig, gate: EStopGate, take_over: bool) -> BuiltRobot:
    from robosac.connect import connect
    from robosac.overhead import overhead_of

    file = load_robot_file(config.robot.file)
    measured = read_calibration(config.robot, "minitaur")
    file = with_measured_tracker(file, measured)
    blackbox = Blackbox(config)
    with ExitStack() as opened:
        # The console is the actor's.
        custody = minitaur_custody(config, file, gate, take_over, console=False)
        opened.enter_context(custody)
        reached = connect(file, tap=blackbox.tap)
        opened.callback(reached.devices.close)
        check_ports(measured, reached.ports)
        robot = Minitaur(file, measured, reached.devices, reached.clock.now)
        camera = overhead_of(reached.devices.tracker)
        guarded = gated(robot, config, measured, reached.ports, camera)
        opened.pop_all()
    return BuiltRobot(
        guarded,
        minitaur_settings(config, file),
        config.executor.period_s,
        lambda: robot.bus_statistics,
        reached.warnings,
        custody=custody,
        record=lambda executor: blackbox.record(executor, reached.clock, "minitaur", measured),
    )


def _claw(config: ClawConfig, gate: EStopGate, take_over: bool) -> BuiltRobot:
    from robosac.connect_claw import connect

    file = load_claw_file(config.robot.file)
    measured = read_calibration(config.robot, "claw")
    blackbox = Blackbox(config)
    seeing = file if config.task.pixels else msgspec.structs.replace(file, camera=None)
    with ExitStack() as opened:
        custody = claw_custody(config, file, gate, take_over, console=False)
        opened.enter_context(custody)
        reached = connect(seeing, tap=blackbox.tap)
        opened.callback(reached.devices.close)
        check_ports(measured, reached.ports)
        robot = Claw(file, measured, reached.devices, reached.clock.now)
        guarded = gated(robot, config, measured, reached.ports, reached.devices.camera)
        opened.pop_all()
    return BuiltRobot(
        guarded,
        claw_settings(config, file),
        config.executor.period_s,
        lambda: robot.bus_statistics,
        reached.warnings,
        custody=custody,
        record=lambda executor: blackbox.record(executor, reached.clock, "claw", measured),
    )
