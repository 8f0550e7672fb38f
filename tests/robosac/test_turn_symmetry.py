"""The hand turned by a third, against the twin's own physics."""

from __future__ import annotations

import numpy as np
import pytest

from robosac.settings import TurnSection
from robosac.symmetry import Image
from robosac.tasks.meaning import turn_meaning
from robosac.tasks.turn_symmetry import turn_symmetry
from tests.robosac.turn_rig import make_rig

SEEN = 20
THIRDS = turn_symmetry(SEEN).images


def lived(definition: str, image: Image | None) -> tuple[np.ndarray, np.ndarray]:
    """Observations and rewards of fingers that move the valve, or of their image."""
    env = make_rig("claw", f"task.definition={definition}").env
    rng, action = np.random.default_rng(3), np.zeros(9)
    observations, rewards = [env.reset(seed=5)[0]], []
    for _ in range(25):
        action = 0.7 * action + 0.7 * rng.uniform(-1, 1, 9)
        given = np.clip(action, -1, 1).astype(np.float32)
        seen, reward, *_ = env.step(given if image is None else image.action(given))
        observations.append(seen)
        rewards.append(float(reward))
    env.close()
    return np.array(observations), np.array(rewards)


@pytest.mark.parametrize("third", [0, 1])
def test_the_hand_turned_by_a_third_does_the_same(third: int) -> None:
    seen, earned = lived("paper", None)
    other, earned_there = lived("paper", THIRDS[third])
    expected = THIRDS[third].observation(seen)
    # The bus tells angles and speeds in ticks, and contacts are solved in an order of their own.
    np.testing.assert_allclose(other[:, :9], expected[:, :9], rtol=0, atol=0.03)
    np.testing.assert_allclose(other[:, 18:], expected[:, 18:], rtol=0, atol=0.01)
    np.testing.assert_allclose(earned_there, earned, rtol=0, atol=0.02)
    # The valve was turned, and no finger did what the next one does.
    angle = np.unwrap(np.arctan2(seen[:, 18], seen[:, 19]))
    assert np.ptp(angle) > 0.3, "rad"
    assert np.abs(other - seen)[:, :9].max() > 0.5


def test_robels_hand_too() -> None:
    image = turn_symmetry(21).images[0]
    seen, earned = lived("robel-turn-random", None)
    other, earned_there = lived("robel-turn-random", image)
    np.testing.assert_allclose(other, image.observation(seen), rtol=0, atol=0.05)
    np.testing.assert_allclose(earned_there, earned, rtol=0, atol=0.2)


def test_each_joint_goes_to_its_like() -> None:
    """By the names that a policy's schema gives the numbers of an action."""
    names = turn_meaning(TurnSection()).actions
    for image, by in zip(THIRDS, (1, 2), strict=True):
        for here, there in zip(names, image.action.order, strict=True):
            link, finger = here.rsplit("_", 1)
            assert names[there] == f"{link}_{(int(finger) + by) % 3}"
