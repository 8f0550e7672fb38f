"""Updates a second of robosac's learner beside stable-baselines3's, interleaved in one run.

Run it with `python tests/benchmarks/update_speed.py --json figures.json`; stable-baselines3 joins
when it is installed. One update samples 256 transitions and steps critics, policy, temperature and
targets; networks are 2x256.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import gymnasium
import numpy as np
import torch

from robosac.replay import Replay
from robosac.sac.agent import Sac
from robosac.sac.settings import SacSettings

SIZES = ((17, 6), (112, 8))
"""Observation and action dimensions: HalfCheetah, and the paper's Minitaur with its history."""
FILL = 20_000
Update = Callable[[int], object]
"""Makes that many updates."""


def ours(observation_dim: int, action_dim: int) -> Update:
    """robosac's learner on random transitions."""
    rng = np.random.default_rng(0)
    replay = Replay(SacSettings().replay_capacity, (observation_dim,), action_dim)
    for row in rng.standard_normal((FILL, 2 * observation_dim), dtype=np.float32):
        action = rng.uniform(-1, 1, action_dim).astype(np.float32)
        replay.add(row[:observation_dim], action, float(row[0]), row[observation_dim:], False)
    agent = Sac(SacSettings(), observation_dim, action_dim, seed=0)

    def update(count: int) -> None:
        for _ in range(count):
            agent.update(replay.sample(rng, agent.settings.batch_size))

    return update


class RandomWorld(gymnasium.Env[np.ndarray, np.ndarray]):
    """Spaces of a given size; never stepped."""

    def __init__(self, observation_dim: int, action_dim: int) -> None:
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (observation_dim,))
        self.action_space = gymnasium.spaces.Box(-1, 1, (action_dim,))


def peer(observation_dim: int, action_dim: int) -> Update:
    """stable-baselines3's SAC on random transitions, with its default settings."""
    # Only `make bench` installs the peer.
    from stable_baselines3 import SAC  # pyright: ignore[reportMissingImports]
    from stable_baselines3.common.logger import Logger  # pyright: ignore[reportMissingImports]

    world = RandomWorld(observation_dim, action_dim)
    agent = SAC("MlpPolicy", world, buffer_size=FILL, device="cpu", seed=0)
    agent.set_logger(Logger(folder=None, output_formats=[]))
    rng = np.random.default_rng(0)
    for _ in range(FILL):
        rows = rng.standard_normal((2, 1, observation_dim)).astype(np.float32)
        action = rng.uniform(-1, 1, (1, action_dim)).astype(np.float32)
        done = np.zeros(1, bool)
        assert agent.replay_buffer is not None
        agent.replay_buffer.add(rows[0], rows[1], action, rows[0, :, 0], done, [{}])
    return lambda count: agent.train(gradient_steps=count, batch_size=256)


def measure(candidates: dict[str, Update], rounds: int, updates: int) -> dict[str, float]:
    """Median updates a second of each candidate, all of them taking turns in every round."""
    rates: dict[str, list[float]] = {name: [] for name in candidates}
    for update in candidates.values():
        update(updates)
    for _ in range(rounds):
        for name, update in candidates.items():
            start = time.perf_counter()
            update(updates)
            rates[name].append(updates / (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in rates.items()}


def run(threads: list[int], rounds: int, updates: int) -> list[dict[str, object]]:
    """One row of figures for each thread count and size."""
    rows: list[dict[str, object]] = []
    for observation_dim, action_dim in SIZES:
        candidates = {"robosac": ours(observation_dim, action_dim)}
        if find_spec("stable_baselines3"):
            candidates["stable-baselines3"] = peer(observation_dim, action_dim)
        for count in threads:
            torch.set_num_threads(count)
            rates = measure(candidates, rounds, updates)
            row: dict[str, object] = {
                "observation": observation_dim,
                "action": action_dim,
                "threads": count,
                "updates_per_second": {name: round(rate, 1) for name, rate in rates.items()},
            }
            if "stable-baselines3" in rates:
                row["ratio"] = round(rates["robosac"] / rates["stable-baselines3"], 2)
            rows.append(row)
    return rows


def main() -> None:
    """Measure and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=8, help="turns each candidate takes")
    parser.add_argument("--updates", type=int, default=30, help="updates in one turn")
    parser.add_argument("--precision", choices=("highest", "high", "medium"), default="highest")
    parser.add_argument("--json", type=Path, help="write here rather than to standard output")
    options = parser.parse_args()
    torch.set_float32_matmul_precision(options.precision)
    report = {
        "torch": torch.__version__,
        "float32_matmul_precision": options.precision,
        "batch": 256,
        "hidden": [256, 256],
        "rows": run(options.threads, options.rounds, options.updates),
    }
    text = json.dumps(report, indent=1)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
