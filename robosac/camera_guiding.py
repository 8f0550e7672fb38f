"""A person holds a board before a camera and is told where; pictures come through `Eye`.

Nothing here opens or moves anything. What a routine refuses is told, and asked for again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import numpy as np

from calibration.board import BoardFinder, BoardSpec, Image, View
from calibration.camera import CameraResult, LensGoal
from calibration.camera_pose import BoardPlace, CameraPose, board_pose, resting
from calibration.errors import Undetermined
from calibration.exposure import (
    Reading,
    SetPoint,
    exposure_set_point,
    read_patch,
    white_balance_set_point,
)
from calibration.gathering import Gathering
from calibration.tracker import LEAST_BOARD_SHARE, TrackerResult, calibrate_tracker
from calibration.valve_colour import Mark, MarkResult, check_mark, mark_masks, scaled
from robosac.errors import RobotError
from robosac.guiding import Person, tried

STILL_PX: Final = 0.7
"""Root mean square of the corners between two pictures of a board that is held still."""
ANEW_PX: Final = 25.0
"""A view that is as near to the last one kept shows nothing new."""
PATIENCE_S: Final = 180.0
"""So long without a new view, and it is given up."""
PICTURES: Final = 5
"""Of what lies at rest."""
LOOKS: Final = 30
"""Pictures in which the board is looked for, at rest."""
EXPOSURES: Final = (0.5, 1.0, 2.0)
TEMPERATURES: Final = (0.75, 1.0, 1.33)
"""Shares of the present setting that are tried."""
FLOOR_PLACES: Final = 9
VALVE_PLACES: Final = (
    ("to the right, as the camera sees it", 0.0),
    ("a third of a turn on, counter-clockwise as seen from above", 2.0 * math.pi / 3.0),
    ("another third of a turn on", 4.0 * math.pi / 3.0),
)


class Eye(Protocol):
    """An open camera."""

    @property
    def now(self) -> float:
        """The clock, s."""
        ...

    def picture(self) -> Image:
        """The next picture, RGB (height, width, 3), at full resolution.

        Raises:
            RobotError: none comes.
        """
        ...


@dataclass(frozen=True, slots=True)
class Controls:
    """What of a camera is tried out; None: it has no such control."""

    exposure_s: float
    white_balance_k: float | None


OpenEye = Callable[[Controls], AbstractContextManager[Eye]]
"""Opens the camera with these controls, closed at the end of the `with`; see `CameraEye`."""


def guide_controls(
    person: Person, open_eye: OpenEye, spec: BoardSpec, present: Controls, longest_s: float
) -> tuple[Controls, tuple[SetPoint, ...]]:
    """Exposure and white balance by the board's grey patch, and the fits behind them.

    Raises:
        RobotError: it was refused too often; the message is the last refusal.
    """

    def once() -> tuple[Controls, tuple[SetPoint, ...]]:
        person.ask(
            "Lay the board where the robot works, in its light, its grey patch in the picture, and"
            " press Enter"
        )
        tries = [
            Controls(present.exposure_s * share, present.white_balance_k) for share in EXPOSURES
        ]
        readings = [_read(open_eye, spec, one) for one in tries if one.exposure_s <= longest_s]
        exposure = exposure_set_point(readings, longest_s)
        exposure_s = max(1, round(exposure.value * 1e4)) * 1e-4
        if present.white_balance_k is None:
            return Controls(exposure_s, None), (exposure,)
        kelvin = [present.white_balance_k * share for share in TEMPERATURES]
        readings = [_read(open_eye, spec, Controls(exposure_s, k)) for k in kelvin]
        balance = white_balance_set_point(readings)
        return Controls(exposure_s, float(round(balance.value, -1))), (exposure, balance)

    return tried(once, person)


def guide_lens(
    person: Person,
    eye: Eye,
    spec: BoardSpec,
    size: tuple[int, int],
    goal: LensGoal,
    progress: Callable[[str], None],
) -> CameraResult:
    """The lens, from views that are taken by themselves whenever the board is held still.

    Raises:
        RobotError: nothing new was seen for `PATIENCE_S`, or it was refused too often.
    """

    def once() -> CameraResult:
        person.ask(
            "Hold the board before the camera, and press Enter; then hold it still wherever you are"
            " told to, tilted by some 30 degrees, filling about half of the picture"
        )
        gathering = Gathering(spec, size, goal)
        for view in _still_views(eye, spec, gathering, progress):
            if gathering.offer(view) and gathering.result is not None:
                progress(gathering.progress())
                return gathering.result
        raise AssertionError("views never end")

    return tried(once, person)


def guide_board_pose(
    person: Person, eye: Eye, spec: BoardSpec, place: BoardPlace, lens: CameraResult
) -> CameraPose:
    """Where the camera stands, from the board in its place.

    Raises:
        RobotError: it was refused too often.
    """

    def once() -> CameraPose:
        person.ask("Put the board into its place, nothing before it, and press Enter")
        return board_pose(_resting(eye, spec), spec, place, lens.lens)

    return tried(once, person)


def guide_floor(
    person: Person, eye: Eye, spec: BoardSpec, first: BoardPlace, lens: CameraResult
) -> TrackerResult:
    """Where the overhead camera hangs, from the board in places on the floor.

    Raises:
        RobotError: it was refused too often.
    """

    def lay(number: int) -> list[View]:
        where = "on its crosses" if number == 0 else "anywhere it has not been, at any angle"
        person.ask(
            f"Lay the board flat on the floor, {where} ({number + 1} of {FLOOR_PLACES};"
            " together they should fill the picture), step back, and press Enter"
        )
        views = _resting(eye, spec)
        resting(views, round(LEAST_BOARD_SHARE * spec.corners))
        return views

    def once() -> TrackerResult:
        places = [tried(partial(lay, number), person) for number in range(FLOOR_PLACES)]
        return calibrate_tracker(places, spec, first, lens.lens)

    return tried(once, person)


def guide_mark(
    person: Person,
    eye: Eye,
    mark: Mark,
    pose: CameraPose,
    lens: CameraResult,
    picture: tuple[int, int],
) -> tuple[MarkResult, MarkResult]:
    """Whether the valve's coloured end stands out: in the camera's pictures, and the policy's.

    Raises:
        RobotError: it was refused too often.
    """

    def once() -> tuple[MarkResult, MarkResult]:
        images: list[Image] = []
        person.ask("Take the board away, and the fingers out of the picture, and press Enter")
        for where, _ in VALVE_PLACES:
            person.ask(f"Turn the valve's coloured end {where}, hands off, and press Enter")
            images.append(eye.picture())
        masks = [mark_masks(mark, angle, pose, lens.lens) for _, angle in VALVE_PLACES]
        whole = check_mark(images, [own for own, _ in masks], [rim for _, rim in masks])
        small = [
            scaled(image, own, rim, picture)
            for image, (own, rim) in zip(images, masks, strict=True)
        ]
        return whole, check_mark(
            [one[0] for one in small], [one[1] for one in small], [one[2] for one in small]
        )

    return tried(once, person)


def _read(open_eye: OpenEye, spec: BoardSpec, controls: Controls) -> Reading:
    """The grey patch at some controls. Raises Undetermined."""
    finder = BoardFinder(spec)
    with open_eye(controls) as eye:
        for _ in range(LOOKS):
            image = eye.picture()
            view = finder.find(image)
            if view is not None:
                exposure_s, kelvin = controls.exposure_s, controls.white_balance_k
                return read_patch(image, view, spec, exposure_s, kelvin)
    raise Undetermined(
        f"the board is not in the picture at an exposure of {1e3 * controls.exposure_s:g} ms"
    )


def _resting(eye: Eye, spec: BoardSpec) -> list[View]:
    """The board in several pictures. Raises Undetermined."""
    finder = BoardFinder(spec)
    views: list[View] = []
    for _ in range(LOOKS):
        view = finder.find(eye.picture())
        if view is not None:
            views.append(view)
        if len(views) == PICTURES:
            return views
    raise Undetermined(
        f"the board was found in {len(views)} of {LOOKS} pictures: more light, or nearer to the"
        " middle of the picture"
    )


def _still_views(
    eye: Eye, spec: BoardSpec, gathering: Gathering, progress: Callable[[str], None]
) -> Iterator[View]:
    """Views of a board that is held still, each somewhere else than the last that was kept."""
    finder, before = BoardFinder(spec), None
    kept, kept_at = 0, eye.now
    progress(gathering.progress())
    while True:
        view = finder.find(eye.picture())
        last = gathering.views[-1] if gathering.views else None
        if view is not None and _apart(view, before) <= STILL_PX and _apart(view, last) >= ANEW_PX:
            yield view
        before = view
        if len(gathering.views) != kept:
            kept, kept_at = len(gathering.views), eye.now
            progress(gathering.progress())
        if eye.now - kept_at > PATIENCE_S:
            raise RobotError(f"no new view for {PATIENCE_S:g} s: {gathering.progress()}")


def _apart(view: View, other: View | None) -> float:
    """Root mean square distance of the corners that both show, px; infinite: none, or no other."""
    if other is None:
        return math.inf
    common = np.intersect1d(view.ids, other.ids)
    if not len(common):
        return math.inf
    off = view.pixels[np.isin(view.ids, common)] - other.pixels[np.isin(other.ids, common)]
    return float(np.sqrt(np.mean(np.sum(off**2, axis=1))))
