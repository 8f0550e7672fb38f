"""How many threads the learner's arithmetic is fastest with here, by a short measurement.

A run's settings name the number, so that it goes on with as many when it is resumed: with torch
another number is another order of sums, and no longer the same run to the bit.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
import torch

from robosac.experience import Experience, make_replay
from robosac.learners import Learner, make_learner
from robosac.observation import IMAGE, STATE, Observation, Spaces, has_picture, shape_of
from robosac.settings import TrainConfig
from robosac.settings.common import DemonstrationSection

WARM_UPS = 2
LEAST_UPDATES, LEAST_S = 3, 0.4
"""Of each number of threads."""
WORTH = 1.1
"""As much faster more threads must be: fewer leave processors to the robot."""
ROWS = 300
"""Transitions to draw from, if a batch is not larger."""

Clock = Callable[[], float]


def settled(config: TrainConfig, env: Spaces, tell: Callable[[str], None]) -> TrainConfig:
    """The settings of a new run that asks for a measurement, with a number of threads in them.

    It is made in this process: where the learner has one of its own, the actor's holds torch too.

    Args:
        config: of the run.
        env: what is learned in.
        tell: is told the rates.
    """
    if config.learner_device != "cpu":
        return msgspec.structs.replace(config, learner_threads=1)
    found = rates(config, env, counts(len(os.sched_getaffinity(0))))
    chosen = fewest(found)
    each = ", ".join(f"{rate:.0f} with {count}" for count, rate in found.items())
    tell(f"learner_threads {chosen}: {each} of them, updates/s")
    return msgspec.structs.replace(config, learner_threads=chosen)


def counts(processors: int) -> list[int]:
    """Numbers of threads to try, doubling; of several processors one is the robot's."""
    most = max(1, processors - 1)
    return sorted({most, *(2**power for power in range(8) if 2**power <= most)})


def fewest(found: Mapping[int, float]) -> int:
    """The number of threads that only many more would beat, of updates a second by number."""
    counted = sorted(found)
    chosen = counted[0]
    for count in counted[1:]:
        if found[count] >= WORTH * found[chosen]:
            chosen = count
    return chosen


def rates(
    config: TrainConfig, env: Spaces, tried: Sequence[int], clock: Clock = time.perf_counter
) -> dict[int, float]:
    """Updates a second of the configured learner by each number of threads.

    Torch's threads are afterwards as they were before.
    """
    rows = max(ROWS, config.sac.batch_size)
    sac = msgspec.structs.replace(config.sac, replay_capacity=rows)
    small = msgspec.structs.replace(config, sac=sac, demonstrations=DemonstrationSection())
    replay, rng = make_replay(small, env), np.random.default_rng(0)
    _fill(replay, rows, env, rng)
    before = torch.get_num_threads()
    found: dict[int, float] = {}
    try:
        for count in tried:
            learner = make_learner(msgspec.structs.replace(small, learner_threads=count), env)
            found[count] = _rate(learner, replay, rng, config.sac.batch_size, clock)
    finally:
        torch.set_num_threads(before)
    return found


def _rate(
    learner: Learner, replay: Experience, rng: np.random.Generator, batch: int, clock: Clock
) -> float:
    for _ in range(WARM_UPS):
        learner.update_many([replay.sample(rng, batch)])
    started, made = clock(), 0
    while made < LEAST_UPDATES or clock() - started < LEAST_S:
        learner.update_many([replay.sample(rng, batch)])
        made += 1
    return made / (clock() - started)


def _fill(replay: Experience, rows: int, env: Spaces, rng: np.random.Generator) -> None:
    actions = shape_of(env.action_space)
    seen = _random_observation(env, rng)
    for _ in range(rows):
        following = _random_observation(env, rng)
        action = rng.uniform(-1, 1, actions).astype(np.float32)
        replay.add(seen, action, float(rng.standard_normal()), following, False)
        seen = following


def _random_observation(env: Spaces, rng: np.random.Generator) -> Observation:
    space = env.observation_space
    if not has_picture(space):
        return rng.standard_normal(shape_of(space), dtype=np.float32)
    return {
        IMAGE: rng.integers(0, 256, shape_of(space, IMAGE), dtype=np.uint8),
        STATE: rng.standard_normal(shape_of(space, STATE), dtype=np.float32),
    }
