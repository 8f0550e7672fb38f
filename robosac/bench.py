"""This computer's numbers: the twin, the learner, inference, and the limiter; and the wires'."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from robosac.assembly import make_stage
from robosac.bus_rates import reachable_rates
from robosac.config import load_preset
from robosac.course import Course
from robosac.errors import NativeUnavailable
from robosac.finger_keepout import FingersApart
from robosac.hal import Limits
from robosac.keepout import FrontLegsForward, KeepOut
from robosac.replay import Replay
from robosac.robots.claw_file import load_claw_file
from robosac.robots.robot_file import load_robot_file
from robosac.sac import Sac, SacSettings
from robosac.sac.native.agent import NativeSac, native_library
from robosac.safety import Envelope, LimiterSettings
from robosac.settings.robot import SOFT_ZONE_RAD
from robosac.thermal import ThermalSettings

SIZES = ((17, 6), (112, 8))
"""Observations and actions of HalfCheetah and of the quadruped."""
STRETCH = 50
"""Environment steps timed together."""


@dataclass(frozen=True)
class Figure:
    """One measurement and its parts."""

    name: str
    title: str
    unit: str
    values: dict[str, float]


def measure(seconds: float, threads: int) -> list[Figure]:
    """Measure everything, `seconds` each, with `threads` for the learner."""
    torch.set_num_threads(threads)
    return [
        twin_speed(seconds),
        *(update_speed(seconds, *size) for size in SIZES),
        *native_update_speeds(seconds, threads),
        inference_latency(seconds),
        *limiter_costs(seconds / 4),
        *bus_rates(),
    ]


def bus_rates() -> list[Figure]:
    """What the wires allow: arithmetic, the same on every computer."""
    return [
        Figure(f"reach {what}", f"reachable with {what}", "Hz", rates)
        for what, rates in reachable_rates().items()
    ]


def twin_speed(seconds: float) -> Figure:
    """Environment steps a second through the byte path, every executor tick included.

    Timed in short stretches: on a shared machine the best one tells what the code costs, the median
    what to expect.
    """
    env = make_stage(load_preset("minitaur")).env
    rng = np.random.default_rng(0)
    env.reset(seed=0)
    rates: list[float] = []
    spent, over = 0.0, False
    while spent < seconds:
        actions = rng.uniform(-0.2, 0.2, (STRETCH, 8)).astype(np.float32)
        started, steps = time.perf_counter(), 0
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            steps += 1
            over = terminated or truncated
            if over:
                break
        elapsed = time.perf_counter() - started
        spent += elapsed
        rates.append(steps / elapsed)
        if over:
            env.reset()
    env.close()
    values = {"median": float(np.median(rates)), "best": max(rates)}
    return Figure("twin", "twin environment steps", "1/s", values)


def native_update_speeds(seconds: float, threads: int) -> list[Figure]:
    """The same by the native core; nothing where `robosac train` would not take it."""
    if threads != 1:
        return []
    try:
        library = native_library()
    except NativeUnavailable:
        return []
    return [update_speed(seconds, *size, partial(NativeSac, library), "native_") for size in SIZES]


def update_speed(
    seconds: float,
    observations: int,
    actions: int,
    make: Callable[..., Sac] = Sac,
    kind: str = "",
) -> Figure:
    """Gradient updates a second at the paper's sizes, sampling included."""
    rng = np.random.default_rng(0)
    replay = Replay(20_000, (observations,), actions)
    for _ in range(5_000):
        row = rng.standard_normal((2, observations)).astype(np.float32)
        action = rng.uniform(-1, 1, actions).astype(np.float32)
        replay.add(row[0], action, float(rng.standard_normal()), row[1], False)
    learner = make(SacSettings(), observations, actions, seed=0)

    def update() -> None:
        learner.update(replay.sample(rng, learner.settings.batch_size))

    times = _times(update, seconds)
    name = f"{kind}updates_{observations}_{actions}"
    title = f"{kind.replace('_', ' ')}updates, {observations} observations, {actions} actions"
    return Figure(name, title, "1/s", {"median": 1.0 / float(np.median(times))})


def inference_latency(seconds: float) -> Figure:
    """Time of one action of the quadruped's policy, numpy."""
    policy = Sac(SacSettings(), 112, 8, seed=0).policy()
    observation = np.zeros(112, np.float32)
    rng = np.random.default_rng(0)
    times = _times(lambda: policy.sample_action(observation, rng), seconds)
    return Figure("inference", "policy inference", "us", _percentiles(times))


def limiter_costs(seconds: float) -> list[Figure]:
    """Time of one tick's limiter, the keep-out off and on, `seconds` each.

    Eight joints of the quadruped and ten of the hand; "legal" requests break no bound, the others
    jump about by up to 1 rad.
    """
    figures: list[Figure] = []
    robots: tuple[tuple[str, Limits, float, KeepOut], ...] = (
        ("minitaur", load_robot_file(None).joint_limits(), 0.005, FrontLegsForward(0.65)),
        ("claw", load_claw_file(None).joint_limits(), 0.01, FingersApart()),
    )
    for robot, limits, period, keep_out in robots:
        envelope = Envelope(limits, LimiterSettings(period, soft_zone=SOFT_ZONE_RAD))
        for kind, scale in (("legal", 1e-3), ("limited", 1.0)):
            for region, name in ((None, ""), (keep_out, ", keep-out on")):
                course = Course(envelope, ThermalSettings(), region)
                times = _follow_times(course, scale, seconds)
                figures.append(
                    Figure(
                        f"limiter {robot} {kind}{name}",
                        f"limiter, {robot}, {kind} requests{name}",
                        "us",
                        _percentiles(times),
                    )
                )
    return figures


def _follow_times(course: Course, scale: float, seconds: float) -> list[float]:
    """Seconds of each tick with requests about `scale` (rad) from the middle of the ranges."""
    limits, rng = course.envelope.limits, np.random.default_rng(0)
    middle = (limits.lower + limits.upper) / 2.0
    requests = [middle + rng.uniform(-scale, scale, len(middle)) for _ in range(500)]
    # No two periods of a real clock are the same, so nothing may live off the last one's.
    periods = (course.envelope.settings.period * rng.uniform(0.9, 1.1, len(requests))).tolist()
    course.begin(middle)
    index = 0

    def one() -> None:
        nonlocal index
        index = (index + 1) % len(requests)
        course.follow(requests[index], course.position, periods[index])

    return _times(one, seconds)


def _times(action: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of each call, after a short warm-up."""
    for _ in range(10):
        action()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        action()
        times.append(time.perf_counter() - started)
    return times


def _percentiles(times: list[float]) -> dict[str, float]:
    return {
        "p50": float(np.percentile(times, 50)) * 1e6,
        "p99": float(np.percentile(times, 99)) * 1e6,
    }
