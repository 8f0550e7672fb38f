"""What a policy does at a known observation: how two computers tell that they hold the same one."""

from __future__ import annotations

import math
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from robosac.observation import IMAGE, STATE, Observation
from robosac.sac import PixelPolicy, Policy
from robosac.schema import MAX_ACTIONS, VECTOR, Schema

TOLERANCE = 1e-4
"""Largest difference between two computers' float32 products that is still the same policy."""
Numbers = Annotated[tuple[float, ...], Meta(max_length=MAX_ACTIONS)]


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A known input, by its seed, and what comes out."""

    seed: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
    action: Numbers
    """tanh of the mean, in [-1, 1]."""
    log_std: Numbers
    """Before squashing, clamped as the policy clamps it."""


def golden_observation(schema: Schema, seed: int) -> Observation:
    """The observation of a seed: always the same for the same shapes."""
    rng = np.random.default_rng(seed)
    shapes = {name: part.shape for name, part in schema.observation.items()}
    if VECTOR in shapes:
        return rng.standard_normal(shapes[VECTOR], dtype=np.float32)
    picture = rng.integers(0, 256, shapes[IMAGE], dtype=np.uint8)
    return {IMAGE: picture, STATE: rng.standard_normal(shapes[STATE], dtype=np.float32)}


def golden_of(policy: Policy | PixelPolicy, schema: Schema, seed: int) -> Golden:
    """What `policy` does at the observation of `seed`; its numbers may not be finite.

    Raises:
        ValueError: it cannot act on such an observation.
    """
    observation: Any = golden_observation(schema, seed)
    # Finite weights may still be so large that their products are not.
    with np.errstate(all="ignore"):
        mean, log_std = policy.distribution(observation)
        action = np.tanh(mean)
    return Golden(seed, _floats(action), _floats(log_std))


def is_finite(golden: Golden) -> bool:
    """Whether every number is one."""
    return all(math.isfinite(value) for value in (*golden.action, *golden.log_std))


def agree(found: Golden, told: Golden) -> bool:
    """Whether both come from one policy at one observation, on whatever computers."""
    if found.seed != told.seed:
        return False
    pairs = ((found.action, told.action), (found.log_std, told.log_std))
    return all(len(a) == len(b) and all(map(_close, a, b)) for a, b in pairs)


def _close(a: float, b: float) -> bool:
    # Logarithms of small deviations are larger than 1, and so are their rounding errors.
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _floats(values: NDArray[np.floating]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
