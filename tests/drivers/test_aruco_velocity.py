"""The velocity's value, lateness and noise, and the gate against jumps."""

from __future__ import annotations

import math

import numpy as np
import pytest

from drivers.aruco.geometry import PlanarPose
from drivers.aruco.velocity import Admission, GateLimits, JumpGate, VelocityEstimator

DT = 1 / 60


def along(distance: float, yaw: float) -> PlanarPose:
    return PlanarPose(distance * math.cos(yaw), distance * math.sin(yaw), yaw)


@pytest.mark.parametrize("yaw", [0.0, 2.0, math.pi, -math.pi])
@pytest.mark.parametrize("speed", [0.7, -0.4])
def test_constant_speed_is_exact_whatever_the_heading(speed: float, yaw: float) -> None:
    estimator = VelocityEstimator()
    assert estimator.add(0.0, along(0.0, yaw)) is None
    assert estimator.add(DT, along(speed * DT, yaw)) is None
    for step in range(2, 30):
        velocity = estimator.add(step * DT, along(speed * step * DT, yaw))
        assert velocity is not None
        assert velocity.forward == pytest.approx(speed, abs=1e-9)


def test_it_is_the_speed_of_half_a_window_ago() -> None:
    """Under constant acceleration the slope is the true speed in the middle of the window."""
    estimator, acceleration = VelocityEstimator(window_s=0.1), 2.0
    velocity = None
    for step in range(60):
        time = step * DT
        velocity = estimator.add(time, along(acceleration * time**2 / 2, 0.4))
    assert velocity is not None
    now = 59 * DT
    assert now - velocity.time == pytest.approx(0.05, abs=1e-9)
    assert estimator.delay_s == 0.05
    assert velocity.forward == pytest.approx(acceleration * (now - 0.05), abs=1e-9)


def test_sideways_motion_is_not_forward() -> None:
    estimator, velocity = VelocityEstimator(), None
    for step in range(10):
        velocity = estimator.add(step * DT, PlanarPose(0.0, 0.5 * step * DT, 0.0))
    assert velocity is not None
    assert velocity.forward == pytest.approx(0.0, abs=1e-12)


def test_a_heading_across_the_seam_is_averaged_rightly() -> None:
    estimator, velocity = VelocityEstimator(), None
    for step in range(10):
        yaw = math.remainder(math.pi - 0.01 + 0.005 * step, math.tau)
        velocity = estimator.add(step * DT, PlanarPose(-0.5 * step * DT, 0.0, yaw))
    assert velocity is not None
    assert velocity.forward == pytest.approx(0.5, rel=0.01)


def test_the_noise_is_as_stated() -> None:
    rng, noise = np.random.default_rng(0), 0.002
    estimator, found = VelocityEstimator(), []
    for step in range(6000):
        x = 0.5 * step * DT + noise * rng.standard_normal()
        velocity = estimator.add(step * DT, PlanarPose(x, 0.0, 0.0))
        found.append(math.nan if velocity is None else velocity.forward)
    settled = np.array(found[10:])
    expected = noise / DT / math.sqrt(7 * (7**2 - 1) / 12)
    assert expected == pytest.approx(0.023, abs=5e-4)
    assert settled.std() == pytest.approx(expected, rel=0.1)
    assert settled.mean() == pytest.approx(0.5, abs=0.002)


def test_lost_frames_widen_the_steps_and_a_gap_starts_again() -> None:
    estimator = VelocityEstimator()
    velocity = None
    for time in (0.0, DT, 3 * DT, 5 * DT):
        velocity = estimator.add(time, along(0.3 * time, 0.0))
    assert velocity is not None
    assert velocity.forward == pytest.approx(0.3)
    assert estimator.add(1.0, along(5.0, 0.0)) is None
    assert estimator.add(1.0 + DT, along(5.0 + 0.3 * DT, 0.0)) is None
    velocity = estimator.add(1.0 + 2 * DT, along(5.0 + 0.6 * DT, 0.0))
    assert velocity is not None
    assert velocity.forward == pytest.approx(0.3)


def test_time_must_go_on() -> None:
    estimator = VelocityEstimator()
    estimator.add(1.0, along(0.0, 0.0))
    with pytest.raises(ValueError, match="in order"):
        estimator.add(1.0, along(0.0, 0.0))


@pytest.mark.parametrize(("window", "least"), [(0.0, 3), (math.nan, 3), (0.1, 1)])
def test_senseless_windows_are_refused(window: float, least: int) -> None:
    with pytest.raises(ValueError, match="window_s > 0"):
        VelocityEstimator(window, least)


def test_the_gate_bounds_speed_and_turn_on_both_sides() -> None:
    limits = GateLimits(speed_m_s=2.0, turn_rad_s=5.0, slack_m=0.01, slack_rad=0.02)
    for factor, expected in ((0.999, Admission.ADMITTED), (1.001, Admission.REFUSED)):
        for pose in (
            PlanarPose(0.21 * factor, 0.0, 0.0),
            PlanarPose(0.0, -0.21 * factor, 0.0),
            PlanarPose(0.0, 0.0, 0.52 * factor),
            PlanarPose(0.0, 0.0, -0.52 * factor),
        ):
            gate = JumpGate(limits)
            assert gate.admit(0.0, PlanarPose(0.0, 0.0, 0.0)) is Admission.ADMITTED
            assert gate.admit(0.1, pose) is expected


def test_a_robot_that_was_carried_is_believed_after_some_agreeing_sightings() -> None:
    gate = JumpGate()
    gate.admit(0.0, PlanarPose(0.0, 0.0, 0.0))
    found = [gate.admit((step + 1) * DT, PlanarPose(1.5, 0.0, 0.0)) for step in range(6)]
    refused = [Admission.REFUSED] * 4
    assert found == [*refused, Admission.RESTARTED, Admission.ADMITTED]


def test_scattered_false_sightings_are_never_believed() -> None:
    gate = JumpGate()
    gate.admit(0.0, PlanarPose(0.0, 0.0, 0.0))
    for step in range(1, 20):
        place = PlanarPose(1.5 if step % 2 else -1.5, 0.0, 0.0)
        assert gate.admit(step * DT, place) is Admission.REFUSED
        if step % 5 == 0:
            assert gate.admit(step * DT, PlanarPose(0.01, 0.0, 0.0)) is Admission.ADMITTED
