"""How often the fallen quadruped gets up by itself, by how it fell, in the twin.

    python -m tests.sweeps.get_up_sweep --trials 100

from the repository's root. Each trial drops another robot (`sim.fallen`), lets it lie limp, and
runs the ladder of `robosac.tasks.walk_reset` without its last rung, the person. Sensor noise,
latencies, the torque table and the thermal cut-off are in force. Exit code 0 if every trial ended
as it must: standing under the robot's own bounds, or with torque off.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from robosac.assembly import make_stage
from robosac.config import load_preset
from robosac.states import SafetyState
from robosac.tasks.walk import MinitaurWalk
from robosac.ticks import Tick
from sim.fallen import ATTITUDES, FOLDED
from sim.minitaur import MinitaurTwin
from tests.sweeps.saying import say

EPISODE = "episode"
"""As an episode of the twin leaves the robot behind."""
KINDS = (*ATTITUDES, FOLDED, EPISODE)
STANDING_M = 0.15
LEVEL_RAD = 0.5
"""Height and tilt of the body of a robot that truly stands: above, and below."""
OFF = (SafetyState.DISARMED, SafetyState.FAULT)


@dataclass
class Row:
    """What became of the falls of one kind."""

    kind: str
    trials: int = 0
    stood: int = 0
    first: int = 0
    """Stood after the first attempt."""
    mistaken: int = 0
    """Said to stand, while the body was low or tilted."""
    unsafe: int = 0
    """Ended neither standing nor with torque off."""
    lay: Counter[str] = field(default_factory=Counter[str])
    problems: Counter[str] = field(default_factory=Counter[str])
    """Why a person would have been called."""


def sweep(kind: str, trials: int, first_seed: int) -> Row:
    """Let the robot fall `trials` times as `kind` says, and try to get up each time."""
    stage = make_stage(load_preset("minitaur", ["task.reset=self", "twin.randomisation=tan2018"]))
    env, executor = stage.env, stage.executor
    assert isinstance(env, MinitaurWalk)
    assert executor is not None
    twin, setup = env.operator, env.setup
    assert isinstance(twin, MinitaurTwin)
    row, stance = Row(kind), env.joints_from_action(np.zeros(8))
    for seed in range(first_seed, first_seed + trials):
        setup.stop()
        for name in {entry.fault.name for entry in executor.faults}:
            executor.clear(name)
        twin.begin(seed, None if kind == EPISODE else kind)
        row.trials += 1
        row.lay[_side(twin.plant.tilt)] += 1
        done = setup.climb(stance)
        driven = bool(twin.bank.driving.any())
        if isinstance(done, Tick):
            truly = twin.plant.base_position[2] > STANDING_M and twin.plant.tilt < LEVEL_RAD
            row.stood, row.mistaken = row.stood + truly, row.mistaken + (not truly)
            row.first += truly and setup.attempts == 1
            row.unsafe += executor.safety is not SafetyState.ACTIVE
        else:
            row.problems[":".join(done.split(":")[:2])[:40]] += 1
            row.unsafe += driven or executor.safety not in OFF
    env.close()
    return row


def _side(tilt: float) -> str:
    """What was down when it lay still, from the true tilt (rad)."""
    if tilt < math.radians(45.0):
        return "belly"
    return "back" if tilt > math.radians(135.0) else "side"


def main() -> int:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=100, help="falls of each kind")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--seed", type=int, default=0, help="of the first fall of each kind")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    chosen = parser.parse_args()
    rows: list[Row] = []
    say("| fall | lay on | stood | at the first attempt | mistaken | not safe at the end |")
    say("|---|---|---|---|---|---|")
    for kind in chosen.kinds.split(","):
        row = sweep(kind, chosen.trials, chosen.seed)
        rows.append(row)
        lay = ", ".join(f"{name} {count}" for name, count in row.lay.most_common())
        cells = (kind, lay, f"{row.stood} of {row.trials}", row.first, row.mistaken, row.unsafe)
        say("| " + " | ".join(map(str, cells)) + " |")
        for problem, count in row.problems.most_common():
            sys.stderr.write(f"  {count} x {problem}\n")
        if chosen.json is not None:
            chosen.json.write_text(json.dumps([vars(row) for row in rows], indent=1) + "\n")
    return int(any(row.unsafe or row.mistaken for row in rows))


if __name__ == "__main__":
    sys.exit(main())
