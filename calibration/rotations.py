"""Rotation matrices: as quaternions, as axes by name, and how far directions are apart."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

SQUARE_RAD: Final = math.radians(25.0)
"""A mounting within this of a right-angled one is named by its axes."""


def named_axes(rotation: FloatArray) -> tuple[str, str, str] | None:
    """Along which of the target's axes the turned ones lie, such as ("-y", "+x", "+z").

    None where one lies askew of all.
    """
    names: list[str] = []
    for column in rotation.T:
        at = int(np.argmax(np.abs(column)))
        if abs(column[at]) < math.cos(SQUARE_RAD):
            return None
        names.append(("+" if column[at] > 0.0 else "-") + "xyz"[at])
    return names[0], names[1], names[2]


def quaternion(rotation: FloatArray) -> tuple[float, float, float, float]:
    """Unit quaternion (w, x, y, z), w >= 0, of a rotation matrix.

    By its largest component, so that no small one is divided by.
    """
    trace = float(np.trace(rotation))
    squares = np.array([trace, *np.diag(rotation)])
    largest = int(np.argmax(squares))
    m = rotation
    if largest == 0:
        w, x = 1.0 + trace, float(m[2, 1] - m[1, 2])
        y, z = float(m[0, 2] - m[2, 0]), float(m[1, 0] - m[0, 1])
        found = np.array([w, x, y, z])
    else:
        i = largest - 1
        j, k = (i + 1) % 3, (i + 2) % 3
        found = np.zeros(4)
        found[0] = m[k, j] - m[j, k]
        found[1 + i] = 1.0 + m[i, i] - m[j, j] - m[k, k]
        found[1 + j] = m[j, i] + m[i, j]
        found[1 + k] = m[k, i] + m[i, k]
    found /= np.linalg.norm(found)
    if found[0] < 0.0:
        found = -found
    w, x, y, z = found.tolist()
    return w, x, y, z


def matrix_of(quaternion: Iterable[float]) -> FloatArray:
    """Rotation matrix of a unit quaternion (w, x, y, z)."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def angles_between(a: FloatArray, b: FloatArray) -> FloatArray:
    """Between unit vectors, row by row, rad; exact for small ones, unlike an arc cosine."""
    return 2.0 * np.arcsin(np.minimum(1.0, np.linalg.norm(a - b, axis=1) / 2.0))


def rms(values: FloatArray) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(values**2)))


def unit(vector: FloatArray) -> FloatArray:
    """The direction of a vector that is not zero."""
    return vector / np.linalg.norm(vector)
