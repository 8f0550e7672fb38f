"""The fixture file: where a robot's joints have their stops, and where the jig holds them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from calibration.joints import DrawnJoint
from robosac.errors import ConfigError
from robosac.robots.wiring import Wiring
from robosac.yaml_text import YamlError, parse_yaml

MAX_FILE_BYTES = 1_000_000
FixtureT = TypeVar("FixtureT")


class FixedJoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What holds one joint; angles of the joint, rad."""

    lower_rad: float | None = None
    """On its lower stop; null, with the upper one: it turns without end, and needs a jig."""
    upper_rad: float | None = None
    jig_rad: float | None = None
    """In the jig; null: there is none, and both stops make the zero."""

    def __post_init__(self) -> None:
        if (self.lower_rad is None) != (self.upper_rad is None):
            raise ValueError("lower_rad and upper_rad belong together: both stops, or none")
        if self.lower_rad is None and self.jig_rad is None:
            raise ValueError("without stops it needs jig_rad")


class Fixture(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """By joint."""

    joints: dict[str, FixedJoint]

    def drawn(self, name: str, power_on_rad: float) -> DrawnJoint | None:
        """What the routine is told of joint `name`; None: it has no stops."""
        joint = self.joints[name]
        if joint.lower_rad is None or joint.upper_rad is None:
            return None
        return DrawnJoint(joint.lower_rad, joint.upper_rad, power_on_rad, joint.jig_rad)


def load_fixture(path: Path, file: Wiring) -> Fixture:
    """Read the fixture of the robot of `file`.

    Raises:
        ConfigError: it cannot be read, is not valid, or is of other joints; in one line.
    """
    fixture = read_fixture(path, _joints)
    if set(fixture.joints) != set(file.joint_names):
        raise ConfigError(
            f"fixture {path} has the joints {sorted(fixture.joints)}; valid are"
            f" {sorted(file.joint_names)}, each of them"
        )
    return fixture


def _joints(document: object) -> Fixture:
    fixture = msgspec.convert(document, Fixture)
    for name in fixture.joints:
        fixture.drawn(name, 0.0)
    return fixture


def read_fixture(path: Path, make: Callable[[object], FixtureT]) -> FixtureT:
    """Read a fixture of any kind.

    Args:
        path: a YAML file.
        make: of its document; ValueError: that is not valid.

    Raises:
        ConfigError: it cannot be read, or is not valid; in one line.
    """
    try:
        data = path.read_bytes()
        if len(data) > MAX_FILE_BYTES:
            raise ValueError(f"{len(data)} bytes; valid are at most {MAX_FILE_BYTES}")
        return make(parse_yaml(data.decode()))
    except OSError as error:
        raise ConfigError(f"fixture {path} cannot be read: {error.strerror}") from error
    except (YamlError, ValueError) as error:
        detail = " ".join(str(error).split())
        raise ConfigError(f"fixture {path} is not valid: {detail}") from error
