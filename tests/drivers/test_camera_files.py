"""Real films and pictures, read by the real OpenCV, as a camera."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers.camera import properties as cp
from drivers.camera.device import Camera
from drivers.camera.files import open_file
from drivers.camera.frames import CameraFault, CameraState
from drivers.camera.pump import CameraPump
from drivers.camera.settings import CameraSettings, SettingsRefused
from drivers.errors import WireClosed
from tests.drivers.camera_bench import HandClock

SIZE, FPS, COUNT = (64, 48), 25.0, 12
SETTINGS = CameraSettings(*SIZE, FPS, controls=None, fourcc=None, buffers=None, warm_up_frames=1)


def level(number: int) -> int:
    """How red the picture is; green and blue are not."""
    return 40 + 15 * number


def bgr(number: int) -> np.ndarray:
    image = np.full((SIZE[1], SIZE[0], 3), 20, np.uint8)
    image[:, :, 2] = level(number)
    return image


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, SIZE)
    assert writer.isOpened()
    for number in range(COUNT):
        writer.write(bgr(number))
    writer.release()
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures")
    for number in range(COUNT):
        cv2.imwrite(str(path / f"frame_{number:03}.png"), bgr(number))
    (path / "notes.txt").write_text("no picture")
    return path


@pytest.fixture(params=["film", "folder"])
def source(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


def pump_of(path: Path, loop: bool = False) -> tuple[CameraPump, HandClock]:
    clock = HandClock()
    factory = partial(open_file, path, FPS, loop, clock.now, clock.wait_until)
    return CameraPump(factory, SETTINGS, clock.now), clock


def test_pictures_come_paced_in_order_and_in_rgb(source: Path) -> None:
    pump, clock = pump_of(source)
    pump.open()
    for number in range(1, COUNT):
        pump.step()
        frame = pump.newest
        assert frame is not None
        assert frame.time == pytest.approx(100.0 + number / FPS)
        assert clock.time == pytest.approx(frame.time)
        red, green, blue = frame.image.reshape(-1, 3).mean(axis=0)
        assert red == pytest.approx(level(number), abs=4)
        assert (green, blue) == pytest.approx((20, 20), abs=4)
    pump.step()
    status = pump.status()
    assert (status.state, status.fault) == (CameraState.DEAD, CameraFault.UNPLUGGED)
    assert (status.frames, status.fps) == (COUNT - 1, pytest.approx(FPS))


def test_a_late_reader_gets_what_is_due(source: Path) -> None:
    pump, clock = pump_of(source)
    pump.open()
    pump.step()
    clock.time = 100.0 + 6.5 / FPS
    pump.step()
    frame = pump.newest
    assert frame is not None
    assert frame.image[0, 0, 0] == pytest.approx(level(7), abs=4)
    assert frame.time == pytest.approx(100.0 + 7 / FPS)


def test_a_loop_goes_on_from_the_start(source: Path) -> None:
    pump, _ = pump_of(source, loop=True)
    pump.open()
    reds: list[int] = []
    for _ in range(2 * COUNT):
        pump.step()
        assert pump.newest is not None
        reds.append(int(pump.newest.image[0, 0, 0]))
    expected = [level(number % COUNT) for number in range(1, 2 * COUNT + 1)]
    assert np.abs(np.subtract(reds, expected)).max() <= 4
    assert pump.status().state is CameraState.LIVE


def test_a_thread_reads_it_in_real_time(source: Path) -> None:
    factory = partial(open_file, source, FPS, loop=True)
    with Camera(factory, SETTINGS) as camera:
        frame = camera.wait_newer(2, 30.0)
        assert frame is not None
        assert frame.image.shape == (48, 64, 3)
    assert camera.status().state is CameraState.CLOSED


def test_the_films_own_rate_is_known_and_a_folder_has_none(film: Path, folder: Path) -> None:
    capture = open_file(film)
    assert capture.get(cp.FPS) == pytest.approx(FPS)
    assert not capture.set(cp.FPS, 5.0)
    assert capture.get(cp.EXPOSURE) == -1.0
    capture.release()
    assert not capture.isOpened()
    assert not capture.grab()
    with pytest.raises(ValueError, match="fps must be positive"):
        open_file(folder)


def test_another_size_or_rate_than_the_files_is_refused(source: Path) -> None:
    wrong = CameraSettings(32, 48, FPS, controls=None, fourcc=None, buffers=None)
    with pytest.raises(SettingsRefused, match="width is 64, wanted 32"):
        Camera(partial(open_file, source, FPS), wrong).open()


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(WireClosed, match="cannot be opened"):
        open_file(tmp_path / "missing.avi")
    with pytest.raises(WireClosed, match="no folder with pictures"):
        open_file(tmp_path, fps=10.0)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    with pytest.raises(WireClosed, match="first picture"):
        open_file(tmp_path, fps=10.0)


def test_a_broken_picture_in_the_middle_is_damaged_and_passed_over(tmp_path: Path) -> None:
    for number in range(4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), bgr(number))
    (tmp_path / "2.png").write_bytes(b"")
    pump, _ = pump_of(tmp_path)
    pump.open()
    states: list[CameraState] = []
    for _ in range(3):
        pump.step()
        states.append(pump.status().state)
    assert states == [CameraState.LIVE, CameraState.BLIND, CameraState.LIVE]
    assert pump.status().damaged == 1
