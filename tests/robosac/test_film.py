"""The pictures of an evaluation: what is beside what, and how fast they follow each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from robosac.film import GAP, STRIP, CameraPicture, Film, Picture, camera_picture, compose, enlarged
from robosac.hal import CameraView, Frame
from tests.robosac.executor_rig import Rig

WIDTH, HEIGHT = 160, 90
RED = (220, 30, 30)


def outside(width: int, height: int) -> Picture:
    return np.full((height, width, 3), RED, np.uint8)


def corners(size: int = 32) -> Picture:
    """White in the top left pixel, black elsewhere."""
    image = np.zeros((size, size, 3), np.uint8)
    image[0, 0] = 255
    return image


def ticks(view: CameraView | None) -> list[Any]:
    tick = Rig().armed().run(1)
    return [replace(tick, state=replace(tick.state, camera=view))]


def test_the_policys_picture_is_enlarged_beside_the_outside_view() -> None:
    frame = compose(outside(WIDTH, HEIGHT), "", CameraPicture(corners(), ""))
    assert frame.shape == (HEIGHT + STRIP, WIDTH + GAP + HEIGHT, 3)
    assert (frame[:HEIGHT, :WIDTH] == RED).all()
    # 90 pixels hold 32 twice, so 13 stay free on either side.
    top, left = 13, WIDTH + GAP + 13
    assert (frame[top : top + 2, left : left + 2] == 255).all()
    assert (frame[top + 2 : top + 64, left + 2 : left + 64] == 0).all()


def test_captions_are_written_below_their_pictures() -> None:
    beside = CameraPicture(corners(), "seen")
    frames = [compose(outside(WIDTH, HEIGHT), text, beside) for text in ("", "episode 1")]
    changed = (frames[0] != frames[1]).any(axis=2)
    rows, columns = np.nonzero(changed)
    assert rows.min() >= HEIGHT
    assert columns.max() < WIDTH
    seen = compose(outside(WIDTH, HEIGHT), "", CameraPicture(corners(), "")) != frames[0]
    assert np.nonzero(seen)[1].min() >= WIDTH


def test_pixels_stay_squares_of_one_colour() -> None:
    image = np.random.default_rng(0).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    shown = enlarged(image, 30)
    assert shown.shape == (28, 28, 3)
    np.testing.assert_array_equal(shown[::7, ::7], image)
    np.testing.assert_array_equal(shown[6::7, 6::7], image)


def test_a_larger_picture_is_shrunk_to_fit() -> None:
    assert enlarged(outside(640, 480), 90).shape == (68, 90, 3)
    assert (enlarged(outside(640, 480), 90) == RED).all()


def test_whose_picture_is_shown() -> None:
    own, camera = corners(), corners(48)
    view = CameraView(Frame(1.0, camera, 1))
    seen = camera_picture({"image": own, "state": np.zeros(3)}, {"ticks": ticks(view)})
    assert seen is not None
    assert seen.image is not None
    assert seen.image.shape == (32, 32, 3)
    assert seen.caption == "what the policy sees, 32 x 32"
    unseen = camera_picture(np.zeros(3), {"ticks": ticks(view)})
    assert unseen is not None
    assert unseen.image is camera
    assert unseen.caption == "camera, 48 x 48, not seen by the policy"


def test_a_camera_without_a_picture_says_why() -> None:
    lost = camera_picture(np.zeros(3), {"ticks": ticks(CameraView(None, "unplugged"))})
    assert lost == CameraPicture(None, "camera: unplugged")
    frame = compose(outside(WIDTH, HEIGHT), "", lost)
    assert frame.shape == (HEIGHT + STRIP, WIDTH + GAP + HEIGHT, 3)
    assert (frame[:HEIGHT, WIDTH + GAP :] == frame[0, -1]).all()


@pytest.mark.parametrize("info", [{"ticks": []}, {"ticks": ticks(None)}])
def test_a_robot_without_a_camera_is_seen_from_outside_alone(info: dict[str, Any]) -> None:
    assert camera_picture(np.zeros(3), info) is None
    assert compose(outside(WIDTH, HEIGHT), "x").shape == (HEIGHT + STRIP, WIDTH, 3)


@pytest.mark.parametrize(
    ("period", "rate", "stride"),
    [(0.1, 10.0, 1), (0.02, 25.0, 2), (0.04, 25.0, 1), (0.01, 25.0, 4)],
)
def test_the_frame_rate_follows_the_policy(period: float, rate: float, stride: int) -> None:
    film = Film(outside, (WIDTH, HEIGHT), period)
    assert film.frames_per_s == pytest.approx(rate)
    for step in range(8):
        film.add(0, step, np.zeros(3), {"ticks": []})
    assert len(film.frames) == 8 // stride


def test_episodes_are_filmed_until_there_is_enough() -> None:
    film = Film(outside, (32, 18), 0.1)
    for episode in range(3):
        assert not film.is_full
        for step in range(40):
            film.add(episode, step, np.zeros(3), {"ticks": [], "angle_error": float("nan")})
    assert film.is_full
