"""Coverage of picture and tilts, and what is asked for next."""

import math

import cv2
import numpy as np
import pytest

from calibration.board import BoardSpec, View
from calibration.coverage import (
    CELL_VIEWS,
    TILT_VIEWS,
    TILTS,
    cells_of,
    coverage_of,
    guessed_tilt,
    tilt_of,
)

SIZE = (500, 400)
FACE = np.diag([1.0, -1.0, -1.0])
SPEC = BoardSpec()


def tilted(lean: float, angle: float) -> np.ndarray:
    """A board whose outward normal leans toward `lean` in the picture."""
    axis = np.array([-math.sin(lean), math.cos(lean), 0.0])
    turned, _ = cv2.Rodrigues(-angle * axis)
    return np.asarray(turned) @ FACE


@pytest.mark.parametrize("way", range(4))
def test_the_edge_that_is_farther_away_names_the_tilt(way: int) -> None:
    rotation = tilted(way * math.pi / 2.0, 0.5)
    assert tilt_of(rotation) == way
    corners = np.array([(0.1, 0, 0), (0, -0.1, 0), (-0.1, 0, 0), (0, 0.1, 0)]) @ rotation.T
    # Right, lower, left, upper edge as the camera sees an upright board.
    assert int(np.argmax(corners[:, 2])) == way
    assert TILTS[way].split()[0] == ("right", "lower", "left", "upper")[way]


@pytest.mark.parametrize("angle", [0.1, 1.3])
def test_flat_and_edgewise_boards_are_tilted_no_way(angle: float) -> None:
    assert tilt_of(tilted(0.0, angle)) is None


@pytest.mark.parametrize("way", range(4))
def test_a_tilt_is_guessed_before_the_lens_is_known(way: int) -> None:
    rotation = tilted(way * math.pi / 2.0, 0.6)
    matrix = np.array([[450.0, 0, 250], [0, 450, 200], [0, 0, 1]])
    place = np.array([0, 0, 0.45]) - rotation @ np.array([*SPEC.size_m, 0.0]) / 2.0
    points = SPEC.points(np.arange(SPEC.corners))
    vector, _ = cv2.Rodrigues(rotation)
    pixels, _ = cv2.projectPoints(points, vector, place, matrix, np.zeros(5))
    view = View(np.arange(SPEC.corners), np.asarray(pixels, np.float64).reshape(-1, 2))
    assert guessed_tilt(view, SPEC, SIZE) == way


def test_what_is_missing_is_asked_for_and_gained() -> None:
    corner = View(np.arange(2), np.array([(1.0, 1.0), (499.0, 399.0)]))
    assert np.argwhere(cells_of(corner, SIZE)).tolist() == [[0, 0], [3, 4]]
    empty = coverage_of([], [], SIZE)
    assert len(empty.missing_cells) == 20
    assert not empty.full
    assert empty.gain(corner, 2) == 3
    assert "upper edge, far left" in empty.wanted()
    assert TILTS[0] in empty.wanted()
    once = coverage_of([corner] * CELL_VIEWS, [2] * CELL_VIEWS, SIZE)
    assert (0, 0) not in once.missing_cells
    assert once.gain(corner, None) == 0
    u, v = np.meshgrid(np.arange(50, 500, 100), np.arange(50, 400, 100))
    whole = View(np.arange(20), np.column_stack([u.ravel(), v.ravel()]).astype(float))
    full = coverage_of([whole] * 12, [0, 1, 2, 3] * TILT_VIEWS, SIZE)
    assert full.full
    assert full.wanted() == ""
