"""Puts a robot, its executor and its task together; the only place that knows both wires.

The twin's packages are imported only for a `twin://` address, so that a robot's computer needs no
simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

import calibration
from calibration import Calibration
from drivers.errors import WireClosed
from drivers.moteus import MoteusBus
from drivers.tracker import Tracker
from drivers.vectornav_port import VectorNavPort
from drivers.wire import SerialWire, Wire
from robosac.clock import Clock, MonotonicClock
from robosac.config import load_preset
from robosac.errors import ConfigError
from robosac.estop import EStopGate
from robosac.executor import Executor, ExecutorSettings
from robosac.hal import Robot
from robosac.robots.minitaur import Minitaur
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.settings import ExecutorSection, GymConfig, RobotConfig, TrainConfig, TwinSection
from robosac.tasks.walk import MinitaurWalk, Operator
from robosac.watch import WatchSettings

TWIN_SCHEME = "twin://"
SERIAL = "serial"
ROBOT_NAME = "minitaur"

Renderer = Callable[[int, int], NDArray[np.uint8]]


class ClockState(Protocol):
    """A clock whose present can be set, so that a resumed run is the run that was never killed."""

    steps: int


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


@dataclass(frozen=True)
class Wires:
    """What lies below the drivers."""

    legs: Wire
    imu: Wire
    tracker: Tracker | None
    clock: Clock
    operator: Operator
    render: Renderer | None
    clock_state: ClockState | None


def make_stage(config: TrainConfig) -> Stage:
    """Build what `config` describes.

    Raises:
        ConfigError: a file, an address or a port is wrong; nothing stays open then.
    """
    gate = EStopGate()
    if isinstance(config, GymConfig):
        return Stage(make_gym(config.environment), None, gate, None, None, 0.0)
    if not isinstance(config, RobotConfig):
        raise ConfigError(f"{config.preset} is neither a robot nor a gym: environment")
    file = load_robot_file(config.robot.file, ROBOT_NAME)
    measured = _calibration(config.robot.calibration)
    wires = _twin(config.twin, file, config.robot.address)
    if wires is None:
        wires = _serial(config.robot.address, file)
    robot = make_robot(file, measured, wires)
    executor = Executor(
        robot,
        wires.clock,
        gate,
        config.executor.period_s,
        _executor_settings(config.executor),
    )
    env = MinitaurWalk(executor, wires.operator, config.task)
    period = config.task.control_period_s
    return Stage(env, executor, gate, wires.render, wires.clock_state, period)


def make_robot(file: RobotFile, measured: Calibration, wires: Wires) -> Robot:
    """The robot above its wires."""
    ids = tuple(motor.id for motor in file.motors.values())
    now = wires.clock.now
    return Minitaur(
        file,
        measured,
        MoteusBus(wires.legs, ids, now),
        VectorNavPort(wires.imu, now),
        wires.tracker,
        now,
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


def _twin(twin: TwinSection, file: RobotFile, address: str) -> Wires | None:
    """The twin's wires for a `twin://` address, else None."""
    if not address.startswith(TWIN_SCHEME):
        return None
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
    model = MinitaurTwin(options)
    return Wires(
        model.legs, model.imu, model.tracker, model.clock, model, model.render, model.clock
    )


def _serial(address: str, file: RobotFile) -> Wires:
    """The robot file's own ports."""
    if address != SERIAL:
        raise ConfigError(
            f"robot.address {address!r} is not known; valid are {TWIN_SCHEME}{ROBOT_NAME} and"
            f" {SERIAL}"
        )
    from robosac.operator import ConsoleOperator

    try:
        legs = SerialWire(file.ports.legs, 921600)
        try:
            imu = SerialWire(file.ports.imu, file.imu_baud)
        except WireClosed:
            legs.close()
            raise
    except WireClosed as error:
        raise ConfigError(f"{error}; ports are named in the robot file") from error
    return Wires(legs, imu, None, MonotonicClock(), ConsoleOperator(), None, None)


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
