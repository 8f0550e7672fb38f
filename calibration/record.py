"""What was measured on one robot, loaded strictly; the nominal files say what the drawings say."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
import yaml
from numpy.typing import NDArray

MAX_FILE_BYTES = 1_000_000
_UNREADABLE = (
    yaml.YAMLError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
)
"""What the library raises of text that is no YAML, or where a value does not fit its tag."""


class JointCalibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One joint: which motor it is, and where its zero really lies."""

    motor_id: int
    """Id, on its bus, of the motor this was measured on."""
    offset_correction_rad: float = 0.0
    """Added to the robot file's offset; joint angle, rad."""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every number measured on one robot, keyed to that robot."""

    robot: str
    """The robot file's `name`."""
    date: str
    """ISO date of the measurement; `nominal` for drawings."""
    joints: dict[str, JointCalibration]
    """By joint name."""
    imu_mounting: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    """Unit quaternion (w, x, y, z) that turns sensor axes (FRD, as printed on its case) into the
    body's FRD axes."""
    gyro_bias_rad_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Subtracted from the angular velocity, sensor axes."""

    def __post_init__(self) -> None:
        norm = math.sqrt(sum(part * part for part in self.imu_mounting))
        if not abs(norm - 1.0) < 1e-3:
            raise ValueError(f"imu_mounting has norm {norm:.4f}; a rotation is a unit quaternion")
        for name, joint in self.joints.items():
            if not abs(joint.offset_correction_rad) <= math.pi:
                raise ValueError(
                    f"joint {name}: offset_correction_rad {joint.offset_correction_rad} is outside"
                    " [-pi, pi]"
                )

    def offsets(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        """Offset corrections in the order of `names`, rad."""
        return np.array([self.joints[name].offset_correction_rad for name in names])


def load(path: Path | str) -> Calibration:
    """Read a calibration file.

    Raises:
        ValueError: the file is not a calibration; the message names the file and the key.
        OSError: the file cannot be read.
    """
    path = Path(path)
    return _parse(path.read_bytes(), str(path))


def nominal(robot: str) -> Calibration:
    """The calibration the drawings promise (`calibration/nominal/<robot>.yaml`)."""
    folder = resources.files("calibration") / "nominal"
    file = folder / f"{robot}.yaml"
    if not file.is_file():
        known = sorted(
            entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".yaml")
        )
        raise ValueError(f"no nominal calibration for {robot!r}; known are {', '.join(known)}")
    return _parse(file.read_bytes(), f"nominal/{robot}.yaml")


def _parse(text: bytes, where: str) -> Calibration:
    if len(text) > MAX_FILE_BYTES:
        raise ValueError(
            f"{where} is {len(text)} bytes; a calibration has at most {MAX_FILE_BYTES}"
        )
    try:
        return msgspec.convert(yaml.safe_load(text), Calibration)
    except _UNREADABLE as error:
        detail = " ".join(str(error).split())
        raise ValueError(f"{where} is not a calibration: {detail}") from error
