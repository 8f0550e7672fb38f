"""The person with a board goes by the console's lines; `test_calibrate_camera` has them all."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest

from calibration.board import BoardSpec
from calibration.camera import NEAR
from calibration.coverage import COLUMNS, ROWS
from calibration.gathering import Gathering
from robosac.board_deeds import Show, wanted_view
from robosac.board_person import PATIENCE, BoardPerson
from robosac.errors import RobotError


class Board:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.deeds: list[tuple[object, ...]] = []

    def away(self) -> None:
        self.deeds.append(("away",))

    def face(self) -> None:
        self.deeds.append(("face",))

    def put(self, rotation: np.ndarray, place: np.ndarray) -> None:
        self.deeds.append(("put", *place.tolist()))

    def show(self, part: tuple[int, int], parts: tuple[int, int], lean_rad: float) -> None:
        self.deeds.append(("show", part, parts, lean_rad))

    def lay(self, number: int) -> None:
        self.deeds.append(("lay", number))


def person(board: Board, turned: list[float] | None = None) -> BoardPerson:
    place = np.array([0.1, 0.2, 0.3])
    valve = None if turned is None else turned.append
    return BoardPerson(board, np.eye(3), place, valve, np.random.default_rng(0), io.StringIO())


def test_progress_is_a_wish() -> None:
    gathering = Gathering(BoardSpec(), (480, 480), NEAR)
    assert wanted_view(gathering.progress()) == Show((0, 0), 0)
    line = "9 views; show the board at the lower half, far right of the picture, its left edge away"
    assert wanted_view(line) == Show((2, 4), 2)
    assert wanted_view("16 views; show 4 more, nearer and tilted (why)") == Show(None, None)
    assert wanted_view("16 views; the lens is known") is None


def test_hands_do_what_the_lines_say() -> None:
    board, turned = Board(), list[float]()
    one = person(board, turned)
    one.ask("Put the board into its place, nothing before it, and press Enter")
    one.ask("Lay the board flat on the floor, on its crosses (1 of 9; all), and press Enter")
    one.ask("Lay the board flat on the floor, anywhere (3 of 9; all), and press Enter")
    one.ask("Take the board away, and the fingers out of the picture, and press Enter")
    one.ask("Turn the valve's coloured end another third of a turn on, hands off, and press Enter")
    assert board.deeds == [("put", 0.1, 0.2, 0.3), ("put", 0.1, 0.2, 0.3), ("lay", 1), ("away",)]
    assert turned == [pytest.approx(2.0 * math.tau / 3.0)]
    with pytest.raises(RobotError, match="no valve"):
        person(board).ask("Turn the valve's coloured end to the right, as the camera sees it,"
                          " hands off, and press Enter")  # fmt: skip
    with pytest.raises(RobotError, match="what to do when asked: Sing"):
        one.ask("Sing")
    with pytest.raises(RobotError, match="know where that is"):
        one.ask("Turn the valve's coloured end inside out, hands off, and press Enter")


def test_a_view_that_is_not_kept_is_shown_a_little_elsewhere() -> None:
    board = Board()
    one = person(board)
    line = "0 views; show the board at the upper edge, left of the picture, its lower edge away"
    one.progress(line)
    one.progress(line)
    wish = ("show", (0, 1), (ROWS, COLUMNS), math.pi / 2.0)
    assert board.deeds == [wish]
    for _ in range(PATIENCE):
        one.pictured()
    assert board.deeds == [wish, wish]
    one.ask("Put the board into its place, nothing before it, and press Enter")
    for _ in range(2 * PATIENCE):
        one.pictured()
    assert [deed[0] for deed in board.deeds] == ["show", "show", "put"]
