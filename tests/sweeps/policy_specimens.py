"""Policies of the sizes that robots run, without torch, with the envelopes that sweeps damage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict
from numpy.typing import NDArray

from robosac.config import load_preset
from robosac.envelope import seal
from robosac.observation import IMAGE, STATE
from robosac.sac import PixelPolicy, Policy, policy_from_weights
from robosac.sac.pixel_policy import IMAGE_SHAPE
from robosac.schema import Schema, schema_of

PICTURE = (32, 32, 3)
WALK_SEEN, WALK_ACTIONS, HAND_SEEN, HAND_ACTIONS = 112, 8, 18, 9


@dataclass(frozen=True)
class Specimen:
    """One kind of policy: what an actor would take, and what it would not though it is whole."""

    name: str
    schema: Schema
    envelopes: tuple[bytes, ...]
    """Of different policies, every one fit; the first is the one that acts."""
    foreign: tuple[bytes, ...]
    """Sealed honestly for something else: other settings, robot, shapes or kind."""
    misfits: tuple[Mapping[str, NDArray[Any]], ...]
    """Weights of whole policies whose shapes are not this schema's."""


def specimens(units: int = 256) -> tuple[Specimen, Specimen]:
    """The quadruped's and the seeing hand's; `units`: of each hidden layer."""
    walk, hand = walk_schema(), hand_schema()
    walks = tuple(walk_policy(seed, units) for seed in range(3))
    hands = tuple(hand_policy(seed, units) for seed in range(3))
    other_walk = seal(walks[0], 100, {}, walk_schema("task.swing_range_rad=0.2"))
    other_hand = seal(hands[0], 100, {}, hand_schema("task.speed_rad_s=1.5"))
    sealed_walks = tuple(seal(x, 100 + i, {"robot": 7 * i}, walk) for i, x in enumerate(walks))
    sealed_hands = tuple(seal(x, 100 + i, {"robot": 7 * i}, hand) for i, x in enumerate(hands))
    narrow = walk_policy(5, units, seen=WALK_SEEN - 1).weights()
    short = walk_policy(6, units, actions=WALK_ACTIONS - 1).weights()
    return (
        Specimen(
            "state",
            walk,
            sealed_walks,
            (other_walk, sealed_hands[0], other_hand),
            (narrow, short, hands[0].weights()),
        ),
        Specimen(
            "pixels",
            hand,
            sealed_hands,
            (other_hand, sealed_walks[0], other_walk),
            (narrow, short, walks[0].weights()),
        ),
    )


def walk_schema(*overrides: str) -> Schema:
    return schema_of(
        load_preset("minitaur", overrides),
        _spaces(Box(-1, 1, (WALK_SEEN,), np.float32), WALK_ACTIONS),
    )


def hand_schema(*overrides: str) -> Schema:
    picture = Box(0, 255, PICTURE, np.uint8)
    seen = Dict({IMAGE: picture, STATE: Box(-1, 1, (HAND_SEEN,), np.float32)})
    return schema_of(load_preset("claw-pixels", overrides), _spaces(seen, HAND_ACTIONS))


def walk_policy(
    seed: int, units: int = 256, seen: int = WALK_SEEN, actions: int = WALK_ACTIONS
) -> Policy:
    rng = np.random.default_rng(seed)
    return Policy(_perceptron(rng, (seen, units, units, 2 * actions)))


def hand_policy(seed: int, units: int = 256) -> PixelPolicy:
    """As recipe fast sees: patches of 4 and 2 pixels, 50 features."""
    rng = np.random.default_rng(seed)
    layers = {
        "encoder": _perceptron(rng, (4 * 4 * 3, 32)),
        "projection": _perceptron(rng, (4 * 4 * 64, 50)),
        "policy": _perceptron(rng, (50 + HAND_SEEN, units, units, 2 * HAND_ACTIONS)),
    }
    second = _perceptron(rng, (2 * 2 * 32, 64))
    layers["encoder"] |= {"weight1": second["weight0"], "bias1": second["bias0"]}
    weights = {
        f"{owner}.{name}": value for owner, own in layers.items() for name, value in own.items()
    }
    found = policy_from_weights(weights | {IMAGE_SHAPE: np.array(PICTURE)})
    assert isinstance(found, PixelPolicy)
    return found


def _perceptron(rng: np.random.Generator, widths: tuple[int, ...]) -> dict[str, Any]:
    """Layers as torch begins with them: uniform within 1 / sqrt(inputs)."""
    weights: dict[str, Any] = {}
    for index, (wide, narrow) in enumerate(pairwise(widths)):
        bound = wide**-0.5
        weights[f"weight{index}"] = rng.uniform(-bound, bound, (wide, narrow)).astype(np.float32)
        weights[f"bias{index}"] = rng.uniform(-bound, bound, narrow).astype(np.float32)
    return weights


def _spaces(observation: Any, actions: int) -> Any:
    box = Box(-1, 1, (actions,), np.float32)
    return SimpleNamespace(observation_space=observation, action_space=box)
