"""Buffers whose every number tells which transition it is of, and a worker that stands still."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from robosac.frame_replay import FrameReplay
from robosac.replay import Batch, Replay, Take

WIDE = 300
"""Numbers of an observation: gathering a batch takes longer than adding a transition."""
SIDE = 12
FEW = 8
"""Transitions in the ring: what is drawn is soon written over."""


def told(number: int) -> Any:
    """A vector that tells its number everywhere."""
    return np.full(WIDE, number, np.float32)


def shown(number: int) -> Any:
    """A picture and a vector that do."""
    image = np.full((SIDE, SIDE, 3), number % 251, np.uint8)
    image[::2] = number // 251 % 251
    return {"image": image, "state": np.full(9, number, np.float32)}


def vectors(capacity: int) -> Replay:
    return Replay(capacity, (WIDE,), 3)


def frames(capacity: int) -> FrameReplay:
    return FrameReplay(capacity, (SIDE, SIDE, 3), 9, 3)


KINDS: dict[str, tuple[Callable[[int], Any], Callable[[int], Any]]] = {
    "vectors": (vectors, told),
    "frames": (frames, shown),
}
"""A buffer of so many transitions, and an observation that tells its number."""


def add(replay: Any, observation: Callable[[int], Any], number: int) -> None:
    """Transition `number` to `number + 1`; every column tells it."""
    action = np.full(3, number, np.float32)
    replay.add(observation(number), action, float(number), observation(number + 1), number % 2 == 1)


def require_whole(batch: Batch[Any]) -> None:
    """Every column of every row tells the same number."""
    number = batch.reward[:, None]
    np.testing.assert_array_equal(batch.action, number.repeat(3, 1))
    np.testing.assert_array_equal(batch.terminated, batch.reward % 2)
    for observation, expected in (
        (batch.observation, number),
        (batch.next_observation, number + 1),
    ):
        if not isinstance(observation, dict):
            np.testing.assert_array_equal(observation, expected.repeat(WIDE, 1))
            continue
        np.testing.assert_array_equal(observation["state"], expected.repeat(9, 1))
        rows = observation["image"].reshape(len(expected), SIDE, -1).astype(int)
        np.testing.assert_array_equal(rows[:, 1::2] - expected[:, None] % 251, 0)
        np.testing.assert_array_equal(rows[:, ::2] - expected[:, None] // 251 % 251, 0)


def record(buffer: Any, drawn: list[Batch[Any]]) -> threading.Event:
    """Keep every batch that is drawn, given out or not; set when one is begun."""
    sample, begun = buffer.sample, threading.Event()

    def kept(rng: np.random.Generator, size: int) -> Batch[Any]:
        begun.set()
        drawn.append(sample(rng, size))
        return drawn[-1]

    buffer.sample = kept
    return begun


def halting(buffer: Any, patience_s: float) -> tuple[threading.Event, threading.Event]:
    """Have the buffer stop in the middle of a batch: it is half-way, and it may go on."""
    half_way, go_on = threading.Event(), threading.Event()
    gather = buffer.gather

    def halted(rng: np.random.Generator, size: int, take: Take) -> Batch[Any]:
        def taken(name: str, rows: Any) -> Any:
            if name == "reward":
                half_way.set()
                go_on.wait(patience_s)
            return take(name, rows)

        return gather(rng, size, taken)

    buffer.gather = halted
    return half_way, go_on
