"""A sensor's answer to light: exposure, noise after EMVA 1288, gamma, eight bits."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.camera_sensor import Sensor, SensorSettings

LINEAR = SensorSettings(read_noise=0.0, shot_noise=0.0, gamma=1.0)


def flat(level: float, side: int = 64) -> np.ndarray:
    return np.full((side, side, 3), level, np.float32)


def sensor(settings: SensorSettings, seed: int = 1) -> Sensor:
    return Sensor(settings, np.random.default_rng(seed))


@given(st.floats(-1.0, 5.0, width=32), st.floats(0.1, 3.0))
def test_exposure_gamma_and_eight_bits(level: float, exposure: float) -> None:
    settings = SensorSettings.noiseless(exposure)
    shown = sensor(settings).expose(flat(level, 2))
    assert shown.dtype == np.uint8
    wanted = 255.0 * np.clip(level * exposure, 0.0, 1.0) ** (1.0 / 2.2)
    # Near black one of the 4,096 codes is worth several grey levels.
    assert shown == pytest.approx(wanted, abs=0.6 if wanted > 40.0 else 6.0)
    linear = sensor(replace(LINEAR, exposure=exposure)).expose(flat(level, 2))
    assert linear == pytest.approx(255.0 * np.clip(level * exposure, 0.0, 1.0), abs=0.6)


@pytest.mark.parametrize("level", [0.1, 0.4, 0.8])
def test_noise_grows_with_the_root_of_the_light(level: float) -> None:
    settings = replace(LINEAR, read_noise=0.01, shot_noise=0.04)
    shown = sensor(settings).expose(flat(level, 200)) / 255.0
    deviation = (0.01**2 + 0.04**2 * level) ** 0.5
    assert shown.mean() == pytest.approx(level, abs=0.001)
    assert shown.std() == pytest.approx(deviation, rel=0.03)
    neighbours = np.corrcoef(shown[:, :-1].ravel(), shown[:, 1:].ravel())[0, 1]
    assert abs(neighbours) < 0.02


def test_the_read_noise_is_there_in_the_dark() -> None:
    shown = sensor(replace(LINEAR, read_noise=0.02)).expose(flat(0.0))
    assert 0.4 < (shown > 0).mean() < 0.55
    assert shown.max() < 0.12 * 255


def test_nominal_noise_is_a_grey_level_or_two() -> None:
    camera = sensor(SensorSettings())
    for level in (0.05, 0.3, 0.9):
        assert 0.5 < camera.expose(flat(level)).std() < 2.0


def test_no_two_frames_are_equal_and_the_seed_tells_them_all() -> None:
    one, same, other = (sensor(SensorSettings(), seed) for seed in (3, 3, 4))
    frames = [one.expose(flat(0.5, 32)) for _ in range(50)]
    for before, after in itertools.pairwise(frames):
        assert (before != after).mean() > 0.3
    np.testing.assert_array_equal(frames, [same.expose(flat(0.5, 32)) for _ in range(50)])
    assert (frames[0] != other.expose(flat(0.5, 32))).any()


def test_a_picture_larger_than_the_pool_has_noise_too() -> None:
    shown = sensor(replace(LINEAR, read_noise=0.01)).expose(flat(0.5, 300))
    assert (shown / 255.0).std() == pytest.approx(0.01, rel=0.05)


def test_the_light_is_left_alone_and_reset_begins_anew() -> None:
    camera, light = sensor(SensorSettings()), flat(0.5, 8)
    first = camera.expose(light)
    assert (light == 0.5).all()
    camera.reset(SensorSettings(), np.random.default_rng(1))
    np.testing.assert_array_equal(camera.expose(light), first)
    camera.reset(SensorSettings.noiseless(0.5), np.random.default_rng(1))
    assert camera.expose(light).mean() < 0.8 * first.mean()


@pytest.mark.parametrize(
    "changes",
    [{"exposure": 0.0}, {"gamma": -1.0}, {"read_noise": -0.1}, {"shot_noise": float("nan")}],
)
def test_senseless_settings_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        SensorSettings(**changes)
