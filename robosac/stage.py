"""What a run needs of the world: where to act, and how to watch."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

import calibration
from calibration import Calibration
from drivers.statistics import BusStatistics
from robosac.errors import ConfigError
from robosac.estop import EStopGate
from robosac.robots.identity import check_age, for_a_twin
from robosac.robots.wiring import Wiring, check_calibration
from robosac.settings.robot import RobotSection

if TYPE_CHECKING:
    import gymnasium

    from robosac.flight.recorder import FlightRecorder
    from robosac.tasks.motion import Motion

TWIN_SCHEME = "twin://"
SERIAL = "serial"
Renderer = Callable[[int, int], NDArray[np.uint8]]


class ClockState(Protocol):
    """A clock whose present can be set, so that a resumed run is the run that was never killed."""

    steps: int


@dataclass(frozen=True)
class Stage:
    """Everything a run needs of the world: where to act, and how to watch."""

    env: gymnasium.Env[Any, Any]
    executor: Motion | None
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
    recorder: FlightRecorder | None = None
    """Keeps the newest seconds; None: nobody does."""

    @property
    def ticks_per_step(self) -> int:
        """Executor ticks in one environment step; 1 where nothing ticks."""
        period = self.executor.period if self.executor else self.seconds_per_step
        return round(self.seconds_per_step / period) if period else 1

    def close(self) -> None:
        """Stop the robot and release it; then what is recorded of that is written."""
        try:
            self.env.close()
        finally:
            if self.recorder is not None:
                self.recorder.close()


def is_twin(address: str, robot: str) -> bool:
    """Whether `address` names the twin of `robot`, and not its serial ports.

    Raises:
        ConfigError: neither.
    """
    if address == SERIAL:
        return False
    if address == TWIN_SCHEME + robot:
        return True
    if address.startswith(TWIN_SCHEME):
        name = address.removeprefix(TWIN_SCHEME)
        raise ConfigError(f"no twin {name!r} for this preset; valid is {TWIN_SCHEME}{robot}")
    raise ConfigError(
        f"robot.address {address!r} is not known; valid are {TWIN_SCHEME}{robot} and {SERIAL}"
    )


def read_calibration(section: RobotSection, robot: str) -> Calibration:
    """The calibration file that `section` names, or the nominal one of `robot`.

    Raises:
        ConfigError: it cannot be read, or is no calibration.
        CalibrationMismatch: it is stale.
    """
    measured = load_calibration(section.calibration, robot)
    check_age(measured, datetime.date.today(), section.calibration_days)
    return measured


def own_calibration(section: RobotSection, robot: str, file: Wiring) -> Calibration:
    """The calibration to drive the robot of `file` with; a twin's is keyed to no device.

    Raises:
        ConfigError: as `read_calibration`. CalibrationMismatch: it is stale, or another robot's.
    """
    measured = read_calibration(section, robot)
    check_calibration(file, measured)
    return for_a_twin(measured) if is_twin(section.address, robot) else measured


def load_calibration(path: Path | str | None, robot: str) -> Calibration:
    """The calibration file at `path`, or the nominal one of `robot`, however old it is.

    Raises:
        ConfigError: it cannot be read, or is no calibration; in one line. Its cause is the error.
    """
    try:
        return calibration.nominal(robot) if path is None else calibration.load(path)
    except OSError as error:
        raise ConfigError(f"calibration {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(str(error)) from error
