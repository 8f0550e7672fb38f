"""Episodes with the deterministic policy, from which nothing is learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robosac.actor import Actor, episode_seed
from robosac.assembly import Stage
from robosac.metrics import EpisodeResult
from robosac.recorder import EpisodeRecorder, TraceRecorder
from robosac.trace import Trace

EVALUATION_STREAM = 1
"""Evaluation episodes draw their seeds from a stream of their own."""
FRAME_STEPS = 2
"""Policy steps between two pictures: 25 pictures a second at 50 Hz."""


class Policy(Protocol):
    """What an evaluation needs of a policy."""

    def mean_action(self, observation: NDArray[np.floating]) -> NDArray[np.float32]:
        """The action at the mean of the distribution."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """What the episodes gave, and a recording of the first one."""

    episodes: list[EpisodeResult]
    trace: Trace | None
    frames: list[NDArray[np.uint8]] = field(repr=False)


def recorder_for(stage: Stage) -> EpisodeRecorder:
    """A recorder that knows the robot's continuous torque and tick."""
    if stage.executor is None:
        return EpisodeRecorder()
    limits = stage.executor.limits
    return EpisodeRecorder(float(limits.continuous_torque.min()), stage.executor.period)


def evaluate(
    stage: Stage,
    policy: Policy,
    episodes: int,
    seed: int,
    first: int = 0,
    picture_size: tuple[int, int] | None = None,
    on_episode: Callable[[EpisodeResult], None] | None = None,
) -> Evaluation:
    """Run `episodes` episodes and return their results.

    Args:
        stage: where to act.
        policy: acts by its mean.
        episodes: how many, at least one.
        seed: of the run; each episode has a seed of its own.
        first: number of the first episode, so that two evaluations can differ.
        picture_size: (width, height) of the first episode's video frames, pixels; None: no video.
        on_episode: called after each episode.
    """
    actor = Actor(stage.env, "evaluation")
    results: list[EpisodeResult] = []
    trace: Trace | None = None
    frames: list[NDArray[np.uint8]] = []
    for index in range(episodes):
        actor.begin(index, episode_seed(seed, EVALUATION_STREAM, first + index))
        recorder = recorder_for(stage)
        tracer = None
        if index == 0 and stage.executor is not None:
            tracer = TraceRecorder(stage.executor.limits.names)
        pictures = picture_size if index == 0 else None
        while recorder.end is None:
            transition = actor.step(policy.mean_action(actor.observation), 0)
            recorder.add(transition, actor.info)
            if tracer is not None:
                tracer.add(transition, actor.info)
            if pictures and stage.render and transition.step % FRAME_STEPS == 0:
                frames.append(stage.render(*pictures))
        if tracer is not None:
            trace = tracer.trace()
        results.append(recorder.result())
        if on_episode is not None:
            on_episode(results[-1])
    return Evaluation(results, trace, frames)
