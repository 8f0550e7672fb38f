"""A policy is taken whole, known and fit, or not at all."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.numpy import save

from robosac.errors import PolicyRefused
from robosac.messages import Published
from robosac.policy_feed import FOLDER, PolicyFeed, check_fits
from robosac.sac import Policy


def some_policy(seed: int = 0, seen: int = 3, actions: int = 1) -> Policy:
    rng = np.random.default_rng(seed)
    shapes = {
        "weight0": (seen, 4),
        "bias0": (4,),
        "weight1": (4, 2 * actions),
        "bias1": (2 * actions,),
    }
    return Policy({name: rng.random(shape, np.float32) for name, shape in shapes.items()})


def retold(told: Published, feed_folder: Path, data: bytes) -> Published:
    """Another file, told of truthfully as far as its sum goes."""
    import hashlib

    (feed_folder / told.file).write_bytes(data)
    return msgspec.structs.replace(told, sha256=hashlib.sha256(data).hexdigest())


def test_what_was_published_is_taken(tmp_path: Path) -> None:
    feed = PolicyFeed(tmp_path)
    told = feed.publish(some_policy(), 7)
    assert told.version == 7
    taken = feed.take(told, like=some_policy(1))
    for name, value in some_policy().weights().items():
        np.testing.assert_array_equal(taken.weights()[name], value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sha256": "0" * 64}, "damaged"),
        ({"shapes": {}}, "arrays"),
        ({"golden_action": (0.123,)}, "known input"),
        ({"golden_action": (float("nan"),)}, "known input"),
        ({"golden_action": ()}, "known input"),
        ({"file": "../secret"}, "not the name"),
        ({"file": "none"}, "cannot be read"),
    ],
)
def test_what_is_not_as_told_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    feed = PolicyFeed(tmp_path)
    told = msgspec.structs.replace(feed.publish(some_policy(), 7), **change)
    with pytest.raises(PolicyRefused, match=says):
        feed.take(told, like=None)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, value: float) -> None:
    feed = PolicyFeed(tmp_path)
    told = feed.publish(some_policy(), 7)
    weights = some_policy().weights()
    weights["bias0"][2] = value
    with pytest.raises(PolicyRefused, match="bias0 hold values that are not finite"):
        feed.take(retold(told, tmp_path / FOLDER, save(weights)), like=None)


def test_a_file_that_is_no_policy_is_refused(tmp_path: Path) -> None:
    feed = PolicyFeed(tmp_path)
    told = feed.publish(some_policy(), 7)
    for data in (b"", b"rubbish", save({"other": np.zeros(3, np.float32)})):
        with pytest.raises(PolicyRefused, match="is not a policy"):
            feed.take(retold(told, tmp_path / FOLDER, data), like=None)


@pytest.mark.parametrize("other", [some_policy(seen=4), some_policy(actions=2)])
def test_a_policy_for_something_else_is_refused(tmp_path: Path, other: Policy) -> None:
    feed = PolicyFeed(tmp_path)
    with pytest.raises(PolicyRefused, match="the one in use"):
        feed.take(feed.publish(other, 7), like=some_policy())
    with pytest.raises(PolicyRefused, match="here are"):
        check_fits(other, np.zeros(3, np.float32), 1)
    check_fits(some_policy(), np.zeros(3, np.float32), 1)


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    PolicyFeed(tmp_path).publish(some_policy(9), 900)
    feed = PolicyFeed(tmp_path)
    told = [feed.publish(some_policy(seed), seed) for seed in range(4)]
    left = sorted(file.name for file in (tmp_path / FOLDER).iterdir())
    assert left == [told[2].file, told[3].file]
