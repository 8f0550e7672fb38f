"""What the overhead camera draws, found again by programs that share no projection with it."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from drivers.aruco.geometry import CameraModel, MarkerMount
from drivers.aruco.tracker import ArucoSettings, ArucoTracker
from drivers.camera.frames import CameraFrame
from sim.delays import Delays
from sim.leg_capsules import PARTS, LegCapsules
from sim.lens import Lens, PlacedLens
from sim.minitaur import MinitaurTwin, TwinOptions
from sim.overhead_camera import AS_DRAWN, FLOOR_GREY, LEG_GREY, OverheadScene, OverheadView
from sim.plant import MinitaurPlant, PlanarPose

FOOT = PARTS.index("foot")


def askew() -> PlacedLens:
    """A bent lens beside the start line, which looks at it at a slant, its picture turned."""
    place = np.array([0.3, -0.2, 2.4])
    forward = np.array([0.0, 0.1, 0.2]) - place
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.8, 0.6, 0.0])
    right /= np.linalg.norm(right)
    lens = Lens((480, 360), (330.0, 328.0), (243.0, 175.0), (-0.12, 0.02, 0.001, -0.001, 0.0))
    x, y, z = (tuple(axis.tolist()) for axis in (right, np.cross(forward, right), forward))
    return PlacedLens(lens, (x, y, z), tuple(place.tolist()))  # pyright: ignore[reportArgumentType]


def seen_by(placed: PlacedLens) -> CameraModel:
    """The driver's idea of the same camera."""
    matrix = np.array(OverheadView(placed=placed).matrix)
    axes = np.array(placed.axes).T
    bent = np.array(placed.lens.distortion)
    return CameraModel(matrix, bent, axes, np.array(placed.position_m), placed.lens.size)


@pytest.mark.parametrize("placed", [AS_DRAWN, askew()], ids=["as drawn", "askew"])
def test_the_tracker_finds_the_robot_where_it_is(placed: PlacedLens) -> None:
    view, rng = OverheadView(placed=placed), np.random.default_rng(1)
    pose = [PlanarPose(0.0, 0.0, 0.0)]
    scene = OverheadScene(lambda: pose[0], view, rng)
    mount = MarkerMount(side_m=view.marker_side_m, height_m=view.marker_height_m)
    tracker = ArucoTracker(seen_by(placed), ArucoSettings(view.marker_id, mount))
    errors: list[tuple[float, float, float]] = []
    for step in range(40):
        true = PlanarPose(0.5 * math.sin(0.1 * step), 0.4 * math.cos(0.07 * step), 0.1 * step)
        pose[0] = true
        fix = tracker.process(CameraFrame(step / view.fps, scene.picture(0.0), step + 1))
        if fix is not None:
            yaw = math.remainder(fix.yaw - true.yaw, math.tau)
            errors.append((fix.x - true.x, fix.y - true.y, yaw))
    assert len(errors) >= 35
    assert np.abs(errors).max(axis=0) == pytest.approx([0.0, 0.0, 0.0], abs=0.05)
    assert np.abs(np.mean(errors, axis=0)) == pytest.approx([0.0, 0.0, 0.0], abs=0.005)


def test_a_robot_outside_the_picture_is_not_drawn() -> None:
    plant = MinitaurPlant()
    plant.reset(x=5.0)
    legs = LegCapsules(plant.model, plant.data)
    scene = OverheadScene(plant.planar_pose, OverheadView(), np.random.default_rng(0), legs)
    assert np.ptp(scene.picture(0.0).astype(int)) < 40


@pytest.mark.parametrize("placed", [AS_DRAWN, askew()], ids=["as drawn", "askew"])
def test_feet_are_dark_where_opencv_projects_them(placed: PlacedLens) -> None:
    """Beside a small sheet, which hides none of them."""
    plant, camera = MinitaurPlant(), seen_by(placed)
    legs = LegCapsules(plant.model, plant.data)
    # Of few pixels a foot of 2.4 cm is two: at four times the size its middle is dark.
    fine = replace(
        placed.lens,
        size=(4 * placed.lens.size[0], 4 * placed.lens.size[1]),
        focal_px=tuple(4.0 * f for f in placed.lens.focal_px),
        centre_px=tuple(4.0 * c + 1.5 for c in placed.lens.centre_px),
    )
    view = OverheadView(placed=replace(placed, lens=fine), marker_side_m=0.1)
    scene = OverheadScene(plant.planar_pose, view, np.random.default_rng(0), legs)
    matrix, zero = np.array(view.matrix), np.zeros(3)
    for swing in (-0.3, 0.1, 0.4):
        plant.reset(swing=swing, yaw=0.3)
        picture = scene.picture(0.0)[..., 0].astype(float)
        feet = legs.ends()[:, FOOT, 0]
        ahead = (feet - camera.position) @ camera.rotation
        found, _ = cv2.projectPoints(ahead, zero, zero, matrix, camera.distortion)
        for u, v in np.asarray(found)[:, 0]:
            around = picture[round(v) - 1 : round(v) + 2, round(u) - 1 : round(u) + 2]
            assert around.mean() == pytest.approx(LEG_GREY, abs=8.0)


def test_the_marker_hides_what_is_below_it() -> None:
    plant = MinitaurPlant()
    legs = LegCapsules(plant.model, plant.data)
    view = OverheadView(marker_side_m=0.6)
    rng = (np.random.default_rng(0) for _ in range(2))
    with_legs = OverheadScene(plant.planar_pose, view, next(rng), legs)
    without = OverheadScene(plant.planar_pose, view, next(rng))
    np.testing.assert_array_equal(with_legs.picture(0.0), without.picture(0.0))


def test_the_floor_is_grey_and_no_two_pictures_are_alike() -> None:
    scene = OverheadScene(
        lambda: PlanarPose(0.0, 0.0, 0.0), OverheadView(), np.random.default_rng(0)
    )
    pictures = [scene.picture(0.0) for _ in range(8)]
    assert pictures[0][:20].mean() == pytest.approx(FLOOR_GREY, abs=1.0)
    assert len({picture.tobytes() for picture in pictures}) > 3


def test_a_measured_delay_is_counted_from_what_the_joints_tell() -> None:
    delays = Delays(0.02, 0.02, 0.02, 0.02)
    twin = MinitaurTwin(TwinOptions(sensor_latency_s=0.015))
    device = twin.look(OverheadView(delays=delays))
    assert device.transit_s() == pytest.approx(0.035)
    slow = MinitaurTwin(TwinOptions(delays=Delays(0.03, 0.03, 0.03, 0.03)))
    assert slow.look(OverheadView(delays=delays)).transit_s() == pytest.approx(0.0505)


def test_the_twin_exposes_at_its_steps_and_its_legs_move_in_the_pictures() -> None:
    twin = MinitaurTwin(TwinOptions())
    twin.hang(0)
    device = twin.look(OverheadView(fps=50.0, latency_s=0.0))
    capture = device.open()
    assert not capture.ready()
    pictures: list[np.ndarray] = []
    for _ in range(2):
        assert capture.grab()
        pictures.append(np.asarray(capture.retrieve()[1]).astype(int))
        twin.plant.reset(extension=2.0, swing=0.4)
    assert np.abs(pictures[1] - pictures[0]).max() > 40
