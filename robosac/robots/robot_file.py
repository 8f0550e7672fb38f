"""The robot file: which ports, which motors, which way round, how far, how hard."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import yaml
from msgspec import Meta

from robosac.errors import ConfigError, LimitsError
from robosac.hal import Limits
from robosac.robots.sections import (
    Controllers,
    Gains,
    Imu,
    LimitSection,
    Motor,
    Ports,
    Section,
    SupplyRange,
    TrackerSection,
)

MAX_FILE_BYTES = 1_000_000


class RobotFile(Section, frozen=True):
    """A quadruped's wiring, limits and gains, and the camera that sees it walk."""

    name: str
    ports: Ports
    motors: dict[str, Motor]
    gains: Gains
    limits: LimitSection
    watchdog_s: Annotated[float, Meta(gt=0, le=1.0)]
    supply_v: SupplyRange
    imu: Imu = Imu()
    controllers: Controllers = Controllers()
    tracker: TrackerSection | None = None
    """None: no camera, and so nothing that walking could be rewarded by."""

    def __post_init__(self) -> None:
        ids = [motor.id for motor in self.motors.values()]
        if len(set(ids)) != len(ids):
            raise ValueError(f"motors: ids {ids} are not all different")
        if not self.limits.lower_rad < self.limits.upper_rad:
            raise ValueError(
                f"limits: lower_rad {self.limits.lower_rad} is not below upper_rad"
                f" {self.limits.upper_rad}"
            )

    @property
    def joint_names(self) -> tuple[str, ...]:
        """Joint names in file order, which is the order of every array."""
        return tuple(self.motors)

    def joint_limits(self) -> Limits:
        """The limits as arrays over the joints."""
        count, part = len(self.motors), self.limits
        return Limits(
            names=self.joint_names,
            lower=np.full(count, part.lower_rad),
            upper=np.full(count, part.upper_rad),
            velocity=np.full(count, part.velocity_rad_s),
            acceleration=np.full(count, part.acceleration_rad_s2),
            torque=np.full(count, part.torque_n_m),
            continuous_torque=np.full(count, part.continuous_torque_n_m),
            continuous_time=part.continuous_time_s,
            temperature=part.temperature_c,
            tilt=part.tilt_rad,
        )


def load_robot_file(path: Path | str | None, preset: str) -> RobotFile:
    """Read a robot file, or the nominal one of `preset` when `path` is None.

    Raises:
        ConfigError: the file is missing, is not YAML, or does not describe a robot; one line that
            names the file and the key.
    """
    source = resources.files("robosac.robots") / f"{preset}.yaml" if path is None else Path(path)
    where = f"robot file {path or preset + '.yaml'}"
    try:
        text = source.read_bytes()
        if len(text) > MAX_FILE_BYTES:
            raise ConfigError(
                f"{where} is {len(text)} bytes; a robot file has at most {MAX_FILE_BYTES}"
            )
        robot = msgspec.convert(yaml.safe_load(text), RobotFile)
        robot.joint_limits()
    except OSError as error:
        raise ConfigError(
            f"{where} cannot be read: {error.strerror}; name one with --robot"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where} is not text: {error}") from error
    except (yaml.YAMLError, msgspec.ValidationError, LimitsError) as error:
        detail = " ".join(str(error).split())
        raise ConfigError(f"{where} is not valid: {detail}") from error
    return robot
