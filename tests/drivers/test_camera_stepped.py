"""A camera without a thread: it never waits, and it tells each fault as the one with a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.camera import properties as cp
from drivers.camera.frames import CameraFault, CameraFrame, CameraState, CameraStatus, FrameSource
from drivers.camera.judgement import judged, shown
from drivers.camera.settings import CameraSettings, SettingsRefused
from drivers.camera.stepped import SteppedCamera
from drivers.errors import WireClosed
from sim.camera_capture import RenderedCamera
from sim.camera_faults import CaptureFaults
from tests.drivers.camera_bench import FPS, PERIOD, SETTINGS, SIZE, HandClock, scene

TICK = 0.01
LATENCY = 0.02
STEPPED = replace(SETTINGS, warm_up_frames=0)


class Rig:
    """A robot's tick that looks at a rendered camera; a clock that only the tick moves."""

    def __init__(self, settings: CameraSettings = STEPPED) -> None:
        self.clock = HandClock()
        self.camera = RenderedCamera(
            scene, SIZE, FPS, self.clock.now, self._never, latency_s=LATENCY
        )
        self.stepped = SteppedCamera(self.camera.open, settings, self.clock.now, self.camera.ready)

    @property
    def faults(self) -> CaptureFaults:
        return self.camera.faults

    def tick(self) -> CameraFrame | None:
        """Ten milliseconds later."""
        self.clock.time += TICK
        return self.stepped.newest(self.clock.time)

    def run(self, seconds: float) -> Iterator[CameraFrame | None]:
        for _ in range(round(seconds / TICK)):
            yield self.tick()

    def until(self, done: Callable[[CameraStatus], bool], most_s: float = 20.0) -> CameraStatus:
        """Tick until the status is as wanted; a frame must not be shown by a dead camera."""
        for frame in self.run(most_s):
            status = self.stepped.status()
            assert frame is None or status.state is not CameraState.DEAD
            if done(status):
                return status
        raise AssertionError(f"not in {most_s} s: {self.stepped.status()}")

    def live(self) -> Rig:
        self.stepped.open()
        self.until(lambda status: status.state is CameraState.LIVE)
        return self

    @staticmethod
    def _never(deadline: float) -> None:
        raise AssertionError(f"waited until {deadline} s")


def test_frames_come_fresh_in_order_and_with_their_own_time() -> None:
    rig = Rig()
    source: FrameSource = rig.stepped
    assert source.newest(rig.clock.now()) is None
    with rig.stepped as opened:
        assert opened is rig.stepped
        assert rig.stepped.status().state is CameraState.STARTING
        seen: dict[int, CameraFrame] = {}
        for frame in rig.run(2.0):
            now = rig.clock.time
            if frame is None:
                assert now < 100.0 + PERIOD + LATENCY + TICK
                continue
            assert LATENCY - 1e-9 <= now - frame.time <= LATENCY + PERIOD + TICK
            assert frame.image[0, 0, 0] == scene(frame.time)[0, 0, 0]
            assert not frame.image.flags.writeable
            assert seen.setdefault(frame.sequence, frame) is frame
        assert list(seen) == list(range(1, len(seen) + 1))
        assert np.diff([frame.time for frame in seen.values()]) == pytest.approx(PERIOD)
        status = rig.stepped.status()
        assert (status.state, status.fault, status.opened) == (CameraState.LIVE, None, 1)
        assert status.frames == len(seen) == pytest.approx(2.0 * FPS, abs=2)
        assert (status.dropped, status.identical, status.host_stamped) == (0, 0, 0)
        assert rig.camera.captures[0].properties[cp.EXPOSURE] == 80.0
    assert rig.stepped.status().state is CameraState.CLOSED
    assert rig.stepped.newest(rig.clock.time) is None
    assert not rig.camera.captures[0].isOpened()
    rig.stepped.close()


def test_asking_often_or_seldom_shows_the_same_frames() -> None:
    often, seldom = Rig().live(), Rig().live()
    for _ in range(100):
        for _ in range(3):
            often.clock.time = min(often.clock.time + TICK / 3, seldom.clock.time + TICK)
            frame = often.stepped.newest(often.clock.time)
            assert often.stepped.newest(often.clock.time) is frame
        often.clock.time = seldom.clock.time + TICK
        one, other = often.stepped.newest(often.clock.time), seldom.tick()
        assert one is not None
        assert other is not None
        assert (one.sequence, one.time) == (other.sequence, other.time)


def unplug(faults: CaptureFaults) -> None:
    faults.unplugged = True


def break_reading(faults: CaptureFaults) -> None:
    faults.unplugged, faults.raises = True, OSError(19, "No such device")


def break_opencv(faults: CaptureFaults) -> None:
    faults.unplugged, faults.raises = True, cv2.error("broken")  # type: ignore[assignment]


@pytest.mark.parametrize("pull", [unplug, break_reading, break_opencv])
def test_unplugged_is_told_in_the_same_tick_and_repaired(
    pull: Callable[[CaptureFaults], None],
) -> None:
    rig = Rig().live()
    last = rig.stepped.status().frames
    pull(rig.faults)
    assert rig.tick() is None
    status = rig.stepped.status()
    assert (status.state, status.fault) == (CameraState.DEAD, CameraFault.UNPLUGGED)
    assert all(frame is None for frame in rig.run(3.0))
    # Tried again after 0.1, 0.2, 0.5, 1.0 and 2.0 s, as with a thread.
    assert len(rig.camera.captures) == pytest.approx(1 + 5, abs=1)
    rig.faults.unplugged, rig.faults.raises = False, None
    status = rig.until(lambda status: status.state is CameraState.LIVE)
    assert (status.fault, status.opened) == (None, 2)
    frame = rig.stepped.newest(rig.clock.time)
    assert frame is not None
    assert frame.sequence > last
    assert rig.clock.time - frame.time <= LATENCY + TICK


def blind(rig: Rig, most_s: float = 0.2) -> CameraFault | None:
    """What is told once frames cannot be used any more."""
    return rig.until(lambda status: status.state is CameraState.BLIND, most_s).fault


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("frozen", CameraFault.FROZEN),
        ("black", CameraFault.BLACK),
        ("undecodable", CameraFault.DAMAGED),
        ("wrong_size", CameraFault.DAMAGED),
    ],
)
def test_frames_of_no_use_are_withheld_named_and_outlived(name: str, fault: CameraFault) -> None:
    rig = Rig().live()
    last = rig.stepped.status().frames
    setattr(rig.faults, name, True)
    assert blind(rig) is fault
    for frame in rig.run(1.5):
        assert frame is None or frame.time < 100.0 + 3 * PERIOD
        assert rig.stepped.status().fault is fault
    assert rig.stepped.newest(rig.clock.time) is None
    # The last good one may still be told, but no frame was delivered since the fault began.
    assert rig.stepped.status().frames <= last + 1
    assert rig.stepped.status().opened >= 2
    setattr(rig.faults, name, False)
    rig.until(lambda status: status.state is CameraState.LIVE)
    assert rig.tick() is not None
    assert rig.stepped.status().fault is None


def test_silence_is_told_after_the_deadline_and_ends_with_the_drivers_patience() -> None:
    rig = Rig().live()
    usable_at = rig.stepped.status().usable_at
    rig.faults.blocked = True
    status = rig.until(lambda status: status.state is CameraState.DEAD)
    assert status.fault is CameraFault.SILENT
    assert rig.clock.time - usable_at == pytest.approx(0.5, abs=TICK + 1e-6)
    assert all(frame is None for frame in rig.run(2.0))
    assert len(rig.camera.captures) == 1
    # OpenCV's grab gives up after 10 s: then the camera is opened again.
    status = rig.until(lambda status: status.fault is CameraFault.UNPLUGGED)
    assert rig.clock.time - usable_at == pytest.approx(10.0, abs=0.1)
    rig.faults.blocked = False
    rig.until(lambda status: status.state is CameraState.LIVE)
    assert rig.tick() is not None


def test_silence_that_ends_before_that_needs_no_new_opening() -> None:
    rig = Rig().live()
    rig.faults.blocked = True
    rig.until(lambda status: status.state is CameraState.DEAD)
    rig.faults.blocked = False
    rig.until(lambda status: status.state is CameraState.LIVE, 0.1)
    assert rig.stepped.status().opened == 1


def test_a_late_camera_shows_nothing_and_is_not_at_fault() -> None:
    rig = Rig().live()
    rig.faults.late_s = 0.5
    list(rig.run(1.0))
    for frame in rig.run(2.0):
        assert frame is None
        status = rig.stepped.status()
        assert (status.state, status.fault) == (CameraState.LIVE, None)
        assert status.age_s(rig.clock.time) > 0.5
    # Opened again, it is as late as before.
    rig.faults.unplugged = True
    rig.tick()
    rig.faults.unplugged = False
    assert all(frame is None for frame in rig.run(2.0))
    assert rig.stepped.status().opened == 2
    rig.faults.late_s = 0.0
    list(rig.run(1.0))
    frame = rig.tick()
    assert frame is not None
    assert rig.clock.time - frame.time < 0.1


def test_settings_refused_are_told_by_open_and_after_a_replug() -> None:
    rig = Rig()
    rig.faults.refused = frozenset({cp.GAIN})
    with pytest.raises(SettingsRefused, match="gain is 0, wanted 20"):
        rig.stepped.open()
    assert rig.stepped.status().state is CameraState.CLOSED
    rig.faults.refused = frozenset()
    rig.live()
    rig.faults.unplugged, rig.faults.refused = True, frozenset({cp.GAIN})
    rig.tick()
    rig.faults.unplugged = False
    status = rig.until(lambda status: status.fault is CameraFault.SETTINGS)
    assert status.state is CameraState.DEAD
    assert rig.tick() is None
    rig.faults.refused = frozenset()
    rig.until(lambda status: status.state is CameraState.LIVE)


def test_lost_frames_are_counted_and_a_slow_camera_is_live() -> None:
    rig = Rig().live()
    rig.faults.drop = 0.3
    list(rig.run(3.0))
    assert 10 < rig.stepped.status().dropped < 45
    rig.faults.drop, rig.faults.slow = 0.0, 3
    list(rig.run(1.0))
    assert rig.stepped.status().state is CameraState.LIVE


def test_after_a_pause_nothing_old_is_shown() -> None:
    for buffers in (1, 4):
        rig = Rig(replace(STEPPED, buffers=buffers)).live()
        rig.clock.time += 1.0
        frame = rig.stepped.newest(rig.clock.time)
        assert frame is None or rig.clock.time - frame.time <= 0.2
        for frame in rig.run(0.2):
            assert frame is None or rig.clock.time - frame.time <= 0.2
        assert rig.tick() is not None


def test_opening_is_refused_where_it_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="warm_up_frames must be 0, got 2"):
        Rig(SETTINGS)
    rig = Rig()
    rig.faults.unplugged = True
    with pytest.raises(WireClosed, match="does not open"):
        rig.stepped.open()
    assert rig.stepped.status().state is CameraState.CLOSED
    assert rig.tick() is None
    rig.faults.unplugged = False
    rig.stepped.open()
    with pytest.raises(RuntimeError, match="open already"):
        rig.stepped.open()
    rig.stepped.close()
    rig.live()


def test_a_small_picture_is_black_only_if_it_is_black_all_over() -> None:
    """Few pixels are looked at in a large picture, but not only four in a small one."""
    settings = replace(STEPPED, width=32, height=32)
    clock = HandClock()
    noise = np.random.default_rng(1)

    def dotted(time: float) -> np.ndarray:
        del time
        image = noise.integers(120, 140, (32, 32, 3)).astype(np.uint8)
        image[::16, ::16] = 0
        return image

    camera = RenderedCamera(dotted, (32, 32), FPS, clock.now, clock.wait_until)
    with SteppedCamera(camera.open, settings, clock.now, camera.ready) as stepped:
        clock.time += 2 * PERIOD
        assert stepped.newest(clock.time) is not None
        assert stepped.status().black == 0


@given(
    state=st.sampled_from(CameraState),
    silent_s=st.floats(-1.0, 2.0),
    age_s=st.floats(-1.0, 1.0),
    fault=st.sampled_from([None, CameraFault.BLACK]),
)
def test_judgement_never_makes_anything_younger(
    state: CameraState, silent_s: float, age_s: float, fault: CameraFault | None
) -> None:
    now = 50.0
    status = CameraStatus(state, fault, usable_at=now - silent_s)
    frame = CameraFrame(now - age_s, np.zeros((1, 1, 3), np.uint8), 1)
    verdict = judged(status, SETTINGS, now)
    ended = (CameraState.DEAD, CameraState.CLOSED)
    silent = now - status.usable_at > SETTINGS.deadline_s and state not in ended
    assert verdict.state is (CameraState.DEAD if silent else state)
    assert verdict.fault is ((fault or CameraFault.SILENT) if silent else fault)
    young = now - frame.time <= SETTINGS.max_age_s
    visible = frame if young and verdict.state not in ended else None
    assert shown(frame, verdict, SETTINGS, now) is visible
    assert shown(None, verdict, SETTINGS, now) is None
