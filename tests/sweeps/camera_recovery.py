"""Whether the cameras' routines find what is hidden in cameras that they cannot see into.

    python -m tests.sweeps.camera_recovery --cameras 100

from the repository's root. Each camera is drawn (`hidden_camera`): lens, place, blur, noise, light.
A person, drawn too, holds the board where the guide asks for it, not quite; every picture is
rendered, and everything is read from pictures. Then the hand's camera sees the board in its jig,
and the overhead camera sees marks on the floor, placed with a tape. Beside them stand sets of
pictures that must be refused.

Exit code 0 if every camera is recovered within the bounds, and every bad set refused.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.board import BoardFinder, BoardSpec, View
from calibration.camera import FAR, NEAR, CameraResult, LensGoal
from calibration.camera_pose import BoardPlace, CameraPose, board_pose, resting
from calibration.coverage import Coverage, coverage_of
from calibration.errors import Undetermined
from calibration.gathering import Gathering
from calibration.tracker import LEAST_BOARD_SHARE, best_lay, calibrate_tracker, moved, on_floor
from tests.sweeps.calibration_recovery import Row, Trap
from tests.sweeps.camera_traps import traps
from tests.sweeps.hidden_camera import (
    HiddenCamera,
    Image,
    Look,
    Sheet,
    drawn_lens,
    printed,
)
from tests.sweeps.saying import say

FloatArray = NDArray[np.float64]

REPROJECTION_PX, PLACE_MM, TURN_DEG, FLOOR_MM = 0.3, 3.0, 0.5, 3.0
JIG_M, JIG_RAD = 0.0002, math.radians(0.05)
"""Standard deviations of how the board lies in its jig, along and about each axis."""
LAY_M: Final = 0.0005
"""Standard deviation, along x and y, of how a corner of the board meets its cross on the floor."""
FLOOR_PLACES: Final = 9
"""Of the board on the floor: the known one in its middle, and a grid."""
PICTURES: Final = 5
"""Of what lies at rest."""
LAYINGS, LOOKS = 4, 12
"""How often a board is laid anew that was hardly seen, and pictures it is looked for in."""
NEARER: Final = 0.8
"""To the picture's middle, each time."""
MOST_TRIES: Final = 250
"""After so many pictures the person gives up."""
FACE: Final = np.diag([1.0, -1.0, -1.0])
"""A board that faces the camera upright."""


@dataclass(frozen=True)
class Kind:
    """One kind of camera."""

    name: str
    sizes: tuple[tuple[int, int], ...]
    fov_deg: tuple[float, float]
    """Vertical field of view."""
    distance_m: tuple[float, float]
    """At which the board is held up."""
    goal: LensGoal
    spec: BoardSpec
    sheet: Sheet


SPEC, SPEC_A1 = BoardSpec(), BoardSpec(square_m=0.080)
"""Printed on A4 and on A1."""
BOARD, BOARD_A1 = printed(SPEC), printed(SPEC_A1)
HAND = Kind("hand camera", ((480, 480), (640, 480)), (40.0, 50.0), (0.2, 0.4), NEAR, SPEC, BOARD)
OVERHEAD = Kind(
    name="overhead camera",
    sizes=((1280, 720),),
    fov_deg=(42.0, 55.0),
    distance_m=(0.65, 1.1),
    goal=FAR,
    spec=SPEC_A1,
    sheet=BOARD_A1,
)


def rows() -> dict[str, Row]:
    """Empty."""
    table: dict[str, Row] = {}
    for kind in (HAND, OVERHEAD):
        for name, unit, bound in (
            ("reprojection, rms", "px", REPROJECTION_PX),
            ("reprojection, held-out views", "px", REPROJECTION_PX),
            ("place", "mm", PLACE_MM),
            ("rotation", "deg", TURN_DEG),
        ):
            table[f"{kind.name} {name}"] = Row(f"{kind.name} {name}", unit, bound, [])
    name = f"{OVERHEAD.name} floor, worst"
    table[name] = Row(name, "mm", FLOOR_MM, [])
    return table


class Session:
    """A hidden camera, and a person who holds a board up to it.

    Args:
        kind: of camera.
        seed: draws it, and the person's hands.
    """

    def __init__(self, kind: Kind, seed: int) -> None:
        self.kind = kind
        self.rng = np.random.default_rng([seed, 5, len(kind.name)])
        self.lens = drawn_lens(self.rng, kind.sizes, kind.fov_deg)
        self.camera = HiddenCamera(self.lens, Look.drawn(self.rng), self.rng)
        self.finder = BoardFinder(kind.spec)

    def held(self, coverage: Coverage, wild: bool = False) -> tuple[FloatArray, FloatArray]:
        """Rotation and place of the board, more or less where the guide wants it."""
        rng = self.rng
        cells, tilts = ([], []) if wild else (coverage.missing_cells, coverage.missing_tilts)
        distance = rng.uniform(*self.kind.distance_m)
        row, column = cells[0] if cells else (rng.integers(4), rng.integers(5))
        width, height = self.lens.size
        at = np.array([(column + rng.uniform(0.2, 0.8)) / 5.0 * width,
                       (row + rng.uniform(0.2, 0.8)) / 4.0 * height])  # fmt: skip
        way = tilts[0] if tilts else rng.integers(4)
        lean, angle = way * math.pi / 2.0 + rng.normal(0.0, 0.25), rng.uniform(0.35, 0.85)
        # The outward normal leans to the edge that is farther away.
        axis = np.array([-math.sin(lean), math.cos(lean), 0.0])
        turned = _turn(-angle * axis) @ _turn(np.array([0.0, 0.0, rng.normal(0.0, 0.2)])) @ FACE
        ray = np.append(self.lens.rays(at[None, :])[0], 1.0)
        held = (
            self.kind.spec.size_m[0] * rng.uniform(0.2, 0.8),
            self.kind.spec.size_m[1] * rng.uniform(0.2, 0.8),
            0.0,
        )
        return turned, distance * ray - turned @ held

    def shown(self, rotation: FloatArray, place: FloatArray) -> Image:
        """A picture of the board."""
        return self.camera.see([(self.kind.sheet, rotation, place)])

    def gathered(self) -> CameraResult:
        """What the guide gathers until it wants no more; raises Undetermined."""
        gathering = Gathering(self.kind.spec, self.lens.size, self.kind.goal)
        for _ in range(MOST_TRIES):
            view = self.finder.find(self.shown(*self.held(gathering.coverage)))
            if view is not None and gathering.offer(view) and gathering.result is not None:
                return gathering.result
        raise Undetermined(f"no lens after {MOST_TRIES} pictures: {gathering.progress()}")


def reprojection(session: Session, found: CameraResult, table: dict[str, Row]) -> None:
    """The routine's own error, and that of views it has not seen, against their true corners."""
    name = session.kind.name
    table[f"{name} reprojection, rms"].errors.append(found.rms_px)
    nothing = coverage_of([], [], session.lens.size)
    squares: list[float] = []
    for _ in range(10):
        rotation, place = session.held(nothing, wild=True)
        points = session.kind.spec.points(np.arange(session.kind.spec.corners))
        true = session.lens.project(points @ rotation.T + place)
        width, height = session.lens.size
        inside = ((true > 0.0) & (true < (width, height))).all(axis=1)
        if inside.sum() < 12:
            continue
        # From the hidden pose on: it is the lens that is asked about, not how a pose is found.
        begin, _ = cv2.Rodrigues(rotation)
        r, t = cv2.solvePnPRefineLM(
            points[inside],
            true[inside],
            found.lens.matrix,
            found.lens.distortion,
            np.asarray(begin, np.float64),
            place.reshape(3, 1).copy(),
        )
        seen, _ = cv2.projectPoints(points[inside], r, t, found.lens.matrix, found.lens.distortion)
        off = np.asarray(seen).reshape(-1, 2) - true[inside]
        squares.extend(np.sum(off**2, axis=1).tolist())
    table[f"{name} reprojection, held-out views"].errors.append(math.sqrt(np.mean(squares)))


def posed(kind: Kind, found: CameraPose, rotation: FloatArray, centre: FloatArray,
          table: dict[str, Row]) -> None:  # fmt: skip
    """How far a pose is from the hidden one."""
    off = found.rotation.T @ rotation
    turn = math.acos(min(1.0, max(-1.0, (float(np.trace(off)) - 1.0) / 2.0)))
    table[f"{kind.name} rotation"].errors.append(math.degrees(turn))
    place = 1e3 * float(np.linalg.norm(found.position_m - centre))
    table[f"{kind.name} place"].errors.append(place)


def hand_camera(seed: int, table: dict[str, Row]) -> None:
    """One hand's camera: lens, then place over the board in its jig."""
    session = Session(HAND, seed)
    try:
        found = session.gathered()
        reprojection(session, found, table)
        place, rotation, centre, views = jigged(session)
        posed(HAND, board_pose(views, SPEC, place, found.lens), rotation, centre, table)
    except Undetermined as error:
        say(f"hand camera {seed}: {error}")
        table[f"{HAND.name} place"].failed += 1


def jigged(session: Session) -> tuple[BoardPlace, FloatArray, FloatArray, list[View]]:
    """Where the jig holds the board, the camera's true pose in the base, and its pictures."""
    rng = session.rng
    width, height = SPEC.size_m
    told = BoardPlace((0.02 - width / 2.0, -height / 2.0, 0.05), yaw_rad=0.0)
    # About the hand's own: (0.213, 0.004, 0.320), looking at (0.02, 0.004, 0.09).
    centre = np.array([0.213, 0.004, 0.360]) + 0.02 * rng.standard_normal(3)
    target = np.array([0.02, 0.004, 0.05]) + 0.01 * rng.standard_normal(3)
    rotation = looking(centre, target, rng.normal(0.0, 0.1))
    slip = _turn(JIG_RAD * rng.standard_normal(3))
    corner = np.array(told.origin_m) + JIG_M * rng.standard_normal(3)
    in_camera = rotation.T @ slip, rotation.T @ (corner - centre)
    pictures = [session.finder.find(session.shown(*in_camera)) for _ in range(PICTURES)]
    return told, rotation, centre, [view for view in pictures if view is not None]


def overhead_camera(seed: int, table: dict[str, Row]) -> None:
    """One overhead camera: lens, then place over the floor."""
    session = Session(OVERHEAD, seed)
    try:
        found = session.gathered()
        reprojection(session, found, table)
        first, rotation, centre, places = floor(session)
        result = calibrate_tracker(places, SPEC_A1, first, found.lens)
        posed(OVERHEAD, result.pose, rotation, centre, table)
        x, y = np.meshgrid(np.linspace(-1.2, 1.2, 13), np.linspace(-0.7, 0.7, 9))
        field = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])
        seen = session.lens.project((field - centre) @ rotation)
        laid = on_floor(seen, result.pose, found.lens)[:, :2]
        # Where the frame lies is up to the first place; a rigid motion takes it out.
        off = laid - moved(field, *best_lay(field, laid))[:, :2]
        worst = 1e3 * float(np.linalg.norm(off, axis=1).max())
        table[f"{OVERHEAD.name} floor, worst"].errors.append(worst)
    except Undetermined as error:
        say(f"overhead camera {seed}: {error}")
        table[f"{OVERHEAD.name} place"].failed += 1


def floor(session: Session) -> tuple[BoardPlace, FloatArray, FloatArray, list[list[View]]]:
    """Where the board is said to lie first, the camera's true pose, and each place's pictures."""
    rng, (width, height) = session.rng, session.lens.size
    centre = np.array([*(0.1 * rng.standard_normal(2)), rng.uniform(2.2, 2.8)])
    looked = np.array([*(0.15 * rng.standard_normal(2)), 0.0])
    rotation = looking(centre, looked, rng.normal(0.0, 0.1))
    told = BoardPlace((-SPEC_A1.size_m[0] / 2.0, -SPEC_A1.size_m[1] / 2.0, 0.0))
    # Two of its corners are put on two crosses.
    left, right = LAY_M * rng.standard_normal((2, 2))
    across = SPEC_A1.size_m[0]
    yaw = math.atan2(float(right[1] - left[1]), across)
    places: list[list[View]] = []
    for number in range(FLOOR_PLACES):
        views: list[View] = []
        for laying in range(LAYINGS):
            if number == 0:
                shift = np.array([(left[0] + right[0]) / 2.0, left[1], 0.0])
                corner = np.array(told.origin_m) + shift
            else:
                yaw = rng.uniform(-0.4, 0.4)
                column, row = (number - 1) % 4, (number - 1) // 4
                at = np.array([[0.16 + 0.227 * column, 0.25 + 0.5 * row]])
                at = 0.5 + (at - 0.5 + rng.uniform(-0.02, 0.02, 2)) * NEARER**laying
                at = at * (width, height)
                ray = rotation @ np.append(session.lens.rays(at)[0], 1.0)
                middle = centre - ray * centre[2] / ray[2]
                half = np.array([*SPEC_A1.size_m, 0.0]) / 2.0
                corner = middle - _turn(np.array([0.0, 0.0, yaw])) @ half
            turned = rotation.T @ _turn(np.array([0.0, 0.0, yaw]))
            views = _seen(session, turned, rotation.T @ (corner - centre))
            if _enough(views):
                break
        places.append(views)
    return told, rotation, centre, places


def _seen(session: Session, turned: FloatArray, place: FloatArray) -> list[View]:
    """`PICTURES` views of a board at rest, or as many as `LOOKS` pictures show."""
    views: list[View] = []
    for _ in range(LOOKS):
        view = session.finder.find(session.shown(turned, place))
        views += [] if view is None else [view]
        if len(views) == PICTURES:
            break
    return views


def _enough(views: list[View]) -> bool:
    """As the guide asks for another place where hardly anything was seen."""
    try:
        resting(views, round(LEAST_BOARD_SHARE * SPEC_A1.corners))
    except Undetermined:
        return False
    return True


def looking(centre: FloatArray, target: FloatArray, roll: float) -> FloatArray:
    """Columns: the axes of a camera at `centre` that looks at `target`, its x axis near base y."""
    forward = (target - centre) / np.linalg.norm(target - centre)
    right = np.cross(forward, np.array([1.0, 0.0, 0.0]) if abs(forward[2]) > 0.9 else [0, 0, 1.0])
    right = right / np.linalg.norm(right)
    axes = np.column_stack([right, np.cross(forward, right), forward])
    return axes @ _turn(np.array([0.0, 0.0, roll]))


def _turn(vector: FloatArray) -> FloatArray:
    turned, _ = cv2.Rodrigues(vector)
    return np.asarray(turned, np.float64)


def main(arguments: list[str] | None = None) -> int:
    """Run the sweep; 0 if all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cameras", type=int, default=100, help="of each kind")
    parser.add_argument("--seed", type=int, default=0, help="of the first camera")
    parser.add_argument("--only", choices=("hand", "overhead"), default="", help="kind of camera")
    parser.add_argument("--json", type=Path, help="write the table there too")
    options = parser.parse_args(arguments)
    table, refusals = rows(), dict[str, Trap]()
    table = {name: row for name, row in table.items() if name.startswith(options.only)}
    for seed in range(options.seed, options.seed + options.cameras):
        if options.only != "overhead":
            hand_camera(seed, table)
        if options.only != "hand":
            overhead_camera(seed, table)
        traps(seed, refusals)
        say(f"{seed - options.seed + 1} of {options.cameras}")
    say(f"{'':38} {'found':>5} {'median':>9} {'p99':>9} {'worst':>9} {'bound':>7}      failed")
    for row in table.values():
        say(row.line(38))
    for trap in refusals.values():
        say(f"{trap.name:38} refused {trap.refused} of {trap.made}: {trap.said}")
    if options.json is not None:
        document = {
            "rows": {name: [row.errors, row.bound, row.failed] for name, row in table.items()},
            "refused": {name: [trap.refused, trap.made] for name, trap in refusals.items()},
        }
        options.json.write_text(json.dumps(document))
    held = all(row.good for row in table.values())
    return 0 if held and all(trap.refused == trap.made for trap in refusals.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
