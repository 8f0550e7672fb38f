"""Robots that lie where they fell."""

import numpy as np
import pytest

from sim.fallen import ATTITUDES, FOLDED, fall
from sim.plant import MinitaurPlant


@pytest.mark.parametrize("kind", [*ATTITUDES, FOLDED, None])
def test_a_fallen_robot_lies_still_with_its_loops_closed(kind: str | None) -> None:
    plant = MinitaurPlant()
    fall(plant, np.random.default_rng(3), kind)
    assert np.abs(plant.data.qvel[:6]).max() < 0.2
    assert plant.loop_error() < 0.002
    assert not plant.held


@pytest.mark.parametrize(("kind", "least", "most"), [("belly", 0, 0.5), ("back", 2.4, 3.2)])
def test_it_lies_as_it_was_asked_to(kind: str, least: float, most: float) -> None:
    plant = MinitaurPlant()
    fall(plant, np.random.default_rng(3), kind)
    assert least <= plant.tilt <= most


def test_falls_are_drawn_from_the_seed_and_know_their_kinds() -> None:
    poses = []
    for seed in (4, 4, 5):
        plant = MinitaurPlant()
        fall(plant, np.random.default_rng(seed), "left")
        poses.append(plant.data.qpos.copy())
    np.testing.assert_array_equal(poses[0], poses[1])
    assert not np.array_equal(poses[0], poses[2])
    with pytest.raises(ValueError, match="no fall called"):
        fall(MinitaurPlant(), np.random.default_rng(0), "sideways")
