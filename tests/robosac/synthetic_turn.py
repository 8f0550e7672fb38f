"""A made-up run of a hand that learns to turn a valve, the same every time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from robosac.config import load_preset
from robosac.error_traces import ErrorTraces
from robosac.evaluation_files import ERRORS, TRACE
from robosac.metrics import (
    EpisodeResult,
    EpisodeRow,
    LearnerRow,
    MetricsWriter,
    TimingRow,
    summarise,
)
from robosac.runs import RunFolder
from robosac.tasks.ends import EpisodeEnd
from robosac.trace import Trace
from tests.robosac.synthetic_run import NOON

FINGERS = tuple(f"{link}_{finger}" for finger in range(3) for link in ("base", "middle", "tip"))
JOINTS = (*FINGERS, "valve")
PERIOD_S = 0.1
STEPS = 40
EVALUATED = 20


def errors_of(skill: float, rng: np.random.Generator, steps: int = STEPS) -> NDArray[np.float64]:
    """Signed errors of one episode from its reset on, rad: the better, the sooner near zero."""
    start = rng.uniform(-math.pi, math.pi)
    rest = abs(rng.normal(0, 0.05 + 1.2 * (1 - skill)))
    time = np.arange(steps + 1) * PERIOD_S
    size = rest + max(abs(start) - rest, 0.0) * np.exp(-2.5 * skill * time)
    return np.clip(np.copysign(size, start) + rng.normal(0, 0.01, len(time)), -math.pi, math.pi)


def turn() -> Trace:
    """One episode of ten joints, nine of which the policy drives."""
    rng = np.random.default_rng(5)
    errors = errors_of(0.9, rng)[1:]
    time = np.arange(STEPS, dtype=np.float64) * PERIOD_S
    phase = 2 * np.pi * 0.8 * time[:, None] + np.repeat([0.0, 2.1, 4.2], 3)
    action = np.sin(phase + np.tile([0.0, 1.2, 2.0], 3))
    goal = np.concatenate([action * np.tile([0.48, 1.05, 1.57], 3), errors[:, None]], axis=1)
    executed = np.clip(goal, -1.2, 1.2)
    return Trace(
        time_s=time,
        joint_position=np.roll(executed, 1, axis=0) + rng.normal(0, 0.01, goal.shape),
        requested=goal,
        executed=executed,
        action_requested=action,
        action_executed=np.clip(action, -0.9, 0.9),
        reasons=np.zeros(STEPS, np.int64),
        torque=rng.normal(0, 0.2, goal.shape),
        power_w=4 + rng.normal(0, 0.4, STEPS),
        reward=-2 * np.abs(errors),
        joint_names=JOINTS,
        reason_names=("non_finite", "position"),
        signals={
            "angle_error": errors,
            "frame_age_s": 0.03 + 0.01 * rng.random(STEPS),
            "joint_age_s": 0.004 + 0.004 * rng.random(STEPS),
        },
    )


def write_turn_run(
    path: Path, episodes: int = 400, preset: str = "claw-pixels", seed: int = 3
) -> RunFolder:
    """A run of about `episodes` * 40 steps that learns to turn, with eight evaluations."""
    rng = np.random.default_rng(seed)
    run = RunFolder.create(path, load_preset(preset, [f"seed={seed}"]), NOON)
    step = calls = 0
    with run.metrics_writer() as metrics:
        for episode in range(episodes):
            skill = 0.97 / (1 + math.exp(-(episode / episodes - 0.4) * 12))
            lost = bool(rng.random() < 0.02)
            calls += bool(rng.random() < 0.01)
            errors = np.abs(errors_of(skill, rng))[1 : 12 if lost else None]
            step += len(errors)
            now = {"step": step, "wall_s": step / 15, "robot_s": step * PERIOD_S}
            metrics.write(
                EpisodeRow(
                    **now,
                    episode=episode,
                    length=len(errors),
                    return_=float(-2 * errors.sum()),
                    end=EpisodeEnd.CAMERA_FROZEN if lost else EpisodeEnd.TRUNCATED,
                    terms={"angle_error": float(-2 * errors.sum())},
                    limited={"velocity": 0.3 * (1 - skill) + 0.02, "distance": 0.05},
                    smoothness=0.3 - 0.2 * skill,
                    start_error_rad=float(errors[0]),
                    angle_error_rad=float(errors[-1]),
                    angle_error_median_rad=float(np.median(errors)),
                    success=bool(errors[-1] < 0.1),
                    frame_age_mean_s=0.035 + 0.002 * rng.random(),
                    frame_age_max_s=0.05 + 0.03 * rng.random(),
                    joint_age_max_s=0.008 + 0.004 * rng.random(),
                    operator_calls=calls,
                )
            )
            _learned(metrics, now, skill, rng)
            if (episode + 1) % (episodes // 8) == 0:
                _evaluate(run, metrics, now, skill, rng)
    return run


def _learned(
    metrics: MetricsWriter, now: dict[str, float], skill: float, rng: np.random.Generator
) -> None:
    where = {"step": int(now["step"]), "wall_s": now["wall_s"], "robot_s": now["robot_s"]}
    metrics.write(
        LearnerRow(
            **where, updates=where["step"], critic_loss=0.5, actor_loss=-10 * skill,
            alpha=0.02 + math.exp(-6 * skill), entropy=-9 + 6 * (1 - skill) + rng.normal(0, 0.1),
            target_entropy=-9.0, q_mean=-20 * (1 - skill), updates_per_s=15.0,
        )
    )  # fmt: skip
    metrics.write(
        TimingRow(
            **where, lateness_p50_ms=0.06, lateness_p99_ms=0.4, lateness_max_ms=1 + rng.random(),
            ticks=400, skipped=0, policy_us=300.0, executor_us=400.0, update_us=60_000.0,
        )
    )  # fmt: skip


def _evaluate(
    run: RunFolder,
    metrics: MetricsWriter,
    now: dict[str, float],
    skill: float,
    rng: np.random.Generator,
) -> None:
    step = int(now["step"])
    found = [errors_of(min(skill + 0.05, 1.0), rng) for _ in range(EVALUATED)]
    found[3] = found[3][:15]
    results = [
        EpisodeResult(
            length=len(errors) - 1,
            return_=float(-2 * np.abs(errors[1:]).sum()),
            end=EpisodeEnd.CAMERA_LATE if number == 3 else EpisodeEnd.TRUNCATED,
            seed=number,
            power_w=4.2,
            seconds_above_continuous_torque=0.0,
            start_error_rad=float(abs(errors[0])),
            angle_error_rad=float(abs(errors[-1])),
            angle_error_median_rad=float(np.median(np.abs(errors[1:]))),
            success=bool(abs(errors[-1]) < 0.1),
            frame_age_mean_s=0.036,
            frame_age_max_s=0.067,
        )
        for number, errors in enumerate(found)
    ]
    metrics.write(summarise(results, step=step, wall_s=now["wall_s"], robot_s=now["robot_s"]))
    run.save_episodes(step, results)
    traces = ErrorTraces.of([list(errors) for errors in found], PERIOD_S)
    assert traces is not None
    traces.save(run.evaluation_folder(step) / ERRORS)
    turn().save(run.evaluation_folder(step) / TRACE)
