"""Delays are found by a motion that the twin is made to follow, whatever the joint is like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from calibration.actuators import Motion, predicted
from calibration.errors import Undetermined
from calibration.excitation import excite
from calibration.motion_delay import MotionDelay, motion_delay
from tests.calibration.test_actuators import DRAWN, NOMINAL, WANTED, FloatArray, Pendulums

STEP_S = Pendulums.step_s


def swung(
    joints: tuple[int, ...], hidden: FloatArray, delay_s: float, seed: int, noise: float = 0.0005
) -> Motion:
    """A motion of `joints` that is seen `delay_s` late, as if motion were continuous."""
    rng = np.random.default_rng(seed)
    goals = excite(np.full(2, 2.0), WANTED, 0.005, rng)
    still = np.setdiff1d(np.arange(2), joints)
    goals[:, still] = 2.0
    time = 100.0 + 0.005 * np.arange(len(goals), dtype=np.float64)
    motion = Motion(time, goals, np.repeat(time[:, None], 2, axis=1), goals)
    place = predicted(motion, Pendulums(), hidden, delay_s + 0.5 * STEP_S)
    return replace(motion, told_rad=place + noise * rng.standard_normal(place.shape))


def hidden_robot(seed: int) -> tuple[FloatArray, float]:
    """Actuators and a delay, drawn as the sweeps draw them."""
    rng = np.random.default_rng(seed)
    spans = ((0.75, 1.25), (0.0, 0.05), (0.0, 0.08), (0.0006, 0.003))
    table = np.stack([rng.uniform(*span, 2) for span in spans], axis=1)
    return table, float(rng.uniform(0.002, 0.03))


@pytest.mark.parametrize(("joints", "seed"), [((0,), 0), ((0,), 1), ((1,), 2), ((0, 1), 3)])
def test_the_delay_does_not_follow_what_the_joint_is_like(
    joints: tuple[int, ...], seed: int
) -> None:
    table, delay = hidden_robot(seed)
    begin = replace(DRAWN, delay_s=delay + 0.0025)
    found = motion_delay(swung(joints, table, delay, seed), joints, Pendulums(), begin)
    assert found.delay_s == pytest.approx(delay, abs=2e-4)
    assert abs(found.delay_s - delay) / 4.0 < found.error_s < 2e-4
    assert found.misfit < 0.02


def test_the_same_motion_tells_the_same_to_the_bit() -> None:
    motion = swung((0,), NOMINAL, 0.012, 1)
    first, again = (motion_delay(motion, (0,), Pendulums(), DRAWN) for _ in range(2))
    assert isinstance(first, MotionDelay)
    assert first == again


def test_a_joint_that_does_not_move_is_named() -> None:
    motion = swung((0, 1), NOMINAL, 0.012, 1)
    told = motion.told_rad.copy()
    told[:, 1] = 2.0
    with pytest.raises(Undetermined, match="knee: it did not move"):
        motion_delay(replace(motion, told_rad=told), (0, 1), Pendulums(), DRAWN)


def test_a_motion_that_the_twin_cannot_make_is_refused() -> None:
    motion = swung((0, 1), NOMINAL, 0.012, 1)
    other = swung((0, 1), NOMINAL, 0.012, 2)
    told = motion.told_rad.copy()
    told[:, 1] = np.resize(other.told_rad[:, 1], len(told))
    with pytest.raises(Undetermined, match=r"knee: the twin follows its motion with \d\.\d+ of it"):
        motion_delay(replace(motion, told_rad=told), (0, 1), Pendulums(), DRAWN)


def test_readings_that_are_too_few_or_leave_the_delay_open_are_refused() -> None:
    motion = swung((0,), NOMINAL, 0.012, 1)
    told = motion.told_rad.copy()
    told[99:] = np.nan
    with pytest.raises(Undetermined, match="99 readings of a joint"):
        motion_delay(replace(motion, told_rad=told), (0,), Pendulums(), DRAWN)
    noisy = swung((0,), NOMINAL, 0.012, 1, noise=0.03)
    with pytest.raises(Undetermined, match=r"hip: its motion tells the delay to \d\.\d+ ms"):
        motion_delay(noisy, (0,), Pendulums(), DRAWN)
