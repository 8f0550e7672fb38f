"""The walking reward of Haarnoja et al. 2018 (arXiv 1812.05905, section 7.2), term by term.

Forward velocity counts for it; against it count the acceleration of the last three actions by
finite difference, large pitch, and front legs swung back under the body. The paper gives no
coefficients: ours are settings.
"""

from __future__ import annotations

import numpy as np

from robosac.settings import RewardSection
from robosac.tasks.legs import FRONT_LEGS, FloatArray, legs_from_joints


def walk_reward(
    weights: RewardSection,
    forward_velocity: float | None,
    pitch: float,
    joint_position: FloatArray,
    actions: FloatArray,
) -> dict[str, float]:
    """The reward's terms by name; the reward is their sum.

    Args:
        weights: weights and thresholds.
        forward_velocity: from the tracker, m/s; None: not known, and then there is no such term.
        pitch: rad.
        joint_position: shape (8,), rad.
        actions: the last three executed actions, oldest first, shape (3, 8).
    """
    acceleration = actions[2] - 2.0 * actions[1] + actions[0]
    swing, _ = legs_from_joints(joint_position)
    under_body = np.maximum(-swing[list(FRONT_LEGS)] - weights.front_swing_bound_rad, 0.0)
    large_pitch = max(abs(pitch) - weights.pitch_bound_rad, 0.0)
    earned: dict[str, float] = {}
    if forward_velocity is not None:
        cap = weights.velocity_cap_m_s
        paid_for = min(forward_velocity, cap) - weights.overspeed * max(forward_velocity - cap, 0.0)
        earned["forward_velocity"] = weights.forward_velocity * paid_for
    return earned | {
        "acceleration": -weights.acceleration * float(np.abs(acceleration).mean()),
        "pitch": -weights.pitch * large_pitch,
        "folded_front_legs": -weights.folded_front_legs * float(under_body.sum()),
    }
