"""Actuators are found from motions of a plain twin, and refused where a motion does not tell."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from calibration.actuators import ActuatorResult, Drawn, Motion, identify, predicted
from calibration.errors import Undetermined
from calibration.excitation import Excitation, excite

FloatArray = NDArray[np.float64]

STIFFNESS, DAMPING, LOAD_KG_M2, WEIGHT_NM = 8.0, 0.1, 0.002, 0.15
NOMINAL = np.tile([1.0, 0.01, 0.01, 0.001], (2, 1))
TOLERANCE = (0.05, 0.01, 0.01, 2e-4)
WANTED = Excitation(0.25, 10.0, 500.0, 1.5, 12.0)
HIDDEN = np.array([[0.8, 0.05, 0.04, 0.002], [1.15, 0.0, 0.02, 0.0006]])
DELAY_S = 0.012


class Pendulums:
    """Two joints with a known load each, by themselves; a millisecond a step."""

    step_s = 0.001

    def __init__(self, blocked: bool = False) -> None:
        self._blocked = blocked

    def trajectory(
        self, table: FloatArray, time_s: FloatArray, commanded_rad: FloatArray
    ) -> FloatArray:
        gain, viscous, dry, armature = table.T
        inertia, dt = armature + LOAD_KG_M2, self.step_s
        due = np.rint((time_s - time_s[0]) / dt).astype(int)
        goals = np.repeat(commanded_rad, np.ediff1d(due, to_end=5).astype(np.int64), axis=0)
        place = commanded_rad[0] - WEIGHT_NM / (gain * STIFFNESS)
        speed = np.zeros(2)
        rows = [place]
        for goal in goals:
            push = gain * (STIFFNESS * (goal - place) - DAMPING * speed) - WEIGHT_NM
            speed = (speed + push / inertia * dt) / (1.0 + viscous / inertia * dt)
            speed = np.sign(speed) * np.maximum(0.0, np.abs(speed) - dry / inertia * dt)
            if self._blocked:
                speed = speed * (1.0, 0.0)
            place = place + speed * dt
            rows.append(place)
        return np.array(rows)


def moved(seed: int, hidden: FloatArray = HIDDEN, noise: float = 0.0005) -> Motion:
    rng = np.random.default_rng(seed)
    goals = excite(np.full(2, 2.0), WANTED, 0.005, rng)
    time = 100.0 + 0.005 * np.arange(len(goals), dtype=np.float64)
    told = np.repeat(time[:, None], 2, axis=1)
    motion = Motion(time, goals, told, goals)
    place = predicted(motion, Pendulums(), hidden, DELAY_S)
    return replace(motion, told_rad=place + noise * rng.standard_normal(place.shape))


DRAWN = Drawn(("hip", "knee"), ((0,), (1,)), NOMINAL, TOLERANCE, delay_s=0.010)


@pytest.fixture(scope="module")
def found() -> ActuatorResult:
    return identify(moved(1), moved(2), Pendulums(), DRAWN)


def test_hidden_numbers_are_found_within_their_errors(found: ActuatorResult) -> None:
    assert (np.abs(found.table - HIDDEN) < 4.0 * found.error + 1e-5).all()
    assert (np.abs(found.table - HIDDEN) < 0.5 * np.array(TOLERANCE)).all()
    assert found.delay_s == pytest.approx(DELAY_S - 0.0005, abs=2e-4)
    assert found.noise_rad == pytest.approx(0.0005, rel=0.3)
    assert found.samples == 2 * len(moved(1).time_s)


def test_a_held_out_motion_is_followed_to_the_noise(found: ActuatorResult) -> None:
    assert found.improvement > 10.0
    assert found.after_all_rad < 0.0006
    assert (found.before_rad > 0.004).all()


def test_a_nominal_robot_stays_nominal() -> None:
    same = identify(moved(1, NOMINAL), moved(2, NOMINAL), Pendulums(), DRAWN)
    assert (np.abs(same.table - NOMINAL) < 0.3 * np.array(TOLERANCE)).all()
    assert 0.8 < same.improvement < 1.2


def test_coarse_counts_are_no_reason_to_refuse_a_nominal_robot() -> None:
    """At rest such an encoder shows no noise at all; where it moves, half a count either way."""
    count = 2.0 * np.pi / 4096

    def counted(seed: int) -> Motion:
        motion = moved(seed, NOMINAL, noise=0.0)
        return replace(motion, told_rad=np.round(motion.told_rad / count) * count)

    for seed in (1, 3, 5):
        found = identify(counted(seed), counted(seed + 1), Pendulums(), DRAWN)
        assert found.noise_rad == pytest.approx(count / math.sqrt(12.0), rel=1e-3)
        assert (found.after_rad < 1.5 * found.noise_rad).all()


def test_readings_that_did_not_come_are_left_out() -> None:
    train = moved(1)
    told = train.told_rad.copy()
    told[::7] = np.nan
    late = np.where(np.isnan(told), -np.inf, train.told_s)
    holes = replace(train, told_rad=told, told_s=late)
    few = identify(holes, moved(2), Pendulums(), DRAWN)
    assert few.samples == int(np.isfinite(told).sum())
    assert (np.abs(few.table - HIDDEN) < 0.5 * np.array(TOLERANCE)).all()
    told[100:] = np.nan
    with pytest.raises(Undetermined, match="readings of a joint; valid are at least 100"):
        identify(replace(train, told_rad=told), moved(2), Pendulums(), DRAWN)


def test_a_joint_that_does_not_move_is_named_with_what_is_not_known() -> None:
    train = moved(1)
    still = replace(train, told_rad=np.where([True, False], train.told_rad, 2.0))
    with pytest.raises(Undetermined, match=r"knee: \w+ is known to (inf|[0-9.e+-]+) only"):
        identify(still, still, Pendulums(blocked=True), DRAWN)


def test_numbers_that_follow_another_motion_worse_are_refused() -> None:
    train = moved(1)
    other = moved(2, NOMINAL)
    with pytest.raises(Undetermined, match=r"hip: on a motion that was held out the twin is"):
        identify(train, replace(other, told_s=other.told_s), Pendulums(), DRAWN)
