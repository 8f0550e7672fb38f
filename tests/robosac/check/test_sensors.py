"""Rows about the inertial sensor and the camera, and how they are listened to."""

import math
from dataclasses import replace

import numpy as np
import pytest

from drivers.camera.frames import CameraFault, CameraFrame, CameraState, CameraStatus
from drivers.vectornav.port import VectorNavPort
from robosac.check import cameras, inertial
from robosac.check.cameras import CameraFacts, CameraWish, camera_rows, camera_unknown, glance
from robosac.check.inertial import (
    GRAVITY,
    InertialFacts,
    StillFacts,
    inertial_rows,
    inertial_unknown,
    listen,
    summary,
)
from robosac.check.row import Level
from sim.firmware.vectornav.hooks import HookedVn100
from sim.minitaur import MinitaurTwin, TwinOptions
from tests.robosac.check.facts import by_name
from tests.robosac.fake_robot import ManualClock

STILL = StillFacts(200, 200.0, GRAVITY, 0.1, 0.005, 0.01)
WELL = InertialFacts("VN-100, firmware 2, serial 7", "VN-100", "7", "", STILL)
WISH = CameraWish(fps=30.0, age_s=0.2, exposure_s=0.01)
SEEN = CameraFacts(frames=30, fps=30.0, age_s=0.06, brightness=0.5)


def test_a_sensor_at_rest_is_green() -> None:
    assert [row.level for row in inertial_rows(WELL)] == [Level.GREEN, Level.GREEN]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"samples": 159}, Level.RED),
        ({"samples": 160}, Level.GREEN),
        ({"force": GRAVITY + 0.6}, Level.AMBER),
        ({"force": GRAVITY - 0.6}, Level.AMBER),
        ({"force": GRAVITY + 2.1}, Level.RED),
        ({"force": math.nan}, Level.RED),
        ({"turn": 0.06}, Level.AMBER),
        ({"turn": 0.51}, Level.RED),
        ({"turn_noise": 0.06}, Level.AMBER),
        ({"turn_noise": 0.31}, Level.RED),
        ({"force_noise": 0.31}, Level.AMBER),
        ({"force_noise": 2.1}, Level.RED),
    ],
)
def test_a_sensor_that_is_not_still(change: dict[str, float], expected: Level) -> None:
    still = replace(STILL, **change)  # type: ignore[arg-type]
    assert inertial_rows(replace(WELL, still=still))[1].level is expected


def test_a_sensor_that_is_silent_or_faulty_is_red() -> None:
    assert {row.level for row in inertial_unknown("the port is gone")} == {Level.RED}
    assert inertial_rows(replace(WELL, fault="the same values again"))[0].level is Level.RED
    assert inertial_rows(InertialFacts())[0].level is Level.RED
    assert summary(0, 200.0, np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(3)).samples == 0


def twin_listened(bias: tuple[float, float, float] = (0.0, 0.0, 0.0), lag: float = 0.0) -> Level:
    twin = MinitaurTwin(TwinOptions(), imu_type=HookedVn100)
    if lag:
        twin.plant.data.qvel[3] = lag
    facts = listen(VectorNavPort(twin.imu, twin.clock.now), twin.clock, bias)
    return inertial_rows(facts)[1].level


def test_the_twins_sensor_is_still_and_a_bias_that_is_not_its_own_is_seen() -> None:
    assert twin_listened() is Level.GREEN
    assert twin_listened(bias=(0.2, 0.0, 0.0)) is Level.AMBER
    assert twin_listened(bias=(0.0, 0.0, 0.9)) is Level.RED


def test_a_sensor_out_of_its_range_is_red() -> None:
    twin = MinitaurTwin(TwinOptions(), imu_type=HookedVn100)
    assert isinstance(twin.vn100, HookedVn100)
    twin.vn100.saturate(True)
    facts = listen(VectorNavPort(twin.imu, twin.clock.now), twin.clock, (0.0, 0.0, 0.0))
    assert inertial_rows(facts)[1].level is Level.RED


def test_a_sensor_that_does_not_answer_is_a_fact_and_no_error() -> None:
    twin = MinitaurTwin(TwinOptions())
    # The motors' wire knows nothing of a sensor's questions.
    facts = listen(VectorNavPort(twin.legs, twin.clock.now), twin.clock, (0.0, 0.0, 0.0))
    assert facts.fault
    assert facts.device is None
    assert [row.level for row in inertial_rows(facts)] == [Level.RED, Level.RED]


def test_a_camera_that_delivers_is_green() -> None:
    rows = camera_rows(SEEN, WISH)
    assert tuple(row.name for row in rows) == cameras.ROWS
    assert {row.level for row in rows} == {Level.GREEN}


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("camera rate", {"fps": 26.0}, Level.AMBER),
        ("camera rate", {"fps": 14.0}, Level.RED),
        ("camera rate", {"fps": 0.0}, Level.RED),
        ("camera rate", {"fault": "frozen: the same picture"}, Level.RED),
        ("camera age", {"age_s": 0.15}, Level.AMBER),
        ("camera age", {"age_s": 0.21}, Level.RED),
        ("camera age", {"age_s": math.inf}, Level.RED),
        ("camera age", {"age_s": math.nan}, Level.RED),
        ("camera exposure", {"mismatches": ("exposure is 5, wanted 100",)}, Level.RED),
        ("camera exposure", {"brightness": math.nan}, Level.RED),
        ("camera exposure", {"brightness": 0.01}, Level.AMBER),
        ("camera exposure", {"brightness": 0.99}, Level.AMBER),
    ],
)
def test_a_camera_that_does_not_do(name: str, change: dict[str, object], expected: Level) -> None:
    facts = replace(SEEN, **change)  # type: ignore[arg-type]
    assert by_name(camera_rows(facts, WISH))[name].level is expected


def test_a_picture_older_than_the_measured_delay_allows_is_told() -> None:
    # 60 ms until it is seen, one and a half pictures of 30 a second, and a look.
    wish = replace(WISH, measured_s=0.06)
    rows = {row.name: row for row in camera_rows(replace(SEEN, age_s=0.119), wish)}
    assert rows["camera age"].level is Level.GREEN
    late = {row.name: row for row in camera_rows(replace(SEEN, age_s=0.125), wish)}["camera age"]
    assert late.level is Level.AMBER
    assert "120 by the delay that was measured" in late.valid
    dead = {row.name: row for row in camera_rows(replace(SEEN, age_s=0.25), wish)}["camera age"]
    assert dead.level is Level.RED


def test_a_camera_that_nobody_could_watch_is_red() -> None:
    assert {row.level for row in camera_unknown("it is away")} == {Level.RED}


class Drawn:
    """A camera that shows a picture every `period` seconds, `delay` late, until it stops."""

    def __init__(self, clock: ManualClock, period: float, delay: float, stops: float) -> None:
        self._clock, self._period, self._delay = clock, period, delay
        self._stops, self._began = stops, clock.time

    def newest(self, now: float) -> CameraFrame | None:
        last = min(now, self._stops) - self._delay
        number = int((last - self._began) / self._period)
        if number < 1:
            return None
        image = np.full((4, 4, 3), 128, dtype=np.uint8)
        return CameraFrame(self._began + number * self._period, image, number)

    def status(self) -> CameraStatus:
        newest = self.newest(self._clock.now())
        if newest is None:
            return CameraStatus(CameraState.DEAD, CameraFault.SILENT, "no frame came")
        return CameraStatus(CameraState.LIVE, fps=1.0 / self._period, frames=newest.sequence)


@pytest.mark.parametrize(
    ("period", "delay", "stops", "expected"),
    [
        (1 / 30, 0.02, math.inf, [Level.GREEN, Level.GREEN, Level.GREEN]),
        (1 / 10, 0.02, math.inf, [Level.RED, Level.GREEN, Level.GREEN]),
        (1 / 30, 0.30, math.inf, [Level.GREEN, Level.RED, Level.GREEN]),
        (1 / 30, 0.02, 100.6, [Level.GREEN, Level.RED, Level.GREEN]),
        (1 / 30, 99.0, math.inf, [Level.RED, Level.RED, Level.RED]),
    ],
)
def test_what_is_watched_is_what_the_camera_does(
    period: float, delay: float, stops: float, expected: list[Level]
) -> None:
    clock = ManualClock()
    facts = cameras.watch(Drawn(clock, period, delay, stops), clock)
    assert [row.level for row in camera_rows(facts, WISH)] == expected


def test_a_glance_waits_for_nobody() -> None:
    clock = ManualClock()
    camera = Drawn(clock, 1 / 30, 0.02, math.inf)
    clock.time += 1.0
    before = clock.time
    facts = glance(camera, clock)
    assert clock.time == before
    assert {row.level for row in camera_rows(facts, WISH)} == {Level.GREEN}
    late = glance(Drawn(clock, 1 / 30, 99.0, math.inf), clock)
    assert {row.level for row in camera_rows(late, WISH)} == {Level.RED}
    assert inertial.RATE_HZ == 200
