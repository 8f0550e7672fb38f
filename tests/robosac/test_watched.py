"""When pictures can first be used: a clock that is looked by, and what is noted."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.camera.frames import CameraFrame, CameraStatus
from robosac.watched import LOOK_S, CameraWatch, WatchingClock
from tests.robosac.fake_robot import ManualClock

PICTURE = np.zeros((2, 2, 3), np.uint8)


class Eye:
    """A camera whose pictures come when they are told to."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.frames: list[tuple[float, CameraFrame]] = []

    def comes(self, at: float, exposed: float) -> None:
        self.frames.append((at, CameraFrame(exposed, PICTURE, len(self.frames) + 1)))

    def newest(self, now: float) -> CameraFrame | None:
        return next((frame for at, frame in reversed(self.frames) if at <= now), None)

    def status(self) -> CameraStatus:
        return CameraStatus()

    def close(self) -> None:
        pass


def test_waits_end_when_they_ended_before_and_are_looked_by() -> None:
    clock = ManualClock()
    begin = clock.now()
    watching, looks = WatchingClock(clock), list[float]()
    watching.wait_until(begin + 1.0)
    assert watching.now() == begin + 1.0
    watching.look = lambda: looks.append(clock.now())
    watching.wait_until(begin + 1.0105)
    assert watching.now() == pytest.approx(begin + 1.0105)
    assert np.diff(looks).max() <= LOOK_S + 1e-9
    assert len(looks) == 12
    watching.wait_until(begin)
    assert len(looks) == 13


def test_a_picture_came_between_two_looks_and_is_noted_once() -> None:
    clock = ManualClock()
    begin = clock.now()
    eye, watching = Eye(clock), WatchingClock(clock)
    eye.comes(begin, begin - 0.02)
    watch = CameraWatch(eye, clock.now)
    watching.look = watch.look
    eye.comes(begin + 0.0254, begin + 0.01)
    eye.comes(begin + 0.0604, begin + 0.04)
    watching.wait_until(begin + 0.1)
    assert [one.stamped_s for one in watch.seen] == pytest.approx([begin + 0.01, begin + 0.04])
    for one, came in zip(watch.seen, (0.0254, 0.0604), strict=True):
        assert one.arrived_s == pytest.approx(begin + came, abs=LOOK_S)
    assert watch.lost == 0


def test_after_a_long_gap_nobody_knows_when_a_picture_came() -> None:
    clock = ManualClock()
    eye = Eye(clock)
    watch = CameraWatch(eye, clock.now)
    eye.comes(clock.now() + 0.005, clock.now())
    clock.wait_until(clock.now() + 0.02)
    watch.look()
    assert not watch.seen
    assert watch.lost == 1
