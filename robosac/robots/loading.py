"""Reads robot files: strict, and wrong in one line that names the key."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from robosac.errors import ConfigError, LimitsError
from robosac.hal import Limits
from robosac.yaml_text import YamlError, parse_yaml

MAX_FILE_BYTES = 1_000_000


class HasLimits(Protocol):
    """What every robot file can tell."""

    def joint_limits(self) -> Limits:
        """Bounds of the joints, in the order of every array."""
        ...


FileT = TypeVar("FileT", bound=HasLimits)


def read_robot_file(path: Path | str | None, preset: str, kind: type[FileT]) -> FileT:
    """Read a robot file, or the nominal one of `preset` when `path` is None.

    Raises:
        ConfigError: the file is missing, is not YAML, or does not describe a robot of this `kind`;
            one line that names the file and the key.
    """
    source = resources.files("robosac.robots") / f"{preset}.yaml" if path is None else Path(path)
    where = f"robot file {path or preset + '.yaml'}"
    try:
        text = source.read_bytes()
        if len(text) > MAX_FILE_BYTES:
            raise ConfigError(
                f"{where} is {len(text)} bytes; a robot file has at most {MAX_FILE_BYTES}"
            )
        robot = msgspec.convert(parse_yaml(text.decode()), kind)
        robot.joint_limits()
    except OSError as error:
        raise ConfigError(
            f"{where} cannot be read: {error.strerror}; name one with --robot.file"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where} is not text: {error}") from error
    except (YamlError, msgspec.ValidationError, LimitsError) as error:
        detail = " ".join(str(error).split())
        raise ConfigError(f"{where} is not valid: {detail}") from error
    return robot
