"""The recording of one evaluation episode: what was asked, what was done, what it cost."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from robosac.errors import RunFolderError
from robosac.files import write_whole

FloatArray = NDArray[np.float64]

NOT_AN_ARCHIVE: Final = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What numpy and zipfile raise of a file that is no .npz; RuntimeError: a way to pack or encrypt
that they do not know."""
_PER_JOINT = ("joint_position", "requested", "executed", "torque")
_PER_ACTION = ("action_requested", "action_executed")
_NAMES = ("joint_names", "reason_names")


@dataclass(frozen=True, slots=True)
class Trace:
    """T policy steps of a robot with n joints, driven by actions of length a.

    A joint may be no policy's business (the valve of the hand), so a may be less than n.

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
    """(T, a) in [-1, 1]."""
    action_executed: FloatArray
    """(T, a)"""
    reasons: NDArray[np.int64]
    """(T,) bit i: limiter reason `reason_names[i]` was given in this step."""
    torque: FloatArray
    """(T, n) N m"""
    power_w: FloatArray
    """(T,) electrical, W"""
    reward: FloatArray
    """(T,)"""
    joint_names: tuple[str, ...]
    reason_names: tuple[str, ...]
    signals: Mapping[str, FloatArray] = field(default_factory=dict[str, FloatArray])
    """What else the task tells in each step, (T,) each, e.g. forward_velocity (m/s), roll and
    pitch (rad), angle_error (rad), frame_age_s; NaN where it was not known."""

    def __post_init__(self) -> None:
        steps, joints = len(self.time_s), len(self.joint_names)
        actions = np.shape(self.action_requested)[-1:]
        for name, value in self._arrays().items():
            if name in _PER_JOINT:
                expected: tuple[int, ...] = (steps, joints)
            else:
                expected = (steps, *actions) if name in _PER_ACTION else (steps,)
            if np.shape(value) != expected:
                raise RunFolderError(
                    f"trace.{name} has shape {np.shape(value)}; expected {expected}"
                )

    def save(self, path: Path) -> None:
        """Write a compressed .npz, whole or not at all."""
        buffer = io.BytesIO()
        names = {name: np.asarray(getattr(self, name)) for name in _NAMES}
        np.savez_compressed(buffer, allow_pickle=False, **names, **self._arrays())
        write_whole(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> Trace:
        """Read what `save` wrote.

        Raises:
            RunFolderError: the file is missing, damaged, or not a trace.
        """
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
                found: dict[str, Any] = {name: file[name] for name in file.files}
            own = {name: found.pop(name) for name in _own_names()}
        except NOT_AN_ARCHIVE as error:
            raise RunFolderError(f"{path} is not a trace: {error}") from error
        for key in _NAMES:
            own[key] = tuple(str(name) for name in own[key])
        return cls(**own, signals=found)

    def _arrays(self) -> dict[str, FloatArray]:
        """Every array by the name it has in the file; a signal's own name must not be one."""
        own = {n: np.asarray(getattr(self, n)) for n in _own_names() if n not in _NAMES}
        clash = set(_own_names()) & self.signals.keys()
        if clash:
            raise RunFolderError(f"trace.signals {sorted(clash)} are columns of every trace")
        return {**own, **self.signals}


def _own_names() -> list[str]:
    return [field.name for field in fields(Trace) if field.name != "signals"]
