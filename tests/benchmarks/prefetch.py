"""Updates a second with batches drawn ahead by a thread, and with batches drawn on the spot.

Run it with `python -m tests.benchmarks.prefetch --json figures.json`. A learner that is behind, so
that every batch but the first can be drawn ahead, makes updates over a full replay. Both ways take
turns in every round, and a second learner that draws on the spot does too: how far its ratio is
from one is what the computer's own noise makes of nothing. `thread_ms` is processor time of the
learner's own thread in one update: what drawing ahead takes off it, whatever else is running; and
`drawing_us` is that of one batch: drawn on the spot, or ordered and taken.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium.spaces import Box, Dict

from robosac.config import load_preset
from robosac.experience import make_replay
from robosac.governor import RatioGovernor
from robosac.learners import make_learner
from robosac.learning import Learning
from robosac.peers.comparison import machine
from robosac.peers.turns import Spread, Turn, interleave, median_rates, timed
from robosac.prefetch import Prefetch
from robosac.told_spaces import ToldSpaces

OWED = 1e6
"""Updates: more than any turn makes."""
DRAWS = 200
STATE, ACTION = 27, 9
"""Beside a picture."""
SPOT, AGAIN, AHEAD = "on the spot", "on the spot again", "ahead"


@dataclass(frozen=True)
class Case:
    """What is learned from."""

    name: str
    batch: int
    core: str
    spaces: ToldSpaces
    rows: int
    """Transitions in the replay."""
    overrides: tuple[str, ...] = ()
    """Of settings."""

    def learning(self, device: str, prefetch: bool) -> Learning:
        """A learner that is behind, with a replay of random transitions."""
        config = load_preset(
            "gym:Pendulum-v1",
            [
                f"learner_device={device}",
                f"learner_core={self.core}",
                f"learner_prefetch={str(prefetch).lower()}",
                f"recipe={'paper' if isinstance(self.spaces.observation_space, Box) else 'fast'}",
                f"sac.batch_size={self.batch}",
                f"sac.replay_capacity={self.rows}",
                *self.overrides,
            ],
        )
        replay = make_replay(config, self.spaces)
        rng = np.random.default_rng(0)
        actions = self.spaces.action_space.shape
        seen = self._observation(rng)
        for _ in range(self.rows):
            action, following = rng.uniform(-1, 1, actions), self._observation(rng)
            replay.add(seen, action.astype(np.float32), float(action[0]), following, False)
            seen = following
        learning = Learning(config, make_learner(config, self.spaces), replay)
        learning.governor = RatioGovernor(1.0, OWED)
        return learning

    def _observation(self, rng: np.random.Generator) -> Any:
        space = self.spaces.observation_space
        if isinstance(space, Box):
            return rng.standard_normal(space.shape, dtype=np.float32)
        assert isinstance(space, Dict)
        shape = space["image"].shape
        return {
            "image": rng.integers(0, 256, shape, dtype=np.uint8),
            "state": rng.standard_normal(STATE, dtype=np.float32),
        }


def vectors(observations: int, actions: int, batch: int, core: str) -> Case:
    """A case without pictures."""
    spaces = ToldSpaces(Box(-np.inf, np.inf, (observations,)), Box(-1.0, 1.0, (actions,)))
    return Case(f"state {observations}/{actions}", batch, core, spaces, 20_000)


def pictures(side: int, batch: int, rows: int, *overrides: str) -> Case:
    """A case with pictures, by torch."""
    seen = Dict(
        {
            "image": Box(0, 255, (side, side, 3), np.uint8),
            "state": Box(-np.inf, np.inf, (STATE,)),
        }
    )
    spaces = ToldSpaces(seen, Box(-1.0, 1.0, (ACTION,)))
    return Case(f"pixels {side}x{side}", batch, "torch", spaces, rows, overrides)


def cases(device: str) -> list[Case]:
    """All there are for a device."""
    cores = ("torch", "native") if device == "cpu" else ("torch",)
    return [
        *(
            vectors(*size, batch, core)
            for size in ((17, 6), (112, 8))
            for batch in (128, 256)
            for core in cores
        ),
        pictures(32, 128, 10_000),
        pictures(84, 256, 4_000, "sac.pixels.patches=[4, 3]"),
    ]


def many(learning: Learning, device: str) -> Callable[[int], None]:
    """Makes that many updates, and waits for the device."""

    def run(count: int) -> None:
        goal = learning.learner.updates + count
        while learning.learner.updates < goal:
            learning.update()
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def ratio(one: list[Turn], other: list[Turn]) -> Spread:
    """How many times as fast `one` was, round by round."""
    return Spread.of([a.rate / b.rate for a, b in zip(one, other, strict=True)])


def draws(spot: Learning, ahead: Learning, size: int) -> tuple[float, float]:
    """Processor time that one batch takes the learner's thread, us: drawn, or ordered and taken."""
    prefetch, rng = ahead.replay, np.random.default_rng(0)
    assert isinstance(prefetch, Prefetch)

    def on_the_spot() -> float:
        started = time.thread_time()
        spot.replay.sample(rng, size)
        return time.thread_time() - started

    def drawn_ahead() -> float:
        started = time.thread_time()
        prefetch.draw_ahead(rng, size, 1)
        ordered = time.thread_time() - started
        # An update that leaves the interpreter to the worker.
        time.sleep(0.005)
        started = time.thread_time()
        prefetch.sample_many(rng, size, 1)
        return ordered + time.thread_time() - started

    told = [(on_the_spot(), drawn_ahead()) for _ in range(DRAWS)]
    drawn, handed = (1e6 * statistics.median(each) for each in zip(*told, strict=True))
    return drawn, handed


def measure(case: Case, device: str, rounds: int, updates: int) -> dict[str, Any]:
    """One row of figures."""
    learnings = {name: case.learning(device, name == AHEAD) for name in (SPOT, AGAIN, AHEAD)}
    players = {
        name: timed(many(learning, device), cpu_clock=time.thread_time)
        for name, learning in learnings.items()
    }
    turns = interleave(players, rounds, updates)
    spot_us, ahead_us = draws(learnings[SPOT], learnings[AHEAD], case.batch)
    for learning in learnings.values():
        learning.close()
    told = {name: learnings[name].learner.state() for name in (SPOT, AHEAD)}
    return {
        "case": case.name,
        "batch": case.batch,
        "core": learnings[SPOT].learner.core,
        "updates_per_second": median_rates(turns),
        "ahead_over_spot": _quartiles(ratio(turns[AHEAD], turns[SPOT])),
        "spot_again_over_spot": _quartiles(ratio(turns[AGAIN], turns[SPOT])),
        "thread_ms": {
            name: statistics.median(1e3 * turn.cpu_seconds / turn.count for turn in of)
            for name, of in turns.items()
        },
        "drawing_us": {SPOT: spot_us, AHEAD: ahead_us},
        "equal_to_the_bit": all(
            told[SPOT][name].tobytes() == told[AHEAD][name].tobytes() for name in told[SPOT]
        ),
    }


def _quartiles(spread: Spread) -> list[float]:
    """Lower quartile, median, upper quartile."""
    return [round(x, 4) for x in (spread.lower_quartile, spread.median, spread.upper_quartile)]


def main() -> None:
    """Measure and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--rounds", type=int, default=41, help="turns that each takes")
    parser.add_argument("--updates", type=int, default=10, help="updates in one turn")
    parser.add_argument("--json", type=Path, help="write here rather than to standard output")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    report = {
        "machine": machine(),
        "torch": torch.__version__,
        "device": options.device,
        "rounds": options.rounds,
        "updates": options.updates,
        "rows": rows,
    }
    for case in cases(options.device):
        if options.only in case.name:
            rows.append(measure(case, options.device, options.rounds, options.updates))
            # After each case, so that a run cut short leaves what it had measured.
            if options.json:
                options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if not options.json:
        sys.stdout.write(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
