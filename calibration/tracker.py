"""Where an overhead camera hangs above the floor, from a board that is laid on it in many places.

The first place is known; the others need not be, for all lie on one floor. One least squares finds
the camera's pose and, of each other place, x, y and yaw. A print knows its squares better than a
tape knows the floor: twelve marks, 1 mm off each, left the camera's place open by 2 to 3 mm.

What the result is worth is told in mm on the floor: the board's shape, as a camera sees it there
that was calibrated without that place.

Floor frame: x and y as the first place says, z up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import BoardSpec, View
from calibration.camera import INTRINSICS, Lens
from calibration.camera_pose import (
    LEAST_NOISE_PX,
    BoardPlace,
    CameraPose,
    check_known,
    readings,
    resting,
    uncertain,
)
from calibration.errors import Undetermined
from calibration.rotations import rms

FloatArray = NDArray[np.float64]
Seen = tuple[FloatArray, FloatArray]
"""Of one place: the board's points in its own frame (n, 3), m, and their pixels (n, 2)."""

LEAST_PLACES: Final = 6
LEAST_BOARD_SHARE: Final = 0.5
"""Of the board's corners, at each place."""
LEAST_QUARTERS: Final = 4
"""Quarters of the picture in which the board's middle must have lain."""
MOST_PLACE_PX: Final = 0.4
"""Root mean square of any one place."""
MOST_SHAPE_M: Final = 0.001
"""How far the board may be stretched or sheared on the floor, by a pose of all other places."""
STRAY_PX: Final = 0.25
STRAY_TIMES: Final = 5.0
"""A corner farther off than both, the latter of the median, was found elsewhere."""
MOST_STRAYS: Final = 0.08
"""As a share of all corners."""
_STEPS: Final = 30
_SETTLED: Final = 1e-10


@dataclass(frozen=True, slots=True, eq=False)
class TrackerResult:
    """What was found."""

    pose: CameraPose
    """In the floor's frame; its uncertainty leaves out how well the first place is known."""
    middles_m: FloatArray
    """Middle of what was seen of the board at each place, on the floor, shape (places, 2)."""
    place_rms_px: tuple[float, ...]
    shape_m: tuple[float, ...]
    """How far the board is stretched or sheared at each place, by a pose of all other places."""
    pixels: FloatArray
    """Every corner on the floor, shape (n, 2), px."""
    residuals_px: FloatArray
    """Seen less expected, shape (n, 2)."""


def calibrate_tracker(
    places: Sequence[Sequence[View]], spec: BoardSpec, first: BoardPlace, lens: Lens
) -> TrackerResult:
    """The camera's pose above the floor.

    Args:
        places: for each place of the board, flat on the floor, several pictures of it at rest.
        spec: the board as it was printed.
        first: where it lay first, in the floor's frame: on the floor, face up.
        lens: as calibrated, of these pictures' size.

    Raises:
        Undetermined: too few places, or on one side only, something moved, a place that is not on
            the floor of all others, a shape that is wrong there, or a pose that they leave open.
    """
    if len(places) < LEAST_PLACES:
        raise Undetermined(f"{len(places)} places on the floor; valid are at least {LEAST_PLACES}")
    if first.pitch_rad or first.roll_rad or first.origin_m[2]:
        raise Undetermined("the first place is not flat on the floor: z, pitch or roll is not 0")
    least = round(LEAST_BOARD_SHARE * spec.corners)
    seen: list[Seen] = []
    for views in places:
        ids, pixels = resting(views, least)
        seen.append((spec.points(ids), pixels))
    _check_spread([pixels for _, pixels in seen], lens.size)
    seen = _without_strays(seen, _fitted(seen, first, lens)[1])
    pose, residuals = _fitted(seen, first, lens)
    each = tuple(rms(np.linalg.norm(part, axis=1)) for part in residuals)
    worst = int(np.argmax(each))
    if not each[worst] <= MOST_PLACE_PX:
        raise Undetermined(
            f"place {worst + 1} is {each[worst]:.2f} px off the floor of all places; valid is up to"
            f" {MOST_PLACE_PX}: is it flat on the same floor, and the camera where it was?"
        )
    shape = _left_out(seen, first, lens)
    check_known(pose)
    middles = [on_floor(pixels, pose, lens)[:, :2].mean(axis=0) for _, pixels in seen]
    every = np.concatenate([pixels for _, pixels in seen])
    return TrackerResult(pose, np.array(middles), each, shape, every, np.concatenate(residuals))


def on_floor(pixels: FloatArray, pose: CameraPose, lens: Lens, height_m: float = 0.0) -> FloatArray:
    """Where pixels (n, 2) see the plane at `height_m` above the floor, shape (n, 3), m."""
    return _hits(pixels, pose.rotation, pose.position_m, lens, height_m)


def _hits(
    pixels: FloatArray, rotation: FloatArray, centre: FloatArray, lens: Lens, height_m: float
) -> FloatArray:
    """See `on_floor`."""
    rays = lens.rays(pixels)
    towards = np.column_stack([rays, np.ones(len(rays))]) @ rotation.T
    scale = (height_m - centre[2]) / towards[:, 2]
    return centre + towards * scale[:, None]


def _check_spread(pixels: Sequence[FloatArray], size: tuple[int, int]) -> None:
    middles = [part.mean(axis=0) for part in pixels]
    quarters = {(bool(u > size[0] / 2.0), bool(v > size[1] / 2.0)) for u, v in middles}
    if len(quarters) < LEAST_QUARTERS:
        raise Undetermined(
            f"the board lay in {len(quarters)} quarters of the picture; valid is all"
            f" {LEAST_QUARTERS}: lay it where it has not been"
        )


def _without_strays(seen: Sequence[Seen], residuals: Sequence[FloatArray]) -> list[Seen]:
    """All corners but the few that were found elsewhere. Raises Undetermined: they are many."""
    distances = [np.linalg.norm(part, axis=1) for part in residuals]
    bound = max(STRAY_PX, STRAY_TIMES * float(np.median(np.concatenate(distances))))
    kept = [part <= bound for part in distances]
    share = 1.0 - float(np.concatenate(kept).mean())
    if not share <= MOST_STRAYS:
        raise Undetermined(
            f"{share:.0%} of the corners are more than {bound:.2f} px off; valid is up to"
            f" {MOST_STRAYS:.0%}: is the board flat on one floor, and the camera where it was?"
        )
    return [(points[good], pixels[good]) for (points, pixels), good in zip(seen, kept, strict=True)]


def _left_out(seen: Sequence[Seen], first: BoardPlace, lens: Lens) -> tuple[float, ...]:
    """Each place's error of shape by a pose of all others, m. Raises Undetermined."""
    found: list[float] = []
    for index, (points, pixels) in enumerate(seen):
        # Without the first, the second stands in: a shape does not depend on where the frame is.
        others = [one for number, one in enumerate(seen) if number != index]
        pose, _ = _fitted(others, first, lens)
        flat = on_floor(pixels, pose, lens)[:, :2]
        found.append(_misshapen(points, flat))
    worst = int(np.argmax(found))
    if not found[worst] <= MOST_SHAPE_M:
        raise Undetermined(
            f"at place {worst + 1} the board's shape on the floor is {1e3 * found[worst]:.1f} mm"
            f" off; valid is up to {1e3 * MOST_SHAPE_M:g} mm: is the floor flat, and the board?"
        )
    return tuple(found)


def _misshapen(points: FloatArray, flat: FloatArray) -> float:
    """How far a board is stretched or sheared that lies at `flat` (n, 2); rms of its corners, m.

    By the affine map that fits best, so that what is noise of single corners averages out.
    """
    own = np.column_stack([points[:, :2], np.ones(len(points))])
    mapped = own @ np.linalg.lstsq(own, flat, rcond=None)[0]
    off = mapped - moved(points, *best_lay(points, flat))[:, :2]
    return rms(np.linalg.norm(off, axis=1))


def _fitted(
    seen: Sequence[Seen], first: BoardPlace, lens: Lens
) -> tuple[CameraPose, list[FloatArray]]:
    """The pose that fits all places best, and each place's residuals, px; Gauss and Newton's."""
    # One place alone may have two readings; all together have one, to which either leads.
    _, vector, place = readings(first.of(seen[0][0]), seen[0][1], lens)[0]
    turned, _ = cv2.Rodrigues(vector)
    rotation = np.asarray(turned, np.float64).T
    start = rotation, -rotation @ place
    lays = [np.array([first.origin_m[0], first.origin_m[1], first.yaw_rad])]
    for points, pixels in seen[1:]:
        at, yaw = best_lay(points, _hits(pixels, *start, lens, 0.0)[:, :2])
        lays.append(np.array([*at, yaw]))
    state = np.concatenate([vector, place, *lays[1:]])
    for _ in range(_STEPS):
        residual, jacobian, _ = _linearised(state, seen, lays[0], lens)
        step = np.linalg.lstsq(jacobian, residual, rcond=None)[0]
        state = state + step
        if float(np.abs(step).max()) < _SETTLED:
            break
    residual, jacobian, own = _linearised(state, seen, lays[0], lens)
    variance = float(residual @ residual) / max(1, residual.size - state.size)
    inverse = np.asarray(np.linalg.inv(jacobian.T @ jacobian), np.float64)
    noise = max(variance, LEAST_NOISE_PX**2) * inverse[:6, :6]
    by_lens = (-inverse @ jacobian.T @ own)[:6]
    split = np.cumsum([pixels.size for _, pixels in seen])[:-1]
    parts = [part.reshape(-1, 2) for part in np.split(residual, split)]
    return _posed(state, residual, (noise, by_lens), lens), parts


def _posed(
    state: FloatArray, residual: FloatArray, spread: tuple[FloatArray, FloatArray], lens: Lens
) -> CameraPose:
    """What `_fitted` found, as a pose."""
    turned, _ = cv2.Rodrigues(state[:3])
    rotation = np.asarray(turned, np.float64).T
    distances = np.linalg.norm(residual.reshape(-1, 2), axis=1)
    uncertain_m, uncertain_rad = uncertain(state[:3], state[3:6], *spread, lens)
    return CameraPose(
        rotation,
        -rotation @ state[3:6],
        rms(distances),
        float(distances.max()),
        *spread,
        uncertain_m,
        uncertain_rad,
        len(distances),
    )


def _linearised(
    state: FloatArray, seen: Sequence[Seen], first: FloatArray, lens: Lens
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Residuals (seen less expected), and how what is expected moves with state and lens, px."""
    turned, _ = cv2.Rodrigues(state[:3])
    to_camera = np.asarray(turned, np.float64)
    residuals: list[FloatArray] = []
    jacobians: list[FloatArray] = []
    owns: list[FloatArray] = []
    for index, (points, pixels) in enumerate(seen):
        lay = first if index == 0 else state[6 + 3 * (index - 1) : 9 + 3 * (index - 1)]
        floor = moved(points, lay[:2], float(lay[2]))
        expected, slopes = cv2.projectPoints(
            floor, state[:3], state[3:6], lens.matrix, lens.distortion
        )
        every = np.asarray(slopes, np.float64)
        jacobian = np.zeros((2 * len(points), state.size))
        jacobian[:, :6] = every[:, :6]
        if index > 0:
            # A shift of the board is one of the camera's frame, turned into it.
            shift = every[:, 3:6] @ to_camera
            arm = floor - np.array([*lay[:2], 0.0])
            turning = np.column_stack([-arm[:, 1], arm[:, 0]]).repeat(2, axis=0)
            at = 6 + 3 * (index - 1)
            jacobian[:, at : at + 2] = shift[:, :2]
            jacobian[:, at + 2] = (shift[:, :2] * turning).sum(axis=1)
        residuals.append((pixels - np.asarray(expected, np.float64).reshape(-1, 2)).ravel())
        jacobians.append(jacobian)
        owns.append(every[:, 6 : 6 + INTRINSICS])
    return np.concatenate(residuals), np.concatenate(jacobians), np.concatenate(owns)


def moved(points: FloatArray, at: FloatArray, yaw: float) -> FloatArray:
    """Points of the board's frame (n, 3) on the floor, shape (n, 3), turned and then moved."""
    c, s = math.cos(yaw), math.sin(yaw)
    return points @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]]) + np.array([*at, 0.0])


def best_lay(points: FloatArray, flat: FloatArray) -> tuple[FloatArray, float]:
    """Where a board lies, x and y, and its yaw, whose points are at `flat` (n, 2)."""
    own, middle = points[:, :2] - points[:, :2].mean(axis=0), flat.mean(axis=0)
    there = flat - middle
    yaw = math.atan2(
        float(np.sum(own[:, 0] * there[:, 1] - own[:, 1] * there[:, 0])), float(np.sum(own * there))
    )
    return middle - moved(points.mean(axis=0)[None, :], np.zeros(2), yaw)[0, :2], yaw
