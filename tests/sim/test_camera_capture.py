"""The rendered camera behaves as a V4L2 camera under OpenCV does, bad habits included."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.camera import properties as cp
from sim.camera_capture import SELECT_TIMEOUT_S, Image, RenderedCamera, RenderedCapture

SIZE, FPS = (32, 24), 20.0


class Clock:
    def __init__(self) -> None:
        self.time = 5.0

    def now(self) -> float:
        return self.time

    def wait_until(self, deadline: float) -> None:
        self.time = max(self.time, deadline)


def render(time: float) -> Image:
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    image[:, :, 0] = round((time - 5.0) * FPS)
    image[:, :, 2] = 99
    return image


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def camera(clock: Clock) -> RenderedCamera:
    return RenderedCamera(render, SIZE, FPS, clock.now, clock.wait_until, depth=3)


def number(capture: RenderedCapture) -> int:
    """Which exposure was grabbed: red is the last of BGR."""
    decoded, image = capture.retrieve()
    assert decoded
    assert image is not None
    assert image.shape == (24, 32, 3)
    assert (image[:, :, 0] == 99).all()
    return int(image[0, 0, 2])


def test_grabs_wait_for_the_next_exposure(camera: RenderedCamera, clock: Clock) -> None:
    capture = camera.open()
    assert capture.get(cp.POS_MSEC) == 0.0
    for expected in (1, 2, 3):
        assert capture.grab()
        assert number(capture) == expected
        assert clock.time == pytest.approx(5.0 + expected / FPS)
        assert capture.get(cp.POS_MSEC) == pytest.approx(clock.time * 1000.0)


def test_a_queue_that_nobody_reads_keeps_the_old_frames(
    camera: RenderedCamera, clock: Clock
) -> None:
    capture = camera.open()
    capture.grab()
    clock.time += 1.0
    numbers: list[int] = []
    for _ in range(4):
        capture.grab()
        numbers.append(number(capture))
    assert numbers[:3] == [2, 3, 4]
    assert numbers[3] == 22


def test_the_twins_steps_expose_too(camera: RenderedCamera, clock: Clock) -> None:
    capture = camera.open()
    capture.grab()
    for _ in range(4):
        clock.time += 0.025
        capture.step(clock.time)
    capture.step(clock.time)
    before = clock.time
    assert capture.grab()
    assert (number(capture), clock.time) == (2, before)


def test_exposure_is_taken_only_by_hand(camera: RenderedCamera) -> None:
    capture = camera.open()
    assert capture.set(cp.EXPOSURE, 50)
    assert capture.get(cp.EXPOSURE) == 157.0
    capture.set(cp.AUTO_EXPOSURE, 1)
    capture.set(cp.EXPOSURE, 50)
    assert capture.get(cp.EXPOSURE) == 50.0
    assert not capture.set(4711, 1.0)
    assert capture.get(4711) == -1.0


def test_each_opening_wakes_up_with_the_cameras_own_settings(camera: RenderedCamera) -> None:
    capture = camera.open()
    capture.set(cp.GAIN, 7)
    capture.release()
    assert not capture.isOpened()
    assert not capture.grab()
    assert camera.open().get(cp.GAIN) == 0.0


def test_faults_do_what_they_say(camera: RenderedCamera, clock: Clock) -> None:
    faults, capture = camera.faults, camera.open()
    capture.grab()
    faults.frozen = True
    capture.grab()
    assert number(capture) == 1
    assert capture.get(cp.POS_MSEC) == pytest.approx(clock.time * 1000.0)
    faults.frozen = False
    faults.black = True
    capture.grab()
    _, image = capture.retrieve()
    assert image is not None
    assert not image.any()
    faults.black = False
    faults.undecodable = True
    capture.grab()
    assert capture.retrieve() == (False, None)
    faults.undecodable = False
    faults.wrong_size = True
    capture.grab()
    _, image = capture.retrieve()
    assert image is not None
    assert image.shape == (12, 16, 3)
    faults.blocked = True
    before = clock.time
    assert not capture.grab()
    assert clock.time == pytest.approx(before + SELECT_TIMEOUT_S)
    faults.raises = OSError(5, "Input/output error")
    with pytest.raises(OSError, match="Input/output"):
        capture.grab()


def test_dropped_frames_repeat_from_a_seed(clock: Clock) -> None:
    runs: list[list[int]] = []
    for seed in (1, 1, 2):
        clock.time = 5.0
        rng = np.random.default_rng(seed)
        camera = RenderedCamera(render, SIZE, FPS, clock.now, clock.wait_until, rng=rng)
        camera.faults.drop = 0.5
        capture = camera.open()
        numbers: list[int] = []
        for _ in range(20):
            capture.grab()
            numbers.append(number(capture))
        runs.append(numbers)
    assert runs[0] == runs[1] != runs[2]
    assert 30 < runs[0][-1] < 60
