"""The angle error of every episode of an evaluation, over time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robosac.errors import RunFolderError
from robosac.files import write_whole
from robosac.trace import NOT_AN_ARCHIVE

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ErrorTraces:
    """E episodes of at most T - 1 policy steps.

    Raises:
        RunFolderError: the arrays do not fit each other.
    """

    time_s: FloatArray
    """(T,) s since the reset, from 0."""
    error_rad: FloatArray
    """(E, T) signed, in [-pi, pi]; NaN where it was not known, and after an episode's end."""

    def __post_init__(self) -> None:
        shape, times = np.shape(self.error_rad), np.shape(self.time_s)
        if len(shape) != 2 or len(times) != 1 or shape[1:] != times:
            raise RunFolderError(
                f"error traces are {shape} over {times}; expected (E, T) over (T,)"
            )

    @classmethod
    def of(cls, episodes: Sequence[Sequence[float]], period_s: float) -> ErrorTraces | None:
        """The errors (rad) of each episode, from its reset on; None where none was measured.

        Args:
            episodes: one list an episode, of any length.
            period_s: control period, s.
        """
        table = np.full((len(episodes), max(map(len, episodes), default=0)), np.nan)
        for row, errors in zip(table, episodes, strict=True):
            row[: len(errors)] = errors
        if not np.isfinite(table).any():
            return None
        return cls(np.arange(table.shape[1], dtype=np.float64) * period_s, table)

    def save(self, path: Path) -> None:
        """Write a compressed .npz, whole or not at all."""
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer, allow_pickle=False, time_s=self.time_s, error_rad=self.error_rad
        )
        write_whole(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> ErrorTraces:
        """Read what `save` wrote.

        Raises:
            RunFolderError: the file is missing, damaged, or something else.
        """
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as file:
                return cls(file["time_s"], file["error_rad"])
        except NOT_AN_ARCHIVE as error:
            if isinstance(error, RunFolderError):
                raise
            raise RunFolderError(f"{path} holds no error traces: {error}") from error
