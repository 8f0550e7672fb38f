"""Excitations keep their bounds between any two goals, begin and end at rest, and repeat."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.excitation import Excitation, chirp, excite, steps

QUICK = Excitation(0.25, 10.0, 500.0, 1.5, 12.0)
PERIOD = 0.005


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0.05, 1.0),
    st.floats(0.5, 20.0),
    st.floats(5.0, 1000.0),
    st.sampled_from((0.002, 0.005, 0.01)),
    st.integers(0, 2**32 - 1),
)
def test_every_bound_holds(
    amplitude: float, velocity: float, acceleration: float, period: float, seed: int
) -> None:
    wanted = Excitation(amplitude, velocity, acceleration, 0.7, 12.0, steps=3)
    centre = np.array([0.0, 2.0, -1.0])
    goals = excite(centre, wanted, period, np.random.default_rng(seed))
    about = np.concatenate((np.zeros((2, 3)), goals - centre, np.zeros((2, 3))))
    slack = 1.0 + 1e-6
    assert np.abs(about).max() <= amplitude * slack
    assert np.abs(np.diff(about, axis=0)).max() <= velocity * period * slack + 1e-12
    assert np.abs(np.diff(about, 2, axis=0)).max() <= acceleration * period**2 * slack + 1e-12
    rest = round(wanted.rest_s / period)
    assert (about[: rest + 2] == 0.0).all()
    assert np.abs(about[-rest:]).max() < 1e-12


def test_a_golden_motion() -> None:
    goals = excite(np.array([2.0, 2.0]), QUICK, PERIOD, np.random.default_rng(1))
    assert goals.shape == (520, 2)
    again = excite(np.array([2.0, 2.0]), QUICK, PERIOD, np.random.default_rng(1))
    np.testing.assert_array_equal(goals, again)
    np.testing.assert_allclose(goals[::65, 0], GOLDEN, atol=5e-6)


GOLDEN = [2.0, 2.024738, 1.909851, 2.137782, 1.87969, 1.947686, 1.836501, 2.0]


def test_joints_move_in_different_ways_and_over_the_whole_band() -> None:
    rng = np.random.default_rng(3)
    one, other = chirp(QUICK, PERIOD, rng), chirp(QUICK, PERIOD, rng)
    assert abs(float(np.corrcoef(one, other)[0, 1])) < 0.9
    crossings = np.flatnonzero(np.diff(np.sign(one))) * PERIOD
    gaps = np.diff(crossings)
    assert gaps.max() > 0.1
    assert gaps.min() < 0.07


def test_steps_come_back_to_the_centre_and_rest() -> None:
    moved = steps(QUICK, PERIOD, np.random.default_rng(0))
    assert moved[-1] == 0.0
    assert np.abs(moved).max() > 0.3 * QUICK.amplitude_rad
    assert np.count_nonzero(np.diff(moved) == 0.0) > len(moved) // 4


@pytest.mark.parametrize("name", ["amplitude_rad", "velocity_rad_s", "low_hz", "steps"])
def test_what_cannot_be_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"excitation.{name} must be positive"):
        dataclasses.replace(QUICK, **{name: 0})


def test_frequencies_must_rise_and_fit_the_period() -> None:
    with pytest.raises(ValueError, match="not below"):
        dataclasses.replace(QUICK, low_hz=12.0)
    with pytest.raises(ValueError, match="takes goals every"):
        excite(np.zeros(1), QUICK, 0.05, np.random.default_rng(0))
