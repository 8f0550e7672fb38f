"""How late pictures are, from pictures that are drawn: golden results, and what is refused."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.camera_latency import (
    EARLIEST_S,
    LATEST_S,
    CameraLatency,
    JointMotion,
    Pictures,
    camera_latency,
    components,
    irregular,
    known,
)
from calibration.errors import Undetermined

FPS, COUNT = 30.0, 400


def angle(time: np.ndarray) -> np.ndarray:
    """Of a joint that swings ever faster, rad."""
    return 0.4 * np.sin(2.0 * math.pi * (0.4 * time + 0.03 * time**2))


def drawn(delay_s: np.ndarray, host_stamped: bool = False, noise: float = 2.0) -> Pictures:
    """What a camera shows of a bright spot on the joint: 24 by 32 px, `noise` of 255."""
    rng = np.random.default_rng(7)
    exposed = 1.0 + np.arange(COUNT) / FPS
    x, y = np.meshgrid(np.arange(32.0), np.arange(24.0))
    images = []
    for at in angle(exposed):
        spot = 180.0 * np.exp(-((x - 16.0 - 8.0 * at) ** 2 + (y - 12.0 - 3.0 * at) ** 2) / 8.0)
        images.append(np.clip(40.0 + spot + rng.normal(0.0, noise, x.shape), 0, 255))
    arrived = exposed + delay_s
    features = components([image.astype(np.uint8) for image in images])
    return Pictures(arrived, arrived if host_stamped else exposed, features, host_stamped)


def swinging() -> JointMotion:
    """Told every 10 ms."""
    time = np.arange(0.0, 2.5 + COUNT / FPS, 0.01)
    return JointMotion(time, angle(time))


def jitter(most_s: float) -> np.ndarray:
    return np.random.default_rng(3).uniform(0.0, most_s, COUNT)


def check(found: CameraLatency, delay: np.ndarray) -> None:
    assert found.delay.mean_s == pytest.approx(delay.mean(), abs=0.0004)
    assert found.delay.p50_s == pytest.approx(np.median(delay), abs=0.0005)
    assert found.delay.p99_s == pytest.approx(np.percentile(delay, 99), abs=0.0005)
    assert found.delay.count == COUNT
    assert 0.0 < found.uncertain_s < 0.0004
    assert found.misfit < 0.05


def test_stamped_pictures_tell_their_delay_and_its_jitter() -> None:
    delay = 0.02 + jitter(0.01)
    found = camera_latency(drawn(delay), swinging())
    check(found, delay)
    assert found.stamp_s == pytest.approx(0.0, abs=0.0004)


def test_stamps_that_are_late_are_found_out() -> None:
    pictures = drawn(0.03 + jitter(0.004))
    late = dataclasses.replace(pictures, stamped_s=pictures.stamped_s + 0.012)
    found = camera_latency(late, swinging())
    assert found.stamp_s == pytest.approx(0.012, abs=0.0004)
    check(found, 0.03 + jitter(0.004))


@settings(max_examples=5, deadline=None)
@given(st.floats(0.002, 0.2), st.floats(0.0, 0.012))
def test_without_stamps_the_motion_tells_the_mean_and_the_arrivals_the_jitter(
    least: float, most: float
) -> None:
    delay = least + jitter(most)
    check(camera_latency(drawn(delay, host_stamped=True), swinging()), delay)


def test_readings_that_are_late_make_pictures_early() -> None:
    motion = swinging()
    late = JointMotion(motion.time_s + 0.005, motion.position_rad)
    found = camera_latency(drawn(np.full(COUNT, 0.02)), late)
    assert found.delay.mean_s == pytest.approx(0.015, abs=0.0004)


def test_large_and_grey_pictures_are_averaged_down() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (120, 160), np.uint8) for _ in range(200)]
    assert components(images).shape == (200, 20)


def test_lost_pictures_are_counted() -> None:
    kept = np.random.default_rng(5).random(300) > 0.2
    late = np.random.default_rng(6).uniform(-0.008, 0.008, 300)
    arrived = (np.arange(300) / FPS + late)[kept]
    np.testing.assert_allclose(irregular(arrived), late[kept] - late[kept].mean(), atol=0.0015)
    wild = np.random.default_rng(8).uniform(0.01, 0.06, 300)
    with pytest.raises(Undetermined, match="dynamic_framerate"):
        irregular(np.cumsum(wild))


def test_what_leaves_it_open_is_refused() -> None:
    pictures, motion = drawn(np.full(COUNT, 0.02)), swinging()
    rng = np.random.default_rng(1)
    blind = dataclasses.replace(pictures, features=rng.normal(size=pictures.features.shape))
    with pytest.raises(Undetermined, match="does the camera see it"):
        camera_latency(blind, motion)
    still = JointMotion(motion.time_s, np.zeros_like(motion.time_s))
    with pytest.raises(Undetermined, match="does the camera see it"):
        camera_latency(pictures, still)
    with pytest.raises(Undetermined, match="drop the first and last"):
        camera_latency(pictures, JointMotion(motion.time_s[100:], motion.position_rad[100:]))
    with pytest.raises(Undetermined, match="readings do not increase"):
        camera_latency(pictures, JointMotion(motion.time_s[::-1], motion.position_rad))
    hidden = dataclasses.replace(pictures, stamped_s=pictures.stamped_s + 0.31)
    with pytest.raises(Undetermined, match="at a bound"):
        camera_latency(hidden, motion)
    with pytest.raises(Undetermined, match="faster, farther, or longer"):
        camera_latency(drawn(np.full(COUNT, 0.02), noise=60.0), motion)
    with pytest.raises(Undetermined, match="99 pictures"):
        components([np.zeros((8, 8), np.uint8)] * 99)
    with pytest.raises(Undetermined, match="several sizes"):
        components([np.zeros((8, 8), np.uint8)] * 99 + [np.zeros((8, 9), np.uint8)])


def test_a_picture_before_its_exposure_is_refused() -> None:
    pictures, motion = drawn(np.full(COUNT, 0.005)), swinging()
    late = JointMotion(motion.time_s + 0.02, motion.position_rad)
    with pytest.raises(Undetermined, match="own reading late"):
        camera_latency(pictures, late)


@given(begin=st.floats(0.0, 1e4), length=st.floats(1.0, 60.0))
@settings(max_examples=200, deadline=None)
def test_what_is_known_is_not_refused_at_its_very_edge(begin: float, length: float) -> None:
    """Where a picture falls on the edge, one rounding may not take it and another refuse it."""
    motion = JointMotion(np.array([begin, begin + length]), np.array([0.0, 1.0]))
    edges = [begin + LATEST_S, begin + length + EARLIEST_S]
    near = [np.nextafter(edge, to) for edge in edges for to in (-math.inf, math.inf)]
    stamps = np.unique([*edges, *near, *np.linspace(edges[0], edges[1], COUNT)])
    stamps = stamps[known(stamps, motion)]
    assert len(stamps) >= COUNT - 2
    features = np.random.default_rng(0).standard_normal((len(stamps), 3))
    with pytest.raises(Undetermined) as refused:
        camera_latency(Pictures(stamps, stamps, features), motion)
    assert "the joint is known from" not in str(refused.value)
