"""Derating: before the cut-off, with hysteresis, and on the safe side of what is unknown."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robosac.thermal import Heat, ThermalSettings, derate, rising, winding_time
from tests.robosac.fake_robot import JOINTS, make_limits

LIMITS = make_limits()
SETTINGS = ThermalSettings()
WINDING = winding_time(LIMITS)
DERATED = 0.95 * 2.45


def one_step(torque: float, temperature: float, heat: Heat, dt: float = 0.1) -> tuple[float, Heat]:
    full = np.full(JOINTS, torque), np.full(JOINTS, temperature)
    allowed, following = derate(*full, heat, LIMITS, dt, SETTINGS, WINDING)
    return float(allowed[0]), following


@pytest.mark.parametrize(
    ("torque", "temperature", "expected"),
    [
        (0.0, 30.0, 3.5),
        (0.0, 75.0, 3.5),
        (0.0, 75.1, DERATED),
        (0.0, math.nan, DERATED),
        (3.4, 30.0, 3.5),
    ],
)
def test_temperature_derates_at_once(torque: float, temperature: float, expected: float) -> None:
    assert one_step(torque, temperature, Heat.cold(JOINTS))[0] == pytest.approx(expected)


@pytest.mark.parametrize("torque", [2.45 * 0.98, -3.0, math.nan, math.inf])
def test_loaded_or_unknown_torque_counts_and_leaks(torque: float) -> None:
    heat, allowed = Heat.cold(JOINTS), 3.5
    for _ in range(6):
        allowed, heat = one_step(torque, 30.0, heat)
        assert allowed == 3.5
    allowed, heat = one_step(torque, 30.0, heat, dt=0.11)
    assert allowed == pytest.approx(DERATED)
    allowed, heat = one_step(0.0, 30.0, heat, dt=0.5)
    assert allowed == pytest.approx(DERATED)
    allowed, heat = one_step(0.0, 30.0, heat, dt=0.5)
    assert allowed == 3.5


def test_count_never_falls_below_the_motors_own_continuous_time() -> None:
    rng, heat, continuous = np.random.default_rng(0), Heat.cold(JOINTS), 0.0
    for _ in range(2000):
        torque = float(rng.choice([0.0, 3.0]))
        continuous = continuous + 0.005 if torque > 2.45 else 0.0
        _, heat = one_step(torque, 30.0, heat, dt=0.005)
        assert heat.counted[0] >= continuous - 1e-12


def test_only_the_loaded_joint_is_derated() -> None:
    torque = np.zeros(JOINTS)
    torque[3] = 3.0
    cold = np.full(JOINTS, 30.0)
    allowed, _ = derate(torque, cold, Heat.cold(JOINTS), LIMITS, 0.8, SETTINGS, WINDING)
    assert np.flatnonzero(allowed < 3.5).tolist() == [3]


@pytest.mark.parametrize(
    "broken",
    [
        {"derate_share": 0.0},
        {"derate_share": 1.0},
        {"derated_share": 0.98},
        {"counted_share": 1.1},
        {"temperature_margin": -1.0},
        {"temperature_margin": math.nan},
    ],
)
def test_settings_refuse_nonsense(broken: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="thermal"):
        ThermalSettings(**broken)
