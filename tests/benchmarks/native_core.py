"""The native core beside torch: updates, share of what the core could do, gradients' cosines.

Where the processor multiplies in bfloat16, torch and core do so too, in columns of their own.

Run it with `python -m tests.benchmarks.native_core --json figures.json`. Both take turns in every
round; times are the processor's own for this thread, so that other programs' are out. The floor is
the update's multiplications and additions at the rate of a loop that does nothing else.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robosac.errors import NativeUnavailable
from robosac.peers.comparison import machine
from robosac.peers.turns import interleave
from robosac.sac import FastVectors, PaperVectors, Sac, SacSettings
from robosac.sac.native import compiler
from robosac.sac.native.agent import NativeSac, library_with_units, native_library
from robosac.sac.native.interface import Library
from tests.robosac.native_rig import Vectors, autograd, cosine, followed, make_batch, pair

SIZES = ((17, 6), (112, 8))
"""Observations and actions of HalfCheetah and of the quadruped."""
RECIPES: dict[str, Vectors] = {"paper": PaperVectors(), "fast": FastVectors()}
PEAK_ROUNDS, PEAK_TRIES = 200_000, 60
LAYER = 256


def operations(settings: SacSettings, observation: int, action: int, mean_actor: bool) -> float:
    """Multiplications and additions of one update's products.

    Where the policy learns from the smaller value, only half of the rows go back through a critic.
    """
    widths = list(settings.hidden_units)
    inner = sum(one * other for one, other in pairwise(widths))
    critic = (observation + action) * widths[0] + inner + widths[-1]
    policy = observation * widths[0] + inner + widths[-1] * 2 * action
    back = inner + widths[-1] * 2 * action
    through = (inner + action * widths[0]) * (2 if mean_actor else 1)
    rows = 2 * policy + policy + back + 6 * critic + 2 * (critic + inner) + through
    return 2.0 * settings.batch_size * rows


def peak() -> dict[str, float]:
    """Operations a second of multiply-adds in registers, and of one layer's product: the best."""
    source = Path(__file__).with_name("native_peak.cpp")
    tool = compiler.compiler_in(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "peak.so"
        include = f"-I{compiler.SOURCE.parent}"
        subprocess.run(
            [tool, *compiler.FLAGS, include, "-o", str(library), str(source)], check=True
        )
        loaded = ctypes.CDLL(str(library))
        start = np.linspace(0.5, 1.0, 14, dtype=np.float32)
        start[12:] = 0.999, 0.001
        memory = np.random.default_rng(0).standard_normal(5 * LAYER * (LAYER + 32))
        floats = memory.astype(np.float32)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (start, floats)]
        adds = _best(lambda: loaded.multiply_add(PEAK_ROUNDS, pointers[0]))
        layer = _best(lambda: loaded.layer(LAYER, pointers[1]))
        return {
            "multiply_add": 2.0 * PEAK_ROUNDS * loaded.floats_of_round() / adds,
            "layer": 2.0 * LAYER**3 / layer,
        }


def _best(work: Callable[[], object]) -> float:
    """Seconds of this thread."""
    times: list[float] = []
    for _ in range(PEAK_TRIES):
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
    return min(times)


def cosines(library: Library, observation: int, action: int, vectors: Vectors) -> Any:
    """Of the written gradients with autograd's in float64, by network: one minus it."""
    if isinstance(vectors, FastVectors):
        vectors = replace(vectors, normalise=False)
    settings = SacSettings()
    _, native = pair(library, settings, observation, action, vectors)
    before, batch = native.state(), make_batch(7, settings.batch_size, observation, action)
    native.update(batch)
    expected, found = autograd(native, before, batch), followed(native, before)
    return {
        owner: 1
        - cosine(
            torch.cat([found[owner][name].flatten() for name in weights]),
            torch.cat([gradient.flatten() for gradient in weights.values()]),
        )
        for owner, weights in expected.items()
    }


def speeds(
    libraries: list[Library], size: tuple[int, int], vectors: Vectors, rounds: int, updates: int
) -> dict[str, float]:
    """Milliseconds of an update by each, and how many times as fast as torch in float32."""
    settings = SacSettings()
    batch = make_batch(0, settings.batch_size, *size)
    learners: dict[str, Sac] = {}
    for library in libraries:
        name = library.products
        learners[f"torch_{name}"] = Sac(settings, *size, 0, vectors=vectors)
        learners[f"native_{name}"] = NativeSac(library, settings, *size, 0, vectors)

    def player(name: str, learner: Sac) -> Callable[[int], float]:
        precision = "medium" if name == "torch_bfloat16" else "highest"

        def play(count: int) -> float:
            torch.set_float32_matmul_precision(precision)
            started = time.thread_time()
            for _ in range(count):
                learner.update(batch)
            return (time.thread_time() - started) / count * 1e3

        return play

    players = {name: player(name, learner) for name, learner in learners.items()}
    times = interleave(players, rounds, updates)
    reference = times["torch_float32"]
    return {
        **{f"{name}_ms": statistics.median(found) for name, found in times.items()},
        **{f"{name}_best_ms": min(found) for name, found in times.items()},
        **{
            f"{name}_times_torch": statistics.median(
                [one / other for one, other in zip(reference, found, strict=True)]
            )
            for name, found in times.items()
        },
    }


def libraries() -> list[Library]:
    """The core in float32 and, where the processor has a unit for it, in bfloat16."""
    found = [native_library()]
    with suppress(NativeUnavailable):
        found.append(library_with_units("bfloat16"))
    return found


def main() -> None:
    """Measure and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=41, help="turns that each takes")
    parser.add_argument("--updates", type=int, default=4, help="updates in one turn")
    parser.add_argument("--json", type=Path, help="write here rather than to standard output")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cores, rates = libraries(), peak()
    rows: list[dict[str, Any]] = []
    for recipe, vectors in RECIPES.items():
        for size in SIZES:
            found = speeds(cores, size, vectors, options.rounds, options.updates)
            work = operations(SacSettings(), *size, vectors.actor_q == "mean")
            floor_ms = work / rates["multiply_add"] * 1e3
            rows.append(
                {
                    "recipe": recipe,
                    "observation": size[0],
                    "action": size[1],
                    **found,
                    "operations": work,
                    "floor_ms": floor_ms,
                    "share_of_peak": floor_ms / found["native_float32_best_ms"],
                    "one_minus_cosine": {
                        core.products: cosines(core, *size, vectors) for core in cores
                    },
                }
            )
    report = {"machine": machine(), "torch": torch.__version__, "peak": rates, "rows": rows}
    text = json.dumps(report, indent=1) + "\n"
    if options.json:
        options.json.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
