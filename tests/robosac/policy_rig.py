"""Small policies of both kinds, without torch; schemas they fit; envelopes made of parts."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from safetensors.numpy import load

from robosac.envelope import Header, golden_seed, pack, seal, unpack
from robosac.golden import golden_of
from robosac.sac import PixelPolicy, Policy, policy_from_weights
from robosac.schema import Block, Part, Schema

IMAGE, STATE, SEEN, ACTIONS = (8, 8, 3), 5, 6, 2
FAST, PAPER = "fast", "paper"


def vector_schema(seen: int = SEEN, actions: int = ACTIONS, robot: str = "legs") -> Schema:
    return Schema(
        robot=robot,
        task="walk",
        definition={"reward.speed": 2.0, "kind": "paper"},
        joints=tuple(f"joint {index}" for index in range(actions)),
        actions=tuple(f"joint {index}" for index in range(actions)),
        observation={
            "vector": Part("float32", (seen,), (Block("joint position", "rad", seen, 1),))
        },
        control_period_s=0.02,
        action_map={"kind": "centre + range * action", "range_rad": 0.3},
    )


def pixel_schema(image: tuple[int, int, int] = IMAGE, state: int = STATE) -> Schema:
    picture = Part("uint8", image, (Block("picture", "of 255", int(np.prod(image))),))
    beside = Part("float32", (state,), (Block("joint position", "rad", state),))
    base = vector_schema(robot="hand")
    return msgspec.structs.replace(base, observation={"image": picture, "state": beside})


def vector_weights(
    seed: int, seen: int = SEEN, actions: int = ACTIONS, units: int = 8
) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    shapes = {
        "weight0": (seen, units),
        "bias0": (units,),
        "weight1": (units, 2 * actions),
        "bias1": (2 * actions,),
    }
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


def normalised_weights(seed: int, seen: int = SEEN) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    mean, scale = rng.normal(0, 2, seen), rng.uniform(0.5, 5, seen)
    return vector_weights(seed, seen) | {
        "observation_mean": mean.astype(np.float32),
        "observation_scale": scale.astype(np.float32),
    }


def pixel_weights(seed: int, recipe: str = FAST, actions: int = ACTIONS) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    if recipe == FAST:
        shapes = {
            "encoder.weight0": (4 * 4 * 3, 6),
            "encoder.bias0": (6,),
            "projection.weight0": (4 * 6, 7),
            "projection.bias0": (7,),
        }
        units = 7
    else:
        shapes = {"convolutions.weight0": (4, 3, 3, 3), "convolutions.bias0": (4,)}
        units = 4 * 4 * 4
    head = vector_weights(seed, units + STATE, actions)
    weights: dict[str, Any] = {
        name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()
    }
    weights |= {f"policy.{name}": value for name, value in head.items()}
    return weights | {"image_shape": np.array(IMAGE)}


def vector_policy(seed: int = 0) -> Policy:
    return Policy(vector_weights(seed))


def pixel_policy(seed: int = 0, recipe: str = FAST) -> PixelPolicy:
    return PixelPolicy(pixel_weights(seed, recipe))


def sealed(version: int = 7, seed: int = 0) -> bytes:
    return seal(vector_policy(seed), version, {"stream": 41}, vector_schema())


def resealed(
    data: bytes, tensors: bytes | None = None, honest: bool = False, **claims: Any
) -> bytes:
    """The envelope with other claims or arrays, and a checksum that is right again.

    `honest`: the known input and output are made anew too, as whoever seals does.
    """
    header, old, _ = unpack(data)
    header = msgspec.structs.replace(header, **claims)
    if honest:
        header = with_golden(header, policy_from_weights(load(tensors or old)))
    return pack(header, old if tensors is None else tensors)


def with_golden(header: Header, policy: Policy | PixelPolicy) -> Header:
    golden = golden_of(policy, header.schema, golden_seed(header))
    return msgspec.structs.replace(header, golden=golden)
