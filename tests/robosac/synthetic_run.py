"""A made-up run folder, the same every time, with everything a report can show."""

from __future__ import annotations

import datetime
import math
from pathlib import Path
from typing import TypedDict

import numpy as np

from robosac.config import load_preset
from robosac.metrics import EpisodeResult, EpisodeRow, LearnerRow, TimingRow, summarise
from robosac.plot_style import Draw, Theme
from robosac.runs import RunFolder
from robosac.tasks.ends import EpisodeEnd
from robosac.trace import Trace

NOON = datetime.datetime(2026, 1, 2, 12, 0, tzinfo=datetime.UTC)
WHOLE = 500
"""Steps of an episode without a fall."""
JOINTS = tuple(f"{leg}_{link}" for leg in ("front_left", "back_left", "front_right", "back_right")
               for link in ("front", "rear"))  # fmt: skip


def drawn_only(draw: Draw, theme: Theme) -> bytes:
    """Stands in for `render` where the picture is not what is tested."""
    draw(theme)
    return theme.name.encode()


def trot(seconds: float = 6.0, period: float = 0.02) -> Trace:
    """A 2 Hz trot with a lag and a limited peak."""
    rng = np.random.default_rng(4)
    time = np.arange(0.0, seconds, period)
    phase = 2 * np.pi * 2.0 * time[:, None] + np.array([0, np.pi, np.pi, 0])
    swing, extension = -0.3 * np.sin(phase), 1.9 + 0.3 * np.cos(phase)
    requested = np.empty((len(time), 8))
    requested[:, 0::2], requested[:, 1::2] = extension - swing, extension + swing
    executed = np.clip(requested, 1.55, 2.28)
    position = np.roll(executed, 2, axis=0) + rng.normal(0, 0.008, requested.shape)
    wobble = np.sin(phase[:, 0])
    return Trace(
        time_s=time,
        joint_position=position,
        requested=requested,
        executed=executed,
        action_requested=np.clip((requested - 2) / 0.5, -1, 1),
        action_executed=np.clip((executed - 2) / 0.5, -1, 1),
        reasons=(requested != executed).any(axis=1).astype(np.int64) * 2,
        torque=rng.normal(0, 1.0, requested.shape),
        power_w=25 + 8 * wobble + rng.normal(0, 2, len(time)),
        reward=np.full(len(time), 0.3),
        joint_names=JOINTS,
        reason_names=("non_finite", "position"),
        signals={
            "forward_velocity": 0.3 * (1 - np.exp(-time)) + 0.05 * wobble,
            "roll": 0.05 * wobble,
            "pitch": 0.03 * np.cos(phase[:, 0]),
        },
    )


class Now(TypedDict):
    """When a row was written."""

    step: int
    wall_s: float
    robot_s: float


def _episode_row(
    now: Now, episode: int, length: int, skill: float, rng: np.random.Generator
) -> EpisodeRow:
    speed = 0.42 * skill + rng.normal(0, 0.04)
    return EpisodeRow(
        **now,
        episode=episode,
        length=length,
        return_=length * (speed - 0.1) + rng.normal(0, 6),
        end=EpisodeEnd.TERMINATED if length < WHOLE else EpisodeEnd.TRUNCATED,
        speed_m_s=speed,
        terms={"forward_velocity": speed * length},
        limited={
            "velocity": 0.5 * math.exp(-episode / 60) + 0.02,
            "acceleration": 0.8 * math.exp(-episode / 80) + 0.05,
            "position": 0.1 + 0.05 * skill,
            "derated": 0.01 * skill,
        },
        smoothness=0.3 - 0.2 * skill,
    )


def _learner_row(now: Now, episode: int, skill: float, rng: np.random.Generator) -> LearnerRow:
    return LearnerRow(
        **now,
        updates=now["step"],
        critic_loss=0.5,
        actor_loss=-10 * skill,
        alpha=0.02 + math.exp(-episode / 40),
        entropy=-8 + 6 * math.exp(-episode / 30) + rng.normal(0, 0.1),
        target_entropy=-8.0,
        q_mean=10 * skill,
        updates_per_s=210.0,
    )


def _timing_row(now: Now, length: int, rng: np.random.Generator) -> TimingRow:
    return TimingRow(
        **now,
        lateness_p50_ms=0.06 + 0.01 * rng.random(),
        lateness_p99_ms=0.4 + 0.2 * rng.random(),
        lateness_max_ms=1.0 + 3 * rng.random(),
        ticks=length * 4,
        skipped=int(rng.random() > 0.98),
        policy_us=55.0,
        executor_us=240.0,
        update_us=2900.0,
    )


def write_run(path: Path, episodes: int = 330, preset: str = "minitaur") -> RunFolder:
    """A run of about `episodes` * 400 steps that learns to walk, with two evaluations."""
    rng = np.random.default_rng(3)
    run = RunFolder.create(path, load_preset(preset), NOON)
    step = 0
    with run.metrics_writer() as metrics:
        for episode in range(episodes):
            skill = 1 / (1 + math.exp(-(episode - 120) / 40))
            fell = bool(rng.random() > 0.3 + 0.7 * skill)
            length = int(rng.integers(60, 400)) if fell else WHOLE
            step += length
            now: Now = {"step": step, "wall_s": step / 300, "robot_s": step * 0.02}
            metrics.write(_episode_row(now, episode, length, skill, rng))
            metrics.write(_learner_row(now, episode, skill, rng))
            metrics.write(_timing_row(now, length, rng))
            if episode in (episodes // 2, episodes - 1):
                results = [
                    EpisodeResult(
                        length=WHOLE,
                        return_=150.0 * skill + 10 * i,
                        end=EpisodeEnd.TRUNCATED,
                        speed_m_s=0.45 * skill + 0.02 * i,
                        power_w=32.0,
                        seconds_above_continuous_torque=0.2,
                    )
                    for i in range(3)
                ]
                metrics.write(summarise(results, **now))
                run.save_episodes(step, results)
                trot().save(run.evaluation_folder(step) / "trace.npz")
    return run
