"""Swing and extension of a leg, and the two motor angles that make them.

Tan et al. 2018 (arXiv 1804.10332) and Haarnoja et al. 2018 command legs in this space: extension is
the mean of a leg's two motor angles, swing half their difference. Joints come in pairs (front link,
rear link) per leg, in the order front left, back left, front right, back right; both angles are
zero with the upper link straight up and grow outward. Positive swing moves the foot forward.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LEGS = ("front_left", "back_left", "front_right", "back_right")
FRONT_LEGS = (0, 2)


def joints_from_legs(swing: FloatArray, extension: FloatArray) -> FloatArray:
    """Eight joint angles (rad) from four swings and four extensions (rad)."""
    joints = np.empty(8)
    joints[0::2] = extension - swing
    joints[1::2] = extension + swing
    return joints


def legs_from_joints(joints: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Four swings and four extensions (rad) from eight joint angles (rad)."""
    front, rear = joints[0::2], joints[1::2]
    return (rear - front) / 2.0, (rear + front) / 2.0
