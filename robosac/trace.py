"""The recording of one evaluation episode: what was asked, what was done, what it cost."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robosac.errors import RunFolderError
from robosac.files import write_whole

FloatArray = NDArray[np.float64]

_PER_JOINT = (
    "joint_position",
    "requested",
    "executed",
    "action_requested",
    "action_executed",
    "torque",
)


@dataclass(frozen=True, slots=True)
class Trace:
    """T policy steps of a robot with n joints.

    Raises:
        RunFolderError: an array's shape does not fit the others.
    """

    time_s: FloatArray
    """(T,) s since the episode began, rising."""
    joint_position: FloatArray
    """(T, n) measured, rad."""
    requested: FloatArray
    """(T, n) joint targets the policy asked for, rad."""
    executed: FloatArray
    """(T, n) joint targets the limiter let through, rad."""
    action_requested: FloatArray
    """(T, n) in [-1, 1]."""
    action_executed: FloatArray
    """(T, n)"""
    reasons: NDArray[np.int64]
    """(T,) bit i: limiter reason `reason_names[i]` was given in this step."""
    forward_velocity: FloatArray
    """(T,) m/s"""
    roll: FloatArray
    """(T,) rad"""
    pitch: FloatArray
    """(T,) rad"""
    torque: FloatArray
    """(T, n) N m"""
    power_w: FloatArray
    """(T,) electrical, W"""
    reward: FloatArray
    """(T,)"""
    joint_names: tuple[str, ...]
    reason_names: tuple[str, ...]

    def __post_init__(self) -> None:
        steps, joints = len(self.time_s), len(self.joint_names)
        for field in fields(self):
            if field.name in ("joint_names", "reason_names"):
                continue
            expected = (steps, joints) if field.name in _PER_JOINT else (steps,)
            shape = np.shape(getattr(self, field.name))
            if shape != expected:
                raise RunFolderError(f"trace.{field.name} has shape {shape}; expected {expected}")

    def save(self, path: Path) -> None:
        """Write a compressed .npz, whole or not at all."""
        buffer = io.BytesIO()
        arrays = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        write_whole(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> Trace:
        """Read what `save` wrote.

        Raises:
            RunFolderError: the file is missing, damaged, or not a trace.
        """
        names = [field.name for field in fields(cls)]
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
                arrays = {name: file[name] for name in names}
        except (OSError, EOFError, ValueError, TypeError, KeyError, zipfile.BadZipFile) as error:
            raise RunFolderError(f"{path} is not a trace: {error}") from error
        for key in ("joint_names", "reason_names"):
            arrays[key] = tuple(str(name) for name in arrays[key])
        return cls(**arrays)
