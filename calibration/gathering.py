"""Which views of a board are kept, and when there are enough of them.

Views are kept that show a part or a tilt that is missing; then more, until the lens is known well
enough. A view that does not fit the others is dropped again.
"""

from __future__ import annotations

from typing import Final

from calibration.board import BoardSpec, View
from calibration.camera import (
    LEAST_VIEWS,
    BadView,
    CameraResult,
    LensGoal,
    calibrate_camera,
)
from calibration.coverage import Coverage, coverage_of, guessed_tilt
from calibration.errors import Undetermined

MOST_VIEWS: Final = 160
"""After so many the lens is given up."""
MOST_DROPPED: Final = 10
TRY_EVERY: Final = 4
"""Views between two tries, once nothing is missing."""


class Gathering:
    """Gathers the views of one camera.

    Args:
        spec: the board.
        size: (width, height) of the pictures, px.
        goal: how well the lens must be known.

    Attributes:
        result: what was found; None: more views are needed.
    """

    def __init__(self, spec: BoardSpec, size: tuple[int, int], goal: LensGoal) -> None:
        self.result: CameraResult | None = None
        self._spec, self._size, self._goal = spec, size, goal
        self._views: list[View] = []
        self._tilts: list[int | None] = []
        self._dropped = 0
        self._next_try = LEAST_VIEWS
        self._open = ""

    @property
    def coverage(self) -> Coverage:
        """What the kept views cover."""
        return coverage_of(self._views, self._tilts, self._size)

    @property
    def views(self) -> tuple[View, ...]:
        """Those that were kept."""
        return tuple(self._views)

    def offer(self, view: View) -> bool:
        """Look at a view of a board at rest; whether it was kept.

        Raises:
            Undetermined: after `MOST_VIEWS` views, or `MOST_DROPPED` that do not fit, the lens is
                still open; the message is the last reason.
        """
        tilt, coverage = guessed_tilt(view, self._spec, self._size), self.coverage
        useful = tilt is not None if coverage.full else coverage.gain(view, tilt) > 0
        if not useful:
            return False
        self._views.append(view)
        self._tilts.append(tilt)
        if len(self._views) >= self._next_try and self.coverage.full:
            self._try()
        return True

    def progress(self) -> str:
        """How far it is, and what to show next, in one line."""
        found = self.coverage
        cells = found.cells.size - len(found.missing_cells)
        tilts = len(found.tilts) - len(found.missing_tilts)
        told = f"{found.views} views, {cells} of {found.cells.size} parts of the picture, {tilts}"
        told += f" of {len(found.tilts)} tilts"
        wanted = found.wanted() or self._open or "more of them, nearer and tilted"
        return f"{told}; show {wanted}" if self.result is None else f"{told}; the lens is known"

    def _try(self) -> None:
        self._next_try = len(self._views) + TRY_EVERY
        try:
            self.result = calibrate_camera(self._views, self._spec, self._size, self._goal)
        except BadView as error:
            self._dropped += 1
            del self._views[error.index], self._tilts[error.index]
            self._next_try = len(self._views)
            self._give_up(error, self._dropped >= MOST_DROPPED)
        except Undetermined as error:
            self._give_up(error, len(self._views) >= MOST_VIEWS)

    def _give_up(self, error: Undetermined, enough: bool) -> None:
        if enough:
            raise Undetermined(
                f"{error}; given up after {len(self._views)} views, {self._dropped} of them dropped"
            ) from error
        self._open = f"{TRY_EVERY} more, nearer and tilted ({error})"
