"""Every fault of a camera on request, step by step on a clock that only waiting moves."""

from __future__ import annotations

import itertools

import cv2
import pytest

from drivers.camera.frames import CameraFault, CameraState
from drivers.camera.pump import BACK_OFF_S
from drivers.errors import WireClosed
from tests.drivers.camera_bench import FPS, PERIOD, SETTINGS, Bench, scene, settings


def live(bench: Bench, frames: int = 3) -> Bench:
    bench.pump.open()
    bench.steps(frames)
    assert bench.pump.status().state is CameraState.LIVE
    return bench


def red(bench: Bench) -> int:
    """What the newest frame shows of the time: it tells stale from fresh."""
    assert bench.pump.newest is not None
    return int(bench.pump.newest.image[0, 0, 0])


def test_frames_come_with_their_own_time_and_in_order() -> None:
    bench = Bench()
    bench.pump.open()
    assert bench.pump.status().state is CameraState.STARTING
    for sequence in range(1, 40):
        bench.steps(1)
        frame = bench.pump.newest
        assert frame is not None
        assert frame.sequence == sequence
        assert red(bench) == scene(frame.time)[0, 0, 0]
        assert frame.time == pytest.approx(bench.clock.time, abs=1e-6)
    status = bench.pump.status()
    assert status.fps == pytest.approx(FPS)
    assert (status.frames, status.dropped, status.host_stamped, status.opened) == (39, 0, 0, 1)


def test_a_slow_reader_gets_the_newest_and_not_what_the_queue_kept() -> None:
    bench = live(Bench(settings(buffers=4)))
    bench.clock.time += 0.5
    bench.steps(1)
    frame = bench.pump.newest
    assert frame is not None
    assert bench.clock.time - frame.time < PERIOD
    assert bench.pump.status().overtaken >= 4
    assert bench.pump.status().dropped > 8


def test_a_reader_a_little_too_slow_does_not_fall_behind_for_good() -> None:
    """Too short a pause to be one, but the queue fills all the same: the stamps tell."""
    bench = live(Bench(settings(buffers=4)))
    for _ in range(60):
        bench.clock.time += 1.6 * PERIOD
        bench.steps(1)
        frame = bench.pump.newest
        assert frame is not None
        assert bench.clock.time - frame.time <= 2.0 * PERIOD
    assert bench.pump.status().overtaken > 10


def test_without_stamps_too_a_pause_does_not_make_old_frames_young() -> None:
    bench = Bench(settings(buffers=4))
    bench.faults.no_stamps = True
    live(bench)
    bench.clock.time += 0.5
    bench.steps(1)
    frame = bench.pump.newest
    assert frame is not None
    assert red(bench) == scene(bench.clock.time)[0, 0, 0]
    assert frame.time == bench.clock.time
    assert bench.pump.status().host_stamped == 4


def test_late_frames_keep_the_time_of_their_exposure() -> None:
    bench = Bench()
    bench.faults.late_s = 0.05
    live(bench)
    frame = bench.pump.newest
    assert frame is not None
    assert bench.clock.time - frame.time == pytest.approx(0.05)
    assert red(bench) == scene(frame.time)[0, 0, 0]


def test_lost_and_slow_frames_are_counted() -> None:
    bench = live(Bench())
    bench.faults.slow = 2
    bench.steps(20)
    assert bench.pump.status().dropped == pytest.approx(20, abs=1)
    assert bench.pump.status().fps < 20.0
    bench.faults.slow = 1
    bench.faults.drop = 0.3
    before = bench.pump.status()
    bench.steps(50)
    assert bench.pump.status().dropped - before.dropped > 10
    assert bench.pump.status().state is CameraState.LIVE


@pytest.mark.parametrize("fault", [OSError(19, "No such device"), cv2.error("broken"), None])
def test_unplugging_is_death_in_the_same_step(fault: Exception | None) -> None:
    bench = live(Bench())
    bench.faults.unplugged = True
    bench.faults.raises = fault  # type: ignore[assignment]
    bench.steps(1)
    status = bench.pump.status()
    assert (status.state, status.fault) == (CameraState.DEAD, CameraFault.UNPLUGGED)
    assert status.detail
    assert not bench.camera.captures[-1].isOpened()


def test_it_is_opened_again_with_growing_bounded_waits_and_set_up_anew() -> None:
    bench = live(Bench())
    bench.faults.unplugged = True
    bench.steps(1)
    tries: list[float] = []
    while len(tries) < len(BACK_OFF_S) + 3:
        opened = len(bench.camera.captures)
        bench.steps(1)
        if len(bench.camera.captures) > opened:
            tries.append(bench.clock.time)
    waits = [after - before for before, after in itertools.pairwise(tries)]
    assert waits == pytest.approx([*BACK_OFF_S[1:], 5.0, 5.0, 5.0])
    bench.faults.unplugged = False
    bench.run_until(bench.clock.time + 6.0)
    status = bench.pump.status()
    assert (status.state, status.fault, status.detail) == (CameraState.LIVE, None, "")
    assert status.opened == 2
    assert bench.camera.captures[-1].log == bench.camera.captures[0].log
    # The next loss begins with the shortest wait again.
    bench.faults.unplugged = True
    bench.steps(1)
    assert bench.pump.step() == pytest.approx(BACK_OFF_S[0])


def test_a_frozen_camera_is_named_withheld_and_opened_again() -> None:
    bench = live(Bench())
    frozen = bench.pump.newest
    bench.faults.frozen = True
    bench.steps(2)
    status = bench.pump.status()
    assert (status.state, status.fault) == (CameraState.BLIND, CameraFault.FROZEN)
    assert bench.pump.newest is frozen
    while bench.pump.status().state is not CameraState.DEAD:
        bench.steps(1)
    assert bench.clock.time - status.usable_at == pytest.approx(
        SETTINGS.deadline_s, abs=PERIOD + 1e-6
    )
    assert bench.pump.status().fault is CameraFault.FROZEN
    assert "no usable frame for 0.5" in bench.pump.status().detail
    bench.faults.frozen = False
    bench.run_until(bench.clock.time + 1.0)
    assert bench.pump.status().state is CameraState.LIVE
    assert bench.pump.status().opened == 2


def test_black_frames_are_named_and_withheld() -> None:
    bench = live(Bench())
    good = bench.pump.newest
    bench.faults.black = True
    bench.steps(1)
    status = bench.pump.status()
    assert (status.state, status.fault) == (CameraState.BLIND, CameraFault.BLACK)
    bench.steps(5)
    assert bench.pump.newest is good
    assert bench.pump.status().fault is CameraFault.BLACK
    bench.faults.black = False
    bench.steps(1)
    assert bench.pump.status().state is CameraState.LIVE


def test_one_damaged_frame_is_passed_over_and_many_are_the_end() -> None:
    bench = live(Bench())
    bench.faults.undecodable = True
    bench.steps(1)
    status = bench.pump.status()
    assert (status.state, status.fault) == (CameraState.BLIND, CameraFault.DAMAGED)
    bench.faults.undecodable = False
    bench.steps(1)
    assert bench.pump.status().state is CameraState.LIVE
    bench.faults.wrong_size = True
    bench.steps(round(SETTINGS.deadline_s * FPS) + 2)
    status = bench.pump.status()
    assert (status.state, status.fault) == (CameraState.DEAD, CameraFault.DAMAGED)


def test_a_camera_that_falls_silent_dies_when_its_driver_gives_up() -> None:
    bench = live(Bench())
    bench.faults.blocked = True
    before = bench.clock.time
    bench.steps(1)
    assert bench.clock.time - before == pytest.approx(10.0)
    assert bench.pump.status().state is CameraState.DEAD


def test_settings_refused_after_a_replug_keep_it_dead() -> None:
    bench = live(Bench())
    bench.faults.unplugged = True
    bench.steps(1)
    bench.faults.unplugged = False
    bench.faults.forgets_controls = True
    bench.run_until(bench.clock.time + 2.0)
    status = bench.pump.status()
    assert (status.state, status.fault) == (CameraState.DEAD, CameraFault.SETTINGS)
    assert status.mismatches
    bench.faults.forgets_controls = False
    bench.run_until(bench.clock.time + 6.0)
    assert bench.pump.status().state is CameraState.LIVE


def test_a_camera_that_is_not_there_is_told_at_once() -> None:
    bench = Bench()
    bench.faults.unplugged = True
    with pytest.raises(WireClosed, match="does not open"):
        bench.pump.open()


def test_closing_releases_and_may_be_repeated() -> None:
    bench = live(Bench())
    bench.pump.close()
    bench.pump.close()
    assert not bench.camera.captures[0].isOpened()
    assert bench.pump.status().state is CameraState.CLOSED
