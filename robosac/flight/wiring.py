"""Puts a flight recorder on a robot: taps on its wires, and an observer of its executor."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from calibration import Calibration
from drivers.tap import TappedWire
from drivers.wire import Wire
from robosac import __version__
from robosac.clock import Clock
from robosac.executor import Executor
from robosac.flight.log import Header
from robosac.flight.recorder import FlightRecorder, RecorderSettings, bus_ring, epoch_of
from robosac.settings.robot import FlightSection, RobotConfig
from robosac.stage import SERIAL

FOLDER = "flight"
"""Of the recordings, in a run folder."""

Tap = Callable[[Wire, str, Callable[[], float]], Wire]
"""(wire, port, clock) -> the wire to use in its place."""


def untapped(wire: Wire, port: str, now: Callable[[], float]) -> Wire:
    """The wire itself."""
    del port, now
    return wire


class Blackbox:
    """The parts of a recorder that are there before the robot is.

    Args:
        config: of the robot.
    """

    def __init__(self, config: RobotConfig) -> None:
        self._section, self._root = config.flight, config.run_root
        on_robot = config.robot.address == SERIAL
        self.records = config.flight.record == "on" or (config.flight.record == "auto" and on_robot)
        """Whether there is a recorder at all."""
        self._bus = bus_ring(config.flight.seconds) if self.records else None

    def tap(self, wire: Wire, port: str, now: Callable[[], float]) -> Wire:
        """The wire to use in place of `wire`, which is called `port`."""
        return wire if self._bus is None else TappedWire(wire, port, self._bus.add, now)

    def record(
        self, executor: Executor, clock: Clock, robot: str, calibration: Calibration
    ) -> FlightRecorder | None:
        """The recorder, put on `executor`; None where none is wanted."""
        if self._bus is None:
            return None
        measured = msgspec.json.encode(calibration, order="deterministic")
        header = Header.describing(
            executor.envelope,
            executor.settings,
            robosac=__version__,
            robot=robot,
            calibration=hashlib.sha256(measured).hexdigest(),
            reason="",
            created="",
            epoch_ns=epoch_of(clock.now()),
        )
        folder = Path(self._section.folder or Path(self._root) / FOLDER)
        settings = recorder_settings(self._section)
        recorder = FlightRecorder(header, executor.period, folder, settings, self._bus, _tell)
        executor.observer = recorder
        return recorder


def recorder_settings(section: FlightSection) -> RecorderSettings:
    """What a section says."""
    return RecorderSettings(
        section.seconds, section.tail_s, section.pictures, section.files, section.at_close
    )


def _tell(line: str) -> None:
    """Say it where the person beside the robot looks; what cannot be said must stop nothing."""
    try:
        sys.stderr.write(f"robosac: {line}\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return
