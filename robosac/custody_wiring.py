"""The custody of each robot, from the configuration and the robot file."""

from __future__ import annotations

import msgspec

from robosac.custody import Custody
from robosac.errors import ConfigError
from robosac.estop import EStopGate
from robosac.owner import MotorPort
from robosac.ownership import Claim
from robosac.robots.claw_file import ClawFile
from robosac.robots.robot_file import RobotFile
from robosac.settings import ClawConfig, MinitaurConfig, RobotConfig, StopSection
from robosac.stage import is_twin


def minitaur_custody(
    config: MinitaurConfig, file: RobotFile, gate: EStopGate, take_over: bool, console: bool = True
) -> Custody:
    """What surrounds the quadruped; a twin has no ports that somebody else could want.

    Args:
        config: the settings.
        file: the robot file.
        gate: what trips its executor.
        take_over: stop and end whoever owns it now.
        console: False where the console belongs to another process, which watches its keys.
    """
    stop = _stop(config, console)
    if is_twin(config.robot.address, "minitaur"):
        return Custody(file.name, stop, gate)
    # Only here, for it brings OpenCV along.
    from robosac.connect import LEGS_BAUD

    ports, ids = file.ports, tuple(motor.id for motor in file.motors.values())
    motors = MotorPort("moteus", ports.legs, LEGS_BAUD, ids)
    claim = Claim(file.name, motors, (ports.legs, ports.imu), config.robot.file)
    return Custody(file.name, stop, gate, claim, take_over)


def claw_custody(
    config: ClawConfig, file: ClawFile, gate: EStopGate, take_over: bool, console: bool = True
) -> Custody:
    """What surrounds the hand; see `minitaur_custody`."""
    stop = _stop(config, console)
    if is_twin(config.robot.address, "claw"):
        return Custody(file.name, stop, gate)
    port, ids = file.port, tuple(motor.id for motor in file.motors.values())
    motors = MotorPort("dynamixel", port.path, port.baud, ids)
    claim = Claim(file.name, motors, (port.path,), config.robot.file)
    return Custody(file.name, stop, gate, claim, take_over)


def custody_of(
    config: RobotConfig, file: RobotFile | ClawFile, gate: EStopGate, console: bool = True
) -> Custody:
    """What surrounds whichever robot `config` describes; see `minitaur_custody`.

    Raises:
        ConfigError: settings and robot file are of different robots.
    """
    if isinstance(config, MinitaurConfig) and isinstance(file, RobotFile):
        return minitaur_custody(config, file, gate, take_over=False, console=console)
    if isinstance(config, ClawConfig) and isinstance(file, ClawFile):
        return claw_custody(config, file, gate, take_over=False, console=console)
    raise ConfigError(f"{config.preset} is not of the kind of the robot file {file.name}")


def _stop(config: RobotConfig, console: bool) -> StopSection:
    if console:
        return config.stop
    return msgspec.structs.replace(config.stop, console_key=False)
