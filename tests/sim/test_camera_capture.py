"""The rendered camera behaves as a V4L2 camera under OpenCV does, bad habits included."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.camera import properties as cp
from sim.camera_capture import SELECT_TIMEOUT_S, Image, RenderedCamera, RenderedCapture
from sim.delays import Delays

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


def test_measured_delays_take_the_place_of_latency_and_jitter(clock: Clock) -> None:
    delays = Delays(0.02, 0.02, 0.03, 0.04)
    camera = RenderedCamera(
        render, SIZE, FPS, clock.now, clock.wait_until, latency_s=0.5, jitter_s=0.1, delays=delays
    )
    drawn = [camera.transit_s() for _ in range(2000)]
    assert np.mean(drawn) == pytest.approx(0.02, abs=0.0005)
    assert 0.02 < max(drawn) <= 0.04
    camera.faults.late_s = 1.0
    assert camera.transit_s() > 1.0


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


def arrivals(camera: RenderedCamera, clock: Clock, count: int) -> list[tuple[float, float]]:
    """Stamp and time of arrival of so many frames, both s."""
    capture = camera.captures[-1]
    found: list[tuple[float, float]] = []
    for _ in range(count):
        assert capture.grab()
        found.append((capture.get(cp.POS_MSEC) / 1000.0, clock.time))
    return found


def test_frames_arrive_after_the_latency_with_the_time_of_their_exposure(clock: Clock) -> None:
    for jitter in (0.0, 0.01):
        clock.time = 5.0
        camera = RenderedCamera(
            render, SIZE, FPS, clock.now, clock.wait_until, latency_s=0.03, jitter_s=jitter
        )
        camera.open()
        found = arrivals(camera, clock, 40)
        for index, (stamp, _) in enumerate(found):
            assert stamp == pytest.approx(5.0 + (index + 1) / FPS)
        delays = np.array([arrival - stamp for stamp, arrival in found])
        assert delays.min() >= 0.03 - 1e-9
        assert delays.max() <= 0.03 + jitter + 1e-9
        assert delays.std() == pytest.approx(jitter / 12**0.5, rel=0.3)


def test_late_frames_are_under_way_and_not_in_the_queue(clock: Clock) -> None:
    """Half a second late, ten are on their way: a queue for one loses none of them."""
    camera = RenderedCamera(render, SIZE, FPS, clock.now, clock.wait_until, depth=1)
    camera.faults.late_s = 0.5
    camera.open()
    stamps = [stamp for stamp, _ in arrivals(camera, clock, 30)]
    assert stamps == pytest.approx([5.0 + (index + 1) / FPS for index in range(30)])


def test_ready_tells_whether_a_grab_comes_back_at_once(
    camera: RenderedCamera, clock: Clock
) -> None:
    assert not camera.ready()
    capture = camera.open()
    assert not camera.ready()
    # Asking has started the stream.
    for _ in range(3):
        clock.time += 0.9 / FPS
        assert not camera.ready()
        clock.time += 0.1 / FPS
        assert camera.ready()
        before = clock.time
        assert capture.grab()
        assert clock.time == before
        assert not camera.ready()


@pytest.mark.parametrize("fault", ["unplugged", "raises", "released"])
def test_a_failure_is_ready_at_once(camera: RenderedCamera, clock: Clock, fault: str) -> None:
    capture = camera.open()
    assert not camera.ready()
    camera.faults.unplugged = fault == "unplugged"
    camera.faults.raises = OSError(5, "Input/output error") if fault == "raises" else None
    if fault == "released":
        capture.release()
    before = clock.time
    assert camera.ready()
    if fault == "raises":
        with pytest.raises(OSError, match="Input"):
            capture.grab()
    else:
        assert not capture.grab()
    assert clock.time == before


def test_who_asks_waits_and_gives_up_like_a_grab(camera: RenderedCamera, clock: Clock) -> None:
    capture = camera.open()
    camera.faults.blocked = True
    assert not camera.ready()
    clock.time += SELECT_TIMEOUT_S - 0.01
    assert not camera.ready()
    clock.time += 0.01
    assert camera.ready()
    before = clock.time
    assert not capture.grab()
    assert clock.time == before
    # The next wait is a wait of its own.
    assert not camera.ready()


class Scene:
    """Shows a number that changes with each step of its world, and counts its pictures."""

    def __init__(self) -> None:
        self.number = 0
        self.pictures = 0

    def render(self, time: float) -> Image:
        del time
        self.pictures += 1
        return np.full((SIZE[1], SIZE[0], 3), self.number % 256, np.uint8)


def test_a_twins_steps_expose_the_scene_of_the_moment_and_only_when_due(clock: Clock) -> None:
    scene = Scene()
    camera = RenderedCamera(scene.render, SIZE, FPS, clock.now, clock.wait_until, depth=100)
    camera.expose_due(clock.time)
    capture = camera.open()
    camera.expose_due(clock.time)
    assert not camera.ready()
    dt, start = 0.004, clock.time
    for step in range(1, 251):
        clock.time = start + step * dt
        scene.number = step
        camera.expose_due(clock.time)
    assert scene.pictures == 20
    for count in range(1, 21):
        assert capture.grab()
        _, image = capture.retrieve()
        assert image is not None
        number = int(image[0, 0, 0])
        # The first step at or after the exposure was due; the stamp is of that step.
        assert number == -(-count * 50 // 4) == np.ceil(count / FPS / dt - 1e-9)
        assert capture.get(cp.POS_MSEC) / 1000.0 == pytest.approx(start + number * dt)


def test_exposures_that_were_slept_through_are_lost_and_not_made_up(clock: Clock) -> None:
    scene = Scene()
    camera = RenderedCamera(scene.render, SIZE, FPS, clock.now, clock.wait_until)
    camera.open()
    camera.ready()
    clock.time += 0.52
    camera.expose_due(clock.time)
    assert scene.pictures == 1
    camera.expose_due(clock.time)
    assert scene.pictures == 1
    clock.time += 0.03
    camera.expose_due(clock.time)
    assert scene.pictures == 2


def test_nobody_reading_costs_no_memory(clock: Clock) -> None:
    camera = RenderedCamera(Scene().render, SIZE, FPS, clock.now, clock.wait_until, depth=3)
    capture = camera.open()
    camera.ready()
    for _ in range(500):
        clock.time += 1 / FPS
        camera.expose_due(clock.time)
    assert len(capture._underway) <= 1
    assert len(capture._queue) == 3


def test_a_restart_forgets_what_was_before(clock: Clock) -> None:
    found: list[list[tuple[float, int]]] = []
    for history in (0.0, 0.137, 0.949):
        clock.time = 5.0
        camera = RenderedCamera(
            Scene().render, SIZE, FPS, clock.now, clock.wait_until, latency_s=0.02, jitter_s=0.02
        )
        camera.faults.drop = 0.3
        camera.open()
        camera.ready()
        while clock.time < 5.0 + history:
            clock.time += 0.001
            camera.expose_due(clock.time)
        camera.restart(np.random.default_rng(8))
        begun = clock.time
        rows: list[tuple[float, int]] = []
        for step in range(1, 1001):
            clock.time = begun + step * 0.001
            camera.expose_due(clock.time)
            if camera.ready() and camera.captures[-1].grab():
                stamp = camera.captures[-1].get(cp.POS_MSEC) / 1000.0
                rows.append((round(stamp - begun, 9), step))
        found.append(rows)
    assert 8 < len(found[0]) < 20
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    "changes", [{"fps": 0.0}, {"latency_s": -0.01}, {"jitter_s": float("nan")}]
)
def test_senseless_cameras_are_refused(clock: Clock, changes: dict[str, float]) -> None:
    given = {"fps": FPS, **changes}
    fps = given.pop("fps")
    with pytest.raises(ValueError, match="at least 0"):
        RenderedCamera(render, SIZE, fps, clock.now, clock.wait_until, **given)  # type: ignore[arg-type]
