"""Opens a real robot: the robot file's serial ports and its overhead camera, all or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Final, Protocol, TextIO

from drivers.camera.settings import CaptureFactory
from drivers.errors import WireClosed
from drivers.hipnuc.port import HipnucPort
from drivers.imu import Imu
from drivers.moteus import MoteusBus
from drivers.vectornav.port import VectorNavPort
from drivers.wire import SerialWire, Wire
from robosac.check.latency_timer import LONGEST_MS
from robosac.clock import MonotonicClock
from robosac.connection import Connection
from robosac.errors import ConfigError
from robosac.flight.wiring import Tap, untapped
from robosac.operator import STAND, ConsoleAttendant
from robosac.overhead import open_tracker, v4l2_camera
from robosac.robots import sections
from robosac.robots.minitaur import Devices, nothing_to_close
from robosac.robots.robot_file import RobotFile

LEGS_BAUD: Final = 921600
"""Without meaning for an fdcanusb, but a port is opened with some, bit/s."""


def connect(
    file: RobotFile,
    open_camera: Callable[[sections.TrackerSection], CaptureFactory] = v4l2_camera,
    console: TextIO = sys.stdin,
    tap: Tap = untapped,
    camera: bool = True,
) -> Connection:
    """Open the robot that `file` describes.

    Args:
        file: the robot file.
        open_camera: how its camera is opened; a test gives a drawn one.
        console: where the operator answers; a real file.
        tap: what listens to its ports.
        camera: whether it is needed: nobody walks without.

    Raises:
        ConfigError: a port or the camera cannot be opened, or there is no camera; in one line.
            Nothing stays open then.
    """
    clock = MonotonicClock()
    with ExitStack() as opened:
        legs = open_port(file.ports.legs, LEGS_BAUD)
        opened.callback(legs.close)
        wire = open_port(file.ports.imu, file.imu.baud)
        opened.callback(wire.close)
        if camera and file.tracker is None:
            raise ConfigError(
                f"the robot file of {file.name} has no section tracker, and without an overhead"
                " camera there is no forward velocity to learn from; robosac/robots/minitaur.yaml"
                " shows how one is described"
            )
        tracker = None
        if camera and file.tracker is not None:
            tracker = open_tracker(file.tracker, clock.now, open_camera(file.tracker))
        opened.pop_all()
    ids = [motor.id for motor in file.motors.values()]
    devices = Devices(
        bus=MoteusBus(tap(legs, "legs", clock.now), ids, clock.now),
        imu=make_imu(file.imu, tap(wire, "imu", clock.now), clock.now),
        reopen_imu=wire.reopen,
        tracker=tracker,
        close_tracker=nothing_to_close if tracker is None else tracker.close,
    )
    warnings = latency_warnings((legs, wire))
    attendant = ConsoleAttendant(console, place=STAND)
    ports = {"legs": legs.usb_serial, "imu": wire.usb_serial}
    above = None if tracker is None else tracker.camera
    return Connection(devices, clock, attendant, warnings=warnings, ports=ports, overhead=above)


def make_imu(section: sections.Imu, wire: Wire, now: Callable[[], float]) -> Imu:
    """The driver for the kind of inertial sensor that is on `wire`."""
    if section.kind == "hi91":
        return HipnucPort(wire, now, section.baud)
    return VectorNavPort(wire, now)


class _Port(Protocol):
    """What is looked at of an open port."""

    path: str
    latency_timer_ms: int | None


def latency_warnings(ports: Iterable[_Port]) -> tuple[str, ...]:
    """A line for each port whose adapter holds bytes back for too long."""
    return tuple(
        f"the adapter of {port.path} holds bytes back for {port.latency_timer_ms} ms; valid is up"
        f" to {LONGEST_MS} ms, and docs/hardware.md has the udev rule"
        for port in ports
        if port.latency_timer_ms is not None and port.latency_timer_ms > LONGEST_MS
    )


def open_port(path: str, baud: int) -> SerialWire:
    """Open a serial port of the robot file.

    Raises:
        ConfigError: it cannot be opened; in one line.
    """
    try:
        return SerialWire(path, baud)
    except WireClosed as error:
        raise ConfigError(f"{error}; ports are named in the robot file") from error
