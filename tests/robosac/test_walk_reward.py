"""Each term of the walking reward does what its name says."""

import numpy as np
import pytest
from msgspec.structs import replace

from robosac.settings import RewardSection
from robosac.tasks.legs import joints_from_legs
from robosac.tasks.walk_reward import walk_reward

STANCE = joints_from_legs(np.zeros(4), np.full(4, 2.0))
STILL = np.zeros((3, 8))
WEIGHTS = RewardSection(
    forward_velocity=2.0,
    velocity_cap_m_s=1.0,
    acceleration=0.1,
    pitch=3.0,
    pitch_bound_rad=0.1,
    folded_front_legs=0.5,
    front_swing_bound_rad=0.3,
)


def test_standing_still_earns_nothing() -> None:
    assert sum(walk_reward(WEIGHTS, 0.0, 0.05, STANCE, STILL).values()) == 0.0


@pytest.mark.parametrize(("speed", "reward"), [(-0.5, -1.0), (0.5, 1.0), (1.0, 2.0), (9.0, 2.0)])
def test_velocity_is_paid_up_to_the_cap(speed: float, reward: float) -> None:
    terms = walk_reward(WEIGHTS, speed, 0.0, STANCE, STILL)
    assert terms["forward_velocity"] == pytest.approx(reward)


@pytest.mark.parametrize(("speed", "reward"), [(-0.5, -1.0), (1.0, 2.0), (1.5, 1.5), (3.0, 0.0)])
def test_speed_beyond_the_cap_costs_if_it_shall(speed: float, reward: float) -> None:
    dear = replace(WEIGHTS, overspeed=0.5)
    terms = walk_reward(dear, speed, 0.0, STANCE, STILL)
    assert terms["forward_velocity"] == pytest.approx(reward)


def test_acceleration_is_the_second_difference_of_three_actions() -> None:
    actions = np.array([np.zeros(8), np.full(8, 0.5), np.zeros(8)])
    terms = walk_reward(WEIGHTS, 0.0, 0.0, STANCE, actions)
    assert terms["acceleration"] == pytest.approx(-0.1 * 1.0)
    steady = np.array([np.full(8, share) for share in (0.0, 0.25, 0.5)])
    assert walk_reward(WEIGHTS, 0.0, 0.0, STANCE, steady)["acceleration"] == 0.0


@pytest.mark.parametrize("pitch", [0.3, -0.3])
def test_pitch_costs_either_way(pitch: float) -> None:
    assert walk_reward(WEIGHTS, 0.0, pitch, STANCE, STILL)["pitch"] == pytest.approx(-0.6)


def test_only_front_legs_swung_back_cost() -> None:
    def cost(*swing: float) -> float:
        joints = joints_from_legs(np.array(swing), np.full(4, 2.0))
        return walk_reward(WEIGHTS, 0.0, 0.0, joints, STILL)["folded_front_legs"]

    assert cost(-0.5, 0, 0, 0) == pytest.approx(-0.5 * 0.2)
    assert cost(0, -0.5, 0, -0.5) == 0.0
    assert cost(0.5, 0, 0.5, 0) == 0.0
