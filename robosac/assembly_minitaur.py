"""Puts the quadruped, its executor and its walking task together, over either wire.

The twin's packages are imported only for a `twin://` address, so that a robot's computer needs no
simulator.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from calibration import Calibration
from drivers.moteus import MoteusBus
from drivers.vectornav.port import VectorNavPort
from robosac.channel_layout import Layout
from robosac.connection import Connection
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.executor_settings import minitaur_settings
from robosac.operator import ConsoleOperator
from robosac.remote_stage import has_own_process, remote_stage, start
from robosac.robots.controller_options import wanted_options
from robosac.robots.minitaur import Devices, Minitaur
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.robots.wiring import check_calibration, motor_zeros
from robosac.settings import MinitaurConfig, TwinSection
from robosac.stage import Stage, is_twin, read_calibration
from robosac.tasks.walk import MinitaurWalk

if TYPE_CHECKING:
    from sim.firmware.moteus.bank import MoteusBank

ROBOT_NAME = "minitaur"


def make_minitaur(config: MinitaurConfig, gate: EStopGate) -> Stage:
    """Build what `config` describes.

    Raises:
        ConfigError: a file, an address, a port or the camera is wrong.
        CalibrationMismatch: the calibration is another robot's.
        Nothing stays open after an error.
    """
    file = load_robot_file(config.robot.file)
    measured = read_calibration(config.robot.calibration, ROBOT_NAME)
    check_calibration(file, measured)
    if has_own_process(config):
        remote = start(config, Layout(len(file.motors)))
        walk = MinitaurWalk(remote, ConsoleOperator(), config.task)
        return remote_stage(walk, remote, config.task.control_period_s)
    reached = _reach(config, file, measured)
    with ExitStack() as opened:
        opened.callback(reached.devices.close)
        robot = Minitaur(file, measured, reached.devices, reached.clock.now)
        executor = Executor(
            robot,
            reached.clock,
            gate,
            config.executor.period_s,
            minitaur_settings(config.executor),
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


def _reach(config: MinitaurConfig, file: RobotFile, measured: Calibration) -> Connection:
    """The robot at the configured address."""
    if is_twin(config.robot.address, ROBOT_NAME):
        return _twin(config.twin, file, measured)
    # Only here, for it brings OpenCV along.
    from robosac.connect import connect

    return connect(file)


def _twin(twin: TwinSection, file: RobotFile, measured: Calibration) -> Connection:
    """The twin, its controllers configured as the robot file says."""
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
