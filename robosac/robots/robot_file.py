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

MAX_FILE_BYTES = 1_000_000
Positive = Annotated[float, Meta(gt=0)]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of every section: frozen, and strict about its keys."""


class Ports(_Part, frozen=True):
    """Stable names of the serial ports."""

    legs: str
    imu: str


class Motor(_Part, frozen=True):
    """One motor and the joint it turns."""

    id: Annotated[int, Meta(ge=1, le=126)]
    """CAN id."""
    direction: int
    """+1 or -1: sign from motor angle to joint angle."""
    offset_rad: float
    """Motor angle (after the sign) at the joint's zero, rad."""

    def __post_init__(self) -> None:
        if self.direction not in (-1, 1):
            raise ValueError(f"direction is {self.direction}; valid are 1 and -1")


class Gains(_Part, frozen=True):
    """The position loop as configured in the controllers."""

    stiffness_n_m_per_rad: Positive
    damping_n_m_s_per_rad: Positive


class LimitSection(_Part, frozen=True):
    """Limits common to all joints; see `robosac.hal.Limits`."""

    lower_rad: float
    upper_rad: float
    velocity_rad_s: Positive
    acceleration_rad_s2: Positive
    torque_n_m: Positive
    continuous_torque_n_m: Positive
    continuous_time_s: Positive
    temperature_c: Positive
    tilt_rad: Positive


class SupplyRange(_Part, frozen=True):
    """Supply voltage within which the robot may be armed, V."""

    lower: Positive
    upper: Positive

    def __post_init__(self) -> None:
        if not self.lower < self.upper:
            raise ValueError(f"supply_v: lower {self.lower} is not below upper {self.upper}")


class RobotFile(_Part, frozen=True):
    """A quadruped's wiring, limits and gains."""

    name: str
    ports: Ports
    imu_baud: Annotated[int, Meta(gt=0)]
    motors: dict[str, Motor]
    gains: Gains
    limits: LimitSection
    watchdog_s: Annotated[float, Meta(gt=0, le=1.0)]
    supply_v: SupplyRange

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
