"""From the IMU's axes to ours: FRD in NED becomes FLU with world z up, in this one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_FRD_TO_FLU = np.array([1.0, -1.0, -1.0])
_CONJUGATE = np.array([1.0, -1.0, -1.0, -1.0])
_HALF_TURN_ABOUT_X = np.array([1.0, 1.0, -1.0, -1.0])


def multiply(a: FloatArray, b: FloatArray) -> FloatArray:
    """Hamilton product of two quaternions (w, x, y, z)."""
    # Plain numbers: numpy's own take several times longer one by one.
    aw, ax, ay, az = a.tolist()
    bw, bx, by, bz = b.tolist()
    return np.array(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ]
    )


def rotate(quaternion: FloatArray, vector: FloatArray) -> FloatArray:
    """Turn `vector` (3,) by a unit quaternion (w, x, y, z)."""
    w, axis = quaternion[0], quaternion[1:]
    cross = 2.0 * np.cross(axis, vector)
    return vector + w * cross + np.cross(axis, cross)


def orientation_from_vectornav(xyzw: FloatArray, mounting: FloatArray) -> FloatArray:
    """Body orientation (w, x, y, z), FLU to a z-up world, from a VN-100 quaternion.

    The sensor gives (x, y, z, w) of its own FRD axes in NED; `mounting` (w, x, y, z) turns sensor
    axes into the body's FRD axes. Half a turn about x takes FRD to FLU and NED to NWU.
    """
    sensor = np.array([xyzw[3], xyzw[0], xyzw[1], xyzw[2]])
    body = multiply(sensor, mounting * _CONJUGATE)
    return body * _HALF_TURN_ABOUT_X


def vector_from_vectornav(vector: FloatArray, mounting: FloatArray) -> FloatArray:
    """A sensor-axes vector (3,) in the body's FLU axes."""
    if mounting[0] == 1.0:
        return vector * _FRD_TO_FLU
    return rotate(mounting, vector) * _FRD_TO_FLU
