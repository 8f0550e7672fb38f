"""Episodes with the deterministic policy, from which nothing is learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robosac.actor import Actor, episode_seed
from robosac.assembly import Stage
from robosac.error_traces import ErrorTraces
from robosac.evaluation_files import ERRORS, TRACE, VIDEO
from robosac.film import Film
from robosac.metrics import EpisodeResult
from robosac.recorder import EpisodeRecorder
from robosac.runs import RunFolder
from robosac.trace import Trace
from robosac.trace_recorder import TraceRecorder

EVALUATION_STREAM = 1
"""Evaluation episodes draw their seeds from a stream of their own."""


class Policy(Protocol):
    """What an evaluation needs of a policy."""

    def mean_action(self, observation: Any) -> NDArray[np.floating]:
        """The action at the mean of the distribution, for an observation of the task's own kind."""
        ...


@dataclass(frozen=True)
class Evaluation:
    """What the episodes gave."""

    episodes: list[EpisodeResult]
    trace: Trace | None
    """The first episode, step by step; None without a robot."""
    errors: ErrorTraces | None
    """Every episode's angle error; None for a task without one."""
    film: Film | None = field(repr=False)

    def keep(self, run: RunFolder, step: int) -> None:
        """Write everything into the run's folder of the evaluation at `step`. Raises OSError."""
        folder = run.evaluation_folder(step)
        run.save_episodes(step, self.episodes)
        if self.trace is not None:
            self.trace.save(folder / TRACE)
        if self.errors is not None:
            self.errors.save(folder / ERRORS)
        if self.film is not None and self.film.frames:
            from robosac.video import write_video

            write_video(folder / VIDEO, self.film.frames, self.film.frames_per_s)


def recorder_for(stage: Stage) -> EpisodeRecorder:
    """A recorder that knows the robot's continuous torque and tick."""
    if stage.executor is None:
        return EpisodeRecorder()
    limits = stage.executor.limits
    torque = float(limits.continuous_torque.min())
    return EpisodeRecorder(torque, stage.executor.period, limits.names)


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
        picture_size: (width, height) of the video's outside view, pixels; None: no video.
        on_episode: called after each episode.
    """
    actor = Actor(stage.env, "evaluation")
    film = None
    if picture_size is not None and stage.render is not None:
        film = Film(stage.render, picture_size, stage.seconds_per_step)
    results: list[EpisodeResult] = []
    trace: Trace | None = None
    errors: list[list[float]] = []
    for index in range(episodes):
        reset_with = episode_seed(seed, EVALUATION_STREAM, first + index)
        actor.begin(index, reset_with)
        recorder = recorder_for(stage)
        recorder.begin(actor.info)
        errors.append([_error(actor)])
        tracer = None
        if index == 0 and stage.executor is not None:
            tracer = TraceRecorder(stage.executor.limits.names)
        filmed = film if film is not None and not film.is_full else None
        while recorder.end is None:
            transition = actor.step(policy.mean_action(actor.observation), 0)
            recorder.add(transition, actor.info)
            errors[-1].append(_error(actor))
            if tracer is not None:
                tracer.add(transition, actor.info)
            if filmed is not None:
                filmed.add(index, transition.step, actor.observation, actor.info)
        if tracer is not None:
            trace = tracer.trace()
        results.append(recorder.result(reset_with))
        if on_episode is not None:
            on_episode(results[-1])
    return Evaluation(results, trace, ErrorTraces.of(errors, stage.seconds_per_step), film)


def _error(actor: Actor) -> float:
    """The task's angle error after the last step, rad; NaN: not known."""
    return float(actor.info.get("angle_error", math.nan))
