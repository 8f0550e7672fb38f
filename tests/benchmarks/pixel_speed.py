"""Updates a second from pixels beside the same networks in plain PyTorch, interleaved in one run.

Run it with `python -m tests.benchmarks.pixel_speed --json figures.json`. One update takes a batch
of random transitions (pictures of 32 x 32, 27 numbers beside each, 9 actions) and steps critics,
policy, temperature and targets. The plain learner is tests/robosac/plain_pixel_sac.py, which a test
holds to the same numbers. The native core takes part where it can be had, on one thread; in
bfloat16, torch and core, where the processor has a unit for that. At the end: the time of one
action, numpy alone, one observation.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch

from robosac.errors import NativeUnavailable
from robosac.peers.turns import interleave, median_rates, paired_ratio, timed
from robosac.replay import Batch
from robosac.sac import FastPixels, PaperPixels, PixelSac, SacSettings
from robosac.sac.native.compiler import has_tiles
from robosac.sac.native.pixel_agent import NativePixelSac, pixel_library
from tests.robosac.plain_pixel_sac import PlainPixelSac

RECIPES = {"fast": FastPixels(), "paper": PaperPixels()}
STATE, ACTION = 27, 9
Update = Callable[[Batch], object]


def random_batch(size: int, side: int) -> Batch:
    """Transitions of noise."""
    rng = np.random.default_rng(0)

    def observation() -> dict[str, np.ndarray]:
        return {
            "image": rng.integers(0, 256, (size, side, side, 3), dtype=np.uint8),
            "state": rng.standard_normal((size, STATE), dtype=np.float32),
        }

    action = rng.uniform(-1, 1, (size, ACTION)).astype(np.float32)
    reward = rng.standard_normal(size, dtype=np.float32)
    return Batch(observation(), action, reward, observation(), np.zeros(size, np.float32))


def several(update: Update, batch: Batch) -> Callable[[int], None]:
    """Makes that many updates over one batch."""

    def run(count: int) -> None:
        for _ in range(count):
            update(batch)

    return run


def rounded(update: Update) -> Update:
    """The same with torch's products in bfloat16."""

    def run(batch: Batch) -> None:
        torch.set_float32_matmul_precision("medium")
        update(batch)
        torch.set_float32_matmul_precision("highest")

    return run


def contenders(recipe: str, shape: tuple[int, int, int]) -> tuple[PixelSac, dict[str, Update]]:
    """Torch's learner, and everybody's update; the core's are for one thread."""
    pixels, settings = RECIPES[recipe], SacSettings()
    agent = PixelSac(settings, pixels, shape, STATE, ACTION, seed=0)
    updates: dict[str, Update] = {"plain": PlainPixelSac(agent).update, "robosac": agent.update}
    if has_tiles():
        other = PixelSac(settings, pixels, shape, STATE, ACTION, seed=0)
        updates["robosac, bfloat16"] = rounded(other.update)
    for products in ("float32", "bfloat16"):
        # What cannot be had here has no figures.
        with suppress(NativeUnavailable):
            core = pixel_library(products)
            made = NativePixelSac(core, settings, pixels, shape, STATE, ACTION, seed=0)
            updates[f"robosac, {made.core} core"] = made.update
    return agent, updates


def action_times(agent: PixelSac, batch: Batch, repeats: int) -> dict[str, float]:
    """Median and 99th percentile of one action, milliseconds."""
    observation = {name: array[0] for name, array in batch.observation.items()}
    policy, rng = agent.policy(), np.random.default_rng(0)
    times: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        policy.sample_action(observation, rng)
        times.append(1e3 * (time.perf_counter() - start))
    return {
        "median_ms": round(statistics.median(times), 3),
        "p99_ms": round(float(np.quantile(times, 0.99)), 3),
    }


def run(options: argparse.Namespace) -> list[dict[str, object]]:
    """One row of figures for each recipe, batch size and thread count."""
    rows: list[dict[str, object]] = []
    for recipe in options.recipes:
        for size in options.batch:
            batch = random_batch(size, options.side)
            agent, updates = contenders(recipe, (options.side, options.side, 3))
            for threads in options.threads:
                torch.set_num_threads(threads)
                players = {
                    name: timed(several(each, batch))
                    for name, each in updates.items()
                    if threads == 1 or "core" not in name
                }
                turns = interleave(players, options.rounds, options.updates)
                rates = median_rates(turns)
                others = [name for name in turns if name != "plain"]
                rows.append(
                    {
                        "recipe": recipe,
                        "batch": size,
                        "threads": threads,
                        "updates_per_second": {name: round(x, 1) for name, x in rates.items()},
                        "ratio": {
                            name: round(paired_ratio(turns[name], turns["plain"]), 2)
                            for name in others
                        },
                        "action": action_times(agent, batch, 1000),
                    }
                )
    return rows


def main() -> None:
    """Measure and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", choices=tuple(RECIPES), nargs="+", default=list(RECIPES))
    parser.add_argument("--batch", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--side", type=int, default=32, help="of a picture, pixels")
    parser.add_argument("--rounds", type=int, default=8, help="turns each candidate takes")
    parser.add_argument("--updates", type=int, default=10, help="updates in one turn")
    parser.add_argument("--json", type=Path, help="write here rather than to standard output")
    options = parser.parse_args()
    report = {"torch": torch.__version__, "side": options.side, "rows": run(options)}
    text = json.dumps(report, indent=1)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    else:
        sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
