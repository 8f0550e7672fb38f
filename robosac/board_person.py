"""The person with a board before a twin's camera: does what the console's lines ask, as they say.

Beside `robosac.twin_person`, whose hands hold joints and bodies.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Final, Protocol, TextIO

import numpy as np

from calibration.coverage import COLUMNS, ROWS, TILTS
from robosac.board_deeds import (
    BoardDeed,
    Face,
    Lay,
    Put,
    Show,
    TakeAway,
    TurnMark,
    board_deed_of,
    wanted_view,
)
from robosac.errors import RobotError
from robosac.hal import FloatArray

PATIENCE: Final = 2
"""Pictures for which the board is held still; then it is tried elsewhere, as it was asked for."""


class Board(Protocol):
    """Hands that hold a board; see `sim.board_hands.BoardHands`."""

    def away(self) -> None: ...
    def face(self) -> None: ...
    def put(self, rotation: FloatArray, place: FloatArray) -> None: ...
    def show(self, part: tuple[int, int], parts: tuple[int, int], lean_rad: float) -> None: ...
    def lay(self, number: int) -> None: ...


class BoardPerson:
    """See `robosac.guiding.Person`.

    Args:
        board: the hands.
        rotation, place: of the board's frame where the fixture has it, shapes (3, 3) and (3,), m.
        turn_valve: turns the hand's valve to an angle, rad; None: there is none.
        rng: where the board is shown when it may be anywhere.
        sink: where it is told what hands are asked to do; None: standard error.
    """

    def __init__(
        self,
        board: Board,
        rotation: FloatArray,
        place: FloatArray,
        turn_valve: Callable[[float], None] | None,
        rng: np.random.Generator,
        sink: TextIO | None = None,
    ) -> None:
        self._board, self._rotation, self._place = board, rotation, place
        self._turn_valve, self._rng = turn_valve, rng
        self._sink = sys.stderr if sink is None else sink
        self._wanted: Show | None = None
        self._pictures, self._last = 0, ""

    def ask(self, line: str) -> None:
        """Do it.

        Raises:
            RobotError: the line asks for nothing that hands can do here.
        """
        self.tell(f"the twin's hands: {line}")
        self._wanted = None
        self._do(board_deed_of(line))

    def tell(self, line: str) -> None:
        """See `robosac.guiding.Person`."""
        self._sink.write(f"{line}\n")
        self._sink.flush()

    def progress(self, line: str) -> None:
        """Show the board where a line of progress asks for it; the same line is told once."""
        if line == self._last:
            return
        self._last = line
        self.tell(line)
        self._wanted = wanted_view(line)
        if self._wanted is not None:
            self._do(self._wanted)

    def pictured(self) -> None:
        """A picture was taken."""
        self._pictures += 1
        if self._wanted is not None and self._pictures >= PATIENCE:
            self._do(self._wanted)

    def _do(self, deed: BoardDeed) -> None:
        self._pictures = 0
        board = self._board
        match deed:
            case Face():
                board.face()
            case Show(part, tilt):
                rows, columns = (int(self._rng.integers(length)) for length in (ROWS, COLUMNS))
                way = int(self._rng.integers(len(TILTS))) if tilt is None else tilt
                lean = math.tau * way / len(TILTS)
                board.show(part or (rows, columns), (ROWS, COLUMNS), lean)
            case Put() | Lay(0):
                board.put(self._rotation, self._place)
            case Lay(number):
                board.lay(number - 1)
            case TakeAway():
                board.away()
            case TurnMark(angle_rad):
                if self._turn_valve is None:
                    raise RobotError("there is no valve before this camera")
                self._turn_valve(angle_rad)
