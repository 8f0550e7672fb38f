"""The command's own guard: feed-forward torque is finite and within what the motor may use."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from robosac.errors import LimitsError
from robosac.hal import JointCommand


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, 2.1, -2.1])
def test_feed_forward_torque_beyond_the_motors_bound_is_refused(wrong: float) -> None:
    command = JointCommand.to(np.zeros(2), np.full(2, 2.0))
    with pytest.raises(LimitsError, match="feed-forward torque"):
        replace(command, torque=np.array([0.0, wrong]))


def test_feed_forward_torque_needs_a_finite_bound() -> None:
    command = JointCommand.to(np.zeros(2), np.full(2, np.nan))
    with pytest.raises(LimitsError, match="feed-forward torque"):
        replace(command, torque=np.array([0.0, 0.1]))


def test_feed_forward_torque_within_it_is_kept() -> None:
    command = JointCommand.to(np.zeros(2), np.full(2, 2.0))
    assert replace(command, torque=np.array([-2.0, 2.0])).torque.tolist() == [-2.0, 2.0]
