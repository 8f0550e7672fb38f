"""The camera's thread: hand-over, a driver that does not come back, and a clean end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

import drivers.background
from drivers.camera import properties as cp
from drivers.camera.device import Camera
from drivers.camera.files import sleep_until
from drivers.camera.frames import CameraFault, CameraState, FrameSource, Image
from drivers.camera.settings import CameraSettings
from drivers.errors import BusTimeout, WireClosed
from sim.camera_capture import RenderedCamera
from tests.drivers.camera_bench import SETTINGS, SIZE, HandClock

LONG_S = 30.0
"""No wait in these tests comes near it unless something is broken."""
BARE = CameraSettings(*SIZE, fps=30.0, controls=None, fourcc=None, buffers=None, warm_up_frames=1)


class GatedCapture:
    """Hands out one frame for each permit, and blocks without; after `finish` it is unplugged."""

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)
        self.finished = False
        self.open = True
        self.threads: set[str] = set()
        self._count = 0

    def isOpened(self) -> bool:
        return self.open

    def set(self, property_id: int, value: float, /) -> bool:
        return False

    def get(self, property_id: int, /) -> float:
        known = {cp.FRAME_WIDTH: SIZE[0], cp.FRAME_HEIGHT: SIZE[1], cp.FPS: 30.0}
        return float(known.get(property_id, 0.0))

    def grab(self) -> bool:
        self.threads.add(threading.current_thread().name)
        self.permits.acquire()
        if self.finished:
            self.permits.release()
            return False
        self._count += 1
        return True

    def finish(self) -> None:
        self.finished = True
        self.permits.release()

    def retrieve(self) -> tuple[bool, Image | None]:
        return True, np.full((SIZE[1], SIZE[0], 3), 50 + self._count, np.uint8)

    def release(self) -> None:
        self.open = False


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert "camera" not in [thread.name for thread in threading.enumerate()]


def gated() -> tuple[Camera, GatedCapture, HandClock]:
    capture, clock = GatedCapture(), HandClock()
    capture.permits.release()
    return Camera(lambda: capture, BARE, clock.now), capture, clock


def test_frames_are_handed_over_newest_first_and_never_twice() -> None:
    camera, capture, clock = gated()
    source: FrameSource = camera
    assert source.newest(clock.now()) is None
    with camera:
        assert camera.status().state is CameraState.STARTING
        assert camera.wait_newer(0, 0.0) is None
        for sequence in (1, 2, 3):
            clock.time += 0.01
            capture.permits.release()
            frame = camera.wait_newer(sequence - 1, LONG_S)
            assert frame is not None
            assert (frame.sequence, frame.time) == (sequence, clock.time)
            assert source.newest(clock.now()) is frame
            assert camera.fresh(0.01) is frame
        assert camera.status().state is CameraState.LIVE
        capture.finish()
    assert source.newest(clock.now()) is None
    assert camera.status().state is CameraState.CLOSED
    assert not capture.open


def test_a_driver_that_does_not_come_back_is_dead_for_its_readers() -> None:
    camera, capture, clock = gated()
    with camera:
        capture.permits.release()
        assert camera.wait_newer(0, LONG_S) is not None
        taken = clock.now()
        assert camera.newest(taken + 0.199) is not None
        assert camera.newest(taken + 0.201) is None
        clock.time = taken + 0.3
        with pytest.raises(BusTimeout, match=r"newest is 0.300 s old; the camera is live"):
            camera.fresh(0.1)
        assert camera.status().state is CameraState.LIVE
        clock.time = taken + 0.501
        status = camera.status()
        assert (status.state, status.fault) == (CameraState.DEAD, CameraFault.SILENT)
        assert "0.50 s" in status.detail
        with pytest.raises(BusTimeout, match="dead, silent"):
            camera.fresh(1.0)
        capture.finish()


def test_closing_waits_for_the_thread_and_says_if_it_cannot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    camera, capture, _ = gated()
    camera.open()
    monkeypatch.setattr(drivers.background, "JOIN_S", 0.05)
    with pytest.raises(BusTimeout, match="has not come back"):
        camera.close()
    assert capture.open
    monkeypatch.setattr(drivers.background, "JOIN_S", LONG_S)
    capture.finish()
    camera.close()
    camera.close()
    assert not capture.open


def test_one_thread_at_a_time_and_open_again_after_closing() -> None:
    camera, capture, _ = gated()
    for session in (1, 2):
        with camera:
            with pytest.raises(RuntimeError, match="open already"):
                camera.open()
            capture.permits.release()
            frame = camera.wait_newer(session - 1, LONG_S)
            assert frame is not None
            assert frame.sequence == session
            capture.finish()
        capture.permits = threading.Semaphore(1)
        capture.open, capture.finished = True, False
    assert capture.threads == {"MainThread", "the camera"}


def test_a_missing_camera_is_told_by_open_and_starts_no_thread() -> None:
    camera, capture, _ = gated()
    capture.open = False
    with pytest.raises(WireClosed, match="does not open"):
        camera.open()


def wait_for(camera: Camera, state: CameraState) -> None:
    limit = time.monotonic() + LONG_S
    while camera.status().state is not state:
        assert time.monotonic() < limit
        camera.wait_newer(1 << 60, 0.005)


def test_unplugged_and_plugged_in_again_in_real_time() -> None:
    def noise(moment: float) -> Image:
        values = np.random.default_rng(int(moment * 1e6)).integers(50, 200, (SIZE[1], SIZE[0], 3))
        return values.astype(np.uint8)

    rendered = RenderedCamera(noise, SIZE, 100.0, time.monotonic, sleep_until)
    # Deadlines far off: on a crowded machine only what is asked for below may go wrong.
    settings = replace(SETTINGS, fps=100.0, max_age_s=LONG_S, deadline_s=LONG_S)
    with Camera(rendered.open, settings) as camera:
        frame = camera.wait_newer(5, LONG_S)
        assert frame is not None
        assert frame.sequence > 5
        assert frame.time <= time.monotonic()
        rendered.faults.unplugged = True
        wait_for(camera, CameraState.DEAD)
        assert camera.newest(time.monotonic()) is None
        last = camera.status().frames
        rendered.faults.unplugged = False
        again = camera.wait_newer(last, LONG_S)
        assert again is not None
        assert camera.status().opened == 2
    assert not any(capture.isOpened() for capture in rendered.captures)
