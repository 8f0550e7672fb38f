"""Batches of demonstrations and of what the robot gathered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from robosac.frame_replay import FrameReplay
from robosac.mixture import Mixture
from robosac.replay import Replay

DEMONSTRATED = 1000
"""Rewards from here on belong to demonstrations."""


def vectors(capacity: int = 50) -> Replay:
    return Replay(capacity, (2,), 1)


def pictures(capacity: int = 50) -> FrameReplay:
    return FrameReplay(capacity, (2, 2, 3), 2, 1)


def observation(buffer: Any, value: float) -> Any:
    state = np.full(2, value, np.float32)
    if isinstance(getattr(buffer, "online", buffer), Replay):
        return state
    return {"image": np.full((2, 2, 3), int(value) % 256, np.uint8), "state": state}


def fill(buffer: Any, first: int, count: int) -> None:
    """Transition i begins at state i, ends at i + 1, and earns i."""
    for i in range(first, first + count):
        action = np.zeros(1, np.float32)
        buffer.add(observation(buffer, i), action, float(i), observation(buffer, i + 1), False)


@pytest.mark.parametrize("make", [vectors, pictures])
@pytest.mark.parametrize(("share", "size", "shown"), [(0.5, 256, 128), (0.25, 10, 2), (0.1, 4, 0)])
def test_a_batch_holds_the_stated_share(make: Any, share: float, size: int, shown: int) -> None:
    mixture = Mixture(make(300), make(), share)
    fill(mixture.online, 0, 256)
    fill(mixture.demonstrations, DEMONSTRATED, 20)
    assert mixture.parts(size) == (size - shown, shown)
    batch = mixture.sample(np.random.default_rng(0), size)
    assert batch.reward.shape == batch.terminated.shape == (size,)
    assert int((batch.reward >= DEMONSTRATED).sum()) == shown
    before, after = (
        o["state"] if isinstance(o, dict) else o
        for o in (batch.observation, batch.next_observation)
    )
    np.testing.assert_array_equal(before[:, 0], batch.reward)
    np.testing.assert_array_equal(after, before + 1)


def test_pictures_stay_beside_their_states() -> None:
    mixture = Mixture(pictures(), pictures(), 0.5)
    fill(mixture.online, 0, 30)
    fill(mixture.demonstrations, DEMONSTRATED, 30)
    found = mixture.sample(np.random.default_rng(0), 40).next_observation
    assert found["image"].shape == (40, 2, 2, 3)
    assert found["image"].dtype == np.uint8
    np.testing.assert_array_equal(found["image"][:, 1, 1, 2], found["state"][:, 0] % 256)


def test_too_little_of_either_is_said_clearly() -> None:
    mixture = Mixture(vectors(), vectors(), 0.5)
    fill(mixture.demonstrations, 0, 1)
    fill(mixture.online, 0, 3)
    assert not mixture.ready(8)
    with pytest.raises(ValueError, match="online buffer holds 3 transitions and must give 4 of 8"):
        mixture.sample(np.random.default_rng(0), 8)
    fill(mixture.online, 0, 1)
    assert mixture.ready(8)
    without = Mixture(mixture.online, vectors(), 0.5)
    assert not without.ready(8)
    with pytest.raises(ValueError, match="demonstrations is empty and must give 4 of 8"):
        without.sample(np.random.default_rng(0), 8)


def test_an_intervention_goes_into_both_buffers() -> None:
    mixture = Mixture(vectors(), vectors(), 0.5)
    fill(mixture, 0, 3)
    state, action = np.zeros(2, np.float32), np.zeros(1, np.float32)
    mixture.add(state, action, 7.0, state, False, demonstrated=True)
    assert (len(mixture), mixture.added, len(mixture.demonstrations)) == (4, 4, 1)
    assert mixture.demonstrations.sample(np.random.default_rng(0), 1).reward == 7.0


def test_sampling_depends_on_the_given_generator_alone() -> None:
    mixture = Mixture(vectors(), vectors(), 0.5)
    fill(mixture.online, 0, 20)
    fill(mixture.demonstrations, DEMONSTRATED, 20)
    one, two, other = (mixture.sample(np.random.default_rng(s), 16).reward for s in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


@pytest.mark.parametrize("make", [vectors, pictures])
def test_a_loaded_mixture_goes_on_like_the_saved_one(make: Any) -> None:
    saved, other = (Mixture(make(), make(), 0.5) for _ in range(2))
    fill(saved, 0, 60)
    fill(saved.demonstrations, DEMONSTRATED, 9)
    fill(other, 300, 5)
    other.load({name: value.copy() for name, value in saved.state().items()})
    for mixture in (saved, other):
        fill(mixture, 60, 3)
    one, two = (mixture.sample(np.random.default_rng(3), 30) for mixture in (saved, other))
    np.testing.assert_equal(one.observation, two.observation)
    np.testing.assert_array_equal(one.reward, two.reward)
    with pytest.raises(ValueError, match="expected names within"):
        other.load({"added": np.array(1)})
    with pytest.raises(ValueError, match="replay state holds"):
        other.load({})


def test_memory_is_that_of_both() -> None:
    mixture = Mixture(vectors(50), vectors(20), 0.5)
    fill(mixture.online, 0, 5)
    fill(mixture.demonstrations, 0, 2)
    assert mixture.memory_bytes == 7 * mixture.online.transition_bytes
    full = 70 * mixture.online.transition_bytes
    assert full <= mixture.transition_bytes * mixture.capacity < full + mixture.capacity


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5, float("nan")])
def test_a_share_lies_between_none_and_all(share: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        Mixture(vectors(), vectors(), share)
