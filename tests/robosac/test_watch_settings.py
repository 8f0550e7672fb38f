"""The monitor's tolerances: as documented, and refused where they are out of order."""

from __future__ import annotations

import dataclasses
import math

import pytest

from robosac.watch_settings import WatchSettings


def test_the_budgets_are_those_of_the_hazard_table() -> None:
    assert dataclasses.asdict(WatchSettings()) == {
        "misses_hold": 3,
        "misses_fault": 10,
        "stale_hold_s": 0.01,
        "stale_fault_s": 0.025,
        "position_tolerance": math.radians(5.0),
        "position_ticks": 2,
        "overspeed_factor": 2.0,
        "overspeed_ticks": 2,
        "impossible_factor": 2.5,
        "position_noise": 0.1,
        "freeze_error": 0.1,
        "freeze_ticks": 16,
        "stalls": False,
        "identical_ticks": 0,
        "stiffness": 0.0,
        "limp_share": 0.5,
        "limp_ticks": 8,
        "undriven_ticks": 3,
        "temperature_warn": 10.0,
        "temperature_trip": 2.0,
        "temperature_cooled": 10.0,
        "temperature_rate": 5.0,
        "voltage_min": 9.0,
        "voltage_max": 48.0,
        "voltage_sag": 8.0,
        "voltage_surge": 50.0,
        "voltage_average_s": 1.0,
        "voltage_peak_s": 0.04,
        "imu_hold_s": 0.04,
        "imu_damp_s": 0.2,
        "imu_gyro_max": 34.0,
        "imu_force_max": 155.0,
        "imu_drift": 3.5,
        "imu_drift_s": 1.0,
    }
    assert WatchSettings().stalls is False


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"voltage_sag": 9.1}, "sag <= min < max <= surge"),
        ({"voltage_min": 48.0}, "sag <= min < max <= surge"),
        ({"voltage_max": 50.1}, "sag <= min < max <= surge"),
        ({"voltage_surge": math.nan}, "sag <= min < max <= surge"),
        ({"stale_hold_s": 0.0}, "0 < stale_hold_s < stale_fault_s"),
        ({"stale_hold_s": 0.025}, "0 < stale_hold_s < stale_fault_s"),
        ({"stale_fault_s": math.nan}, "0 < stale_hold_s < stale_fault_s"),
        ({"temperature_trip": -0.1}, "0 <= trip <= warn"),
        ({"temperature_trip": 10.1}, "0 <= trip <= warn"),
        ({"temperature_warn": math.nan}, "0 <= trip <= warn"),
    ],
)
def test_bounds_out_of_order_are_refused(broken: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        WatchSettings(**broken)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "edge",
    [
        {"voltage_sag": 9.0},
        {"voltage_surge": 48.0},
        {"temperature_trip": 0.0},
        {"temperature_trip": 10.0},
        {"temperature_trip": 0.0, "temperature_warn": 0.0},
    ],
)
def test_bounds_that_are_equal_are_allowed(edge: dict[str, float]) -> None:
    settings = WatchSettings(**edge)  # type: ignore[arg-type]
    assert dataclasses.asdict(settings) | edge == dataclasses.asdict(settings)
