"""Sets of views that must be refused, made of a hidden camera's own points with noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import BoardSpec, View
from calibration.camera import NEAR, LensGoal, calibrate_camera
from calibration.camera import Lens as FoundLens
from calibration.camera_pose import BoardPlace, board_pose
from calibration.tracker import calibrate_tracker
from tests.sweeps.calibration_recovery import Trap, refused
from tests.sweeps.hidden_camera import Lens, drawn_lens

FloatArray = NDArray[np.float64]
Spoil = Callable[[FloatArray], FloatArray]

NOISE_PX: Final = 0.06
FACE: Final = np.diag([1.0, -1.0, -1.0])
SPEC, FLOOR_SPEC = BoardSpec(), BoardSpec(square_m=0.080)


def plain(points: FloatArray) -> FloatArray:
    """A flat board."""
    return points


def bent(points: FloatArray) -> FloatArray:
    """A sheet that sags by 6 mm from its middle to its edge."""
    middle = points[:, 0].mean()
    reach = float(np.abs(points[:, 0] - middle).max())
    return points + np.outer(0.006 * ((points[:, 0] - middle) / reach) ** 2, [0.0, 0.0, 1.0])


class Points:
    """A hidden lens that sees a board's corners as points.

    Args:
        rng: draws it.
        floor: an overhead camera.
    """

    def __init__(self, rng: np.random.Generator, floor: bool) -> None:
        self.rng, self.spec = rng, FLOOR_SPEC if floor else SPEC
        sizes = ((1280, 720),) if floor else ((640, 480),)
        self.lens: Lens = drawn_lens(rng, sizes, (42.0, 52.0))
        self.found = FoundLens(
            self.lens.size, self.lens.matrix, self.lens.distortion, np.zeros((9, 9))
        )

    def view(self, rotation: FloatArray, place: FloatArray, spoil: Spoil = plain) -> View | None:
        """What it sees of the board; None: hardly anything."""
        points = spoil(self.spec.points(np.arange(self.spec.corners))) @ rotation.T + place
        pixels = self.lens.project(points)
        pixels = pixels + NOISE_PX * self.rng.standard_normal(pixels.shape)
        inside = ((pixels > 2.0) & (pixels < np.array(self.lens.size) - 2.0)).all(axis=1)
        inside &= points[:, 2] > 0.05
        return View(np.flatnonzero(inside), pixels[inside]) if inside.sum() >= 8 else None

    def held(self, count: int, tilted: bool = True, left: bool = False,
             spoil: Spoil = plain) -> list[View]:  # fmt: skip
        """Views over the whole picture, or its left alone, tilted all ways, or not at all."""
        views: list[View] = []
        number = 0
        while len(views) < count:
            number += 1
            lean = number * math.pi / 2.0 + self.rng.normal(0.0, 0.2)
            axis = np.array([-math.sin(lean), math.cos(lean), 0.0])
            angle = self.rng.uniform(0.4, 0.8) if tilted else self.rng.uniform(0.0, 0.05)
            turned = turn(-angle * axis) @ FACE
            width, height = self.lens.size
            column, row = number % 5, (number // 5) % 4
            across = (column + 0.5) / 5.0 * (0.35 if left else 1.0)
            at = np.array([[across * width, (row + 0.5) / 4.0 * height]])
            ray = np.append(self.lens.rays(at)[0], 1.0)
            middle = np.array([*self.spec.size_m, 0.0]) * self.rng.uniform(0.3, 0.7, 3)
            far = self.spec.size_m[0] * (2.2 if left else self.rng.uniform(0.9, 1.5))
            view = self.view(turned, far * ray - turned @ middle, spoil)
            if view is not None:
                views.append(view)
        return views

    def laid(
        self, count: int, left: bool = False, raised: int = -1, shifted_from: int = 99
    ) -> list[list[View]]:
        """A board on the floor, 2.5 m below, in so many places, each seen three times."""
        rng, places = self.rng, list[list[View]]()
        for number in range(count):
            across = -0.9 + 0.6 * (number % 4) if not left else -0.9 + 0.1 * (number % 4)
            at = np.array([across, -0.45 + 0.9 * (number // 4 % 2), 2.5])
            at[2] -= 0.06 if number == raised else 0.0
            at[0] += 0.03 if number >= shifted_from else 0.0
            if number == 0:
                at = np.array([0.0, 0.0, 2.5])
            yaw = 0.0 if number == 0 else rng.uniform(-0.3, 0.3)
            tilt = turn(np.array([0.05 if number >= shifted_from else 0.0, 0.0, 0.0]))
            turned = tilt @ FACE @ turn(np.array([0.0, 0.0, yaw]))
            place = tilt @ at - turned @ (np.array([*self.spec.size_m, 0.0]) / 2.0)
            seen = [self.view(turned, place) for _ in range(3)]
            places.append([view for view in seen if view is not None])
        return places


def turn(vector: FloatArray) -> FloatArray:
    """A rotation vector's matrix."""
    turned, _ = cv2.Rodrigues(vector)
    return np.asarray(turned, np.float64)


def traps(seed: int, table: dict[str, Trap]) -> None:
    """One set of each kind that must be refused."""
    rng = np.random.default_rng([seed, 6])
    hand, over = Points(rng, floor=False), Points(rng, floor=True)
    good = hand.held(40)
    size, spec = hand.lens.size, hand.spec

    def lens(name: str, views: Iterable[View], goal: LensGoal = NEAR) -> None:
        kept = list(views)
        refused(table, name, lambda: calibrate_camera(kept, spec, size, goal))

    # The set that all others are spoilt versions of must be believed.
    calibrate_camera(good, spec, size)
    lens("too few views", good[:12])
    lens("flat views", hand.held(40, tilted=False))
    lens("views of the left alone", hand.held(40, left=True))
    moved = View(good[7].ids, good[7].pixels + 1.5 * rng.standard_normal(good[7].pixels.shape))
    lens("one view that moved", [*good[:7], moved, *good[8:]])
    lens("a bent board", hand.held(40, spoil=bent))
    lens("a lens known too badly", good[:20], LensGoal(0.00002, 1.0))
    refused(table, "pictures of 32 by 32 px", lambda: calibrate_camera(good, spec, (32, 32)))
    _pose_traps(hand, table)
    _floor_traps(over, table)


def _pose_traps(hand: Points, table: dict[str, Trap]) -> None:
    place, spec = BoardPlace((-0.12, -0.08, 0.0)), hand.spec
    turned = turn(np.array([0.6, 0.0, 0.0])) @ FACE
    middle = np.array([*spec.size_m, 0.0]) / 2.0

    def three(shift: float) -> list[View]:
        at = [np.array([shift * n, 0.0, 0.35]) - turned @ middle for n in range(3)]
        return [view for one in at if (view := hand.view(turned, one)) is not None]

    still = three(0.0)
    board_pose(still, spec, place, hand.found)
    refused(
        table,
        "board that moved in its jig",
        lambda: board_pose(three(0.001), spec, place, hand.found),
    )
    refused(
        table, "one picture of the board", lambda: board_pose(still[:1], spec, place, hand.found)
    )
    few = [View(view.ids[:10], view.pixels[:10]) for view in still]
    refused(table, "a corner of the board alone", lambda: board_pose(few, spec, place, hand.found))
    focus = np.diag([1.08, 1.08, 1.0]) @ hand.lens.matrix
    other = FoundLens(hand.lens.size, focus, hand.lens.distortion, np.zeros((9, 9)))
    refused(table, "focus changed by 8 percent", lambda: board_pose(still, spec, place, other))


def _floor_traps(over: Points, table: dict[str, Trap]) -> None:
    spec = over.spec
    first = BoardPlace((-spec.size_m[0] / 2.0, -spec.size_m[1] / 2.0, 0.0))

    def floor(name: str, places: list[list[View]], at: BoardPlace = first) -> None:
        refused(table, name, lambda: calibrate_tracker(places, spec, at, over.found))

    calibrate_tracker(over.laid(9), spec, first, over.found)
    floor("too few places on the floor", over.laid(4))
    floor("floor places on the left alone", over.laid(9, left=True))
    floor("one place on a box of 60 mm", over.laid(9, raised=3))
    floor("overhead camera that moved", over.laid(9, shifted_from=5))
    floor("first place not on the floor", over.laid(9), BoardPlace((0.0, 0.0, 0.1)))
