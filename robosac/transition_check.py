"""Whether a transition may be learned from: before it is stored, and when it comes. Pure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robosac.errors import TransitionRefused
from robosac.observation import Observation
from robosac.schema import VECTOR, Schema
from robosac.transition import Transition


def require_fit(transition: Transition, schema: Schema) -> None:
    """Accept a transition of the schema's shapes whose every number is finite.

    Of one that nothing is learned from, because part of it could not be had, only shapes count.

    Raises:
        TransitionRefused: with what is wrong.
    """
    where, finite = f"transition {transition.sequence}", transition.rewarded
    for name in ("observation", "next_observation"):
        _require_observation(f"{where}: {name}", getattr(transition, name), schema, finite)
    actions = (len(schema.actions),)
    for name in ("requested_action", "executed_action"):
        _require(f"{where}: {name}", getattr(transition, name), "float32", actions, finite)
    if finite and not math.isfinite(transition.reward):
        raise TransitionRefused(f"{where}: reward is {transition.reward}; expected a finite number")


def _require_observation(where: str, value: Observation, schema: Schema, finite: bool) -> None:
    parts = value if isinstance(value, dict) else {VECTOR: value}
    if parts.keys() != schema.observation.keys():
        raise TransitionRefused(
            f"{where} has parts {sorted(parts)}; expected {sorted(schema.observation)}"
        )
    for name, part in schema.observation.items():
        _require(f"{where} {name}", parts[name], part.dtype, part.shape, finite)


def _require(
    where: str, value: NDArray[Any], dtype: str, shape: tuple[int, ...], finite: bool
) -> None:
    if value.dtype.name != dtype or value.shape != shape:
        raise TransitionRefused(
            f"{where} is {value.dtype}{value.shape}; expected {np.dtype(dtype)}{shape}"
        )
    if finite and dtype != "uint8" and not np.isfinite(value).all():
        raise TransitionRefused(f"{where} holds numbers that are not finite")
