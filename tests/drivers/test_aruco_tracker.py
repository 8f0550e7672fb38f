"""The tracker on drawn pictures: error of the place, lost and false markers, speed and lateness."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from drivers.aruco.marker import MarkerFinder, Sight, marker_image
from drivers.aruco.tracker import ArucoSettings, ArucoTracker, CameraTracker
from drivers.camera.frames import CameraFrame, Image
from drivers.tracker import Tracker
from tests.drivers.overhead import (
    BARREL,
    MARKER_ID,
    MOUNT,
    NO_DISTORTION,
    SIZE,
    Overhead,
    Stance,
    seen_corners,
)

SETTINGS = ArucoSettings(MARKER_ID, MOUNT)
PERIOD = 1 / 60
FLOOR = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.fixture(scope="module")
def overhead() -> Overhead:
    return Overhead(NO_DISTORTION)


def frame(step: int, image: Image) -> CameraFrame:
    return CameraFrame(step * PERIOD, image, step + 1)


@pytest.mark.parametrize("distortion", [NO_DISTORTION, BARREL])
@pytest.mark.parametrize("noise", [2.0, 8.0])
def test_error_over_the_field(distortion: tuple[float, ...], noise: float) -> None:
    overhead, rng = Overhead(distortion), np.random.default_rng(11)
    errors: list[tuple[float, float]] = []
    for _ in range(12):
        stance = Stance(*rng.uniform((-0.25, -0.7, -3.1), (0.6, 0.7, 3.1)))
        tracker, image = ArucoTracker(overhead.camera, SETTINGS), overhead.draw(stance, noise=noise)
        fixes = [tracker.process(frame(step, image)) for step in range(3)]
        assert fixes[:2] == [None, None]
        fix = fixes[2]
        assert fix is not None
        assert abs(fix.forward_velocity) < 1e-3
        away = math.hypot(fix.x - stance.x, fix.y - stance.y)
        errors.append(
            (away * 1e3, math.degrees(abs(math.remainder(fix.yaw - stance.yaw, math.tau))))
        )
    rms, most = np.sqrt((np.array(errors) ** 2).mean(axis=0)), np.max(errors, axis=0)
    print(f"noise {noise}: rms {rms}, most {most} (mm, deg)")  # noqa: T201
    told = f"rms {rms[0]:.1f} mm {rms[1]:.2f} deg, most {most[0]:.1f} mm {most[1]:.2f} deg"
    assert (rms < (4.0, 1.0)).all(), told
    assert (most < (8.0, 2.5)).all(), told


def test_walking_speed_comes_with_the_stated_delay(overhead: Overhead) -> None:
    """1 m/s^2 along a heading: the speed reported is that of half a window before."""
    rng, yaw = np.random.default_rng(5), 0.8
    tracker = ArucoTracker(overhead.camera, SETTINGS)
    errors: list[float] = []
    for step in range(40):
        time = step * PERIOD
        way = -0.3 + 0.5 * time**2 + 0.4 * time
        stance = Stance(way * math.cos(yaw), way * math.sin(yaw), yaw)
        fix = tracker.process(frame(step, overhead.draw(stance, rng=rng)))
        if step > 8:
            assert fix is not None
            assert fix.time == time
            errors.append(fix.forward_velocity - (0.4 + time - tracker.velocity_delay_s))
    assert tracker.velocity_delay_s == 0.05
    assert abs(np.mean(errors)) < 0.02
    assert np.max(np.abs(errors)) < 0.1
    assert tracker.statistics.fixes == 38


def test_an_occluded_marker_gives_no_fix_and_the_last_one_ages(overhead: Overhead) -> None:
    image = overhead.draw(Stance(0.1, 0.2, 1.0))
    covered = image.copy()
    _, row = seen_corners(overhead.camera, Stance(0.1, 0.2, 1.0)).mean(axis=0).astype(int)
    covered[row : row + 6] = 60
    tracker = ArucoTracker(overhead.camera, SETTINGS)
    for step in range(3):
        tracker.process(frame(step, image))
    seen = tracker.newest(0.1)
    assert seen is not None
    assert seen.time == pytest.approx(2 * PERIOD)
    for step in range(3, 20):
        assert tracker.process(frame(step, covered)) is None
    assert tracker.newest(2 * PERIOD + 0.199) is seen
    assert tracker.newest(2 * PERIOD + 0.201) is None
    assert tracker.statistics.missing == 17
    # Seen again: three sightings for a velocity, none of them from before the gap.
    again = [tracker.process(frame(step, image)) for step in range(20, 23)]
    assert again[:2] == [None, None]
    assert again[2] is not None


def test_only_the_wanted_marker_counts_and_twice_is_none(overhead: Overhead) -> None:
    image = overhead.draw([Stance(0.3, 0.3, 0.0), Stance(-0.1, -0.3, 1.0)])
    tracker = ArucoTracker(overhead.camera, SETTINGS)
    other = ArucoTracker(overhead.camera, replace(SETTINGS, marker_id=MARKER_ID + 1))
    for step in range(4):
        assert tracker.process(frame(step, image)) is None
        assert other.process(frame(step, image)) is None
    assert tracker.statistics.ambiguous == 4
    assert other.statistics.missing == 4


def test_a_jump_is_refused_and_a_carried_robot_found_again(overhead: Overhead) -> None:
    here, there = overhead.draw(Stance(0.4, 0.5, 0.0)), overhead.draw(Stance(-0.2, -0.5, 0.0))
    tracker = ArucoTracker(overhead.camera, SETTINGS)
    for step in range(5):
        tracker.process(frame(step, here))
    fixes = [tracker.process(frame(step, there)) for step in range(5, 12)]
    assert fixes[:6] == [None] * 6
    last = fixes[6]
    assert last is not None
    assert (last.x, last.y) == pytest.approx((-0.2, -0.5), abs=0.01)
    assert abs(last.forward_velocity) < 0.05
    assert (tracker.statistics.jumps, tracker.statistics.restarts) == (4, 1)


def test_a_marker_of_another_size_is_misshapen(overhead: Overhead) -> None:
    mount = replace(MOUNT, side_m=0.08)
    tracker = ArucoTracker(overhead.camera, replace(SETTINGS, mount=mount))
    assert tracker.process(frame(0, overhead.draw(Stance(0.2, 0.1, 0.3)))) is None
    assert tracker.statistics.misshapen == 1


def test_frames_out_of_order_and_of_another_size(overhead: Overhead) -> None:
    tracker = ArucoTracker(overhead.camera, SETTINGS)
    tracker.process(frame(3, FLOOR))
    assert tracker.process(frame(3, FLOOR)) is None
    assert tracker.statistics.unordered == 1
    with pytest.raises(ValueError, match="calibrated for"):
        tracker.process(frame(4, FLOOR[:200]))


def test_search_near_the_last_place_finds_the_same_corners(overhead: Overhead) -> None:
    image = overhead.draw(Stance(0.3, -0.2, 0.5))
    finder = MarkerFinder(MARKER_ID)
    sight, whole = finder.find(image)
    again, near = finder.find(image)
    assert (sight, again) == (Sight.FOUND, Sight.FOUND)
    assert whole is not None
    assert near is not None
    assert np.abs(near - whole).max() < 0.1
    far = overhead.draw(Stance(-0.2, 0.5, 0.5))
    assert finder.find(far)[0] is Sight.FOUND
    assert finder.find(FLOOR) == (Sight.MISSING, None)


class Feed:
    """Frames handed out one by one to whoever waits for them."""

    def __init__(self, images: list[Image]) -> None:
        self.images = images
        self.asked: list[int] = []
        self.all_taken = threading.Event()

    def wait_newer(self, sequence: int, timeout_s: float) -> CameraFrame | None:
        self.asked.append(sequence)
        if sequence >= len(self.images):
            self.all_taken.set()
            self.all_taken.wait(0.001)
            return None
        return frame(sequence, self.images[sequence])


def test_a_thread_follows_the_camera_and_ends(overhead: Overhead) -> None:
    feed = Feed([overhead.draw(Stance(0.1, 0.1, 0.0))] * 4)
    follower = CameraTracker(feed, ArucoTracker(overhead.camera, SETTINGS))
    tracker: Tracker = follower
    assert tracker.newest(0.0) is None
    with follower:
        assert feed.all_taken.wait(20.0)
        fix = tracker.newest(4 * PERIOD)
        with pytest.raises(RuntimeError, match="already"):
            follower.open()
    assert fix is not None
    assert fix.time == pytest.approx(3 * PERIOD)
    assert feed.asked[:5] == [0, 1, 2, 3, 4]
    assert tracker.newest(4 * PERIOD) is None
    follower.close()
    assert "tracker" not in [thread.name for thread in threading.enumerate()]


def test_the_printed_sheet_can_be_found_as_it_is() -> None:
    sheet = marker_image(MARKER_ID, 120)
    image = np.repeat(sheet[:, :, None], 3, axis=2)
    sight, corners = MarkerFinder(MARKER_ID).find(image)
    assert sight is Sight.FOUND
    assert corners is not None
    low = (sheet.shape[1] - 120) / 2 - 0.5
    square = np.array([(low, low), (low + 120, low), (low + 120, low + 120), (low, low + 120)])
    assert np.abs(corners - square).max() < 0.5


@pytest.mark.parametrize(("marker_id", "side"), [(-1, 60), (50, 60), (3, 0), (3, 61), (3, -6)])
def test_sheets_that_cannot_be_drawn(marker_id: int, side: int) -> None:
    with pytest.raises(ValueError, match=r"marker_id|side_px"):
        marker_image(marker_id, side)
