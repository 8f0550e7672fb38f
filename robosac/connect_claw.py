"""Opens a real hand: the robot file's serial port and its camera, all or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import TextIO

import cv2

from drivers.camera.device import Camera
from drivers.camera.settings import CameraControls, CameraSettings, CaptureFactory
from drivers.dynamixel import DynamixelBus
from drivers.errors import DriverError
from robosac.camera_path import camera_at
from robosac.clock import MonotonicClock
from robosac.connect import latency_warnings, open_port
from robosac.connection import ClawConnection
from robosac.errors import ConfigError
from robosac.flight.wiring import Tap, untapped
from robosac.operator import ConsoleAttendant
from robosac.robots.claw import ClawDevices
from robosac.robots.claw_file import CameraSection, ClawFile


def v4l2_camera(section: CameraSection) -> CaptureFactory:
    """How the camera of a robot file is opened under Linux."""
    return camera_at(section.path, section.power_line_hz, section.dynamic_framerate)


def connect(
    file: ClawFile,
    open_camera: Callable[[CameraSection], CaptureFactory] = v4l2_camera,
    console: TextIO = sys.stdin,
    tap: Tap = untapped,
) -> ClawConnection:
    """Open the hand that `file` describes.

    Args:
        file: the robot file; without a camera section the hand only feels.
        open_camera: how its camera is opened; a test gives a drawn one.
        console: where the operator answers; a real file.
        tap: what listens to its port.

    Raises:
        ConfigError: the port or the camera cannot be opened; in one line. Nothing stays open then.
    """
    clock = MonotonicClock()
    with ExitStack() as opened:
        wire = open_port(file.port.path, file.port.baud)
        opened.callback(wire.close)
        camera = None
        if file.camera is not None:
            camera = _open(file.camera, clock.now, open_camera(file.camera))
        opened.pop_all()
    heard = tap(wire, "servos", clock.now)
    bus = DynamixelBus(heard, [motor.id for motor in file.motors.values()], clock.now)
    devices, warnings = ClawDevices(bus, camera), latency_warnings((wire,))
    attendant, ports = ConsoleAttendant(console), {"servos": wire.usb_serial}
    return ClawConnection(devices, clock, attendant, warnings=warnings, ports=ports)


def camera_settings(section: CameraSection) -> CameraSettings:
    """Stream and locked controls. Raises ValueError for values that cannot be."""
    width, height = section.size
    controls = CameraControls(
        exposure_s=section.exposure_s,
        gain=section.gain,
        white_balance_k=section.white_balance_k,
        focus=section.focus,
    )
    return CameraSettings(
        width,
        height,
        section.fps,
        controls,
        latency_s=section.latency_s,
        output_size=section.picture,
    )


def _open(section: CameraSection, now: Callable[[], float], factory: CaptureFactory) -> Camera:
    try:
        camera = Camera(factory, camera_settings(section), now)
        # OpenCV's own threads would take the cores that the control loop runs on.
        cv2.setNumThreads(1)
        return camera.open()
    except (DriverError, ValueError) as error:
        detail = " ".join(str(error).split())
        raise ConfigError(f"camera {section.path}: {detail}") from error
