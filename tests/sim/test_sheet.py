"""A printed board before the twin's cameras: its corners are where a projection puts them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from calibration.board import BoardFinder, BoardSpec
from drivers.camera import properties as cp
from robosac.camera_twin import printed
from sim.board_hands import CROWDED, BoardHands
from sim.camera_capture import RenderedCamera
from sim.camera_sensor import SensorSettings
from sim.claw import ClawOptions, ClawTwin
from sim.claw_camera import ClawCameraOptions
from sim.floor_view import FloorView, floor_camera
from sim.lens import Lens, PlacedLens
from sim.ray_camera import CameraLook, RayCamera
from sim.room_light import RoomLight
from sim.sheet import Held

SPEC = BoardSpec()
BENT = (-0.2, 0.06, 0.001, -0.0015, 0.0)
DOWN = ((0.0, -1.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 0.0, -1.0))
ABOVE = PlacedLens(
    Lens((480, 360), (430.0, 425.0), (243.0, 177.0), BENT), DOWN, (0.02, -0.01, 0.45)
)


def off_px(image: np.ndarray, held: Held, placed: PlacedLens) -> np.ndarray:
    """How far each corner that is found is from where the lens sees it, px."""
    view = BoardFinder(SPEC).find(image)
    assert view is not None
    points = SPEC.points(view.ids) @ held.rotation.T + held.place
    true = [placed.pixel_of(tuple(point)) for point in points.tolist()]
    return np.linalg.norm(view.pixels - np.array(true), axis=1)


def test_a_board_on_the_floor_is_seen_where_it_lies() -> None:
    view = FloorView(ABOVE, RoomLight(0.01), np.random.default_rng(0))
    board = BoardHands(view, ABOVE, printed(SPEC), SPEC.size_m, np.random.default_rng(1))
    controls = {cp.EXPOSURE: 100.0}
    offs = []
    for number in range(3):
        board.lay(number)
        assert view.held is not None
        offs.append(off_px(view.picture(controls), view.held, ABOVE))
    every = np.concatenate(offs)
    assert len(every) > 60
    assert np.sqrt(np.mean(every**2)) < 0.15
    board.away()
    assert BoardFinder(SPEC).find(view.picture(controls)) is None


def test_the_hands_camera_sees_a_board_before_its_valve_and_not_behind_it() -> None:
    options = ClawCameraOptions(size=(360, 360), sensor=SensorSettings.noiseless(), supersample=2)
    twin = ClawTwin(ClawOptions(camera=options))
    twin.hang(0)
    assert twin.camera is not None
    eye = twin.camera.eye
    drawn = eye.as_drawn((360, 360))
    bent = replace(drawn, lens=replace(drawn.lens, distortion=BENT))
    eye.arrange(CameraLook(placed=bent))
    bare = eye.render(twin.plant.data)
    board = BoardHands(eye, bent, printed(SPEC), SPEC.size_m, np.random.default_rng(2), CROWDED)
    board.show((1, 2), (4, 5), 0.0)
    assert eye.held is not None
    off = off_px(eye.render(twin.plant.data), eye.held, bent)
    assert np.sqrt(np.mean(off**2)) < 0.25
    # On the floor it lies below the valve, which hides its middle.
    board.put(np.eye(3), np.array([-0.10, -0.08, 0.001]))
    below = eye.render(twin.plant.data)
    column, row = (round(part) for part in eye.pixel_of((0.0, 0.04, 0.12)))
    np.testing.assert_array_equal(below[row, column], bare[row, column])
    assert (below != bare).any(axis=2).mean() > 0.1
    board.away()
    np.testing.assert_array_equal(eye.render(twin.plant.data), bare)


def test_a_lens_as_drawn_sees_what_the_model_sees() -> None:
    twin = ClawTwin(ClawOptions(camera=ClawCameraOptions()))
    model, data = twin.plant.model, twin.plant.data
    plain = RayCamera(model, width=40, height=40)
    placed = RayCamera(
        model, width=40, height=40, look=CameraLook(placed=plain.as_drawn((400, 400)))
    )
    off = np.abs(plain.render(data).astype(int) - placed.render(data).astype(int))
    # Rounding may put a ray on the other side of an edge.
    assert (off.max(axis=2) > 1).mean() < 0.005


def test_a_sheet_from_behind_is_blank() -> None:
    view = FloorView(ABOVE, RoomLight(0.01), np.random.default_rng(0))
    view.held = Held(printed(SPEC), np.diag([-1.0, 1.0, -1.0]), np.array([0.12, -0.08, 0.1]))
    seen = view.radiance()
    assert set(np.unique(seen).tolist()) == {np.float32(0.2), np.float32(0.9)}


@pytest.mark.parametrize(("name", "value"), [("exposure", 50.0), ("balance", 4000.0)])
def test_a_cameras_controls_change_its_picture(name: str, value: float) -> None:
    light = RoomLight(0.01, 5000.0)
    right = {cp.EXPOSURE: 100.0, cp.WB_TEMPERATURE: 5000.0}
    np.testing.assert_allclose(light.shares(right), 1.0)
    other = right | {cp.EXPOSURE if name == "exposure" else cp.WB_TEMPERATURE: value}
    red, green, blue = light.shares(other).tolist()
    if name == "exposure":
        assert (red, green, blue) == pytest.approx((0.5, 0.5, 0.5))
    else:
        assert red < green < blue


def test_a_floor_camera_follows_what_its_capture_was_told() -> None:
    view = FloorView(ABOVE, RoomLight(0.0157), np.random.default_rng(0))
    now = [0.0]
    camera = floor_camera(view, (480, 360), 30.0, lambda: now[0], lambda t: now.__setitem__(0, t))
    assert isinstance(camera, RenderedCamera)
    with pytest.raises(ValueError, match="before it is opened"):
        _ = camera.controls
    capture = camera.open()
    capture.set(cp.AUTO_EXPOSURE, cp.EXPOSURE_MANUAL)
    levels = []
    for exposure in (157.0, 40.0):
        capture.set(cp.EXPOSURE, exposure)
        assert capture.grab()
        shown, image = capture.retrieve()
        assert shown
        assert image is not None
        levels.append(cv2.mean(image)[0])
    assert levels[1] < 0.6 * levels[0]
