"""Where a calibration's numbers go: into a file, or, as a dry run on the twin, nowhere.

This is all that `--dry-run` means: the same routine, on the twin in this process, in virtual time.
No port is opened, whatever preset and robot file name; nobody's stop button or endpoint is waited
for, for nothing could be stopped; no calibration file is written, and no fault kept.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from calibration import Calibration
from robosac.calibration_file import save
from robosac.config import load_preset
from robosac.errors import ConfigError
from robosac.robots.wiring import Wiring, check_calibration, unmeasured
from robosac.settings import ClawConfig, MinitaurConfig, StopSection
from robosac.stage import TWIN_SCHEME, load_calibration

ConfigT = TypeVar("ConfigT", bound=MinitaurConfig | ClawConfig)


@dataclass(frozen=True)
class Target:
    """One calibration's.

    Attributes:
        out: the calibration file.
        dry: rehearsed on the twin, and `out` stays as it is.
        pictures: of a dry run, the folder of pictures and pages; else they lie beside `out`.
    """

    out: Path
    dry: bool = False
    pictures: Path | None = None

    @property
    def beside(self) -> Path:
        """The file that pictures and pages are put beside. Raises ConfigError: no such folder."""
        if not self.dry:
            return self.out
        assert self.pictures is not None
        try:
            self.pictures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"--pictures {self.pictures} cannot be made: {error.strerror}"
            ) from error
        return self.pictures / self.out.name

    def base(self, file: Wiring) -> Calibration:
        """What was measured before; see `load_base`."""
        return load_base(self.out, file)

    def write(self, measured: Calibration) -> None:
        """Write the calibration file; a dry run writes none. Raises ConfigError: it cannot be."""
        if not self.dry:
            write_measured(self.out, measured)

    def robot(self, config: ConfigT) -> ConfigT:
        """The settings to calibrate with: for a dry run, those of the twin.

        It is bolted together and moves as the calibration that they name, or else `out`, says;
        where neither is there yet, as drawn.
        """
        if not self.dry:
            return config
        name = "minitaur" if isinstance(config, MinitaurConfig) else "claw"
        named = [config.robot.calibration, str(self.out)]
        there = next((path for path in named if path is not None and Path(path).exists()), None)
        robot = msgspec.structs.replace(config.robot, address=TWIN_SCHEME + name, calibration=there)
        flight = msgspec.structs.replace(config.flight, record="off")
        stop = StopSection(fault_journal=False)
        return msgspec.structs.replace(config, robot=robot, flight=flight, stop=stop)

    @property
    def closing(self) -> str:
        """What a person is told at the end."""
        if not self.dry:
            return f"written: {self.out}; `robosac calibrate undo {self.out}` takes it back"
        state = "is as it was" if self.out.exists() else "was not made"
        return (
            f"dry run: all of it on the twin, in virtual time; no port was opened, and {self.out}"
            f" {state}"
        )


def target_of(out: Path, dry: bool, pictures: Path | None) -> Target:
    """The target that a command line tells of; a dry run's pictures get a place of their own.

    Raises:
        ConfigError: a place for pictures without a dry run.
    """
    if pictures is not None and not dry:
        raise ConfigError("--pictures is for --dry-run; else pictures lie beside the file")
    if dry and pictures is None:
        pictures = Path(tempfile.mkdtemp(prefix="robosac-dry-run-"))
    return Target(out, dry, pictures)


def robot_settings(preset: str, overrides: list[str]) -> MinitaurConfig | ClawConfig:
    """The settings of a robot. Raises ConfigError: one is wrong, or the preset is no robot's."""
    config = load_preset(preset, overrides)
    if not isinstance(config, MinitaurConfig | ClawConfig):
        raise ConfigError(f"{preset} is no robot; valid are minitaur and claw")
    return config


def load_base(out: Path, file: Wiring) -> Calibration:
    """What was measured before, if it is of this robot; else nothing.

    Raises:
        ConfigError: the file is there, but cannot be read. CalibrationMismatch: another robot's.
    """
    try:
        found = load_calibration(out, file.name)
    except ConfigError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return unmeasured(file)
        raise
    check_calibration(file, found)
    return found


def write_measured(out: Path, measured: Calibration) -> None:
    """Write a calibration file. Raises ConfigError: it cannot be written."""
    try:
        save(out, measured)
    except OSError as error:
        raise ConfigError(f"calibration {out} cannot be written: {error}") from error
