"""Derating: before the cut-off, with hysteresis, and on the safe side of what is unknown."""

from __future__ import annotations

import math
from dataclasses import replace

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


def run(torque: float, heat: Heat, seconds: float, dt: float = 0.005) -> tuple[float, Heat]:
    allowed = math.nan
    for _ in range(round(seconds / dt)):
        allowed, heat = one_step(torque, 30.0, heat, dt)
    return allowed, heat


def test_peak_torque_from_cold_warms_the_winding_to_one_in_the_allowed_time() -> None:
    _, heat = run(3.5, Heat.cold(JOINTS), 1.0)
    assert heat.warmth == pytest.approx(1.0, rel=1e-9)


def test_continuous_torque_ends_at_one_and_a_quarter_of_it_at_a_sixteenth() -> None:
    for torque, end in ((2.45, 1.0), (2.45 / 4, 1 / 16)):
        heat = run(torque, Heat.cold(JOINTS), 30.0, dt=0.1)[1]
        assert heat.warmth == pytest.approx(end, rel=1e-6)


def test_bursts_that_the_count_forgives_are_derated() -> None:
    """Peak torque for half of the time: the count runs back each time, the winding does not."""
    heat, least = Heat.cold(JOINTS), math.inf
    for _ in range(20):
        allowed, heat = run(3.5, heat, 0.2)
        least = min(least, allowed)
        allowed, heat = run(0.0, heat, 0.2)
        assert not heat.derated.any()
    assert least < 3.5


def test_the_warmer_the_less_down_to_the_derated_share() -> None:
    def allowed(warmth: float) -> float:
        heat = Heat.cold(JOINTS)
        heat = Heat(heat.counted, heat.derated, np.full(JOINTS, warmth), heat.hot, True)
        return one_step(math.sqrt(min(warmth, 0.8)) * 2.45, 30.0, heat, dt=1e-9)[0]

    assert allowed(0.89) == 3.5
    assert allowed(0.95) == pytest.approx((3.5 + DERATED) / 2, rel=1e-6)
    assert allowed(1.0) == pytest.approx(DERATED, rel=1e-6)
    assert allowed(1.7) == pytest.approx(DERATED, rel=1e-6)


@pytest.mark.parametrize("torque", [math.nan, math.inf, -math.inf])
def test_unknown_torque_warms_like_the_peak(torque: float) -> None:
    _, unknown = one_step(torque, 30.0, Heat.cold(JOINTS))
    _, peak = one_step(3.5, 30.0, Heat.cold(JOINTS))
    assert unknown.warmth == pytest.approx(peak.warmth)


def test_one_wild_reading_does_not_count_for_ever() -> None:
    _, heat = one_step(1e200, 30.0, Heat.cold(JOINTS), dt=0.005)
    assert heat.warmth.max() < 0.2


def test_a_hot_motor_is_restored_only_when_it_has_cooled() -> None:
    allowed, heat = one_step(0.0, 76.0, Heat.cold(JOINTS))
    assert allowed == pytest.approx(DERATED)
    for temperature in (74.0, 65.1):
        allowed, heat = one_step(0.0, temperature, heat)
        assert allowed == pytest.approx(DERATED)
    allowed, heat = one_step(0.0, 65.0, heat)
    assert allowed == 3.5
    allowed, heat = one_step(0.0, 74.0, heat)
    assert allowed == 3.5


def step(
    torque: float, temperature: float, heat: Heat, dt: float = 0.1, time: float = 1.0
) -> tuple[np.ndarray, Heat]:
    """As `one_step`, all joints, with `time` (s) above the continuous torque allowed."""
    limits = replace(LIMITS, continuous_time=time)
    full = np.full(JOINTS, torque), np.full(JOINTS, temperature)
    return derate(*full, heat, limits, dt, SETTINGS, WINDING)


def test_a_resting_motor_costs_nothing_and_has_all_of_its_torque() -> None:
    cold = Heat.cold(JOINTS)
    allowed, heat = derate(
        np.full(JOINTS, 0.5), np.full(JOINTS, 30.0), cold, LIMITS, 0.005, SETTINGS, WINDING
    )
    assert allowed is LIMITS.torque
    assert heat.counted is cold.counted
    assert heat.derated is cold.derated
    assert heat.resting is True


def test_load_is_remembered_until_it_is_gone() -> None:
    loaded = step(3.0, 30.0, Heat.cold(JOINTS))[1]
    assert (loaded.counted.tolist(), loaded.resting) == ([0.1] * JOINTS, False)
    hot = step(0.0, 76.0, Heat.cold(JOINTS))[1]
    assert (hot.counted.tolist(), hot.resting) == ([0.0] * JOINTS, False)
    for heat in (loaded, hot):
        idle = step(0.0, 30.0, heat)[1]
        assert idle.counted.tolist() == [0.0] * JOINTS
        assert idle.resting is True


def test_one_busy_joint_keeps_the_robot_from_resting() -> None:
    torque = np.zeros(JOINTS)
    torque[2] = 3.0
    warm = np.full(JOINTS, 70.0)
    heat = derate(torque, warm, Heat.cold(JOINTS), LIMITS, 0.1, SETTINGS, WINDING)[1]
    assert np.flatnonzero(heat.counted).tolist() == [2]
    assert not heat.resting
    allowed, heat = derate(torque, warm, heat, LIMITS, 0.1, SETTINGS, WINDING)
    assert allowed is LIMITS.torque, "70 degrees keep a hot motor derated, and derate none"
    assert not heat.hot.any()
    assert heat.counted[2] == 0.2


def test_heat_that_does_not_say_so_is_not_at_rest() -> None:
    zeros, no, yes = np.zeros(JOINTS), np.zeros(JOINTS, np.bool_), np.ones(JOINTS, np.bool_)
    heat = Heat(np.full(JOINTS, 0.05), yes, zeros, no)
    allowed, heat = one_step(0.0, 30.0, heat)
    assert allowed == 3.5
    assert (heat.counted == 0.0).all()


def test_only_what_lies_above_the_counted_share_counts() -> None:
    for torque in (2.0, 0.97 * 2.45):
        assert step(torque, 30.0, Heat.cold(JOINTS))[1].resting
    above = math.nextafter(0.97 * 2.45, 3.0)
    assert not step(above, 30.0, Heat.cold(JOINTS))[1].resting


@pytest.mark.parametrize("time", [0.5, 1.0, 4.0])
def test_torque_is_derated_at_seven_tenths_of_the_allowed_time(time: float) -> None:
    before = Heat.cold(JOINTS), 0.7 * time - 1e-9
    assert not step(3.0, 30.0, *before, time)[1].derated.any()
    at = Heat.cold(JOINTS), 0.7 * time
    assert step(3.0, 30.0, *at, time)[1].derated.all()


def test_a_warm_winding_takes_nothing_from_the_others() -> None:
    warmth = np.zeros(JOINTS)
    warmth[3] = 0.95
    cold = Heat.cold(JOINTS)
    heat = Heat(cold.counted, cold.derated, warmth, cold.hot, True)
    allowed, _ = step(0.0, 30.0, heat, dt=0.0)
    others = np.delete(allowed, 3)
    assert others == pytest.approx([3.5] * (JOINTS - 1), rel=1e-15)
    assert allowed[3] == pytest.approx((3.5 + DERATED) / 2)


def test_up_to_the_winding_share_nothing_is_taken() -> None:
    cold = Heat.cold(JOINTS)
    heat = Heat(cold.counted, cold.derated, np.full(JOINTS, 0.9), cold.hot, True)
    allowed, following = derate(
        np.zeros(JOINTS), np.full(JOINTS, 30.0), heat, LIMITS, 0.0, SETTINGS, WINDING
    )
    assert following.warmth.tolist() == [0.9] * JOINTS
    assert allowed is LIMITS.torque


def test_no_reading_warms_more_than_four_times_the_peak() -> None:
    wild, four = (step(torque, 30.0, Heat.cold(JOINTS), 0.005)[1] for torque in (1e200, 14.0))
    assert wild.warmth.tolist() == four.warmth.tolist()
    share = 14.0 / 2.45
    expected = share * share * -math.expm1(-0.005 / float(WINDING[0]))
    assert wild.warmth[0] == pytest.approx(expected)


@pytest.mark.parametrize("burst", [1.1, 1.25, 2.0])
def test_peak_from_cold_reaches_one_in_the_allowed_time_of_any_motor(burst: float) -> None:
    limits = replace(LIMITS, torque=burst * LIMITS.continuous_torque, continuous_time=2.0)
    warmth = burst**2 * -np.expm1(-2.0 / winding_time(limits))
    assert warmth == pytest.approx([1.0] * JOINTS)


def test_a_motor_without_spare_torque_has_a_time_constant_too() -> None:
    weak = replace(LIMITS, torque=LIMITS.continuous_torque)
    assert winding_time(weak).tolist() == [1.0] * JOINTS
    assert np.isfinite(winding_time(replace(LIMITS, torque=0.5 * LIMITS.torque))).all()


def test_the_bound_on_torque_falls_at_once_and_rises_slowly() -> None:
    peak, low, high = np.array([3.5, 3.5]), np.array([1.0, 3.0]), np.array([3.0, 1.0])
    assert rising(high, low, peak, 0.1).tolist() == pytest.approx([1.35, 1.0])


@pytest.mark.parametrize(
    "broken",
    [
        {"derate_share": 0.0},
        {"derate_share": 1.0},
        {"derated_share": 0.98},
        {"derated_share": 0.97},
        {"derated_share": 0.0},
        {"counted_share": 1.1},
        {"temperature_margin": -1.0},
        {"temperature_margin": math.nan},
        {"temperature_margin": math.inf},
        {"temperature_hysteresis": math.inf},
        {"temperature_hysteresis": -1.0},
        {"winding_share": 1.0},
        {"winding_share": 0.0},
        {"rise_s": 0.0},
        {"rise_s": math.inf},
    ],
)
def test_settings_refuse_nonsense(broken: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="thermal"):
        ThermalSettings(**broken)


def test_the_ends_of_what_is_allowed_are_allowed() -> None:
    settings = ThermalSettings(counted_share=1.0, temperature_margin=0.0, temperature_hysteresis=0)
    assert settings.counted_share == 1.0
    assert ThermalSettings().rise_s == 0.5, "the documented half second"
