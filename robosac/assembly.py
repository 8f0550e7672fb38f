"""Puts a robot, its executor and its task together; the only place that knows both wires.

The twin's packages are imported only for a `twin://` address, so that a robot's computer needs no
simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np

import calibration
from calibration import Calibration
from drivers.moteus import BusStatistics, MoteusBus
from drivers.vectornav.port import VectorNavPort
from robosac.config import load_preset
from robosac.connection import ClockState, Connection, Renderer
from robosac.errors import ConfigError
from robosac.estop import EStopGate
from robosac.executor import Executor, ExecutorSettings
from robosac.robots.controller_options import wanted_options
from robosac.robots.minitaur import Devices, Minitaur
from robosac.robots.motors import check_calibration, motor_zeros
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.settings import ExecutorSection, GymConfig, RobotConfig, TrainConfig, TwinSection
from robosac.tasks.walk import MinitaurWalk
from robosac.watch import WatchSettings

if TYPE_CHECKING:
    from sim.firmware.moteus.bank import MoteusBank

TWIN_SCHEME = "twin://"
SERIAL = "serial"
ROBOT_NAME = "minitaur"


@dataclass(frozen=True)
class Stage:
    """Everything a run needs of the world: where to act, and how to watch."""

    env: gymnasium.Env[Any, Any]
    executor: Executor | None
    """Owns the robot; None for a plain Gymnasium environment."""
    gate: EStopGate
    """Stops it, from any thread or signal."""
    render: Renderer | None
    """(width, height) -> uint8 picture, where there is something to see."""
    clock_state: ClockState | None
    """The virtual clock of a twin."""
    seconds_per_step: float
    """Robot time of one environment step, s."""
    bus_statistics: Callable[[], BusStatistics] | None = None
    """What happened on the motors' bus so far."""
    warnings: tuple[str, ...] = ()
    """What works, but not as well as it should; one line each."""


def make_stage(config: TrainConfig) -> Stage:
    """Build what `config` describes.

    Raises:
        ConfigError: a file, an address, a port or the camera is wrong.
        CalibrationMismatch: the calibration is another robot's.
        Nothing stays open after an error.
    """
    gate = EStopGate()
    if isinstance(config, GymConfig):
        return Stage(make_gym(config.environment), None, gate, None, None, 0.0)
    if not isinstance(config, RobotConfig):
        raise ConfigError(f"{config.preset} is neither a robot nor a gym: environment")
    file = load_robot_file(config.robot.file, ROBOT_NAME)
    measured = _calibration(config.robot.calibration)
    check_calibration(file, measured)
    reached = _reach(config, file, measured)
    with ExitStack() as opened:
        opened.callback(reached.devices.close)
        robot = Minitaur(file, measured, reached.devices, reached.clock.now)
        executor = Executor(
            robot,
            reached.clock,
            gate,
            config.executor.period_s,
            _executor_settings(config.executor),
        )
        env = MinitaurWalk(executor, reached.operator, config.task)
        opened.pop_all()
    return Stage(
        env,
        executor,
        gate,
        reached.render,
        reached.clock_state,
        config.task.control_period_s,
        lambda: robot.bus_statistics,
        reached.warnings,
    )


def _reach(config: RobotConfig, file: RobotFile, measured: Calibration) -> Connection:
    """The robot at the configured address."""
    address = config.robot.address
    if address.startswith(TWIN_SCHEME):
        return _twin(config.twin, file, measured, address)
    if address == SERIAL:
        # Only here, for it brings OpenCV along.
        from robosac.connect import connect

        return connect(file)
    raise ConfigError(
        f"robot.address {address!r} is not known; valid are {TWIN_SCHEME}{ROBOT_NAME} and {SERIAL}"
    )


def make_walk(**overrides: Any) -> MinitaurWalk:
    """Entry point of `gymnasium.make("robosac/MinitaurWalk-v0")`; keywords are settings.

    Example: `gymnasium.make("robosac/MinitaurWalk-v0", **{"task.episode_steps": 100})`.
    """
    config = load_preset("minitaur", [f"{key}={value}" for key, value in overrides.items()])
    env = make_stage(config).env
    assert isinstance(env, MinitaurWalk)
    return env


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


def _twin(twin: TwinSection, file: RobotFile, measured: Calibration, address: str) -> Connection:
    """The twin, its controllers configured as the robot file says."""
    name = address.removeprefix(TWIN_SCHEME)
    if name != ROBOT_NAME:
        raise ConfigError(f"no twin {name!r}; valid is {TWIN_SCHEME}{ROBOT_NAME}")
    from sim.minitaur import MinitaurTwin, SensorNoise, TwinOptions
    from sim.randomisation import Randomisation
    from sim.tracker import TrackerSettings

    noise = twin.noise
    options = TwinOptions(
        supply_v=twin.supply_voltage_v,
        pd_latency_s=twin.pd_latency_s,
        sensor_latency_s=twin.sensor_latency_s,
        noise=SensorNoise(
            joint_position_rad=noise.joint_position_rad,
            joint_velocity_rad_s=noise.joint_velocity_rad_s,
            attitude_rad=noise.orientation_rad,
            angular_velocity_rad_s=noise.angular_velocity_rad_s,
        ),
        randomisation=Randomisation.tan_2018()
        if twin.randomisation == "tan2018"
        else Randomisation.off(),
        tracker=TrackerSettings(
            position_noise_m=noise.tracker_position_m, yaw_noise_rad=noise.tracker_yaw_rad
        ),
        gains=(file.gains.stiffness_n_m_per_rad, file.gains.damping_n_m_s_per_rad),
    )
    ids = tuple(motor.id for motor in file.motors.values())
    model = MinitaurTwin(options, ids)
    _set_options(model.bank, file, measured)
    now = model.clock.now
    devices = Devices(
        bus=MoteusBus(model.legs, ids, now),
        imu=VectorNavPort(model.imu, now),
        reopen_imu=model.imu.reopen,
        tracker=model.tracker,
    )
    return Connection(devices, model.clock, model, model.render, model.clock)


def _set_options(bank: MoteusBank, file: RobotFile, measured: Calibration) -> None:
    """Configure the twin's controllers as the robot's are said to be, to last a power cycle."""
    from sim.firmware.moteus.settings import write_option

    zeros = motor_zeros(file, measured).tolist()
    for index, (joint, zero) in enumerate(zip(file.joint_names, zeros, strict=True)):
        for option, value in wanted_options(file, joint, zero).items():
            text = str(int(value)) if value.is_integer() else repr(value)
            config = write_option(bank.configuration(index), option, text)
            if config is not None:
                bank.configure(index, config)
        bank.store(index)


def _calibration(path: str | None) -> Calibration:
    try:
        return calibration.nominal(ROBOT_NAME) if path is None else calibration.load(path)
    except OSError as error:
        raise ConfigError(f"calibration {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _executor_settings(section: ExecutorSection) -> ExecutorSettings:
    return ExecutorSettings(
        hold_after=section.hold_after_s,
        damp_after=section.damp_after_s,
        stop_after=section.stop_after_s,
        watch=WatchSettings(position_tolerance=section.position_tolerance_rad),
    )
