"""Puts the hand, its executor and its turning task together, over either wire.

The twin's packages are imported only for a `twin://` address, so that a robot's computer needs no
simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

import msgspec

from calibration import Calibration
from drivers.dynamixel import TABLES, DynamixelBus
from robosac.actuator_twin import (
    measured_actuators,
    measured_bolts,
    measured_camera_delays,
    measured_delays,
    measured_lens,
)
from robosac.channel_layout import Layout
from robosac.check.gate import gated
from robosac.connection import ClawConnection
from robosac.custody_wiring import claw_custody
from robosac.errors import ConfigError
from robosac.estop import EStopGate
from robosac.executor import Executor
from robosac.executor_settings import claw_settings
from robosac.flight.wiring import Blackbox, Tap
from robosac.hal import Robot
from robosac.history import check_history
from robosac.operator import ConsoleAttendant
from robosac.remote_stage import has_own_process, remote_stage, start
from robosac.robots.claw import Claw, ClawDevices
from robosac.robots.claw_file import ClawFile, load_claw_file
from robosac.robots.identity import check_ports
from robosac.robots.measured_camera import HAND
from robosac.settings import ClawConfig, ClawTwinSection
from robosac.settings.claw import TwinCameraSection
from robosac.stage import Stage, is_twin, own_calibration
from robosac.tasks.turn import ClawTurn

if TYPE_CHECKING:
    from drivers.camera.stepped import SteppedCamera
    from sim.camera_capture import RenderedCamera
    from sim.camera_sensor import SensorSettings
    from sim.claw_camera import ClawCameraOptions
    from sim.claw_randomisation import ClawRandomisation

ROBOT_NAME = "claw"


def make_claw(config: ClawConfig, gate: EStopGate, take_over: bool = False) -> Stage:
    """Build what `config` describes.

    Raises:
        ConfigError: a file, an address, the port or the camera is wrong.
        CalibrationMismatch: the calibration is another robot's.
        OwnershipError: somebody else owns the hand; `take_over` stops and ends him.
        Nothing stays open after an error.
    """
    file = file_of(config)
    measured = own_calibration(config.robot, ROBOT_NAME, file)
    task = config.task
    check_history(measured, 1, task.control_period_s, "task.control_period_s", task.pixels)
    if has_own_process(config):
        picture = _picture(config, file)
        remote, console = start(config, Layout(len(file.motors), picture), take_over)
        turn = ClawTurn(remote, ConsoleAttendant(console), config.task, picture)
        return remote_stage(turn, remote, config.task.control_period_s)
    blackbox = Blackbox(config)
    with ExitStack() as opened:
        custody = opened.enter_context(claw_custody(config, file, gate, take_over))
        reached = reach(config, file, measured, custody.console, blackbox.tap)
        opened.callback(reached.devices.close)
        check_ports(measured, reached.ports)
        robot = Claw(file, measured, reached.devices, reached.clock.now)
        settings, period = claw_settings(config, file), config.executor.period_s
        guarded: Robot = robot
        # A twin in virtual time is the same to the bit, whoever looks at it.
        if not is_twin(config.robot.address, ROBOT_NAME):
            guarded = gated(robot, config, measured, reached.ports, reached.devices.camera)
        executor = Executor(guarded, reached.clock, gate, period, settings, custody.journal)
        custody.attach(executor)
        picture = _picture(config, file)
        env = ClawTurn(executor, reached.operator, config.task, picture)
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


def file_of(config: ClawConfig) -> ClawFile:
    """The robot file; for a twin with the gain that makes its servos as stiff as they are to be."""
    file = load_claw_file(config.robot.file)
    if not is_twin(config.robot.address, ROBOT_NAME):
        return file
    from sim.claw_servo import PRESETS

    gain = PRESETS[config.twin.servos].position_p_gain(_model_number(file))
    return msgspec.structs.replace(file, position_p_gain=gain)


def _model_number(file: ClawFile) -> int:
    """Of the robot file's servos, for the twin's.

    Raises:
        ConfigError: there is no twin of them.
    """
    from sim.servo_joint import MOTORS

    numbers = {TABLES[number].name: number for number in MOTORS}
    if file.model not in numbers:
        raise ConfigError(
            f"robot file {file.name}: no twin of servos {file.model!r}; valid are {list(numbers)}"
        )
    return numbers[file.model]


def _picture(config: ClawConfig, file: ClawFile) -> tuple[int, int] | None:
    """(height, width) of the pictures that are learned from."""
    if not config.task.pixels:
        return None
    if is_twin(config.robot.address, ROBOT_NAME):
        return config.twin.camera.size, config.twin.camera.size
    assert file.camera is not None
    return file.camera.picture[1], file.camera.picture[0]


def reach(
    config: ClawConfig, file: ClawFile, measured: Calibration, console: TextIO, tap: Tap
) -> ClawConnection:
    """The hand at the configured address.

    Raises:
        ConfigError: the port or the camera cannot be opened.
    """
    if is_twin(config.robot.address, ROBOT_NAME):
        return _twin(config.twin, file, config.task.pixels, tap, measured)
    # Only here, for it brings OpenCV along.
    from robosac.connect_claw import connect

    seen = file if config.task.pixels else msgspec.structs.replace(file, camera=None)
    return connect(seen, console=console, tap=tap)


def _twin(
    section: ClawTwinSection, file: ClawFile, pixels: bool, tap: Tap, measured: Calibration
) -> ClawConnection:
    """The twin; its servos have the robot file's ids."""
    from sim.claw import ClawOptions, ClawTwin
    from sim.claw_servo import PRESETS

    picture = section.camera
    options = ClawOptions(
        supply_v=section.supply_voltage_v,
        model=_model_number(file),
        preset=PRESETS[section.servos],
        randomisation=_randomisation(section),
        camera=_camera_options(picture, measured) if pixels else None,
        actuators=measured_actuators(measured, file.joint_names),
        delays=measured_delays(measured),
        bolts=measured_bolts(measured, file),
    )
    ids = tuple(motor.id for motor in file.motors.values())
    twin = ClawTwin(options, ids)
    now = twin.clock.now
    wire = tap(twin.servos, "servos", now)
    bus = DynamixelBus(wire, ids, now)
    camera = None if twin.camera is None else _camera(twin.camera.device, file, picture, now)
    return ClawConnection(ClawDevices(bus, camera), twin.clock, twin, twin.render, twin.clock)


def sensor_settings(section: TwinCameraSection) -> SensorSettings:
    """How the twin's camera answers to light."""
    from sim.camera_sensor import SensorSettings

    return SensorSettings(section.exposure, section.read_noise, section.shot_noise)


def _camera_options(section: TwinCameraSection, measured: Calibration) -> ClawCameraOptions:
    from sim.camera_randomisation import CameraRandomisation
    from sim.claw_camera import ClawCameraOptions
    from sim.ray_camera import CameraLook

    mild = section.randomisation == "mild"
    seen = measured.cameras.get(HAND)
    return ClawCameraOptions(
        size=(section.size, section.size),
        fps=section.fps,
        latency_s=section.latency_s,
        jitter_s=section.jitter_s,
        delays=measured_camera_delays(measured),
        sensor=sensor_settings(section),
        look=CameraLook(placed=None if seen is None else measured_lens(seen)),
        randomisation=CameraRandomisation.mild() if mild else CameraRandomisation.off(),
    )


def _camera(
    device: RenderedCamera, file: ClawFile, section: TwinCameraSection, now: Callable[[], float]
) -> SteppedCamera:
    """The driver of the twin's camera: the real one's settings, but neither thread nor warm-up."""
    # Only here, for they bring OpenCV along.
    from drivers.camera.stepped import SteppedCamera
    from robosac.connect_claw import camera_settings

    if file.camera is None:
        raise ConfigError(
            f"the robot file of {file.name} has no section camera, and pixels need one"
        )
    settings = replace(
        camera_settings(file.camera),
        width=section.size,
        height=section.size,
        fps=section.fps,
        output_size=None,
        warm_up_frames=0,
    )
    return SteppedCamera(device.open, settings, now, device.ready).open()


def _randomisation(section: ClawTwinSection) -> ClawRandomisation:
    from sim.claw_randomisation import ClawRandomisation

    robel = section.randomisation == "robel"
    return ClawRandomisation.robel() if robel else ClawRandomisation.off()
