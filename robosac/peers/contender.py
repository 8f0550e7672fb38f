"""What takes part in a comparison, at what sizes, and the transitions it is filled with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

CHUNK = 250
"""Transitions made at once: few, so that making them leaves no mark in a process' memory."""
Observation = NDArray[Any] | dict[str, NDArray[Any]]
"""(n, observation), or "image" uint8 (n, side, side, 3) beside "state" (n, observation)."""


class Case(msgspec.Struct, frozen=True):
    """The sizes that are the same for everybody."""

    name: str
    observation: int
    """Numbers of an observation; with a picture, those beside it."""
    action: int
    rows: int
    """Transitions that every replay has room for, and is filled with."""
    batch: int = 256
    """Transitions of one update, or of one sample."""
    hidden: tuple[int, ...] = (256, 256)
    """Width of each hidden layer, in critics and policy."""
    side: int = 0
    """Of a picture of three uint8 channels, pixels; 0: there is none."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Some transitions that follow one another; no episode ends in them."""

    observation: Observation
    action: NDArray[np.float32]
    """(n, a), in [-1, 1]."""
    reward: NDArray[np.float32]
    """(n,)"""
    next_observation: Observation


class Contender(Protocol):
    """Somebody's learner over somebody's replay, or that replay alone."""

    def fill(self, rows: Iterable[Rows]) -> None:
        """Store all of these transitions."""
        ...

    def run(self, count: int) -> None:
        """Make that many updates, or draw that many batches; returns once they are made."""
        ...

    def transition_bytes(self) -> int:
        """What the arrays of a full replay take, divided by its transitions."""
        ...


def transitions(case: Case, seed: int = 0) -> Iterator[Rows]:
    """Random transitions, `case.rows` of them in chunks; the same ones for the same seed.

    Each observation is what the transition before it ended with, as in an episode.
    """
    rng = np.random.default_rng(seed)
    newest = _observations(case, rng, 1)
    left = case.rows
    while left:
        count = min(left, CHUNK)
        seen = _joined(newest, _observations(case, rng, count))
        yield Rows(
            _part(seen, slice(None, -1)),
            rng.uniform(-1, 1, (count, case.action)).astype(np.float32),
            rng.standard_normal(count, dtype=np.float32),
            _part(seen, slice(1, None)),
        )
        newest = _part(seen, slice(-1, None))
        left -= count


def single_rows(rows: Iterable[Rows]) -> Iterator[tuple[Any, NDArray[np.float32], float, Any]]:
    """Observation, action, reward and next observation of each transition by itself."""
    for some in rows:
        for index in range(len(some.reward)):
            yield (
                _part(some.observation, index),
                some.action[index],
                float(some.reward[index]),
                _part(some.next_observation, index),
            )


def _observations(case: Case, rng: np.random.Generator, count: int) -> Observation:
    state = rng.standard_normal((count, case.observation), dtype=np.float32)
    if not case.side:
        return state
    shape = (count, case.side, case.side, 3)
    return {"image": rng.integers(0, 256, shape, dtype=np.uint8), "state": state}


def _joined(first: Observation, second: Observation) -> Observation:
    if isinstance(first, dict):
        assert isinstance(second, dict)
        return {name: np.concatenate([first[name], second[name]]) for name in first}
    assert not isinstance(second, dict)
    return np.concatenate([first, second])


def _part(observation: Observation, index: Any) -> Any:
    if isinstance(observation, dict):
        return {name: array[index] for name, array in observation.items()}
    return observation[index]
