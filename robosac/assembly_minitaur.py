"""Puts the quadruped, its executor and its walking task together, over either wire.

The twin's packages are imported only for a `twin://` address, so that a robot's computer needs no
simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

from calibration import Calibration
from drivers.moteus import MoteusBus
from drivers.vectornav.port import VectorNavPort
from robosac.actuator_twin import (
    measured_actuators,
    measured_bolts,
    measured_camera_delays,
    measured_delays,
    overhead_view,
)
from robosac.channel_layout import Layout
from robosac.check.gate import gated
from robosac.connection import Connection
from robosac.custody_wiring import minitaur_custody
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.executor_settings import minitaur_settings
from robosac.flight.wiring import Blackbox, Tap
from robosac.hal import Robot
from robosac.history import check_history
from robosac.operator import STAND, ConsoleAttendant
from robosac.remote_stage import has_own_process, remote_stage, start
from robosac.robots.controller_options import wanted_options
from robosac.robots.identity import check_ports
from robosac.robots.measured_camera import with_measured_tracker
from robosac.robots.minitaur import Devices, Minitaur, nothing_to_close
from robosac.robots.robot_file import RobotFile, load_robot_file
from robosac.robots.wiring import motor_zeros
from robosac.settings import MinitaurConfig, TwinSection
from robosac.stage import Stage, is_twin, own_calibration
from robosac.tasks.falls import FallCount
from robosac.tasks.walk import MinitaurWalk

if TYPE_CHECKING:
    from drivers.camera.stepped import SteppedCamera
    from sim.camera_capture import RenderedCamera
    from sim.firmware.moteus.bank import MoteusBank

ROBOT_NAME = "minitaur"


def make_minitaur(config: MinitaurConfig, gate: EStopGate, take_over: bool = False) -> Stage:
    """Build what `config` describes.

    Raises:
        ConfigError: a file, an address, a port or the camera is wrong.
        CalibrationMismatch: the calibration is another robot's.
        OwnershipError: somebody else owns the robot; `take_over` stops and ends him.
        Nothing stays open after an error.
    """
    file = load_robot_file(config.robot.file)
    measured = own_calibration(config.robot, ROBOT_NAME, file)
    file = with_measured_tracker(file, measured)
    check_history(measured, config.task.history, config.task.control_period_s, "task.history")
    if has_own_process(config):
        remote, console = start(config, Layout(len(file.motors)), take_over)
        attendant = ConsoleAttendant(console, place=STAND)
        walk = MinitaurWalk(remote, attendant, config.task, FallCount())
        return remote_stage(walk, remote, config.task.control_period_s)
    blackbox = Blackbox(config)
    with ExitStack() as opened:
        custody = opened.enter_context(minitaur_custody(config, file, gate, take_over))
        reached = reach(config, file, measured, custody.console, blackbox.tap)
        opened.callback(reached.devices.close)
        check_ports(measured, reached.ports)
        robot = Minitaur(file, measured, reached.devices, reached.clock.now)
        executor = Executor(
            _guarded(robot, config, measured, reached),
            reached.clock,
            gate,
            config.executor.period_s,
            minitaur_settings(config, file),
            custody.journal,
        )
        custody.attach(executor)
        # A twin in virtual time is another robot in each episode, so falls are not its own.
        falls = None if is_twin(config.robot.address, ROBOT_NAME) else FallCount()
        env = MinitaurWalk(executor, reached.operator, config.task, falls)
        recorder = blackbox.record(executor, reached.clock, ROBOT_NAME, measured)
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
        recorder,
    )


def _guarded(
    robot: Minitaur, config: MinitaurConfig, measured: Calibration, reached: Connection
) -> Robot:
    """What the executor may drive: on ports, only behind the gate."""
    if is_twin(config.robot.address, ROBOT_NAME):
        return robot
    from robosac.overhead import overhead_of

    camera = overhead_of(reached.devices.tracker)
    return gated(robot, config, measured, reached.ports, camera)


def reach(
    config: MinitaurConfig,
    file: RobotFile,
    measured: Calibration,
    console: TextIO,
    tap: Tap,
    camera: bool = True,
    film: bool = False,
) -> Connection:
    """The robot at the configured address.

    Args:
        config: the settings.
        file: the robot file.
        measured: its calibration.
        console: where the operator answers.
        tap: what listens to its ports.
        camera: on ports, whether its overhead camera is opened.
        film: whether a twin gets one, whose pictures take time; its tracker looks at none.

    Raises:
        ConfigError: a port or the camera cannot be opened.
    """
    if is_twin(config.robot.address, ROBOT_NAME):
        return _twin(config.twin, file, measured, tap, film)
    # Only here, for it brings OpenCV along.
    from robosac.connect import connect

    return connect(file, console=console, tap=tap, camera=camera)


def _twin(
    twin: TwinSection, file: RobotFile, measured: Calibration, tap: Tap, film: bool
) -> Connection:
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
            rate_hz=twin.overhead.fps,
            latency_s=twin.overhead.latency_s,
            jitter_s=twin.overhead.jitter_s,
            delays=measured_camera_delays(measured),
            position_noise_m=noise.tracker_position_m,
            yaw_noise_rad=noise.tracker_yaw_rad,
        ),
        gains=(file.gains.stiffness_n_m_per_rad, file.gains.damping_n_m_s_per_rad),
        actuators=measured_actuators(measured, file.joint_names),
        delays=measured_delays(measured),
        bolts=measured_bolts(measured, file),
    )
    ids = tuple(motor.id for motor in file.motors.values())
    model = MinitaurTwin(options, ids)
    _set_options(model.bank, file, measured)
    now = model.clock.now
    above = None
    if film:
        view = overhead_view(twin.overhead, file, measured)
        above = _camera(model.look(view), file, now)
    devices = Devices(
        bus=MoteusBus(tap(model.legs, "legs", now), ids, now),
        imu=VectorNavPort(tap(model.imu, "imu", now), now),
        reopen_imu=model.imu.reopen,
        tracker=model.tracker,
        close_tracker=nothing_to_close if above is None else above.close,
    )
    return Connection(devices, model.clock, model, model.render, model.clock, overhead=above)


def _camera(device: RenderedCamera, file: RobotFile, now: Callable[[], float]) -> SteppedCamera:
    """The driver of the twin's camera: the real one's settings, but neither thread nor warm-up."""
    # Only here, for they bring OpenCV along.
    from drivers.camera.settings import CameraSettings
    from drivers.camera.stepped import SteppedCamera
    from robosac.overhead import camera_settings

    width, height = device.size
    settings = CameraSettings(width, height, device.fps, controls=None)
    if file.tracker is not None:
        settings = camera_settings(file.tracker)
    settings = replace(settings, width=width, height=height, fps=device.fps, warm_up_frames=0)
    return SteppedCamera(device.open, settings, now, device.ready).open()


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
