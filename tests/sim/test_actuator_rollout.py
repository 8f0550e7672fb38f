"""Rollouts move as the twins do, and twins move and tell as a calibration says."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.excitation import Excitation, excite
from sim.actuator_rollout import ARMATURE, ClawRollout, MinitaurRollout
from sim.claw import ClawOptions, ClawTwin
from sim.delays import Delays
from sim.firmware.dynamixel.control import COUNTS_PER_RAD
from sim.joint_dynamics import JointDynamics
from sim.minitaur import MinitaurTwin, TwinOptions
from sim.plant import MinitaurPlant

OTHER = JointDynamics.of(np.tile([0.8, 0.03, 0.05, 4e-4], (8, 1)))


def test_the_nominal_table_is_the_models() -> None:
    model = MinitaurPlant().model
    np.testing.assert_array_equal(model.dof_armature[6::2], ARMATURE)
    np.testing.assert_array_equal(model.dof_damping[6::2], 0.0)
    np.testing.assert_array_equal(model.dof_frictionloss[6::2], 0.0)
    hand = ClawRollout(1400, np.full(10, 1.8)).nominal
    assert hand.shape == (10, 4)
    assert hand[0].tolist() == pytest.approx([1.0, 0.02254, 0.03, 0.01628], rel=0.01)


def test_a_table_keeps_its_columns() -> None:
    np.testing.assert_array_equal(OTHER.table, np.tile([0.8, 0.03, 0.05, 4e-4], (8, 1)))
    with pytest.raises(ValueError, match="torque_gain"):
        JointDynamics.of(np.tile([0.0, 0.03, 0.05, 4e-4], (8, 1)))
    with pytest.raises(ValueError, match="dry_friction"):
        JointDynamics.of(np.tile([1.0, 0.03, -0.05, 4e-4], (8, 1)))
    with pytest.raises(ValueError, match="joints"):
        JointDynamics((1.0,), (0.0,), (0.0,), (1e-4, 1e-4))


def test_other_actuators_move_otherwise_and_repeat() -> None:
    wanted = Excitation(0.2, 5.0, 200.0, 2.0, 10.0, rest_s=0.05, chirp_s=0.2, steps=1)
    goals = excite(np.full(8, 2.0), wanted, 0.005, np.random.default_rng(0))
    time = 0.005 * np.arange(len(goals), dtype=np.float64)
    rollout = MinitaurRollout(TwinOptions(), 3.5)
    first = rollout.trajectory(rollout.nominal, time, goals)
    other = rollout.trajectory(OTHER.table, time, goals)
    again = rollout.trajectory(rollout.nominal, time, goals)
    np.testing.assert_array_equal(first, again)
    assert len(first) == 5 * len(goals) + 1
    assert np.abs(first - other).max() > 0.005
    hand = ClawRollout(1400, np.full(10, 1.8))
    centre = np.array([0.0, -0.8, -0.2] * 3 + [0.0])
    goals = excite(centre, wanted, 0.01, np.random.default_rng(0))
    nominal = hand.trajectory(hand.nominal, 0.01 * np.arange(len(goals), dtype=np.float64), goals)
    stiff = hand.nominal * (1.2, 1.0, 2.0, 1.0)
    assert (
        np.abs(
            hand.trajectory(stiff, 0.01 * np.arange(len(goals), dtype=np.float64), goals) - nominal
        ).max()
        > 1e-3
    )


def test_what_is_drawn_comes_on_top_and_the_next_episode_keeps_it() -> None:
    twin = MinitaurTwin(TwinOptions(actuators=OTHER))
    for seed in (1, 2):
        twin.place(seed)
        np.testing.assert_array_equal(twin.plant.model.dof_armature[6::2], 4e-4)
        np.testing.assert_array_equal(twin.plant.model.dof_frictionloss[6::2], 0.05)
    table = np.tile([0.9, 0.03, 0.05, 0.02], (10, 1))
    hand = ClawTwin(ClawOptions(actuators=JointDynamics.of(table)))
    hand.place(3)
    np.testing.assert_array_equal(hand.plant.model.dof_damping, 0.03)
    np.testing.assert_array_equal(hand.plant.dynamics[:, 1:], table[:, 1:])


def test_measured_delays_are_replayed() -> None:
    late = Delays(0.020, 0.020, 0.020, 0.020)
    twin = MinitaurTwin(TwinOptions(delays=late))
    assert twin._age() == pytest.approx(20.5)
    shaky = MinitaurTwin(TwinOptions(delays=Delays(0.020, 0.019, 0.030, 0.031)))
    ages = {shaky._age() for _ in range(50)}
    assert len(ages) == 50
    hand = ClawTwin(ClawOptions(delays=late))
    hand.place(1)
    seen = []
    for _ in range(40):
        hand.plant.data.qvel[9] = 1.0
        looked = hand.line.uncounted(hand.plant.position)[1, 9]
        hand.clock.wait_until(hand.clock.now() + hand.clock.dt)
        told = hand.line._sensors.late
        assert told is not None
        seen.append((looked, told[1, 9]))
    now, then = np.array(seen).T
    # 20 ms are ten steps; the present state is half a one old already.
    np.testing.assert_allclose(then[15:], (now[6:-9] + now[5:-10]) / 2, atol=1e-9)


@pytest.mark.parametrize("late_s", [0.0054, 0.0062, 0.0081])
def test_a_slow_motion_of_the_hand_is_told_as_late_as_a_quick_one(late_s: float) -> None:
    """Between two steps of 2 ms lies less than a count: what is late is not rounded to either."""
    hand = ClawTwin(ClawOptions(delays=Delays(late_s, late_s, late_s, late_s)))
    speed = 0.3
    hand.place(1)
    dt, off = hand.clock.dt, list[float]()
    for step in range(1, 400):
        # The joint is moved by hand, so that its speed is known.
        hand.plant.data.qvel[9] = 0.0
        hand.plant.data.qpos[9] += speed * dt
        hand.clock.wait_until(hand.clock.now() + dt)
        told = hand.line._sensors.late
        assert told is not None
        if step > 50:
            ahead = hand.line.uncounted(hand.plant.position)[1, 9] - np.rint(told[1, 9])
            off.append(ahead / COUNTS_PER_RAD / speed)
    # A step older, for the servos look before it; half a step younger (`ClawTwin._sense`).
    assert np.mean(off) == pytest.approx(late_s + 0.5 * dt, abs=2e-4)


def test_a_robot_on_its_stand_touches_nothing_once_its_legs_are_drawn_up() -> None:
    twin = MinitaurTwin(TwinOptions())
    twin.hang(1)
    height = twin.plant.base_position[2]
    plant = MinitaurPlant()
    plant.reset(extension=2.25)
    assert height - plant.base_position[2] > 0.01
    hand = ClawTwin()
    hand.hang(1)
    assert not hand.plant.contacts
