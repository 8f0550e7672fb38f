"""Hands that hold a printed board before a camera, and lay it down; they see as the camera does.

They take no time: between two pictures the board is elsewhere, at rest.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.lens import PlacedLens
from sim.sheet import Held, Sheet

FloatArray = NDArray[np.float64]

FREE: Final = (0.85, 1.3)
"""How far away a board is held, by the distance at which it is as high as the picture."""
CROWDED: Final = (0.72, 1.12)
"""Likewise, where something stands behind it: between the hand's camera and its valve."""
TILT_RAD: Final = (0.35, 0.85)
LEAN_RAD: Final = 0.25
"""Standard deviation of the way it is tilted, about the one that was asked for."""
SPIN_RAD: Final = 0.2
"""Likewise, about its own normal."""
BESIDE: Final = 0.15
"""Of the board and of the part of the picture: a share by which one misses the other, at most."""
FACE: Final = np.diag([1.0, -1.0, -1.0])
"""A board upright before a camera that sees its front, in the camera's axes."""
CALM: Final = 1.5
"""The distance of a board that is only looked at."""
YAW_RAD: Final = 0.4
"""A board on the floor is turned by up to so much."""
NEARER: Final = 0.8
"""To the picture's middle, each time that it is laid anew."""
GRID: Final = (4, 2)
"""Places across and down, on the floor."""
FIRST, APART = (0.16, 0.25), (0.227, 0.5)
"""Of the grid, in shares of the picture."""


class View(Protocol):
    """What shows a sheet that is held into it: `sim.ray_camera.RayCamera`, `FloorView`."""

    held: Held | None


class BoardHands:
    """Hands with a board.

    Args:
        view: where it is shown.
        placed: the camera, as it truly is: they see where in the picture the board is.
        sheet: the board, its frame's origin in the lower left corner.
        size_m: its width and height.
        rng: how exactly they do what they are asked.
        reach: `FREE` or `CROWDED`.
    """

    def __init__(
        self,
        view: View,
        placed: PlacedLens,
        sheet: Sheet,
        size_m: tuple[float, float],
        rng: np.random.Generator,
        reach: tuple[float, float] = FREE,
    ) -> None:
        self._reach = reach
        self._view, self._placed, self._sheet = view, placed, sheet
        self._size, self._rng = size_m, rng
        self._axes = np.array(placed.axes).T
        self._centre = np.array(placed.position_m)
        height_px, focal_px = placed.lens.size[1], placed.lens.focal_px[1]
        self._whole_m = size_m[1] * focal_px / height_px
        self._laid: dict[int, int] = {}

    def away(self) -> None:
        """Take it away."""
        self._view.held = None

    def put(self, rotation: FloatArray, place: FloatArray) -> None:
        """Put it somewhere in the world, exactly; rotation of shape (3, 3), place (3,), m."""
        self._view.held = Held(self._sheet, rotation, place)

    def face(self) -> None:
        """Hold all of it before the camera."""
        width, height = self._placed.lens.size
        middle = np.array([[(width - 1) / 2.0, (height - 1) / 2.0]])
        self._hold(FACE, CALM * self._whole_m, middle, (0.5, 0.5))

    def show(self, part: tuple[int, int], parts: tuple[int, int], lean_rad: float) -> None:
        """Hold it tilted, over a part of the picture; a little elsewhere each time.

        What lies over a part at an edge is the board's same edge, so that the rest is seen as well.

        Args:
            part: row and column.
            parts: into how many rows and columns the picture is divided.
            lean_rad: to which edge its front looks, from the picture's right clockwise: that edge
                is the farther one.
        """
        rng, size = self._rng, self._placed.lens.size
        row, column = ((at + 0.5) / count for at, count in zip(part, parts, strict=True))
        miss = rng.uniform(-BESIDE, BESIDE, 4)
        at = (np.array([column, row]) + miss[:2] / parts[::-1]) * size
        lean, angle = lean_rad + LEAN_RAD * rng.standard_normal(), rng.uniform(*TILT_RAD)
        tilted = _turn(-angle, (-math.sin(lean), math.cos(lean), 0.0))
        spun = _turn(SPIN_RAD * rng.standard_normal(), (0.0, 0.0, 1.0))
        distance = self._whole_m * rng.uniform(*self._reach)
        shares = (column + float(miss[2]), 1.0 - row + float(miss[3]))
        self._hold(tilted @ spun @ FACE, distance, at[None, :], shares)

    def lay(self, number: int) -> None:
        """Lay it flat on the floor, in one of eight places that fill the picture; 0 is the first.

        The same once more is nearer to the picture's middle.
        """
        rng, tries = self._rng, self._laid.get(number, 0)
        self._laid[number] = tries + 1
        column, row = number % GRID[0], number // GRID[0] % GRID[1]
        at = np.array([FIRST[0] + APART[0] * column, FIRST[1] + APART[1] * row])
        at = (0.5 + (at - 0.5) * NEARER**tries) * self._placed.lens.size
        ray = self._axes @ np.append(self._placed.lens.rays(at[None, :])[0], 1.0)
        turned = _turn(rng.uniform(-YAW_RAD, YAW_RAD), (0.0, 0.0, 1.0))
        middle = self._centre - ray * self._centre[2] / ray[2]
        self.put(turned, middle - turned @ (np.array([*self._size, 0.0]) / 2.0))

    def _hold(
        self, turned: FloatArray, distance_m: float, at: FloatArray, shares: tuple[float, float]
    ) -> None:
        """Hold the point at `shares` of the board where the pixel `at` sees it."""
        ray = np.append(self._placed.lens.rays(at)[0], 1.0)
        point = np.array([shares[0] * self._size[0], shares[1] * self._size[1], 0.0])
        place = distance_m * ray - turned @ point
        self.put(self._axes @ turned, self._centre + self._axes @ place)


def _turn(angle_rad: float, axis: tuple[float, float, float]) -> FloatArray:
    """Rotation about a unit axis (Rodrigues)."""
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + math.sin(angle_rad) * cross + (1.0 - math.cos(angle_rad)) * cross @ cross
