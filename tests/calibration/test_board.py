"""The printed board: where its corners are, and finding them in a picture of the sheet."""

import numpy as np
import pytest

from calibration.board import CELLS, BoardFinder, BoardSpec, View
from tests.sweeps.camera_recovery import OVERHEAD, Session
from tests.sweeps.camera_traps import FACE

SPEC = BoardSpec()


def sheet(spec: BoardSpec, cell_px: int, margin: int = 40) -> np.ndarray:
    board = np.kron(spec.cells(), np.ones((cell_px, cell_px), np.uint8))
    return np.pad(board, margin, constant_values=255)


@pytest.mark.parametrize("spec", [SPEC, BoardSpec(6, 4, 0.08), BoardSpec(5, 8, 0.02)])
def test_every_corner_is_found_where_it_was_drawn(spec: BoardSpec) -> None:
    view = BoardFinder(spec).find(sheet(spec, 6))
    assert view is not None
    assert view.ids.tolist() == list(range(spec.corners))
    square = CELLS * 6
    points = spec.points(view.ids) / spec.square_m * square
    # The picture's y runs downward, and a pixel's middle lies half a pixel inside its edge.
    expected = np.column_stack([points[:, 0], spec.rows * square - points[:, 1]]) + 40 - 0.5
    np.testing.assert_allclose(view.pixels, expected, atol=0.02)


def test_colour_and_grey_pictures_are_the_same() -> None:
    grey = sheet(SPEC, 5)
    finder = BoardFinder(SPEC)
    one, other = finder.find(grey), finder.find(np.repeat(grey[:, :, None], 3, axis=2))
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(one.pixels, other.pixels)


@pytest.mark.parametrize("seed", [1, 3, 39])
def test_small_squares_are_not_drawn_aside_by_their_markers(seed: int) -> None:
    session = Session(OVERHEAD, seed)
    spec = OVERHEAD.spec
    # 22 px a square: OpenCV's own corners are 0.54 to 0.64 px off at worst.
    place = np.array([0.6, 0.3, 2.6]) - FACE @ np.array([*spec.size_m, 0.0]) / 2.0
    view = session.finder.find(session.shown(FACE, place))
    assert view is not None
    assert len(view.ids) >= 0.9 * spec.corners
    true = session.lens.project(spec.points(view.ids) @ FACE.T + place)
    assert np.linalg.norm(view.pixels - true, axis=1).max() < 0.3


def test_a_part_of_the_board_is_known_by_its_numbers() -> None:
    view = BoardFinder(SPEC).find(sheet(SPEC, 6)[:, :260])
    assert view is not None
    assert set((view.ids % 8).tolist()) <= {0, 1, 2, 3}


def test_nothing_and_another_board_are_no_view() -> None:
    assert BoardFinder(SPEC).find(np.full((200, 200), 255, np.uint8)) is None
    # One row of corners alone lies along a line.
    strip = sheet(SPEC, 6)[: 40 + 2 * CELLS * 6 - 10]
    assert BoardFinder(SPEC).find(strip) is None


@pytest.mark.parametrize("parts", [(2, 6, 0.02), (9, 6, 0.0), (9, 6, float("nan")), (30, 20, 0.01)])
def test_boards_that_cannot_be(parts: tuple[int, int, float]) -> None:
    with pytest.raises(ValueError, match="valid"):
        BoardSpec(*parts)


def test_a_view_has_each_corner_once() -> None:
    with pytest.raises(ValueError, match="once"):
        View(np.array([1, 1]), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="once"):
        View(np.array([1, 2]), np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match=r"\(n, 2\)"):
        View(np.array([1, 2]), np.zeros((3, 2)))
