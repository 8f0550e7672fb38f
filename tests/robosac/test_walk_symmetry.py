"""The quadruped's mirror, against the twin's own physics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from robosac.assembly import Stage
from robosac.settings import WalkSection
from robosac.symmetry import Image
from robosac.tasks.legs import LEGS
from robosac.tasks.meaning import walk_meaning
from robosac.tasks.walk_symmetry import OTHER_SIDE, walk_symmetry

Make = Callable[..., Stage]
SENSED = ("joint_position_rad", "joint_velocity_rad_s", "orientation_rad", "angular_velocity_rad_s")
TRACKED = ("tracker_position_m", "tracker_yaw_rad")
QUIET = tuple(f"twin.noise.{name}=0" for name in (*SENSED, *TRACKED))


def mirror_image(history: int) -> Image:
    (image,) = walk_symmetry(history).images
    return image


def lived(make: Make, history: int, mirrored: bool) -> tuple[np.ndarray, np.ndarray]:
    """Observations and rewards of an uneven walk, or of its mirror image."""
    env = make(*QUIET, f"task.history={history}").env
    rng, action = np.random.default_rng(2), np.zeros(8)
    observations, rewards = [env.reset(seed=1)[0]], []
    for _ in range(40):
        action = 0.8 * action + 0.6 * rng.uniform(-1, 1, 8)
        given = np.clip(action, -1, 1).astype(np.float32)
        seen, reward, *_ = env.step(mirror_image(history).action(given) if mirrored else given)
        observations.append(seen)
        rewards.append(float(reward))
    env.close()
    return np.array(observations), np.array(rewards)


@pytest.mark.parametrize("history", [5, 0])
def test_the_twin_in_the_mirror_walks_the_mirrored_walk(make_twin: Make, history: int) -> None:
    seen, earned = lived(make_twin, history, mirrored=False)
    other, earned_there = lived(make_twin, history, mirrored=True)
    np.testing.assert_allclose(mirror_image(history).observation(other), seen, rtol=0, atol=1e-5)
    np.testing.assert_allclose(earned_there, earned, rtol=0, atol=1e-5)
    # It was no walk that looks the same on both sides.
    newest = 12 * history
    assert np.abs(seen[:, newest + 8]).max() > 0.05, "rad of roll"
    assert np.abs(other - seen).max() > 0.5


def test_each_leg_goes_to_the_one_across() -> None:
    assert [LEGS[leg] for leg in OTHER_SIDE] == [
        "front_right",
        "back_right",
        "front_left",
        "back_left",
    ]


def test_what_moves_a_part_goes_to_what_moves_the_part_across() -> None:
    """By the names that a policy's schema gives the numbers of an action."""
    names = walk_meaning(WalkSection()).actions
    for here, there in zip(names, mirror_image(5).action.order, strict=True):
        side = "left" if "left" in here else "right"
        other = "right" if side == "left" else "left"
        assert names[there] == here.replace(side, other)
