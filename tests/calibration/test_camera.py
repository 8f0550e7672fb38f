"""Lens, camera's place and tracker from points: golden results, uncertainty, refusals."""

import math

import numpy as np
import pytest

from calibration import gathering
from calibration.board import View
from calibration.camera import NEAR, BadView, Lens, LensGoal, calibrate_camera
from calibration.camera_pose import BoardPlace, board_pose, pose_from_points, resting
from calibration.errors import Undetermined
from calibration.tracker import best_lay, calibrate_tracker, moved, on_floor
from tests.sweeps import camera_traps
from tests.sweeps.camera_traps import FACE, Points, traps, turn

ZERO = np.zeros((9, 9))


def points(floor: bool = False, seed: int = 5) -> Points:
    return Points(np.random.default_rng(seed), floor)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_traps, "NOISE_PX", 0.0)


@pytest.mark.usefixtures("exact")
def test_exact_points_give_the_lens_itself() -> None:
    hidden = points()
    found = calibrate_camera(hidden.held(24), hidden.spec, hidden.lens.size)
    np.testing.assert_allclose(found.lens.matrix, hidden.lens.matrix, atol=0.02)
    np.testing.assert_allclose(found.lens.distortion, hidden.lens.distortion, atol=5e-4)
    assert found.rms_px < 2e-3
    assert len(found.view_rms_px) == 24
    assert found.residuals_px.shape == found.pixels.shape
    assert found.coverage.full


def test_the_lens_is_off_by_no_more_than_it_says() -> None:
    off = []
    for seed in range(6):
        hidden = points(seed=seed)
        found = calibrate_camera(hidden.held(24), hidden.spec, hidden.lens.size)
        # 0.06 px each way.
        assert found.rms_px == pytest.approx(0.06 * math.sqrt(2.0), rel=0.15)
        wrong = found.lens.matrix - hidden.lens.matrix
        sigma = np.sqrt(np.diag(found.lens.covariance))
        off += [wrong[0, 0] / sigma[0], wrong[1, 1] / sigma[1], wrong[0, 2] / sigma[2]]
    # Eighteen standardised errors: none beyond 4, and not all tiny either.
    assert 0.3 < float(np.sqrt(np.mean(np.square(off)))) < 2.0
    assert max(map(abs, off)) < 4.0


def test_sets_that_leave_it_open_are_refused() -> None:
    table = {}
    traps(1000, table)
    assert len(table) == 16
    for trap in table.values():
        assert trap.refused == trap.made, trap.name


def test_a_view_that_moved_is_named_and_dropped() -> None:
    hidden = points()
    views = hidden.held(30)
    views[4] = View(views[4].ids, views[4].pixels + np.linspace(-4, 4, len(views[4].ids))[:, None])
    with pytest.raises(BadView) as caught:
        calibrate_camera(views, hidden.spec, hidden.lens.size)
    assert caught.value.index == 4
    kept = gathering.Gathering(hidden.spec, hidden.lens.size, NEAR)
    assert "show the board at the" in kept.progress()
    for view in [*views, *hidden.held(60)]:
        kept.offer(view)
        if kept.result is not None:
            break
    assert kept.result is not None
    assert not any(view is views[4] for view in kept.views)
    assert "the lens is known" in kept.progress()


def test_a_hopeless_set_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST_VIEWS", 24)
    hidden = points()
    hopeless = gathering.Gathering(hidden.spec, hidden.lens.size, LensGoal(1e-6, 1.0))

    def gather() -> None:
        for view in hidden.held(100):
            hopeless.offer(view)

    with pytest.raises(Undetermined, match="given up after 2"):
        gather()


@pytest.mark.usefixtures("exact")
def test_the_boards_place_gives_the_cameras() -> None:
    hidden = points()
    rotation = turn(np.array([0.5, 0.2, 0.1])) @ FACE
    corner = np.array([0.0, 0.02, 0.40]) - rotation @ np.array([*hidden.spec.size_m, 0.0]) / 2.0
    view = hidden.view(rotation, corner)
    assert view is not None
    place = BoardPlace((0.1, 0.2, 0.3), yaw_rad=0.4, pitch_rad=-0.2, roll_rad=0.1)
    found = board_pose([view] * 3, hidden.spec, place, hidden.found)
    # The board's axes in the base's frame, and so the camera's.
    to_base = place.of(np.eye(3)) - place.of(np.zeros((1, 3)))
    expected = to_base.T @ rotation.T
    np.testing.assert_allclose(found.rotation, expected, atol=1e-6)
    centre = place.of((-rotation.T @ corner)[None, :])[0]
    np.testing.assert_allclose(found.position_m, centre, atol=1e-6)
    np.testing.assert_allclose(found.in_camera(place.of(np.zeros((1, 3))))[0], corner, atol=1e-6)


def test_yaw_turns_x_to_y_and_roll_lifts_the_left() -> None:
    x, y = np.array([[1.0, 0, 0]]), np.array([[0, 1.0, 0]])
    yawed = BoardPlace((0.0, 0.0, 0.0), yaw_rad=math.pi / 2.0)
    np.testing.assert_allclose(yawed.of(x), [[0, 1, 0]], atol=1e-12)
    rolled = BoardPlace((0.0, 0.0, 0.0), roll_rad=math.pi / 2.0)
    np.testing.assert_allclose(rolled.of(y), [[0, 0, 1]], atol=1e-12)
    pitched = BoardPlace((0.0, 0.0, 1.0), pitch_rad=math.pi / 2.0)
    np.testing.assert_allclose(pitched.of(x), [[0, 0, 0]], atol=1e-12)


def test_the_pose_is_off_by_no_more_than_it_says() -> None:
    off = []
    for seed in range(20):
        hidden = points(seed=seed)
        rotation = turn(np.array([0.6, 0.0, 0.1])) @ FACE
        corner = np.array([0.0, 0.0, 0.4]) - rotation @ np.array([*hidden.spec.size_m, 0.0]) / 2.0
        view = hidden.view(rotation, corner)
        assert view is not None
        found = pose_from_points(hidden.spec.points(view.ids), view.pixels, hidden.found)
        wrong = float(np.linalg.norm(found.position_m - (-rotation.T @ corner)))
        off.append(wrong / found.uncertain_m)
        assert found.uncertain_m < 3e-4
    assert 0.2 < float(np.sqrt(np.mean(np.square(off)))) < 1.8


def test_points_on_a_line_and_too_few_leave_the_pose_open() -> None:
    hidden = points()
    line = np.column_stack([np.linspace(0, 1, 6), np.zeros((6, 2))])
    with pytest.raises(Undetermined, match="along one line"):
        pose_from_points(line, np.zeros((6, 2)), hidden.found)
    with pytest.raises(Undetermined, match="at least 4"):
        pose_from_points(line[:3], np.zeros((3, 2)), hidden.found)


def test_corners_that_come_and_go_have_the_median_of_where_they_are() -> None:
    base = np.arange(20.0).reshape(10, 2)
    views = [View(np.arange(10), base + shift) for shift in (0.0, 0.1, 0.2)]
    views.append(View(np.arange(1, 10), base[1:] + 0.3))
    ids, middle = resting(views, 5)
    assert ids.tolist() == list(range(10))
    np.testing.assert_allclose(middle[0], base[0] + 0.1)
    np.testing.assert_allclose(middle[5], base[5] + 0.15)
    # A corner that two pictures alone show is left out.
    ids, _ = resting([*views[:2], views[3], views[3]], 5)
    assert 0 not in ids


@pytest.mark.usefixtures("exact")
def test_a_board_on_the_floor_gives_the_overhead_camera() -> None:
    hidden = points(floor=True)
    size = hidden.spec.size_m
    first = BoardPlace((-size[0] / 2.0 + 0.3, -size[1] / 2.0, 0.0))
    found = calibrate_tracker(hidden.laid(9), hidden.spec, first, hidden.found)
    # It looks straight down, from 2.5 m above the middle of the first place.
    np.testing.assert_allclose(found.pose.position_m, (0.3, 0.0, 2.5), atol=1e-6)
    np.testing.assert_allclose(found.pose.rotation, FACE, atol=1e-6)
    assert max(found.shape_m) < 1e-6
    assert found.middles_m.shape == (9, 2)
    at = np.array([[0.5, -0.2, 0.0]])
    seen = hidden.lens.project(found.pose.in_camera(at))
    np.testing.assert_allclose(on_floor(seen, found.pose, hidden.found), at, atol=1e-6)
    above = on_floor(seen, found.pose, hidden.found, 0.25)[0]
    np.testing.assert_allclose(above, at[0] + (np.array([0.3, 0, 2.5]) - at[0]) * 0.1, atol=1e-6)


@pytest.mark.usefixtures("exact")
def test_a_shape_is_off_by_what_is_stretched_not_by_single_corners(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("calibration.tracker.MOST_PLACE_PX", math.inf)
    monkeypatch.setattr("calibration.tracker.STRAY_PX", math.inf)
    hidden = points(floor=True)
    size = hidden.spec.size_m
    first = BoardPlace((-size[0] / 2.0 + 0.3, -size[1] / 2.0, 0.0))
    places = hidden.laid(9)
    view = places[4][0]
    noise = np.random.default_rng(1).normal(0.0, 0.3, (len(view.ids), 2))
    places[4] = [View(view.ids, view.pixels + noise)] * len(places[4])
    found = calibrate_tracker(places, hidden.spec, first, hidden.found)
    assert max(found.shape_m) < 0.0004
    middle = view.pixels.mean(axis=0)
    stretched = View(view.ids, middle + (view.pixels - middle) * (1.01, 1.0))
    places[4] = [stretched] * len(places[4])
    with pytest.raises(Undetermined, match="place 5 the board's shape on the floor is 1"):
        calibrate_tracker(places, hidden.spec, first, hidden.found)


def test_a_lay_is_found_again() -> None:
    board = np.array([(0.0, 0, 0), (1, 0, 0), (1, 2, 0)])
    laid = moved(board, np.array([3.0, -1.0]), 0.7)
    at, yaw = best_lay(board, laid[:, :2])
    np.testing.assert_allclose(at, (3.0, -1.0))
    assert yaw == pytest.approx(0.7)


def test_a_lens_takes_pixels_to_rays_and_back() -> None:
    hidden = points()
    lens = Lens(hidden.lens.size, hidden.lens.matrix, hidden.lens.distortion, ZERO)
    pixels = np.array([(10.0, 12.0), (600.0, 400.0), (320.0, 240.0)])
    rays = np.column_stack([lens.rays(pixels), np.ones(3)])
    np.testing.assert_allclose(lens.project(rays), pixels, atol=1e-5)
